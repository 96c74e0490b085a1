"""Which version of a chart or a file of bookings each other member has placed, and since when that is known here.

A member says what it has placed (`Placed`); what is new in its word is noted with this device's time, so that a
producer sees "delivered to PC-Fidu at 14:03" also when that PC is off again. Who works with such a file signs for it
(`Receipts`): then members know that never met it, and the time is its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from p2psync.books.completeness import ENTRIES, MASTER, suffix_of
from p2psync.books.master_files import STATED
from p2psync.books.posting import Delivery
from p2psync.core.block import AUTHORITY, parse_block
from p2psync.core.clock import Tip, Tips
from p2psync.core.ids import ContentId, DeviceId, LogId, MandateId
from p2psync.core.mark import StatedMark
from p2psync.core.relpath import RelPath
from p2psync.engine.ledger import Ledger
from p2psync.engine.state import BlockRow, MandateState

TOLD = ENTRIES | {MASTER, STATED}
"""Files of which somebody wants to know who has which version: bookings, and the charts that they are held to."""
_TOLD_BYTES = tuple(suffix.encode() for suffix in sorted(TOLD))
SLICE_BLOCKS = 64
"""Blocks in memory at a time."""
DELIVERIES_MAX = 1000
"""Files of each member, the latest ones."""


class Deliveries:
    """Of one mandate."""

    def __init__(self, mandate: MandateId, state: MandateState, ledger: Ledger):
        self._mandate = mandate
        self._state = state
        self._ledger = ledger

    def placed(
        self,
        device: DeviceId,
        tips: tuple[Tips, Tips],
        stuck: tuple[Iterable[RelPath], Iterable[str]],
        time_ms: int,
    ) -> None:
        """A member's word: the tips that it had placed and has placed, paths it got over and those it cannot place."""
        before, now = tips
        overcome, unplaced = stuck
        paths = {path for path in overcome if suffix_of(path) in TOLD} | self._newly_placed(device, before, now)
        paths = {path for path in paths if path not in set(unplaced)}
        if not paths:
            return
        known = self._known(device)
        fresh: dict[str, list[Any]] = {p: [c, time_ms, False] for p, c in self._shown(device, paths, now).items()}
        self._note(device, known, {p: row for p, row in fresh.items() if p not in known or known[p][0] != row[0]})

    def signed(self, device: DeviceId, receipts: Iterable[StatedMark], is_old: bool) -> None:
        """A member's signed word; `is_old`: it has said since then what it shows, as far as that is something else."""
        known = self._known(device)
        fresh: dict[str, list[Any]] = {}
        for one in receipts:
            path, content = one.mark.path, one.mark.content
            before, _time, is_signed = fresh.get(path) or known.get(path) or [None, 0, False]
            is_news = not is_signed if before == content else before is None or not is_old
            if content is not None and is_news:
                fresh[path] = [content, one.time_ms, True]
        self._note(device, known, fresh)

    def of_device(self, device: DeviceId) -> list[Delivery]:
        """The latest version of each file that a member is known to have placed."""
        return [
            Delivery(RelPath(path), ContentId(content), device, time_ms * 1_000_000, is_signed)
            for path, (content, time_ms, is_signed) in sorted(self._known(device).items())
        ]

    def _known(self, device: DeviceId) -> dict[str, list[Any]]:
        """Of each path: the content, when in milliseconds, and whether the device signed for it."""
        stored: Any = self._state.get(_setting(device)) or {}
        return {path: [*row, False][:3] for path, row in stored.items()}

    def _note(self, device: DeviceId, known: dict[str, list[Any]], fresh: dict[str, list[Any]]) -> None:
        if fresh:
            latest = sorted({**known, **fresh}.items(), key=lambda item: (item[1][1], item[0]))[-DELIVERIES_MAX:]
            self._state.put(_setting(device), dict(latest))

    def _newly_placed(self, device: DeviceId, before: Tips, now: Tips) -> set[RelPath]:
        logs = [log for log in self._ledger.readable_tips(device) if self._ledger.file_class(log) != AUTHORITY]
        rows = [row for log in logs for row in self._rows_between(log, before, now)]
        found: set[RelPath] = set()
        for start in range(0, len(rows), SLICE_BLOCKS):
            raw = filter(_may_tell, self._state.raw_blocks([row.intake for row in rows[start : start + SLICE_BLOCKS]]))
            changes = (change for one in raw for change in parse_block(self._mandate, one).block.changes)
            found.update(change.path for change in changes if suffix_of(change.path) in TOLD)
        return found

    def _rows_between(self, log: LogId, before: Tips, now: Tips) -> list[BlockRow]:
        covered, ours = self._ledger.covered, self._ledger.tips[log]
        if before.get(log) == now.get(log) or all(covered(before, log, tip) for tip in ours):
            return []
        after_seq = max((tip.seq for tip in before.get(log, ())), default=0) if len(ours) == 1 else 0
        tips = ((row, Tip(row.seq, row.hash)) for row in self._state.blocks_of(log, after_seq))
        return [row for row, tip in tips if covered(now, log, tip) and not covered(before, log, tip)]

    def _shown(self, device: DeviceId, paths: Iterable[RelPath], now: Tips) -> dict[RelPath, ContentId]:
        """What stands at these paths there, where it is known and not the member's own."""
        found: dict[RelPath, ContentId] = {}
        for path, heads in self._state.heads(paths).items():
            winner = self._ledger.verdict(path, heads).winner
            row = self._state.block(winner.id.block) if winner is not None else None
            if winner is None or row is None or winner.author == device or winner.entry.content is None:
                continue
            if self._ledger.covered(now, row.log, Tip(row.seq, row.hash)):
                found[path] = winner.entry.content
        return found


def _may_tell(raw: bytes) -> bool:
    """Whether a block could name such a file: most name none, and to take one apart takes time."""
    lower = raw.lower()
    return any(suffix in lower for suffix in _TOLD_BYTES)


def _setting(device: DeviceId) -> str:
    return f"delivered {device.hex()}"
