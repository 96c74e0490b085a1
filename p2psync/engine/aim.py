"""Plan, purely: from the heads of a path to what should stand on this disk, and why.

Three rules stand between the winner and the disk: a directory beats a file in its way, two paths that this
disk cannot tell apart are one slot, and an index file with several heads is shown merged.
"""

from __future__ import annotations

from collections.abc import Sequence

from p2psync.core.changelog import Stated
from p2psync.core.conflict import Verdict
from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import ChangeId, ContentId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.engine.state import BaseRow


@value
class Aim:
    """What should stand at a path of this disk."""

    path: RelPath
    put: Entry
    heads: tuple[ChangeId, ...]
    """The heads whose content that is; what a later edit names as its parents."""
    losers: tuple[Stated, ...] = ()
    sources: tuple[ContentId, ...] = ()
    """Contents to merge into one; empty if `put` is a head's own entry."""

    def stands(self, base: BaseRow | None) -> bool:
        """Whether this disk shows it already."""
        if self.sources:
            return base is not None and set(base.heads) == set(self.heads)
        return (base.entry if base else ABSENT).same_as(self.put)

    @property
    def contents(self) -> tuple[ContentId, ...]:
        """What has to be at hand before it can be placed."""
        if self.sources:
            return self.sources
        return (self.put.content,) if self.put.content is not None else ()


def aim(path: RelPath, heads: Sequence[Stated], verdict: Verdict, in_the_way: bool, unmergeable: bool) -> Aim:
    """What should stand at `path`, given its heads and which of them wins.

    `in_the_way`: other live paths lie below it, so it can only be a directory here.
    `unmergeable`: its versions were tried and are no index files, so that one of them has to win.
    """
    winner = verdict.winner
    if winner is None:
        return Aim(path, ABSENT, ())
    if in_the_way and winner.entry.kind == Kind.FILE:
        return Aim(path, ABSENT, (), tuple(h for h in heads if h.entry.kind == Kind.FILE))
    if verdict.merged:
        return _merged(path, verdict, heads) if not unmergeable else _unmerged(path, winner, heads)
    if len(heads) == 1:
        return Aim(path, winner.entry, (winner.id,))
    same = tuple(h.id for h in heads if h.entry.same_as(winner.entry))
    return Aim(path, winner.entry, same, verdict.losers)


def _merged(path: RelPath, verdict: Verdict, heads: Sequence[Stated]) -> Aim:
    newest = max(h.entry.mtime_ns for h in verdict.merged)
    contents = tuple(dict.fromkeys(h.entry.content for h in verdict.merged if h.entry.content is not None))
    mode = verdict.merged[0].entry.mode
    return Aim(path, Entry(Kind.FILE, 0, newest, mode), tuple(h.id for h in heads), (), contents)


def _unmerged(path: RelPath, winner: Stated, heads: Sequence[Stated]) -> Aim:
    same = tuple(h.id for h in heads if h.entry.same_as(winner.entry))
    return Aim(path, winner.entry, same, tuple(h for h in heads if not h.entry.same_as(winner.entry)))
