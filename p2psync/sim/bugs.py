"""Planted bugs: each breaks one rule of the design on purpose, and the simulator has to notice.

A simulator that finds nothing proves little; one that finds each of these within a few hundred lives can be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from p2psync.core import conflict, constitution, statement
from p2psync.core.changelog import Stated
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId
from p2psync.core.relpath import RelPath
from p2psync.engine import farewell, ledger, mandate, observation, plan
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import LateWrite, Outcome, Placed
from p2psync.engine.replica import Replica
from p2psync.sim import disk, host, state

Patch = tuple[Any, str, Any]


def _place_without_compare() -> list[Patch]:
    """The placer puts new bytes over whatever stands there."""
    honest = disk.Disk.place

    def place(self: disk.Disk, item: PlaceItem) -> Outcome:
        seen = self.seen(item.path)
        return honest(self, PlaceItem(item.path, seen.entry, seen.stat, item.put, item.keep_reason))

    def take_out(self: disk.Disk, path: RelPath) -> None:
        self.files.pop(path, None)

    return [(disk.Disk, "place", place), (disk.Disk, "_take_out", take_out)]


def _keep_no_losers() -> list[Patch]:
    """What a placement takes out is thrown away, and losers are not fetched."""
    return [
        (disk.Disk, "_take_out", lambda self, path: self.files.pop(path, None)),
        (host.Host, "_keep", lambda self, effect: None),
    ]


def _lose_the_log_at_a_crash() -> list[Patch]:
    """Effects go out before the commit, and a crash takes the commit back."""

    def crash(self: host.Host) -> None:
        honest(self)
        if self.backups:
            self.state = self.backups[-1][0].copy()

    honest = host.Host.crash
    return [(host.Host, "crash", crash), (state.MemoryMandateState, "blocks_of", lambda self, log, after_seq: [])]


def _last_received_wins() -> list[Patch]:
    """The winner depends on the order in which this device took the heads in."""

    def judge(path: RelPath, heads: Sequence[Stated], *rest: Any) -> conflict.Verdict:
        losers = tuple(heads[:-1])
        return conflict.Verdict(heads[-1] if heads else None, losers)

    def heads_of(self: Any, path: RelPath) -> tuple[Stated, ...]:
        order = {i: n for n, i in enumerate(self._tables.of_path.get(path, ()))}
        return tuple(sorted(honest(self, path), key=lambda h: order[h.id]))

    honest = state.MemoryMandateState._heads_of
    return [
        (ledger, "judge", judge),
        (state.MemoryMandateState, "_heads_of", heads_of),
    ]


def _heads_kept_incrementally() -> list[Patch]:
    """Each change that is taken in replaces the head before it, accepted or not, named or not."""

    def heads_of(self: Any, path: RelPath) -> tuple[Stated, ...]:
        last = [self._tables.changes[i] for i in self._tables.of_path.get(path, ())]
        return tuple(last[-1:])

    return [(state.MemoryMandateState, "_heads_of", heads_of)]


def _settled_on_hearsay() -> list[Patch]:
    """Every edit settles all heads that are known, whether their bytes were ever here or not."""

    def parents(self: Any, paths: Sequence[RelPath]) -> dict[RelPath, tuple[ChangeId, ...]]:
        heads = self._site.state.heads(paths)
        return {path: tuple(h.id for h in heads.get(path, ())) for path in paths}

    return [(observation.Observation, "_parents", parents)]


def _base_before_the_rename() -> list[Patch]:
    """Base is set when a placement begins, not when it is reported."""

    def placed(self: Any, event: Placed) -> list[Any]:
        event = Placed(event.mandate, tuple(Outcome(o.path, True, o.stat) for o in event.outcomes))
        return honest(self, event)  # type: ignore[no-any-return]

    honest: Any = Replica.placed
    return [(Replica, "placed", placed)]


def _observe_while_placing() -> list[Patch]:
    """A path is planned and observed although a placement is in flight there."""

    class Forgetful(dict[Any, Any]):
        def __contains__(self, key: object) -> bool:
            return False

    def init(self: Any, site: Any) -> None:
        honest(self, site)
        self.placing = Forgetful()

    honest = plan.Plan.__init__
    return [(plan.Plan, "__init__", init)]


def _a_scan_after_a_restore_counts_as_edits() -> list[Patch]:
    """The folder's epoch is not looked at: what a backup brought back is published over today."""

    def opened(self: Any, event: Any) -> None:
        honest(self, type(event)(event.mandate, True, event.epoch))

    honest = observation.Observation.opened
    return [(observation.Observation, "opened", opened)]


def _masters_do_not_win() -> list[Patch]:
    """`prefer` is forgotten: the newest wins whoever wrote it."""

    def merit(path: RelPath, head: Stated, *rest: Any) -> tuple[object, ...]:
        return (head.entry.kind != Kind.ABSENT, bool(head.named), head.stamp, head.author, head.id)

    return [(conflict, "_merit", merit)]


def _late_writes_are_only_kept() -> list[Patch]:
    """What a program writes into a replaced file is a version on this PC, and nobody else hears of it."""

    def written_late(self: Any, writes: Sequence[LateWrite]) -> list[Any]:
        for write in writes:
            self._site.add_version(write.path, write.entry, "edited", None)
        return []

    return [(observation.Observation, "written_late", written_late)]


def _a_crash_forgets_what_is_watched() -> list[Patch]:
    """What a program wrote into a replaced file just before a crash lies under the name of something else."""

    def crash(self: host.Host) -> None:
        honest(self)
        self.disk.outs.clear()

    honest = host.Host.crash
    return [(host.Host, "crash", crash)]


def _the_removed_hear_nothing() -> list[Patch]:
    """Who was revoked is only refused, and never told why."""
    return [(farewell.Farewells, "tell", lambda self, link, device: None)]


def _who_left_still_knows_the_secret() -> list[Patch]:
    """Nobody makes a new discovery secret when a member leaves."""
    return [(mandate.Mandate, "_replace_secret_if_due", lambda self: None)]


def _freezes_bind_only_who_knows_of_them() -> list[Patch]:
    """What was saved while a freeze was not known yet counts."""

    def in_force(self: constitution.Constitution, view: int, outside: Callable[[Any], bool]) -> int:
        freezes = [one for one in self._takings if isinstance(one[1], statement.Freeze)]
        rest = [one for one in self._takings if one not in freezes]
        self._takings, all_of_them = rest, self._takings
        try:
            return honest(self, view, outside)
        finally:
            self._takings = all_of_them

    honest = constitution.Constitution.in_force
    return [(constitution.Constitution, "in_force", in_force)]


BUGS: dict[str, Callable[[], list[Patch]]] = {
    "place without compare": _place_without_compare,
    "no losers kept": _keep_no_losers,
    "log lost at a crash": _lose_the_log_at_a_crash,
    "last received wins": _last_received_wins,
    "heads kept incrementally": _heads_kept_incrementally,
    "settled on hearsay": _settled_on_hearsay,
    "base before the rename": _base_before_the_rename,
    "observed while placing": _observe_while_placing,
    "a restored folder counts as edits": _a_scan_after_a_restore_counts_as_edits,
    "masters do not win": _masters_do_not_win,
    "late writes are only kept": _late_writes_are_only_kept,
    "a crash forgets what is watched": _a_crash_forgets_what_is_watched,
    "the removed hear nothing": _the_removed_hear_nothing,
    "who left still knows the secret": _who_left_still_knows_the_secret,
    "freezes bind only who knows of them": _freezes_bind_only_who_knows_of_them,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Live with a bug; afterwards everything is as it was."""
    patches = BUGS[name]()
    saved = [(owner, attribute, owner.__dict__[attribute]) for owner, attribute, _ in patches]
    try:
        for owner, attribute, replacement in patches:
            setattr(owner, attribute, replacement)
        yield
    finally:
        for owner, attribute, original in saved:
            setattr(owner, attribute, original)
