"""A large file that is being read: how it is cut so far, for whoever gives it to others meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2psync.core.chunking import Span
from p2psync.core.relpath import RelPath


class BeingRead:
    """One reading; `add` and `end` are for the thread that reads, all else for any."""

    def __init__(self, path: RelPath) -> None:
        self.path = path
        self.spans: list[Span] = []
        """From its first byte on; grows at its end only."""
        self.is_over = False
        self._tell: Callable[[], object] = _nobody

    def listen(self, tell: Callable[[], object] | None) -> None:
        """`tell` is called, in any thread, when there is more, and at the end; None for nobody any more."""
        self._tell = tell or _nobody

    def add(self, spans: Sequence[Span]) -> None:
        """So much more was cut."""
        if spans:
            self.spans += spans
            self._tell()

    def end(self) -> None:
        """Nothing more of it will be read."""
        self.is_over = True
        self._tell()


def _nobody() -> None:
    pass
