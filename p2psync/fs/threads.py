"""Work in threads that is never left behind: who is cancelled waits until the thread is done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(pool: Executor | None, work: Callable[[], T], stop: Callable[[], None] = lambda: None) -> T:
    """What `work` returns or raises. Cancelled, it calls `stop` and waits for the work's end, whose result is lost."""
    future = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):  # who is impatient waits all the same
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # taken notice of
        raise


async def threaded(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for work that nothing can stop, in any thread."""
    return await in_thread(None, partial(work, *args, **kwargs))
