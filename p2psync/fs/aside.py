"""Exchanging two files on a disk that cannot do it in one step, so that a crash between the steps is undone.

Each step is a rename: what stands at the target goes aside, the staged file moves to the free name, and what
went aside takes the staged file's name. A journal file in staging says where the file that lies aside belongs.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from p2psync.fs.durable import sync_directories, sync_file
from p2psync.fs.exchange import Exchange, ExchangeUnsupported

ASIDE_SUFFIX = ".aside"
JOURNAL_SUFFIX = ".journal"


class Overtaken(OSError):
    """A program saved to the target between two steps: its file stands there, and what stood before lies aside."""

    def __init__(self, target: Path, aside: Path) -> None:
        super().__init__(f"{target} was saved while it was being replaced")
        self.aside = aside


class AsideExchange:
    """An Exchange that does in journalled steps what `inner` cannot do on this disk."""

    def __init__(self, inner: Exchange, staging: Path, root: Path) -> None:
        self._inner = inner
        self._staging = staging
        self._root = root

    def swap(self, staged: Path, target: Path) -> None:
        """As Exchange.swap; besides raises Overtaken."""
        try:
            self._inner.swap(staged, target)
        except ExchangeUnsupported:
            self._swap_in_steps(staged, target)

    def move_new(self, source: str | Path, target: str | Path) -> None:
        """As Exchange.move_new."""
        self._inner.move_new(source, target)

    def undo(self) -> None:
        """At start: what a crash left aside returns to its place, unless something stands there by now.

        What cannot return stays aside, for `Placer.recover` to keep.
        """
        for journal in sorted(self._staging.glob("*" + JOURNAL_SUFFIX)):
            aside = journal.with_suffix(ASIDE_SUFFIX)
            target = self._root / os.fsdecode(journal.read_bytes())
            if aside.exists():
                with contextlib.suppress(FileExistsError, FileNotFoundError):
                    self._inner.move_new(aside, target)
            journal.unlink()

    def _swap_in_steps(self, staged: Path, target: Path) -> None:
        aside = self._staging / (staged.name + ASIDE_SUFFIX)
        journal = aside.with_suffix(JOURNAL_SUFFIX)
        journal.write_bytes(os.fsencode(target.relative_to(self._root)))
        sync_file(journal)
        sync_directories([self._staging], self._staging)
        try:
            self._inner.move_new(target, aside)
            self._move_in(staged, target, aside)
            self._inner.move_new(aside, staged)
        finally:
            journal.unlink()

    def _move_in(self, staged: Path, target: Path, aside: Path) -> None:
        try:
            self._inner.move_new(staged, target)
        except FileExistsError:
            raise Overtaken(target, aside) from None
        except OSError:
            self._inner.move_new(aside, target)
            raise
