"""The base: what this device last saw on its own disk, path by path."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from p2psync.core.entry import Entry, FileStat
from p2psync.core.ids import ContentId
from p2psync.core.relpath import RelPath
from p2psync.engine.state import BaseRow
from p2psync.store.bulk import execute_many
from p2psync.store.changes import STATES
from p2psync.store.memo import Memo
from p2psync.store.numbers import BlockNumbers, Numbers, change_number
from p2psync.store.packing import (
    content_tag,
    entry_columns,
    entry_of,
    listed,
    pack_ids,
    stat_columns,
    stat_of,
    unpack_ids,
)

PAGE = 500
"""Rows read together when all are walked through."""

Standing = tuple[RelPath, Entry, FileStat | None]
"""A row without its heads, for which nobody asks who looks at the disk: half the time."""

STANDING = (
    "base.path, base.kind, base.size, base.mtime_ns, base.mode, base.content, "
    "base.stat_size, base.stat_mtime_ns, base.stat_inode, base.known_ns"
)
COLUMNS = f"{STANDING}, base.heads"
PUT = """
    INSERT OR {how} INTO base SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9,
        column10, column11,
        NOT EXISTS (SELECT 1 FROM change WHERE number = column13 AND path = column2 AND content = column7), column12
    FROM {rows}
"""
REPLACE = PUT.replace("{how}", "REPLACE")
ADD = PUT.replace("{how}", "FAIL")
"""For paths that have no row; see `bulk` for why it says FAIL."""
SOURCES = f"""
    SELECT path FROM base INDEXED BY base_stray
    WHERE mandate = :mandate AND content = :content AND stray AND content IS NOT NULL
    UNION ALL SELECT base.path {STATES}
    CROSS JOIN base ON base.mandate = log.mandate AND base.path = change.path AND base.content = change.content
    WHERE log.mandate = :mandate
    LIMIT :limit
"""


SOURCES_READ_MAX = 20_000
"""Rows read for one question, however many identical files there are; what is not found then is fetched."""
SOURCES_OF_MANY = """
    SELECT base.content, base.path FROM json_each(:tags) AS asked
    CROSS JOIN change INDEXED BY change_content ON change.content_tag = asked.value
    CROSS JOIN base ON base.mandate = :mandate AND base.path = change.path AND base.content = change.content
    WHERE change.content_tag IS NOT NULL
    UNION ALL SELECT content, path FROM base INDEXED BY base_stray
    WHERE mandate = :mandate AND stray AND content IS NOT NULL
    LIMIT :most
"""
"""As SOURCES, for many contents at once; strays are few, so they are all looked at."""


class BaseRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int, numbers: Numbers | None = None):
        """`numbers`: of the one writer, who alone may remember what it read; None for others."""
        self._connection = connection
        self._mandate = mandate
        self._numbers = numbers if numbers is not None else Numbers(connection, mandate)
        self._memo: Memo[RelPath, BaseRow | None] = Memo() if numbers is not None else Memo(0)

    def forget(self) -> None:
        """A transaction was undone: what it wrote was remembered too."""
        self._memo.forget()

    def get(self, paths: Iterable[RelPath]) -> Mapping[RelPath, BaseRow]:
        rows, others = self._memo.of(paths)
        if others:
            fresh: dict[RelPath, BaseRow | None] = dict.fromkeys(others)
            found = self._connection.execute(
                f"SELECT {COLUMNS} FROM json_each(?) asked "
                "CROSS JOIN base ON base.mandate = ? AND base.path = asked.value",
                (listed(others), self._mandate),
            )
            fresh.update((row[0], _row(row)) for row in found)
            self._memo.put(fresh)
            rows |= fresh
        return {path: row for path, row in rows.items() if row is not None}

    def put(self, rows: Sequence[BaseRow]) -> None:
        if rows:
            latest = {row.path: row for row in rows}
            fresh, others = self._memo.part(latest)
            blocks = self._numbers.of({row.heads[0].block for row in rows if row.heads})
            for statement, some in ((ADD, fresh), (REPLACE, others)):
                execute_many(self._connection, statement, [self._columns(row, blocks) for row in some])
            self._memo.put(latest)

    def _columns(self, row: BaseRow, blocks: BlockNumbers) -> tuple[object, ...]:
        stat, heads = row.stat, row.heads
        known_ns = stat.known_ns if stat is not None else 0
        head = change_number(heads[0], blocks) if heads and heads[0].block in blocks else None
        about = entry_columns(row.entry) + stat_columns(stat)
        return (self._mandate, row.path, *about, pack_ids(heads), known_ns, head)

    def drop(self, paths: Iterable[RelPath]) -> None:
        gone = dict.fromkeys(paths)
        if gone:
            self._connection.execute(
                "DELETE FROM base WHERE mandate = ? AND path IN (SELECT value FROM json_each(?))",
                (self._mandate, listed(gone)),
            )
            self._memo.put(gone)

    def page(self, after: str, before: str | None = None) -> Sequence[Standing]:
        """The next paths after one, in byte order, and before another; empty at the end.

        Pages instead of one cursor: rows may be written, and a transaction undone, between them.
        """
        bound = "AND path < ?" if before is not None else ""
        found = self._connection.execute(
            f"SELECT {STANDING} FROM base WHERE mandate = ? AND path > ? {bound} ORDER BY path LIMIT {PAGE}",
            (self._mandate, after) if before is None else (self._mandate, after, before),
        )
        return [_standing(*row) for row in found]

    def with_suffixes(self, suffixes: Iterable[str]) -> Sequence[BaseRow]:
        """Those whose names end so, whatever the case of A to Z, in byte order."""
        asked = [f"%{suffix}" for suffix in suffixes]
        likes = " OR ".join(["path LIKE ?"] * len(asked))
        found = self._connection.execute(
            f"SELECT {COLUMNS} FROM base WHERE mandate = ? AND ({likes}) ORDER BY path", (self._mandate, *asked)
        )
        return [_row(row) for row in found]

    def all(self) -> Iterable[BaseRow]:
        page = f"SELECT {COLUMNS} FROM base WHERE mandate = ? AND path > ? ORDER BY path LIMIT {PAGE}"
        after = ""
        while rows := self._connection.execute(page, (self._mandate, after)).fetchall():
            yield from map(_row, rows)
            after = rows[-1][0]

    def sources(self, content: ContentId, limit: int = -1) -> Sequence[RelPath]:
        """Paths at which this content stands, sorted; -1 means all, a limit means any so many."""
        found = self._connection.execute(
            SOURCES,
            {"mandate": self._mandate, "content": content, "content_tag": content_tag(content), "limit": limit},
        )
        return sorted({path for (path,) in found})

    def sources_of(self, contents: Iterable[ContentId], limit: int) -> dict[ContentId, list[RelPath]]:
        """At most `limit` paths for each content that stands anywhere: one query for all."""
        asked = set(contents)
        if not asked:
            return {}
        tags = [tag for c in asked if (tag := content_tag(c)) is not None]
        parameters = {"tags": listed(tags), "mandate": self._mandate, "most": SOURCES_READ_MAX}
        sources: dict[ContentId, list[RelPath]] = {}
        for content, path in self._connection.execute(SOURCES_OF_MANY, parameters):
            known = sources.setdefault(content, []) if content in asked else []
            if len(known) < limit and path not in known:
                known.append(path)
        return sources


def _row(found: Any) -> BaseRow:
    return BaseRow(*_standing(*found[:-1]), unpack_ids(found[-1]))


def _standing(
    path: RelPath,
    kind: int,
    size: int,
    mtime_ns: int,
    mode: int,
    content: Any,
    stat_size: int | None,
    stat_mtime_ns: int,
    stat_inode: int | bytes,
    known_ns: int,
) -> Standing:
    stat = stat_of(stat_size, stat_mtime_ns, stat_inode, known_ns)
    return path, entry_of(kind, size, mtime_ns, mode, content), stat
