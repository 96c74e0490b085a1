"""The pure heart: from a set of accepted changes to the heads of a path, and what a set of tips covers.

``heads(path) = accepted changes of the path - those that an accepted change names``

Nothing else decides what a path's state is: no arrival order, no clock on the wall, no merged record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from p2psync.core.clock import Tip, Tips
from p2psync.core.entry import Entry
from p2psync.core.ids import BlockHash, ChangeId, DeviceId, LogId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value


@value
class Stated:
    """A change as it was taken in: with its author, and a stamp that only its ancestry decides."""

    id: ChangeId
    author: DeviceId
    path: RelPath
    entry: Entry
    parents: tuple[ChangeId, ...]
    settled: tuple[ChangeId, ...]
    stamp: int
    """1 + the highest stamp of the changes it names: how many saves led here."""
    time_ms: int
    """The author's wall clock, for people."""

    @property
    def named(self) -> tuple[ChangeId, ...]:
        return self.parents + self.settled


def heads(changes: Iterable[Stated], accepted: Callable[[ChangeId], bool]) -> set[ChangeId]:
    """The heads among all changes of one path."""
    counted = [c for c in changes if accepted(c.id)]
    return {c.id for c in counted} - {named for c in counted for named in c.named}


def stamp(named: Iterable[int]) -> int:
    """The stamp of a change that names changes with these stamps."""
    return 1 + max(named, default=0)


Parent = Callable[[BlockHash], tuple[int, BlockHash | None]]
"""A known block's sequence number and the hash of the block before it in its log."""


def covers_block(tips: Tips, log: LogId, tip: Tip, parent: Parent) -> bool:
    """Whether a block is among or before `tips`.

    `parent` is asked only where the log has forked, about blocks that are known here. A tip that is
    not known here is ahead of us: it covers what it could have followed from.
    """
    for top in tips.get(log, ()):
        if top.seq < tip.seq:
            continue
        if top.seq == tip.seq:
            if top.hash == tip.hash:
                return True
            continue
        if _descends(top, tip, parent):
            return True
    return False


def _descends(top: Tip, tip: Tip, parent: Parent) -> bool:
    """Follow a branch down from `top` to `tip`'s number."""
    digest, seq = top.hash, top.seq
    while seq > tip.seq:
        try:
            seq, before = parent(digest)
        except KeyError:
            return True
        if before is None:
            return False
        digest, seq = before, seq - 1
    return digest == tip.hash


def with_block(tips: Tips, log: LogId, tip: Tip, prev: BlockHash | None) -> dict[LogId, tuple[Tip, ...]]:
    """Tips after a block was taken in: it replaces the tip that it follows, else it begins a branch."""
    rest = tuple(t for t in tips.get(log, ()) if t.hash != prev)
    return {**tips, log: tuple(sorted((*rest, tip)))}


def differing(tips: Mapping[LogId, tuple[Tip, ...]], since: Mapping[LogId, tuple[Tip, ...]]) -> list[tuple[LogId, Tip]]:
    """What is in `tips` and was not yet named in `since`: the clock of the next block."""
    return [(log, tip) for log in sorted(tips) for tip in tips[log] if tip not in since.get(log, ())]
