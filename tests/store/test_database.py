"""The database file: durable, whole or refused, private, and shared between threads without surprises."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from p2psync.errors import StoreDamaged, StoreError
from p2psync.store import database as database_module
from p2psync.store.database import Database, set_aside, translated

WRITER = """
import sys
from pathlib import Path
from p2psync.store.database import Database
database = Database.open(Path(sys.argv[1]))
for number in range(1000):
    with database.transaction() as connection:
        connection.execute("INSERT INTO device_setting VALUES (?, x'')", (str(number),))
    print(number, flush=True)
"""


def put(database: Database, name: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO device_setting VALUES (?, x'')", (name,))


def names(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM device_setting ORDER BY name")]


# -- opening --------------------------------------------------------------------------------------------------------


def test_what_was_committed_is_there_after_opening_again(tmp_path: Path) -> None:
    first = Database.open(tmp_path / "state.db")
    put(first, "a")
    first.close()
    second = Database.open(tmp_path / "state.db")
    assert names(second.connection) == ["a"]
    second.close()


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "state.db")
    put(database, "a")
    reader = database.reader()
    assert names(reader) == ["a"]
    database.close()
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = Database.open(tmp_path / "state.db")
        put(database, "a")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("fullfsync", 1), ("checkpoint_fullfsync", 1), ("foreign_keys", 1)],
)
def test_the_promises_hold_for_every_connection(database: Database, pragma: str, value: object) -> None:
    for connection in (database.connection, database.reader()):
        assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_the_page_cache_is_bounded(database: Database) -> None:
    assert database.connection.execute("PRAGMA cache_size").fetchone() == (-4096,)
    assert database.reader().execute("PRAGMA cache_size").fetchone() == (-512,)


def test_what_is_let_go_is_read_again(database: Database) -> None:
    put(database, "a")
    said: list[str] = []
    database.connection.set_trace_callback(said.append)
    database.let_go()
    database.connection.set_trace_callback(None)
    assert said == ["PRAGMA shrink_memory"]
    assert names(database.connection) == ["a"]


def test_a_killed_process_loses_nothing_that_it_committed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "state.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "20\n":
                break
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        said = {"20", *process.stdout.read().split()}
    assert (tmp_path / "state.db-wal").stat().st_size > 0
    database = Database.open(tmp_path / "state.db")
    assert {str(number) for number in range(20)} | said <= set(names(database.connection))
    database.close()


def test_a_crash_while_the_first_file_is_made_leaves_no_half_database(tmp_path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"state.db.new{suffix}").write_bytes(b"half")
    database = Database.open(tmp_path / "state.db")
    assert names(database.connection) == []
    database.close()
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


def test_what_is_left_beside_a_removed_database_is_not_read_into_the_new_one(tmp_path: Path) -> None:
    removed = Database.open(tmp_path / "state.db")
    put(removed, "removed")
    left_over = (tmp_path / "state.db-wal").read_bytes()
    removed.close()
    (tmp_path / "state.db").unlink()
    (tmp_path / "state.db-wal").write_bytes(left_over)
    database = Database.open(tmp_path / "state.db")
    assert names(database.connection) == []
    database.close()


# -- damage ---------------------------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def overwrite_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"garbage" * 10)


@pytest.mark.parametrize("damage", [truncate, empty, overwrite, overwrite_header])
def test_a_damaged_file_is_refused_set_aside_and_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "state.db"
    Database.open(path).close()
    damage(path)
    damaged = path.read_bytes()
    with pytest.raises(StoreDamaged, match=r"state\.db"):
        Database.open(path)
    aside = set_aside(path, "2025-06-30T12-00-00")
    assert aside == tmp_path / "state.db.damaged-2025-06-30T12-00-00"
    assert aside.read_bytes() == damaged
    database = Database.open(path)
    assert names(database.connection) == []
    database.close()


def test_a_page_that_went_bad_in_a_crash_is_found_at_opening(tmp_path: Path) -> None:
    path = killed_with_a_bad_page(tmp_path)
    with pytest.raises(StoreDamaged):
        Database.open(path)


def test_a_page_that_went_bad_later_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = killed_with_a_bad_page(tmp_path)
    (tmp_path / "state.db-wal").unlink()
    database = Database.open(path)
    with pytest.raises(StoreDamaged), database.transaction() as connection:
        names(connection)
    database.close()


def killed_with_a_bad_page(directory: Path) -> Path:
    """A database with a broken table, and something left in its write-ahead log."""
    path = directory / "state.db"
    database = Database.open(path)
    with database.transaction() as connection:
        rows = [(f"{i:05}", bytes(100)) for i in range(1000)]
        connection.executemany("INSERT INTO device_setting VALUES (?, ?)", rows)
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'device_setting'").fetchone()
    database.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(bytes(4096))
    (directory / "state.db-wal").write_bytes(b"left over")
    return path


def test_two_databases_may_be_set_aside_in_one_second(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    asides = []
    for text in ("one", "two", "three"):
        path.write_text(text)
        (tmp_path / "state.db-wal").write_text(text)
        asides.append(set_aside(path, "now"))
    assert [aside.read_text() for aside in asides] == ["one", "two", "three"]
    assert [aside.with_name(aside.name + "-wal").read_text() for aside in asides] == ["one", "two", "three"]
    assert not path.exists()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_CORRUPT, StoreDamaged),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreDamaged),
        (sqlite3.SQLITE_NOTADB, StoreDamaged),
        (sqlite3.SQLITE_FULL, StoreError),
        (sqlite3.SQLITE_IOERR_WRITE, StoreError),
        (sqlite3.SQLITE_BUSY, StoreError),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.Error),
        (sqlite3.SQLITE_ERROR, sqlite3.Error),
    ],
)
def test_whose_fault_it_is_decides_what_is_raised(tmp_path: Path, code: int, expected: type[Exception]) -> None:
    error = sqlite3.DatabaseError("reason")
    error.sqlite_errorcode = code
    with pytest.raises((StoreError, sqlite3.Error), match="reason") as raised, translated(tmp_path / "state.db"):
        raise error
    assert type(raised.value) is (expected if expected is not sqlite3.Error else sqlite3.DatabaseError)


def test_a_full_disk_undoes_the_transaction_and_the_next_one_works(database: Database) -> None:
    put(database, "before")
    (pages,) = database.connection.execute("PRAGMA page_count").fetchone()
    database.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"), database.transaction() as connection:
        connection.execute("INSERT INTO device_setting VALUES ('big', zeroblob(1000000))")
    database.connection.execute("PRAGMA max_page_count = 1000000")
    put(database, "after")
    assert names(database.connection) == ["after", "before"]


def test_a_directory_that_cannot_be_written_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises((StoreError, OSError)) as raised:
        Database.open(tmp_path / "missing" / "state.db")
    assert getattr(raised.value, "errno", errno.ENOENT) == errno.ENOENT


# -- transactions ---------------------------------------------------------------------------------------------------


def test_an_exception_undoes_a_transaction(database: Database) -> None:
    put(database, "before")
    with suppress(KeyError), database.transaction() as connection:
        connection.execute("INSERT INTO device_setting VALUES ('lost', x'')")
        raise KeyError
    assert names(database.connection) == ["before"]


def test_an_inner_transaction_is_undone_alone(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO device_setting VALUES ('outer', x'')")
        put(database, "kept")
        with suppress(KeyError), database.transaction():
            connection.execute("INSERT INTO device_setting VALUES ('lost', x'')")
            raise KeyError
        assert connection.in_transaction
    assert names(database.connection) == ["kept", "outer"]


def test_an_inner_transaction_is_undone_with_the_outer_one(database: Database) -> None:
    with suppress(KeyError), database.transaction():
        put(database, "inner")
        raise KeyError
    assert names(database.connection) == []


def test_threads_take_turns(database: Database) -> None:
    """What another thread writes belongs to a transaction of its own: undoing one here does not undo that."""
    thread = threading.Thread(target=lambda: put(database, "theirs"))
    with suppress(KeyError), database.transaction() as connection:
        connection.execute("INSERT INTO device_setting VALUES ('mine', x'')")
        thread.start()
        thread.join(timeout=0.05)  # it would come to its end here if it did not wait
        raise KeyError
    thread.join()
    assert names(database.connection) == ["theirs"]


def test_a_reader_sees_committed_rows_only_and_writes_nothing(database: Database) -> None:
    reader = database.reader()
    with database.transaction() as connection:
        connection.execute("INSERT INTO device_setting VALUES ('a', x'')")
        assert names(reader) == []
    assert names(reader) == ["a"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM device_setting")


def test_another_process_that_holds_the_file_is_waited_for_and_then_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.01)
    other = Database.open(database.path)
    with database.transaction(), pytest.raises(StoreError, match="locked"), other.transaction():
        pass
    other.close()
