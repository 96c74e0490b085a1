"""The live paths: the winner of each path that is a file or an empty directory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set

from p2psync.core.relpath import RelPath
from p2psync.engine.state import LiveRow
from p2psync.store.bulk import execute_many
from p2psync.store.memo import Memo
from p2psync.store.packing import entry_columns, entry_of, listed

ADD = """
    INSERT OR FAIL INTO live (mandate, path, kind, size, mtime_ns, mode, content, slot, heads) SELECT * FROM {rows}
"""
"""For paths that have no row; see `bulk` for why it says FAIL."""
PUT = """
    INSERT INTO live (mandate, path, kind, size, mtime_ns, mode, content, slot, heads)
    SELECT * FROM {rows} WHERE true
    ON CONFLICT (mandate, path) DO UPDATE SET kind = excluded.kind, size = excluded.size,
        mtime_ns = excluded.mtime_ns, mode = excluded.mode, content = excluded.content,
        slot = excluded.slot, heads = excluded.heads
"""
SLASH_NEXT = chr(ord("/") + 1)
"""All paths below a directory lie between it + "/" and it + this, and no others."""


class LiveRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate
        self._memo: Memo[RelPath, LiveRow | None] = Memo()

    def forget(self) -> None:
        """A transaction was undone: what it wrote was remembered too."""
        self._memo.forget()

    def get(self, paths: Iterable[RelPath]) -> Mapping[RelPath, LiveRow]:
        rows, others = self._memo.of(paths)
        if others:
            fresh: dict[RelPath, LiveRow | None] = dict.fromkeys(others)
            found = self._connection.execute(
                "SELECT live.path, kind, size, mtime_ns, mode, content, slot, heads FROM json_each(?) asked "
                "CROSS JOIN live ON live.mandate = ? AND live.path = asked.value",
                (listed(others), self._mandate),
            )
            for path, kind, size, mtime_ns, mode, content, slot, heads in found:
                entry = entry_of(kind, size, mtime_ns, mode, content)
                fresh[path] = LiveRow(path, entry, path if slot is None else slot, heads)
            self._memo.put(fresh)
            rows |= fresh
        return {path: row for path, row in rows.items() if row is not None}

    def put(self, rows: Sequence[LiveRow]) -> None:
        if rows:
            latest = {row.path: row for row in rows}
            fresh, others = self._memo.part(latest)
            for statement, some in ((ADD, fresh), (PUT, others)):
                execute_many(self._connection, statement, [self._columns(row) for row in some])
            self._memo.put(latest)

    def _columns(self, row: LiveRow) -> tuple[object, ...]:
        slot = None if row.slot == row.path else row.slot
        return (self._mandate, row.path, *entry_columns(row.entry), slot, row.heads)

    def drop(self, paths: Iterable[RelPath]) -> None:
        gone = dict.fromkeys(paths)
        if gone:
            self._connection.execute(
                "DELETE FROM live WHERE mandate = ? AND path IN (SELECT value FROM json_each(?))",
                (self._mandate, listed(gone)),
            )
            self._memo.put(gone)

    def with_any_below(self, paths: Iterable[RelPath]) -> Set[RelPath]:
        """Those of the paths that others lie below: a range of the table is not empty."""
        asked = list(paths)
        if not asked:
            return set()
        found = self._connection.execute(
            "SELECT value FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM live "
            "WHERE mandate = ?2 AND path > value || '/' AND path < value || ?3)",
            (listed(asked), self._mandate, SLASH_NEXT),
        )
        return {path for (path,) in found}

    def in_slots(self, slots: Iterable[str]) -> Mapping[str, Sequence[RelPath]]:
        """The paths of each slot, sorted; empty slots are left out."""
        asked = listed(set(slots))
        rows = self._connection.execute(
            "SELECT live.slot, live.path FROM json_each(?1) asked "
            "CROSS JOIN live INDEXED BY live_slot ON live.mandate = ?2 AND live.slot = asked.value "
            "UNION ALL SELECT live.path, live.path FROM json_each(?1) asked "
            "CROSS JOIN live ON live.mandate = ?2 AND live.path = asked.value WHERE live.slot IS NULL",
            (asked, self._mandate),
        )
        found: dict[str, list[RelPath]] = {}
        for slot, path in rows:
            found.setdefault(slot, []).append(path)
        return {slot: sorted(paths) for slot, paths in found.items()}

    def totals(self) -> tuple[int, int]:
        """Files and their bytes."""
        found = self._connection.execute(
            "SELECT live_files, live_bytes FROM tally WHERE mandate = ?", (self._mandate,)
        ).fetchone()
        return (found[0], found[1])
