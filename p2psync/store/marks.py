"""The marks of a mandate, and which of them are accepted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from p2psync.core.ids import BlockHash, ChangeId
from p2psync.core.mark import Mark, StatedMark
from p2psync.core.relpath import RelPath
from p2psync.store.numbers import INDEX_BITS, INDEX_MASK, Numbers, change_number
from p2psync.store.packing import listed, pack_ids, unpack_ids

COLUMNS = """
    SELECT block.hash, mark.number, log.device, mark.kind, mark.path, mark.content, mark.named, mark.stamp,
        mark.time_ms, mark.accepted
    FROM mark
"""
JOINED = f" JOIN block ON block.number = mark.number >> {INDEX_BITS} JOIN log ON log.number = mark.log "


class MarkRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int, numbers: Numbers):
        self._connection = connection
        self._mandate = mandate
        self._numbers = numbers

    def add(self, marks: Sequence[tuple[StatedMark, bool]]) -> None:
        """Their blocks are here."""
        blocks = self._numbers.of({one.id.block for one, _ in marks})
        self._connection.executemany(
            "INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(change_number(one.id, blocks), self._mandate, blocks[one.id.block][1], accepted),
                    *(one.mark.kind, one.mark.path, one.mark.content, pack_ids(one.mark.named)),
                    *(one.stamp, one.time_ms),
                )
                for one, accepted in marks
            ],
        )

    def by_id(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, StatedMark]:
        asked = list(ids)
        if not asked:
            return {}
        blocks = self._numbers.of({i.block for i in asked})
        numbers = [change_number(i, blocks) for i in asked if i.block in blocks]
        found = self._connection.execute(
            COLUMNS + JOINED + "WHERE +mark.mandate = ? AND mark.number IN (SELECT value FROM json_each(?))",
            (self._mandate, listed(numbers)),
        )
        return {one.id: one for one, _accepted in map(_row, found)}

    def of_paths(self, paths: Iterable[RelPath] | None) -> Sequence[tuple[StatedMark, bool]]:
        """None: of all; sorted by their ids."""
        if paths is None:
            found = self._connection.execute(COLUMNS + JOINED + "WHERE mark.mandate = ?", (self._mandate,))
        else:
            found = self._connection.execute(
                COLUMNS + JOINED + "WHERE mark.mandate = ? AND mark.path IN (SELECT value FROM json_each(?))",
                (self._mandate, listed(set(paths))),
            )
        return sorted(map(_row, found), key=lambda pair: pair[0].id)

    def judge_again(self, verdicts: Mapping[BlockHash, Sequence[bool]]) -> None:
        """Set verdicts, by block and index in it; most blocks have no marks."""
        found = self._connection.execute(
            f"SELECT block.hash, mark.number FROM mark JOIN block ON block.number = mark.number >> {INDEX_BITS} "
            "WHERE mark.mandate = ?",
            (self._mandate,),
        ).fetchall()
        self._connection.executemany(
            "UPDATE mark SET accepted = ? WHERE number = ?",
            [(verdicts[digest][number & INDEX_MASK], number) for digest, number in found if digest in verdicts],
        )


def _row(found: Any) -> tuple[StatedMark, bool]:
    digest, number, device, kind, path, content, named, stamp, time_ms, accepted = found
    mark = Mark(kind, path, content, unpack_ids(named))
    return StatedMark(ChangeId(BlockHash(digest), number & INDEX_MASK), device, mark, stamp, time_ms), bool(accepted)
