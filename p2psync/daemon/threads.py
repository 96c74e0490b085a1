"""Threads for disk and hashing: one hop for each batch, and each kind of work in threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

READERS = 3
"""Threads that read for peers."""


class Threads:
    """Of the transfer: a long check of a big file never holds up a small one."""

    def __init__(self) -> None:
        self._read = ThreadPoolExecutor(READERS, "read")
        self._quick = ThreadPoolExecutor(1, "stage")
        self._slow = ThreadPoolExecutor(1, "assemble")
        self._local = ThreadPoolExecutor(1, "local")

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """For peers."""
        return await self._run(self._read, work, *args, **kwargs)

    async def quick(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What takes milliseconds: batches of small files, chunks."""
        return await self._run(self._quick, work, *args, **kwargs)

    async def slow(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What reads whole big files."""
        return await self._run(self._slow, work, *args, **kwargs)

    async def local(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Looking for contents on this disk."""
        return await self._run(self._local, work, *args, **kwargs)

    def close(self) -> None:
        """Waits for what is running; nothing new begins."""
        for pool in (self._read, self._quick, self._slow, self._local):
            pool.shutdown(wait=True, cancel_futures=True)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, lambda: work(*args, **kwargs))
