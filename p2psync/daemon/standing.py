"""How far a mandate's exchange has come, for whoever waits for its end. For the engine's thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple

from p2psync.books.completeness import ENTRIES, suffix_of
from p2psync.core.block import AUTHORITY, parse_block
from p2psync.core.clock import Tips
from p2psync.core.entry import Kind
from p2psync.core.ids import DeviceId, LogId, device_text
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath
from p2psync.core.rules import Role
from p2psync.core.value import value
from p2psync.engine.mandate import Mandate
from p2psync.engine.peer import Peer
from p2psync.engine.state import BlockRow, TodoKind
from p2psync.wire.messages import Placed

ITEMS_MAX = 5000
"""Files that one run lists."""
PAGE_ROWS = 500
ONLY = {"master": frozenset({"master data"}), "entries": frozenset({"entries", "index"})}
"""What `--only` names, as classes of files."""
UNSHARED = frozenset(
    {
        *(Code.UNREADABLE, Code.LOCKED, Code.STILL_CHANGING, Code.INCOMPLETE, Code.DISK_FULL, Code.READ_ONLY),
        *(Code.DISK_ERROR, Code.FOLDER_GONE, Code.FOLDER_MARKER_GONE, Code.DAMAGED),
    }
)
"""Problems of this disk because of which a file that should be exchanged is not."""

Marks = Mapping[LogId, int]
"""For each log the number of its last block that counts as old."""


class Trouble(NamedTuple):
    """A file that could not be placed, or not be read."""

    device: DeviceId | None
    """Where; None on this device."""
    path: str
    code: str
    detail: str


@value
class Standing:
    """One look at a mandate."""

    scanned: bool
    """The folder was looked through since it was last asked to be."""
    others: frozenset[DeviceId]
    """The members beside this device."""
    connected: frozenset[DeviceId]
    unconfirmed: frozenset[DeviceId]
    """Connected ones that have not confirmed all that is waited for."""
    is_placing: bool
    """Something is still to be placed here, or a loser to be kept, that needs nobody's help."""
    troubles: tuple[Trouble, ...]
    is_removed: bool = False
    """This device belongs no more; then it has to do with no others."""

    @property
    def is_done(self) -> bool:
        return self.scanned and not self.is_placing and not self.unconfirmed


class Item(NamedTuple):
    """A file that a run moved."""

    path: RelPath
    sent: bool
    """False: received."""
    kind: str
    """"file", "directory" or "absent"."""
    size: int | None = None
    """Of that version, bytes; None if it was removed, or is not known."""
    devices: frozenset[DeviceId] = frozenset()
    """Who saved what was received; which connected members have what was sent."""


def look(mandate: Mandate, own: DeviceId, goal: Tips | None, only: str | None, since_s: float = inf) -> Standing:
    """How things are; `goal` is what the others have to confirm, all that is known now if None.

    Who confirmed it and went since `since_s` (monotonic), as where an interval ended, counts as connected.
    """
    ours = mandate.ledger.tips if goal is None else goal
    peers = {peer.device: peer for peer in mandate.peers.values()}
    words = {device: (peer.placed, peer.has_caught_us_up()) for device, peer in peers.items()}
    parted = {
        device: one
        for device, one in mandate.parted.items()
        if device in mandate.authority.members and device not in peers and one.at_s >= since_s
    }
    gone = {d for d, one in parted.items() if _has_confirmed(mandate, d, one.placed, one.had_caught_us_up, ours)}
    return Standing(
        scanned=mandate.replica.observation.scanned,
        others=frozenset() if mandate.is_removed else frozenset(mandate.authority.members) - {own},
        connected=frozenset(peers) | gone,
        unconfirmed=frozenset(d for d, word in words.items() if not _has_confirmed(mandate, d, *word, ours)),
        is_placing=_is_placing(mandate, only),
        troubles=tuple(_troubles(mandate, peers, only)),
        is_removed=mandate.is_removed,
    )


def _has_confirmed(
    mandate: Mandate, device: DeviceId, placed: Placed | None, has_caught_us_up: bool, goal: Tips
) -> bool:
    """They have placed the goal as far as they may read it, and have sent what they had; or their folder is away."""
    if placed is None or not has_caught_us_up:
        return False
    if any(path == "" for path, _code in placed.unplaced):
        return True
    readable = mandate.ledger.readable_tips(device)
    return all(
        mandate.ledger.covered(placed.tips, log, tip) for log, tips in goal.items() if log in readable for tip in tips
    )


def _is_placing(mandate: Mandate, only: str | None) -> bool:
    if only is None:
        return mandate.replica.is_busy
    stuck = mandate.replica.stuck
    paths = (path for kind in (TodoKind.PLACE, TodoKind.KEEP) for path in _to_do(mandate, kind))
    return any(path not in stuck for path in paths if is_of(mandate, path, only))


def _troubles(mandate: Mandate, peers: Mapping[DeviceId, Peer], only: str | None) -> Iterator[Trouble]:
    stuck = mandate.replica.stuck
    for problem in mandate.state.problems():
        path = problem.path
        if (path in stuck or problem.code in UNSHARED) and is_of(mandate, path, only):
            yield Trouble(None, path, problem.code.value, problem.detail)
    for device in sorted(peers):
        placed = peers[device].placed
        for path, code in placed.unplaced if placed is not None else ():
            if is_of(mandate, path, only):
                yield Trouble(device, path, code, "")


def missing_steps(mandate: Mandate) -> list[str]:
    """What has to be done before anything can be exchanged as it should: "share", "members", "accounting"."""
    members = mandate.authority.members.values()
    return [
        *([] if mandate.is_shared else ["share"]),
        *(["members"] if mandate.is_shared and len(members) == 1 else []),
        *([] if any(member.role is Role.ACCOUNTING for member in members) else ["accounting"]),
    ]


def is_of(mandate: Mandate, path: str, only: str | None) -> bool:
    """Whether a path belongs to what `--only` names; bookings also by their names, as where they are counted."""
    if only is None or not path or (only == "entries" and suffix_of(RelPath(path)) in ENTRIES):
        return True
    return mandate.authority.rules.rule_for(RelPath(path)).file_class in ONLY[only]


def to_place(mandate: Mandate) -> Iterator[RelPath]:
    """What this disk does not show yet as it should."""
    return _to_do(mandate, TodoKind.PLACE)


def _to_do(mandate: Mandate, kind: TodoKind) -> Iterator[RelPath]:
    after: RelPath | None = None
    while rows := mandate.state.todo(kind, after, PAGE_ROWS):
        yield from (row.path for row in rows)
        after = rows[-1].path


# -- what moved ----------------------------------------------------------------------------------------


def marks_here(mandate: Mandate) -> dict[LogId, int]:
    """Up to where this device knows the logs."""
    return {log: max(tip.seq for tip in tips) for log, tips in mandate.ledger.tips.items() if tips}


def marks_of_peers(mandate: Mandate) -> dict[DeviceId, dict[LogId, int]]:
    """Up to where each connected member that has spoken has placed, or at least has, the logs it may read."""
    return {peer.device: _marks_of(mandate, peer) for peer in mandate.peers.values() if peer.greeted}


def _marks_of(mandate: Mandate, peer: Peer) -> dict[LogId, int]:
    known = peer.placed.tips if peer.placed is not None and peer.placed.tips else peer.theirs
    readable = mandate.ledger.readable_tips(peer.device)
    return {log: max((tip.seq for tip in known.get(log, ())), default=0) for log in readable}


def moved(
    mandate: Mandate, own: DeviceId, before: Marks, lacked: Mapping[DeviceId, Marks], only: str | None
) -> list[Item]:
    """The files that changes after `before` are about, and those that others `lacked`; at most ITEMS_MAX, sorted."""
    oldest = {log: before.get(log, 0) for log in mandate.ledger.tips}
    for device, marks in lacked.items():
        for log in oldest:
            if mandate.ledger.may_read(device, log):
                oldest[log] = min(oldest[log], marks.get(log, 0))
    found: dict[RelPath, Item] = {}
    reached = marks_of_peers(mandate)
    for row, item in _changes_after(mandate, oldest):
        author = mandate.ledger.author(row.log)
        received = author != own and row.seq > before.get(row.log, 0)
        having = (device for device, marks in reached.items() if marks.get(row.log, 0) >= row.seq and device != author)
        if is_of(mandate, item.path, only):
            devices = frozenset([author]) if received else frozenset(having)
            found[item.path] = item._replace(sent=not received, devices=devices)
        if len(found) >= ITEMS_MAX:
            break
    return [found[path] for path in sorted(found)]


def _changes_after(mandate: Mandate, marks: Marks) -> Iterator[tuple[BlockRow, Item]]:
    for log, seq in sorted(marks.items()):
        if mandate.ledger.file_class(log) == AUTHORITY:
            continue
        for row in mandate.state.blocks_of(log, seq):
            (raw,) = mandate.state.raw_blocks([row.intake])
            for change in parse_block(mandate.id, raw).block.changes:
                entry = change.entry
                size = entry.size if entry.kind is Kind.FILE else None
                yield row, Item(change.path, True, entry.kind.name.lower(), size)


def coming(mandate: Mandate, paths: Iterable[RelPath]) -> list[Item]:
    """Files that others saved and this disk does not show yet; sorted."""
    wanted = sorted(paths)
    heads = mandate.state.heads(wanted)
    found = []
    for path in wanted:
        winner = mandate.ledger.verdict(path, heads.get(path, ())).winner
        if winner is None:
            found.append(Item(path, False, Kind.FILE.name.lower()))
        else:
            entry, devices = winner.entry, frozenset([winner.author])
            size = entry.size if entry.kind is Kind.FILE else None
            found.append(Item(path, False, entry.kind.name.lower(), size, devices))
    return found


def name_of(mandate: Mandate, device: DeviceId) -> str:
    """What people call a device."""
    member = mandate.authority.members.get(device) or mandate.authority.former.get(device)
    return member.name if member is not None and member.name else device_text(device)[:7]
