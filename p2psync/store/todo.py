"""What is left to be done, by kind and path."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from p2psync.core.relpath import RelPath
from p2psync.engine.state import TodoKind, TodoRow
from p2psync.store.packing import listed

ADD = """
    INSERT OR IGNORE INTO todo (mandate, kind, path, bytes) SELECT ?1, ?2, value,
        (SELECT size FROM live WHERE ?2 = 'place' AND mandate = ?1 AND path = value AND kind = 1)
    FROM json_each(?3)
"""
"""Together: this takes a third of the time of one statement for each."""
AFTER = """
    SELECT json_group_array(path) FROM (
        SELECT path FROM todo WHERE mandate = ? AND kind = ? AND path > ? ORDER BY path LIMIT ?)
"""
"""All in one step, as below."""
THOSE = """
    SELECT json_group_array(todo.path) FROM json_each(?) asked
    CROSS JOIN todo ON todo.mandate = ? AND todo.kind = ? AND todo.path = asked.value
"""
DROP = "DELETE FROM todo WHERE mandate = ? AND kind = ? AND path IN (SELECT value FROM json_each(?))"
COUNTED = (TodoKind.PLACE, TodoKind.KEEP, TodoKind.JUDGE)
COUNTS = "SELECT place, keep, judge FROM tally WHERE mandate = ?"


class TodoRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate
        self._counts: dict[TodoKind, int] | None = None
        """Until the table changes."""

    def forget(self) -> None:
        """A transaction was undone: what it wrote was counted."""
        self._counts = None

    def add(self, rows: Iterable[TodoRow]) -> None:
        by_kind: dict[TodoKind, list[RelPath]] = {}
        for row in rows:
            by_kind.setdefault(row.kind, []).append(row.path)
        for kind, paths in by_kind.items():
            self._connection.execute(ADD, (self._mandate, kind, listed(paths)))
            self._counts = None

    def drop(self, kind: TodoKind, paths: Iterable[RelPath]) -> None:
        some = list(paths)
        if some and self.count(kind) and self._connection.execute(DROP, (self._mandate, kind, listed(some))).rowcount:
            self._counts = None

    def after(self, kind: TodoKind, after: RelPath | None, limit: int) -> Sequence[TodoRow]:
        if not self.count(kind):
            return []
        (found,) = self._connection.execute(AFTER, (self._mandate, kind, after or "", limit)).fetchone()
        return [TodoRow(path, kind) for path in json.loads(found)]

    def get(self, kind: TodoKind, paths: Iterable[RelPath]) -> Mapping[RelPath, TodoRow]:
        if not self.count(kind):
            return {}
        (found,) = self._connection.execute(THOSE, (listed(paths), self._mandate, kind)).fetchone()
        return {path: TodoRow(path, kind) for path in json.loads(found)}

    def count(self, kind: TodoKind) -> int:
        if self._counts is None:
            row = self._connection.execute(COUNTS, (self._mandate,)).fetchone()
            self._counts = dict(zip(COUNTED, row, strict=True))
        return self._counts[kind]

    def totals(self) -> tuple[int, int]:
        """Files still to be placed, and their bytes."""
        found = self._connection.execute(
            "SELECT place_files, place_bytes FROM tally WHERE mandate = ?", (self._mandate,)
        ).fetchone()
        return (found[0], found[1])
