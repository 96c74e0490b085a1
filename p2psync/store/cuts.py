"""How big files on this disk were cut: which of them may hold chunks that another one is made of.

A cache in a file of its own, so that whoever fills it never keeps the engine waiting and nothing has to be durable.
It is never the truth: bytes that are found by it are compared with their hash; on any trouble it is thrown away.
It is sparse: one chunk of each short run, its hook, can be looked up, and files that share hooks share most of what
lies around them. That is an eighth of the rows, and of the pages that a new file touches.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from p2psync.core.chunking import MANIFEST_THRESHOLD_BYTES, Span
from p2psync.core.ids import ContentId, MandateId
from p2psync.store.packing import listed

CUTS_FILE = "chunks.db"
RUN_CHUNKS = 8
"""Each run has one hook, so a stretch of 15 chunks that two files share is always found."""
CHUNKS_MAX = 2_000_000
"""Over all files, the oldest are forgotten: about 30 MB for 40 GB of files of up to 256 MiB, or for more of larger."""
FILE_CHUNKS_MAX = 250_000
"""Of one file, a list of 3 MB: at least 4 GiB of ordinary content. A longer list is not remembered."""
ASKED_MAX = 500
"""Chunks in one query."""
HITS_MAX = 2_000
"""Rows that one query gives: a block of zeros is in very many files."""
CACHE_KIB = 256
TAG_BYTES = 8
SCHEMA = 1
"""Raised when the tables change: a file of another number is thrown away."""
SETTINGS = ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = OFF", f"cache_size = -{CACHE_KIB}")
"""The home's lock keeps others out; whatever a power cut leaves is thrown away where it cannot be read."""
TABLES = f"""
    CREATE TABLE cut (
        number  INTEGER PRIMARY KEY,
        mandate BLOB    NOT NULL,
        content BLOB    NOT NULL,
        chunks  INTEGER NOT NULL,
        layout  BLOB    NOT NULL,
        UNIQUE (mandate, content)
    );
    CREATE TABLE hook (
        tag INTEGER NOT NULL,
        cut INTEGER NOT NULL,
        PRIMARY KEY (tag, cut)
    ) WITHOUT ROWID;
    CREATE TABLE total (chunks INTEGER NOT NULL);
    INSERT INTO total VALUES (0);
    CREATE TRIGGER cut_added AFTER INSERT ON cut BEGIN UPDATE total SET chunks = chunks + NEW.chunks; END;
    CREATE TRIGGER cut_dropped AFTER DELETE ON cut BEGIN UPDATE total SET chunks = chunks - OLD.chunks; END;
    PRAGMA user_version = {SCHEMA};
"""
"""layout: the tag of each chunk, the first 8 bytes of its hash; then the size of each in bytes, 32 bits."""
ALIKE = """
    SELECT cut.content, hook.tag FROM json_each(?) AS asked
    CROSS JOIN hook ON hook.tag = asked.value
    CROSS JOIN cut ON cut.number = hook.cut AND cut.mandate = ?
    ORDER BY cut.number DESC LIMIT ?
"""

T = TypeVar("T")


class CutFile:
    """The cache of a device; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """`path` is made at the first use."""
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Keep nothing in memory; the next use opens it again."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def run(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What `work` returns; its changes are made as one. Where the cache fails it is removed: `otherwise`."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _connect(self._path)
                with self._connection:
                    return work(self._connection)
            except (sqlite3.Error, struct.error, OSError):
                self._throw_away()
        return otherwise

    def retain(self, mandates: Collection[MandateId]) -> None:
        """Forget the files of all other mandates."""

        def work(connection: sqlite3.Connection) -> None:
            rows = connection.execute("SELECT number, mandate FROM cut").fetchall()
            for number, mandate in rows:
                if mandate not in mandates:
                    _drop(connection, number)

        self.run(work, None)

    def _throw_away(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        _remove(self._path)


class Cuts:
    """What is remembered of one mandate's files. Where the cache fails, that is nothing."""

    def __init__(self, file: CutFile, mandate: MandateId) -> None:
        self._file = file
        self._mandate = mandate

    def put(self, content: ContentId, spans: Sequence[Span]) -> None:
        """Remember how a file was cut; nothing happens where that is known, or not worth it."""
        if not 0 < len(spans) <= FILE_CHUNKS_MAX or spans[-1].offset + spans[-1].size <= MANIFEST_THRESHOLD_BYTES:
            return
        if self._file.run(lambda connection: self._number(connection, content), None) is not None:
            return
        tags = [_tag(span.hash) for span in spans]
        layout = struct.pack(f"<{len(tags)}q{len(tags)}I", *tags, *(span.size for span in spans))

        def work(connection: sqlite3.Connection) -> None:
            added = connection.execute(
                "INSERT OR IGNORE INTO cut (mandate, content, chunks, layout) VALUES (?, ?, ?, ?)",
                (self._mandate, content, len(tags), layout),
            )
            if added.rowcount:
                hooks = [(tag, added.lastrowid) for tag in _hooks(tags)]
                connection.executemany("INSERT INTO hook (tag, cut) VALUES (?, ?)", hooks)
                _forget_oldest(connection)

        self._file.run(work, None)

    def alike(self, hashes: Collection[bytes]) -> Mapping[ContentId, set[bytes]]:
        """Files that were cut into some of these chunks, the newest first, and of which ones that is known so far."""
        asked = {_tag(one): one for one in hashes}
        tags = list(asked)
        found: dict[ContentId, set[bytes]] = {}
        for first in range(0, len(tags), ASKED_MAX):  # others may have a turn in between
            for content, tag in self._hits(tags[first : first + ASKED_MAX]):
                found.setdefault(content, set()).add(asked[tag])
        return found

    def offsets(self, content: ContentId, hashes: Collection[bytes]) -> Mapping[bytes, int]:
        """Where in a file those of the chunks begin that it was cut into."""

        def work(connection: sqlite3.Connection) -> Mapping[bytes, int]:
            number = self._number(connection, content)
            if number is None:
                return {}
            tags, sizes = _layout(connection, number)
            asked = {_tag(one): one for one in hashes}
            placed = zip(tags, accumulate(sizes, initial=0), strict=False)
            return {asked[tag]: offset for tag, offset in placed if tag in asked}

        return self._file.run(work, {})

    def drop(self, contents: Collection[ContentId]) -> None:
        """These files are nowhere on this disk any more."""

        def work(connection: sqlite3.Connection) -> None:
            for content in contents:
                number = self._number(connection, content)
                if number is not None:
                    _drop(connection, number)

        self._file.run(work, None)

    def _hits(self, tags: Sequence[int]) -> Sequence[tuple[ContentId, int]]:
        return self._file.run(lambda c: c.execute(ALIKE, (listed(tags), self._mandate, HITS_MAX)).fetchall(), [])

    def _number(self, connection: sqlite3.Connection, content: ContentId) -> int | None:
        sql = "SELECT number FROM cut WHERE mandate = ? AND content = ?"
        found = connection.execute(sql, (self._mandate, content)).fetchone()
        return found[0] if found is not None else None


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)  # before SQLite would: the files that it makes beside this one take over the mode
    connection = sqlite3.connect(path, timeout=0, check_same_thread=False)
    try:
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        if not schema:
            connection.executescript(TABLES)
        elif schema != SCHEMA:
            raise sqlite3.DatabaseError("of another version")
    except BaseException:
        connection.close()
        raise
    return connection


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def _forget_oldest(connection: sqlite3.Connection) -> None:
    while connection.execute("SELECT chunks FROM total").fetchone()[0] > CHUNKS_MAX:
        (oldest,) = connection.execute("SELECT number FROM cut ORDER BY number LIMIT 1").fetchone()
        _drop(connection, oldest)


def _drop(connection: sqlite3.Connection, number: int) -> None:
    tags, _sizes = _layout(connection, number)
    connection.executemany("DELETE FROM hook WHERE tag = ? AND cut = ?", [(tag, number) for tag in _hooks(tags)])
    connection.execute("DELETE FROM cut WHERE number = ?", (number,))


def _layout(connection: sqlite3.Connection, number: int) -> tuple[Sequence[int], Sequence[int]]:
    """Tags and sizes."""
    (layout,) = connection.execute("SELECT layout FROM cut WHERE number = ?", (number,)).fetchone()
    count = len(layout) // (TAG_BYTES + 4)
    numbers = struct.unpack(f"<{count}q{count}I", layout)
    return numbers[:count], numbers[count:]


def _tag(digest: bytes) -> int:
    return int.from_bytes(digest[:TAG_BYTES], "little", signed=True)


def _hooks(tags: Sequence[int]) -> set[int]:
    """The least of each run: files that share a stretch mostly choose the same ones in it."""
    return {min(tags[first : first + RUN_CHUNKS]) for first in range(0, len(tags), RUN_CHUNKS)}
