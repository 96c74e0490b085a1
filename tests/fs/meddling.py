"""Exchanges that let a test act between two steps, or lack what a disk may lack."""

from __future__ import annotations

import errno
import os
import traceback
import warnings
from collections import deque
from collections.abc import Callable
from pathlib import Path

from p2psync.fs.exchange import EXCHANGE, ExchangeUnsupported

Act = Callable[[], object]
CUT = 42
FAILED = 43


class Meddling:
    """The system's exchange; before the n-th step the n-th of `acts` happens, None for nothing."""

    def __init__(self, *acts: Act | None) -> None:
        self.acts = deque(acts)
        self.steps: list[str] = []

    def swap(self, staged: Path, target: Path) -> None:
        self._act("swap")
        EXCHANGE.swap(staged, target)

    def move_new(self, source: str | Path, target: str | Path) -> None:
        self._act("move")
        EXCHANGE.move_new(source, target)

    def _act(self, step: str) -> None:
        self.steps.append(step)
        act = self.acts.popleft() if self.acts else None
        if act is not None:
            act()


class NoSwap(Meddling):
    """A disk that cannot exchange two files."""

    def swap(self, staged: Path, target: Path) -> None:
        raise ExchangeUnsupported(errno.EINVAL, "not on this disk")


def fail(number: int) -> Act:
    """An act that fails as the disk would."""

    def act() -> None:
        raise OSError(number, f"errno {number}")

    return act


def power_cut() -> None:
    """Ends this process at this point, with nothing tidied up."""
    os._exit(CUT)


def in_a_process_that_may_die(act: Act) -> bool:
    """Run in a forked process; True if it came to a power cut. Other failures of it fail the test."""
    with warnings.catch_warnings():  # newer Pythons warn where other threads exist; the child touches none of them
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(FAILED)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, CUT)
    return code == CUT
