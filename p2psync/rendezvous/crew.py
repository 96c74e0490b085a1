"""The owner of a host's background work: all of it ends when the host does, and what fails is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Crew:
    """A task group that no failing task brings down; `close` cancels and awaits everything."""

    def __init__(self, on_failure: Callable[[str, Exception], None]) -> None:
        """`on_failure` gets the name of the work, and what went wrong."""
        self._on_failure = on_failure
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        await self._group.__aenter__()

    def start(self, work: Coroutine[Any, Any, object], name: str) -> asyncio.Task[None]:
        task = self._group.create_task(self._guarded(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began
        return task

    async def close(self) -> None:
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)
        await self._group.__aexit__(None, None, None)

    async def _guarded(self, work: Coroutine[Any, Any, object], name: str) -> None:
        try:
            await work
        except Exception as error:
            self._on_failure(name, error)
