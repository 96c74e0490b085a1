"""Listening to a watcher until what is waited for has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from p2psync.engine.settle import How
from p2psync.fs.signs import Lost, Noticed, Refused, Signs, Watcher

PATIENCE_S = 20
"""Only a broken test waits so long."""


class Listener:
    """Gathers what a watcher tells until something that is waited for has come."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.noticed: list[Noticed] = []
        self.refused: list[Refused] = []
        self.lost = 0

    async def until(self, enough: Callable[[Listener], bool]) -> Listener:
        async with asyncio.timeout(PATIENCE_S):
            while not enough(self):
                told = await anext(self.watcher)
                match told:
                    case Signs(noticed, refused):
                        self.noticed += noticed
                        self.refused += refused
                    case Lost():
                        self.lost += 1
        return self

    async def path(self, path: str) -> Listener:
        return await self.until(lambda told: path in told.paths)

    @property
    def paths(self) -> list[str]:
        return [n.path for n in self.noticed]

    def how(self, path: str) -> list[How]:
        return [n.how for n in self.noticed if n.path == path]
