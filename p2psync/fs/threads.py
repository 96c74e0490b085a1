"""Work in threads that is never left behind: who is cancelled waits until the thread is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def in_thread(pool: Executor | None, work: Callable[[], T], stop: Callable[[], None] = lambda: None) -> T:
    """What `work` returns or raises. Cancelled, it calls `stop` and waits for the work's end, whose result is lost."""
    future = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # taken notice of
        raise
