"""Rows that are written together are those that were given, and take few steps."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.change import Change
from p2psync.engine.state import BaseRow, LiveRow
from p2psync.store.bulk import TOGETHER, execute_many
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import ANNA, LOG, MANDATE, Author, file, path

INSERT = "INSERT INTO thing SELECT column1, column2 FROM {rows}"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = _things()
    yield opened
    opened.close()


def _things() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE thing (name TEXT, content)")
    return connection


@given(st.lists(st.tuples(st.text(), st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary()), max_size=150))
def test_every_row_is_written_as_it_is_and_in_order(rows: list[tuple[object, ...]]) -> None:
    connection = _things()
    execute_many(connection, INSERT, rows)
    assert connection.execute("SELECT * FROM thing ORDER BY rowid").fetchall() == rows
    connection.close()


@pytest.mark.parametrize("count", [0, 1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 5 * TOGETHER + 3])
def test_many_rows_are_one_statement(connection: sqlite3.Connection, count: int) -> None:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    execute_many(connection, INSERT, [(f"{i}", i) for i in range(count)])
    assert len(statements) == count // TOGETHER + count % TOGETHER


def test_a_later_row_wins_over_an_earlier_one_with_the_same_key(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE UNIQUE INDEX thing_name ON thing (name)")
    statement = "INSERT INTO thing SELECT * FROM {rows} WHERE true ON CONFLICT DO UPDATE SET content = excluded.content"
    execute_many(connection, statement, [("same", i) for i in range(2 * TOGETHER)])
    assert connection.execute("SELECT * FROM thing").fetchall() == [("same", 2 * TOGETHER - 1)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux shows open files")
def test_new_rows_in_any_order_need_no_file_beside_the_database(database: Database) -> None:
    """SQLite copies what a statement changes, to undo it alone; if that is much, to a file, for as long as the
    transaction takes.
    """
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    author = Author(state, LOG, ANNA)
    names = [path(f"{i:05d}") for i in range(8_000)]
    Random(1).shuffle(names)
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        with database.transaction():
            heads = author.save(*(Change(name, file(name), ()) for name in some))
            assert not state.bases(some)
            state.put_bases([BaseRow(name, file(name), None, (head,)) for name, head in zip(some, heads, strict=True)])
            assert not state.live(some)
            state.put_live([LiveRow(name, file(name), name, 1) for name in some])
            assert not [link for one in Path("/proc/self/fd").iterdir() if "etilqs" in (link := _target(one))]
    assert state.live_totals()[0] == len(names)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # the one that was open for looking
        return ""


def test_rows_that_nobody_has_asked_for_are_replaced(database: Database) -> None:
    """What is not known to be missing may be there."""
    devices = SqliteDeviceState(database)
    devices.add_mandate(MANDATE)
    for text in ("1", "2"):
        state = devices.mandate(MANDATE)
        base, live = BaseRow(path("a"), file(text), None, ()), LiveRow(path("a"), file(text), "a", 1)
        state.put_bases([base])
        state.put_live([live])
    other = devices.mandate(MANDATE)
    assert other.bases([path("a")]) == {"a": base}
    assert other.live([path("a")]) == {"a": live}
