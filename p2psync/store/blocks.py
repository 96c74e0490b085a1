"""The logs of a mandate, their tips, and their signed blocks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from p2psync.core.block import Block, SignedBlock, parse_block
from p2psync.core.clock import Tip, Tips
from p2psync.core.ids import HASH_BYTES, BlockHash, DeviceId, LogId, MandateId
from p2psync.engine.state import BlockRow, LogRow
from p2psync.store.memo import Memo
from p2psync.store.numbers import Numbers
from p2psync.store.packing import listed

PARSED_AT_ONCE = 64
"""Blocks read together when all of a class are walked through: at most 16 MiB."""

RAW_BYTES_MAX = 4096
RAW_MAX = 16
"""So many of the small blocks that were added last are kept in memory: they are sent next."""

BLOCK = """
    SELECT block.number, block.hash, log.id, block.seq, block.prev, length(block.raw), block.authority_tips
    FROM block JOIN log ON log.number = block.log
"""


class LogRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate
        self._single: set[LogId] = set()
        """Logs that are known to have one tip."""

    def forget(self) -> None:
        """A transaction was undone: they may have had others before."""
        self._single.clear()

    def all(self) -> Sequence[LogRow]:
        """Sorted by their ids."""
        found = self._connection.execute(
            "SELECT id, device, class FROM log WHERE mandate = ? ORDER BY id", (self._mandate,)
        )
        return [LogRow(LogId(log), DeviceId(device), file_class) for log, device, file_class in found]

    def add(self, row: LogRow) -> None:
        self._connection.execute(
            "INSERT INTO log (mandate, id, device, class) VALUES (?, ?, ?, ?)",
            (self._mandate, row.log, row.device, row.file_class),
        )

    def tips(self) -> Tips:
        found = self._connection.execute(
            "SELECT log, seq, hash FROM tip WHERE mandate = ? ORDER BY log, seq, hash", (self._mandate,)
        )
        return {
            LogId(log): tuple(Tip(seq, BlockHash(digest)) for _, seq, digest in rows)
            for log, rows in groupby(found, key=lambda row: row[0])
        }

    def put_tips(self, log: LogId, tips: Iterable[Tip]) -> None:
        """Replace those of the log."""
        several = list(tips)
        if len(several) == 1 and log in self._single:
            self._connection.execute(
                "UPDATE tip SET seq = ?, hash = ? WHERE mandate = ? AND log = ?", (*several[0], self._mandate, log)
            )
            return
        self._connection.execute("DELETE FROM tip WHERE mandate = ? AND log = ?", (self._mandate, log))
        self._connection.executemany(
            "INSERT INTO tip (mandate, log, seq, hash) VALUES (?, ?, ?, ?)",
            [(self._mandate, log, seq, digest) for seq, digest in several],
        )
        if len(several) == 1:
            self._single.add(log)
        else:
            self._single.discard(log)


class BlockRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int, mandate_id: MandateId, numbers: Numbers):
        self._connection = connection
        self._mandate = mandate
        self._mandate_id = mandate_id
        self._numbers = numbers
        self._logs: dict[LogId, int] = {}
        self._memo: Memo[BlockHash, BlockRow] = Memo()
        self._raw: Memo[int, bytes] = Memo(RAW_MAX)

    def forget(self) -> None:
        """A transaction was undone: what it wrote was remembered too."""
        self._logs.clear()
        self._memo.forget()
        self._raw.forget()

    def one(self, block: BlockHash) -> BlockRow | None:
        if block in self._memo:
            return self._memo[block]
        found = self._connection.execute(
            BLOCK + "WHERE block.mandate = ? AND block.hash = ?", (self._mandate, block)
        ).fetchone()
        if not found:
            return None
        row = _row(found)
        self._memo.put({block: row})
        return row

    def add(self, block: SignedBlock, authority_tips: tuple[BlockHash, ...]) -> BlockRow:
        inner = block.block
        log = self._log_number(inner.log)
        number = self._connection.execute(
            "INSERT INTO block (mandate, log, seq, hash, prev, authority_tips, raw) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._mandate, log, inner.seq, block.hash, inner.prev, b"".join(authority_tips), block.raw),
        ).lastrowid
        assert number is not None
        row = BlockRow(number, block.hash, inner.log, inner.seq, inner.prev, len(block.raw), authority_tips)
        self._numbers.note(block.hash, number, log)
        self._memo.put({block.hash: row})
        if len(block.raw) <= RAW_BYTES_MAX:
            self._raw.put({number: block.raw})
        return row

    def _log_number(self, log: LogId) -> int:
        if log not in self._logs:
            (self._logs[log],) = self._connection.execute(
                "SELECT number FROM log WHERE mandate = ? AND id = ?", (self._mandate, log)
            ).fetchone()
        return self._logs[log]

    def raw(self, intakes: Sequence[int]) -> Sequence[bytes]:
        """In the order asked for. Raises KeyError for one that is not this mandate's."""
        found = {intake: self._raw[intake] for intake in intakes if intake in self._raw}
        others = [intake for intake in intakes if intake not in found]
        if others:
            rows = self._connection.execute(
                "SELECT number, raw FROM json_each(?) asked CROSS JOIN block ON number = asked.value WHERE mandate = ?",
                (listed(others), self._mandate),
            )
            found.update(rows)
        return [found[intake] for intake in intakes]

    def of_log(self, log: LogId, after_seq: int) -> Sequence[BlockRow]:
        """In intake order."""
        found = self._connection.execute(
            BLOCK + "WHERE log.mandate = ? AND log.id = ? AND block.seq > ? ORDER BY block.number",
            (self._mandate, log, after_seq),
        )
        return [_row(row) for row in found]

    def parsed(self, file_class: str) -> Iterable[tuple[BlockRow, Block]]:
        """In intake order; rows that are added meanwhile may be missing."""
        numbers = [
            number
            for (number,) in self._connection.execute(
                "SELECT block.number FROM log CROSS JOIN block ON block.log = log.number "
                "WHERE log.mandate = ? AND log.class = ? ORDER BY block.number",
                (self._mandate, file_class),
            )
        ]
        for start in range(0, len(numbers), PARSED_AT_ONCE):
            some = numbers[start : start + PARSED_AT_ONCE]
            rows = self._connection.execute(
                BLOCK + "WHERE block.number IN (SELECT value FROM json_each(?)) ORDER BY block.number",
                (listed(some),),
            ).fetchall()
            for row, raw in zip(rows, self.raw(some), strict=True):
                yield _row(row), parse_block(self._mandate_id, raw).block


def _row(found: Any) -> BlockRow:
    number, digest, log, seq, prev, size, tips = found
    authority_tips = tuple(BlockHash(tips[i : i + HASH_BYTES]) for i in range(0, len(tips), HASH_BYTES))
    return BlockRow(number, BlockHash(digest), LogId(log), seq, prev, size, authority_tips)
