"""An event loop whose time stands still while anything can be done, and jumps when nothing can: no test waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            assert timeout is not None, "the test waits for something that never comes"
            self.now_s += timeout
        return events


class _StillLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run_still(main: Coroutine[Any, Any, T]) -> T:
    """Like asyncio.run, without real time; for tests that open no connection."""
    with asyncio.Runner(loop_factory=_StillLoop) as runner:
        return runner.run(main)
