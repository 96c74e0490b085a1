"""Problems in SQLite."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from p2psync.core.problem import Code, Problem
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import MANDATE, Crash


def test_a_name_that_is_no_unicode_lives_on(tmp_path: Path) -> None:
    problem = Problem("dossier/\udce9t\udce9.pdf", Code.NAME_NOT_TEXT, "\ud800 alone")
    database = Database.open(tmp_path / "state.db")
    with database.transaction():
        SqliteDeviceState(database).add_mandate(MANDATE).put_problems([problem])
    database.close()
    database = Database.open(tmp_path / "state.db")
    state = SqliteDeviceState(database).mandate(MANDATE)
    assert state.problems() == [problem]
    state.clear_problems([problem.path], [Code.NAME_NOT_TEXT])
    assert state.problems() == []
    database.close()


def test_every_code_there_is_comes_back(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    problems = sorted(Problem("a", code, code.value) for code in Code)
    state.put_problems(problems)
    assert state.problems() == problems


def test_what_comes_back_can_be_cleared_again(database: Database) -> None:
    """That there are none is remembered, as long as it is so."""
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    problem = Problem("a", Code.LOCKED, "")
    state.put_problems([problem])
    with suppress(Crash), database.transaction():
        state.clear_problems(["a"])
        state.clear_problems(["a"])
        raise Crash
    assert state.problems() == [problem]
    state.clear_problems(["a"])
    assert state.problems() == []
    state.clear_problems(["a"])
    state.put_problems([problem])
    state.clear_problems(["a"])
    assert state.problems() == []
