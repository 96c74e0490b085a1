"""The one database file of a device: opened with the promises the engine relies on, or refused with the reason.

A commit is on the disk when it returns (WAL, synchronous=FULL, and on macOS a full flush). One thread at a
time writes, through `Database.transaction`; other threads read what is committed through `Database.reader`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from p2psync.errors import StoreDamaged, StoreError
from p2psync.store.schema import migrate

BUSY_TIMEOUT_S = 10.0
WRITER_CACHE_KIB = 4096
READER_CACHE_KIB = 512
CHECKPOINT_PAGES = 2000
"""How far the write-ahead log grows before it is folded into the file: 8 MiB."""
STATEMENTS_KEPT = 256
SETTINGS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",
    "checkpoint_fullfsync = ON",
    "foreign_keys = ON",
    f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
)
"""The two about fullfsync mean something on macOS only, where fsync alone leaves bytes in the drive."""
SIDE_FILES = ("", "-wal", "-shm")

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
OUTSIDE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
)
"""Results for which the disk or another program is to blame; any other is a bug here and is left as it is."""


# A value of any other type than these has its own say in how it is bound. That it has none is found out for each value
# anew, by an error that is made and forgotten: for bytes, most of what binding takes.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), lambda nothing: nothing)


class Database:
    """An open database; made by `Database.open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection):
        self.path = path
        self.connection = connection
        """The writer: for whoever is inside `transaction`."""
        self.undone = 0
        """How many transactions were undone: what was remembered of their rows is void."""
        self._lock = threading.RLock()
        self._readers: list[sqlite3.Connection] = []

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open the database at a path, make it where there is none, and bring its schema up to date.

        The whole file is checked if it was not closed in order. Raises StoreDamaged, SchemaTooNew, StoreError.
        """
        with translated(path):
            if not path.exists():
                _create(path)
            closed_in_order = not _size(_beside(path, "-wal"))
            if not _size(path):
                raise StoreDamaged("The database {path} is empty", path=path)
            connection = _connect(path, WRITER_CACHE_KIB)
            try:
                if not closed_in_order:
                    _check(path, connection)
                migrate(connection)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it; readers are closed too."""
        with self._lock:
            for reader in self._readers:
                reader.close()
            self._readers.clear()
            self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable at the end; an exception undoes it.

        Threads take turns. Inside of another transaction of the same thread it is a part of that one: an
        exception undoes the part alone, and what remains is durable when the outer one ends. Raises
        StoreDamaged or StoreError for what SQLite reports.
        """
        with self._lock, translated(self.path):
            undo: tuple[str, ...]
            if self.connection.in_transaction:
                begin, end, undo = "SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part")
            else:
                begin, end, undo = "BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)
            self.connection.execute(begin)
            try:
                yield self.connection
                self.connection.execute(end)
            except BaseException:
                self.undone += 1
                if self.connection.in_transaction:  # SQLite itself undoes all when the disk is full
                    for statement in undo:
                        self.connection.execute(statement)
                raise

    def let_go(self) -> None:
        """Forget pages that the writer has read; they are read again when they are needed."""
        with self._lock, translated(self.path):
            self.connection.execute("PRAGMA shrink_memory")

    def reader(self) -> sqlite3.Connection:
        """Another connection, which sees committed rows only and cannot write; closed with the database.

        It may be used by any thread, by one at a time.
        """
        with self._lock, translated(self.path):
            connection = _connect(self.path, READER_CACHE_KIB)
            connection.execute("PRAGMA query_only = ON")
            self._readers.append(connection)
        return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what SQLite reports about the file or the disk as StoreDamaged or StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        if code in DAMAGED:
            raise StoreDamaged("The database {path} is damaged: {error}", path=path, error=error) from error
        if code in OUTSIDE:
            raise StoreError("The database {path} cannot be used: {error}", path=path, error=error) from error
        raise


def set_aside(path: Path, stamp: str) -> Path:
    """Rename a damaged database, with the files beside it, so that a new one can be made; returns its new path.

    `stamp` is the time as it shall stand in the name. Raises OSError.
    """
    number = 0
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in SIDE_FILES:
        with suppress(FileNotFoundError):
            _beside(path, suffix).rename(_beside(aside, suffix))
    return aside


def _create(path: Path) -> None:
    """Make an empty database that appears under its name only when it is whole.

    So a file without content under that name is damage, never mistaken for a beginning.
    """
    new = path.with_name(path.name + ".new")
    for suffix in SIDE_FILES:
        _beside(new, suffix).unlink(missing_ok=True)
    # Before SQLite would: the files that it makes beside this one take over the mode.
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = _connect(new, WRITER_CACHE_KIB)
    try:
        migrate(connection)
    finally:
        connection.close()
    for suffix in SIDE_FILES[1:]:  # left over from a database that was removed, it would be read into this one
        _beside(path, suffix).unlink(missing_ok=True)
    new.rename(path)
    _sync_directory(path.parent)


def _connect(path: Path, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_KEPT,
    )
    try:
        for setting in (*SETTINGS, f"cache_size = -{cache_kib}"):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """Read the whole file once: after a crash or a power cut, pages may be wrong that nobody would read for weeks."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreDamaged("The database {path} is damaged: {error}", path=path, error=found)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sync_directory(directory: Path) -> None:
    """Make a rename in it durable; Windows does that by itself and opens no directories."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
