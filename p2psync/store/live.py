"""The live paths: the winner of each path that is a file or an empty directory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set

from p2psync.core.relpath import RelPath
from p2psync.engine.state import LiveRow
from p2psync.store.packing import entry_columns, entry_of, listed

PUT = """
    INSERT INTO live (mandate, path, kind, size, mtime_ns, mode, content, slot, heads)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
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

    def get(self, paths: Iterable[RelPath]) -> Mapping[RelPath, LiveRow]:
        found = self._connection.execute(
            "SELECT live.path, kind, size, mtime_ns, mode, content, slot, heads FROM json_each(?) asked "
            "CROSS JOIN live ON live.mandate = ? AND live.path = asked.value",
            (listed(paths), self._mandate),
        )
        return {
            path: LiveRow(path, entry_of(kind, size, mtime_ns, mode, content), path if slot is None else slot, heads)
            for path, kind, size, mtime_ns, mode, content, slot, heads in found
        }

    def put(self, rows: Iterable[LiveRow]) -> None:
        self._connection.executemany(
            PUT,
            [
                (self._mandate, r.path, *entry_columns(r.entry), None if r.slot == r.path else r.slot, r.heads)
                for r in rows
            ],
        )

    def drop(self, paths: Iterable[RelPath]) -> None:
        self._connection.execute(
            "DELETE FROM live WHERE mandate = ? AND path IN (SELECT value FROM json_each(?))",
            (self._mandate, listed(paths)),
        )

    def with_any_below(self, paths: Iterable[RelPath]) -> Set[RelPath]:
        """Those of the paths that others lie below: a range of the table is not empty."""
        found = self._connection.execute(
            "SELECT value FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM live "
            "WHERE mandate = ?2 AND path > value || '/' AND path < value || ?3)",
            (listed(paths), self._mandate, SLASH_NEXT),
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
