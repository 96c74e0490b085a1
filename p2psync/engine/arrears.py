"""How far each member is behind: what it has not placed, by what it said last, connected or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from heapq import nlargest
from typing import Any

from p2psync.core.block import AUTHORITY, parse_block
from p2psync.core.clock import Tip, Tips
from p2psync.core.ids import BlockHash, DeviceId, LogId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.engine.deliveries import Deliveries
from p2psync.engine.ledger import Ledger, Taken
from p2psync.engine.peer import Peer
from p2psync.engine.state import BlockRow, MandateState
from p2psync.wire.messages import Placed

SLICE_BLOCKS = 64
"""Blocks in memory at a time."""
NAMED_MAX = 10_000
"""Paths that one member lacks and that are kept by name; of more than these only the number is."""

Lacking = Mapping[RelPath, int]
"""Paths that a member does not show as it should, with the bytes of the file that belongs there; 0 for none."""


@value
class Behind:
    """What is still to come to somebody."""

    files: int = 0
    """Paths, those that are to be removed among them."""
    bytes: int = 0
    """Of the files that belong at these paths."""


@value
class _Said:
    """The last word of a member that was not busy."""

    tips: Tips
    unplaced: tuple[str, ...]


@value
class _Lack:
    """What one member lacks."""

    total: Behind
    paths: Lacking | None
    """None where they are too many."""

    def part(self, files: int) -> Behind:
        """So many of the files: which ones is not known, so their bytes are at most those of the largest."""
        if files >= self.total.files:
            return self.total
        if self.paths is None:
            return Behind(files, self.total.bytes * files // self.total.files)
        return Behind(files, sum(nlargest(files, self.paths.values())))


@value
class _Found:
    """What was computed before, and of what."""

    theirs: Tips
    ours: Tips
    lack: _Lack


class Arrears:
    """What the members of one mandate have placed; kept, so that it is known also while they are off."""

    def __init__(self, mandate: MandateId, state: MandateState, ledger: Ledger):
        self._mandate = mandate
        self._state = state
        self._ledger = ledger
        self._said: dict[DeviceId, _Said] = {}
        self._found: dict[DeviceId, _Found] = {}
        self.deliveries = Deliveries(mandate, state, ledger)

    def placed(self, device: DeviceId, message: Placed, now_ms: int) -> None:
        """Take note of a member's word, unless it is busy or its folder is away: then it does not say what is there."""
        if any(path == "" for path, _code in message.unplaced):
            return
        said, before = _Said(message.tips, tuple(path for path, _code in message.unplaced)), self._last_word(device)
        if message.tips and said != before:
            overcome = [RelPath(path) for path in set(before.unplaced).difference(said.unplaced)]
            self.deliveries.placed(device, (before.tips, said.tips), (overcome, said.unplaced), now_ms)
            self._said[device] = said
            tips = [[log, [list(tip) for tip in several]] for log, several in sorted(said.tips.items())]
            self._state.put(_setting(device), [tips, list(said.unplaced)])

    def received(self, taken: Taken) -> None:
        """Take note of what a member signed for; a word of it that came after counts for more."""
        if taken.receipts:
            device, tip = taken.receipts[0].author, Tip(taken.row.seq, taken.row.hash)
            is_old = self._ledger.covered(self._last_word(device).tips, taken.row.log, tip)
            self.deliveries.signed(device, taken.receipts, is_old)

    def behind(self, device: DeviceId, peer: Peer | None) -> Behind:
        """How far one member is behind; `peer` is its session, if it is connected."""
        return self._arrears(device, peer, self._lack_of(device))

    def lacking(self, device: DeviceId, paths: Iterable[RelPath]) -> Set[RelPath]:
        """Those of the paths that one member does not show as it should, by its last word."""
        said, asked = self._last_word(device), set(paths)
        return asked.intersection(said.unplaced) | self._lacking_at(device, said.tips, asked).keys()

    def behind_together(self, peers: Mapping[DeviceId, Peer | None]) -> Behind:
        """What is still to go out to any of these members, each file counted once."""
        each = {device: self._lack_of(device) for device in peers}
        several = [self._arrears(device, peer, each[device]) for device, peer in peers.items()]
        most = max(several, key=lambda one: one.files, default=Behind())
        together: dict[RelPath, int] = {}
        for lack in each.values():
            if lack.paths is None:
                return most
            together.update(lack.paths)
        files = min(len(together), sum(one.files for one in several))
        return _named(together).part(max(files, most.files))

    def _arrears(self, device: DeviceId, peer: Peer | None, lack: _Lack) -> Behind:
        if peer is None or peer.placed is None or peer.placed.tips:
            return lack.total
        unheard = self._count(self._rows_for(device, peer.theirs)).files
        return lack.part(unheard + peer.placed.waiting)

    def _lack_of(self, device: DeviceId) -> _Lack:
        said = self._last_word(device)
        found = self._found[device] = self._found_now(device, said.tips)
        known = found.lack.paths
        stuck = {RelPath(path) for path in said.unplaced} - known.keys() if known is not None else None
        if known is None or not stuck:
            return found.lack
        live = self._state.live(stuck)
        return _named({**known, **{path: live[path].entry.size if path in live else 0 for path in stuck}})

    def _found_now(self, device: DeviceId, theirs: Tips) -> _Found:
        """What was found before, and what has changed since."""
        before, ours = self._found.get(device), self._ledger.tips
        if before is not None and before.theirs is theirs and before.ours is ours:
            return before
        if before is None or before.theirs is not theirs or self._rights(before.ours) != self._rights(ours):
            return _Found(theirs, ours, self._lack_after(device, theirs))
        rows = [row for log in ours for row in self._rows_after(log, before.ours)]
        known = before.lack.paths
        if known is None or len(known) + self._count(rows).files > NAMED_MAX:
            return _Found(theirs, ours, self._lack_after(device, theirs))
        changed = self._paths_of(rows)
        rest = {path: size for path, size in known.items() if path not in changed}
        return _Found(theirs, ours, _named({**rest, **self._lacking_at(device, theirs, changed)}))

    def _rights(self, tips: Tips) -> Tips:
        """Where authority stood: it decides who may read what, and which changes count."""
        return {log: several for log, several in tips.items() if self._ledger.file_class(log) == AUTHORITY}

    def _lacking_at(self, device: DeviceId, theirs: Tips, paths: Iterable[RelPath]) -> Lacking:
        found: dict[RelPath, int] = {}
        for path, heads in self._state.heads(paths).items():
            sizes = [head.entry.size for head in heads if self._is_news(device, theirs, head.id.block)]
            if sizes:
                found[path] = max(sizes)
        return found

    def _is_news(self, device: DeviceId, theirs: Tips, block: BlockHash) -> bool:
        row = self._state.block(block)
        if row is None or not self._ledger.may_read(device, row.log):
            return False
        return not self._ledger.covered(theirs, row.log, Tip(row.seq, row.hash))

    def _last_word(self, device: DeviceId) -> _Said:
        if device not in self._said:
            stored: Any = self._state.get(_setting(device)) or [[], []]
            tips = {LogId(log): tuple(Tip(seq, BlockHash(digest)) for seq, digest in many) for log, many in stored[0]}
            self._said[device] = _Said(tips, tuple(stored[1]))
        return self._said[device]

    def _lack_after(self, device: DeviceId, theirs: Tips) -> _Lack:
        """The paths of which a block that is not among or before `theirs` states a head."""
        rows = self._rows_for(device, theirs)
        total = self._count(rows)
        if total.files > NAMED_MAX:
            return _Lack(total, None)
        blocks = {row.hash for row in rows}
        found: dict[RelPath, int] = {}
        for path, heads in self._state.heads(self._paths_of(rows)).items():
            sizes = [head.entry.size for head in heads if head.id.block in blocks]
            if sizes:
                found[path] = max(sizes)
        return _named(found)

    def _count(self, rows: Iterable[BlockRow]) -> Behind:
        """The heads that these blocks state; two of one path count twice."""
        return Behind(*self._state.head_totals([row.intake for row in rows]))

    def _rows_for(self, device: DeviceId, theirs: Tips) -> list[BlockRow]:
        """Blocks that a member may read and that are not among or before `theirs`."""
        return [row for log in self._ledger.readable_tips(device) for row in self._rows_after(log, theirs)]

    def _rows_after(self, log: LogId, theirs: Tips) -> Iterable[BlockRow]:
        ours, covered = self._ledger.tips[log], self._ledger.covered
        if self._ledger.file_class(log) == AUTHORITY or all(covered(theirs, log, tip) for tip in ours):
            return []
        after_seq = max((tip.seq for tip in theirs.get(log, ())), default=0) if len(ours) == 1 else 0
        rows = self._state.blocks_of(log, after_seq)
        return [row for row in rows if not covered(theirs, log, Tip(row.seq, row.hash))]

    def _paths_of(self, rows: Sequence[BlockRow]) -> set[RelPath]:
        found: set[RelPath] = set()
        for start in range(0, len(rows), SLICE_BLOCKS):
            raw = self._state.raw_blocks([row.intake for row in rows[start : start + SLICE_BLOCKS]])
            found.update(change.path for one in raw for change in parse_block(self._mandate, one).block.changes)
        return found


def _named(paths: Lacking) -> _Lack:
    return _Lack(Behind(len(paths), sum(paths.values())), paths)


def _setting(device: DeviceId) -> str:
    return f"placed {device.hex()}"
