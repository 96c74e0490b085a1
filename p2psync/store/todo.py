"""What is left to be done, by kind and path."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from p2psync.core.relpath import RelPath
from p2psync.engine.state import TodoKind, TodoRow
from p2psync.store.packing import entry_columns, entry_of, listed, pack_ids, pack_value, unpack_ids, unpack_value

BYTES = "(SELECT size FROM live WHERE ?2 = 'place' AND mandate = ?1 AND path = {path} AND kind = 1)"
ADD_ALL = f"""
    INSERT INTO todo (mandate, kind, path, bytes) SELECT ?1, ?2, value, {BYTES.format(path="value")}
    FROM json_each(?3) WHERE true ON CONFLICT (mandate, kind, path) DO UPDATE SET placing = NULL
"""
"""Together: most rows are bare paths, and this takes a third of the time of one statement for each."""
ADD_PLACING = f"""
    INSERT INTO todo (mandate, kind, path, placing, bytes) VALUES (?1, ?2, ?3, ?4, {BYTES.format(path="?3")})
    ON CONFLICT (mandate, kind, path) DO UPDATE SET placing = excluded.placing
"""
DROP = "DELETE FROM todo WHERE mandate = ? AND kind = ? AND path IN (SELECT value FROM json_each(?))"
COUNT = {
    TodoKind.PLACE: "SELECT place FROM tally WHERE mandate = ?",
    TodoKind.KEEP: "SELECT keep FROM tally WHERE mandate = ?",
    TodoKind.JUDGE: "SELECT judge FROM tally WHERE mandate = ?",
}


class TodoRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate

    def add(self, rows: Iterable[TodoRow]) -> None:
        packed = {(row.kind, row.path): _pack_placing(row) for row in rows}
        self._connection.executemany(
            ADD_PLACING, [(self._mandate, *key, placing) for key, placing in packed.items() if placing is not None]
        )
        for kind in TodoKind:
            bare = [path for (its_kind, path), placing in packed.items() if placing is None and its_kind == kind]
            if bare:
                self._connection.execute(ADD_ALL, (self._mandate, kind, listed(bare)))

    def drop(self, kind: TodoKind, paths: Iterable[RelPath]) -> None:
        self._connection.execute(DROP, (self._mandate, kind, listed(paths)))

    def after(self, kind: TodoKind, after: RelPath | None, limit: int) -> Sequence[TodoRow]:
        found = self._connection.execute(
            "SELECT path, placing FROM todo WHERE mandate = ? AND kind = ? AND path > ? ORDER BY path LIMIT ?",
            (self._mandate, kind, after or "", limit),
        )
        return [_row(kind, path, placing) for path, placing in found]

    def get(self, kind: TodoKind, paths: Iterable[RelPath]) -> Mapping[RelPath, TodoRow]:
        found = self._connection.execute(
            "SELECT todo.path, placing FROM json_each(?) asked "
            "CROSS JOIN todo ON todo.mandate = ? AND todo.kind = ? AND todo.path = asked.value",
            (listed(paths), self._mandate, kind),
        )
        return {path: _row(kind, path, placing) for path, placing in found}

    def count(self, kind: TodoKind) -> int:
        return int(self._connection.execute(COUNT[kind], (self._mandate,)).fetchone()[0])

    def totals(self) -> tuple[int, int]:
        """Files still to be placed, and their bytes."""
        found = self._connection.execute(
            "SELECT place_files, place_bytes FROM tally WHERE mandate = ?", (self._mandate,)
        ).fetchone()
        return (found[0], found[1])


def _pack_placing(row: TodoRow) -> bytes | None:
    if row.placing is None and not row.placing_heads:
        return None
    return pack_value([row.placing and entry_columns(row.placing), pack_ids(row.placing_heads)])


def _row(kind: TodoKind, path: RelPath, placing: bytes | None) -> TodoRow:
    if placing is None:
        return TodoRow(path, kind)
    entry, heads = unpack_value(placing)
    return TodoRow(path, kind, entry_of(*entry) if entry else None, unpack_ids(heads))
