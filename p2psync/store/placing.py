"""Placements in flight, a batch as one row: they are written and removed with every batch, and read after a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from p2psync.core.relpath import RelPath
from p2psync.engine.state import PlacingRow
from p2psync.store.packing import entry_columns, entry_of, pack_ids, pack_value, unpack_ids, unpack_value


class PlacingRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate
        self._batches: dict[int, dict[RelPath, PlacingRow]] | None = None
        """What the table holds, read when it is asked for first: at most some thousand rows."""
        self._batch_of: dict[RelPath, int] = {}

    def forget(self) -> None:
        """A transaction was undone: the table is to be read again."""
        self._batches = None

    def begin(self, rows: Sequence[PlacingRow]) -> None:
        self.end([row.path for row in rows])
        batch = {row.path: row for row in rows}
        if not batch:
            return
        number = self._connection.execute(
            "INSERT INTO placing (mandate, batch) VALUES (?, ?)", (self._mandate, _pack(batch))
        ).lastrowid
        assert number is not None
        self._known()[number] = batch
        self._batch_of.update(dict.fromkeys(batch, number))

    def end(self, paths: Iterable[RelPath]) -> None:
        batches = self._known()
        touched: set[int] = set()
        for path in paths:
            number = self._batch_of.pop(path, None)
            if number is not None:
                del batches[number][path]
                touched.add(number)
        for number in touched:
            if batches[number]:
                self._connection.execute(
                    "UPDATE placing SET batch = ? WHERE number = ?", (_pack(batches[number]), number)
                )
            else:
                del batches[number]
                self._connection.execute("DELETE FROM placing WHERE number = ?", (number,))

    def all(self) -> Mapping[RelPath, PlacingRow]:
        return {path: row for batch in self._known().values() for path, row in batch.items()}

    def _known(self) -> dict[int, dict[RelPath, PlacingRow]]:
        if self._batches is None:
            found = self._connection.execute("SELECT number, batch FROM placing WHERE mandate = ?", (self._mandate,))
            self._batches = {number: _unpack(batch) for number, batch in found}
            self._batch_of = {path: number for number, batch in self._batches.items() for path in batch}
        return self._batches


def _pack(batch: Mapping[RelPath, PlacingRow]) -> bytes:
    return pack_value([[row.path, *entry_columns(row.put), pack_ids(row.heads)] for row in batch.values()])


def _unpack(packed: bytes) -> dict[RelPath, PlacingRow]:
    return {path: PlacingRow(path, entry_of(*entry), unpack_ids(heads)) for path, *entry, heads in unpack_value(packed)}
