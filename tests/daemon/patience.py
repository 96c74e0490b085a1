"""Waiting for something that must come true, with a deadline that only a broken program meets."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

DEADLINE_S = 30.0
LOOK_EVERY_S = 0.01


async def until(
    condition: Callable[[], object | Awaitable[object]], what: str = "", deadline_s: float = DEADLINE_S
) -> None:
    """Returns when the condition holds; it may be a coroutine function."""
    end_s = time.monotonic() + deadline_s
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return
        if time.monotonic() > end_s:
            raise AssertionError(f"did not come true within {deadline_s} s: {what or inspect.getsource(condition)}")
        await asyncio.sleep(LOOK_EVERY_S)
