"""Waiting for what others do, by looking again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

CHECK_EVERY_S = 1.0


def now_s() -> float:
    """Seconds that only differences make sense of."""
    return time.perf_counter()


def pause(seconds: float) -> None:
    """Let others work."""
    time.sleep(seconds)  # noqa: TID251 - a benchmark looks at processes from outside, nothing else runs in this thread


def wait_until(
    true: Callable[[], bool],
    within_s: float,
    otherwise: str,
    *,
    every_s: float = 0.02,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Ask until it is true. `check` is called once a second, and may raise. Raises TimeoutError(otherwise)."""
    begun = checked = now_s()
    while not true():
        now = now_s()
        if now - begun > within_s:
            raise TimeoutError(f"{otherwise} within {within_s:.0f} s")
        if now - checked > CHECK_EVERY_S:
            check()
            checked = now
        pause(every_s)
