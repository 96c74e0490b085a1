"""Marks in SQLite: those of some files are found through an index; what else they promise is in the contract tests."""

from __future__ import annotations

from pathlib import Path

from p2psync.core.mark import POSTED, Mark
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import LOG, MANDATE, A, Author, B


def test_marks_of_some_files_are_found_through_the_index(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "state.sqlite")
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    author = Author(state, LOG)
    author.save()
    first, _ = author.mark(Mark(POSTED, A, None), Mark(POSTED, B, None))
    statements: list[str] = []
    database.connection.set_trace_callback(statements.append)
    assert [one.mark.path for one, _ in state.marks([A])] == [A]
    database.connection.set_trace_callback(None)
    (asked,) = [text for text in statements if "FROM mark" in text]
    plan = [row[3] for row in database.connection.execute(f"EXPLAIN QUERY PLAN {asked}")]
    assert any("mark_path (mandate=? AND path=?)" in step for step in plan), plan
    statements.clear()
    database.connection.set_trace_callback(statements.append)
    assert list(state.marks_by_id([first])) == [first]
    database.connection.set_trace_callback(None)
    (asked,) = [text for text in statements if "FROM mark" in text]
    plan = [row[3] for row in database.connection.execute(f"EXPLAIN QUERY PLAN {asked}")]
    assert any("mark USING INTEGER PRIMARY KEY (rowid=?)" in step for step in plan), plan
    database.close()
