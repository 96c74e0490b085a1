"""Which bytes are kept although they stand nowhere in the folder; the bytes themselves lie on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence, Set

from p2psync.core.ids import ContentId
from p2psync.core.relpath import RelPath
from p2psync.engine.state import VersionRow
from p2psync.store.packing import pack_ids, unpack_ids


class VersionRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int):
        self._connection = connection
        self._mandate = mandate

    def add(self, rows: Iterable[VersionRow]) -> None:
        self._connection.executemany(
            "INSERT INTO version (mandate, path, content, size, mtime_ns, kept_ms, reason, device, change) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(self._mandate, *_columns(row)) for row in rows],
        )

    def of_path(self, path: RelPath) -> Sequence[VersionRow]:
        """Newest first; of the same millisecond the one that was added last."""
        found = self._connection.execute(
            "SELECT path, content, size, mtime_ns, kept_ms, reason, device, change FROM version "
            "WHERE mandate = ? AND path = ? ORDER BY kept_ms DESC, number DESC",
            (self._mandate, path),
        )
        return [
            VersionRow(
                path, content, size, mtime_ns, kept_ms, reason, device, unpack_ids(change)[0] if change else None
            )
            for path, content, size, mtime_ns, kept_ms, reason, device, change in found
        ]

    def kept(self, contents: Iterable[ContentId]) -> set[ContentId]:
        return {content for content in contents if self._is_kept(content)}

    def paths_of(self, contents: Iterable[ContentId]) -> dict[ContentId, list[RelPath]]:
        """The paths that each content is kept for; one that is not kept is left out."""
        query = "SELECT DISTINCT path FROM version WHERE mandate = ? AND content = ?"
        found = {c: [path for (path,) in self._connection.execute(query, (self._mandate, c))] for c in contents}
        return {content: paths for content, paths in found.items() if paths}

    def retain(self, contents: Set[ContentId]) -> None:
        """Forget the rows with any other content."""
        known = self._connection.execute("SELECT DISTINCT content FROM version WHERE mandate = ?", (self._mandate,))
        self.drop([content for (content,) in known if content not in contents])

    def drop(self, contents: Iterable[ContentId]) -> None:
        """Forget the rows with these contents."""
        lost = [(self._mandate, content) for content in contents]
        self._connection.executemany("DELETE FROM version WHERE mandate = ? AND content = ?", lost)

    def _is_kept(self, content: ContentId) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM version WHERE mandate = ? AND content = ? LIMIT 1", (self._mandate, content)
        )
        return found.fetchone() is not None


def _columns(row: VersionRow) -> tuple[object, ...]:
    change = pack_ids((row.change,)) if row.change else None
    return (row.path, row.content, row.size, row.mtime_ns, row.kept_ms, row.reason, row.device, change)
