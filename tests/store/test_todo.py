"""What is to be done, in SQLite: bare rows are written together, and counted without being read."""

from __future__ import annotations

from p2psync.engine.state import TodoKind, TodoRow
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import MANDATE, A, B, path


def test_many_bare_rows_are_one_statement(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    rows = [TodoRow(path(f"{i:03}"), TodoKind.PLACE) for i in range(500)]
    statements: list[str] = []
    database.connection.set_trace_callback(statements.append)
    state.add_todo(rows)
    state.drop_todo(TodoKind.PLACE, [row.path for row in rows[:400]])
    database.connection.set_trace_callback(None)
    assert len({s for s in statements if "json_each" in s}) == 2  # each is told again for every trigger that it fires
    assert not [s for s in statements if "VALUES" in s]
    assert state.todo(TodoKind.PLACE, None, 1000) == rows[400:]
    assert state.todo_count(TodoKind.PLACE) == 100


def test_a_row_that_is_there_stays_one(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    state.add_todo([TodoRow(A, TodoKind.PLACE), TodoRow(A, TodoKind.PLACE)])
    state.add_todo([TodoRow(A, TodoKind.PLACE)])
    assert state.todo_rows(TodoKind.PLACE, [A, B]) == {A: TodoRow(A, TodoKind.PLACE)}
    assert state.todo_count(TodoKind.PLACE) == 1


def test_counts_are_what_the_rows_say(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    for kind in TodoKind:
        state.add_todo([TodoRow(path(f"{i}"), kind) for i in range(20)])
        state.drop_todo(kind, [path(f"{i}") for i in range(0, 30, 3)])
        (counted,) = database.connection.execute("SELECT count(*) FROM todo WHERE kind = ?", (kind,)).fetchone()
        assert state.todo_count(kind) == counted == 13
