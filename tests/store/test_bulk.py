"""Rows that are written together are those that were given, and take few steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.store.bulk import TOGETHER, execute_many

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
