"""What is true of the state in SQLite alone: which rows lie where, and that no question walks through a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from p2psync.core.change import Change
from p2psync.core.ids import MandateId
from p2psync.engine.state import BaseRow, LiveRow, TodoKind, TodoRow
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState, mandate_number
from tests.contracts.rows import (
    BERT,
    BERTS,
    LOG,
    MANDATE,
    OTHER,
    A,
    Author,
    B,
    Crash,
    content,
    everything,
    file,
    fill,
    path,
)

MAY_BE_WALKED = re.compile(
    r"SCAN (asked|given|json_each|CONSTANT ROW)\b|SCAN \(subquery-\d+\)"  # what was asked for, or stands below
    r"|(SCAN|SEARCH) (mandate|log|tip|problem|placing|mark)\b"  # few, or asked for as a whole
    r"|SEARCH change USING (COVERING )?INDEX (change_head|change_refused)"  # conflicted(), refused_count()
)
WALK = re.compile(r"SCAN|.*\(mandate=\?\)")


@pytest.fixture
def device(database: Database) -> SqliteDeviceState:
    return SqliteDeviceState(database)


@contextmanager
def watched(database: Database) -> Iterator[list[str]]:
    """The SQL that is executed meanwhile."""
    statements: list[str] = []
    database.connection.set_trace_callback(statements.append)
    yield statements
    database.connection.set_trace_callback(None)


def test_the_heads_of_a_block_are_counted_without_looking_at_others(
    database: Database, device: SqliteDeviceState
) -> None:
    state = device.add_mandate(MANDATE)
    with watched(database) as statements:
        state.head_totals([1])
    [step] = [step for step in plan(database, statements[0]) if "change" in step]
    assert re.match(r"SEARCH change USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)", step)


def test_no_statement_walks_through_a_table(database: Database, device: SqliteDeviceState) -> None:
    with watched(database) as statements:
        state = device.add_mandate(MANDATE)
        fill(state, MANDATE)
        everything(state)
        (head,) = state.heads([A])[A]
        state.changes([head.id])
        state.judge_again([(head.id.block, [False, True])])
        state.put_tips({LOG: ()}, LOG)
        state.drop_bases([A])
        state.drop_live([A])
        state.add_todo([TodoRow(B, TodoKind.PLACE)])
        state.drop_todo(TodoKind.PLACE, [A])
        state.clear_problems(["a"])
        row = state.block(head.id.block)
        assert row is not None
        state.raw_blocks([row.intake])
        state.head_totals([row.intake])
    plans = {s: plan(database, s) for s in statements if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT)", s)}
    walks = {s: p for s, steps in plans.items() for p in steps if WALK.match(p) and not MAY_BE_WALKED.match(p)}
    assert len(plans) > 40
    assert walks == {}


def plan(database: Database, statement: str) -> list[str]:
    return [row[3] for row in database.connection.execute(f"EXPLAIN QUERY PLAN {statement}")]


def test_a_removed_mandate_leaves_no_row_behind(database: Database, device: SqliteDeviceState) -> None:
    before = counts(database)
    fill(device.add_mandate(MANDATE), MANDATE)
    assert {table for table, rows in counts(database).items() if rows == before[table]} == OF_NO_MANDATE
    device.remove_mandate(MANDATE)
    assert counts(database) == before


OF_NO_MANDATE = {
    "device_setting",
    "run",
    "address",
    "seen",
    "invitation",
    "claim",
    "code",
    "newcomer",
    "attachment",
    "declined",
}


def counts(database: Database) -> dict[str, int]:
    """Rows by table, but for SQLite's own."""
    tables = database.connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        table: int(database.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for (table,) in tables
    }


def test_the_number_of_a_removed_mandate_is_not_given_again(database: Database, device: SqliteDeviceState) -> None:
    old = device.add_mandate(MANDATE)
    number = mandate_number(database.connection, MANDATE)
    device.remove_mandate(MANDATE)
    device.add_mandate(OTHER)
    assert mandate_number(database.connection, OTHER) > number
    old.put("folder", "written by somebody who was not told")
    assert device.mandate(OTHER).get("folder") is None


def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "state.db")
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    fill(state, MANDATE)
    before = everything(state)
    database.close()
    database = Database.open(tmp_path / "state.db")
    assert everything(SqliteDeviceState(database).mandate(MANDATE)) == before
    database.close()


@pytest.mark.parametrize("as_part", [False, True])
def test_nothing_that_was_undone_is_remembered(database: Database, device: SqliteDeviceState, as_part: bool) -> None:
    state = device.add_mandate(MANDATE)
    fill(state, MANDATE)
    before = everything(state)
    with database.transaction() if as_part else nullcontext():
        with suppress(Crash), database.transaction():
            (head,) = state.heads([A])[A]
            bert = Author(state, BERTS, BERT)
            undone, _ = bert.save(Change(A, file("new"), (head.id,)), Change(path("n"), file("new"), ()))
            state.put_tips({LOG: ()}, LOG)
            state.put("folder", "elsewhere")
            state.put_bases([BaseRow(A, file("new"), None, ())])
            state.drop_bases([B])
            state.put_live([LiveRow(A, file("new"), "a", 2)])
            state.drop_live([B])
            state.add_todo([TodoRow(path("n"), kind) for kind in TodoKind])
            state.clear_problems([problem.path for problem in state.problems()])
            everything(state)
            raise Crash
        assert everything(state) == before
        assert state.block(undone.block) is None
    assert everything(device.mandate(MANDATE)) == before
    Author(state, BERTS, BERT).save(Change(A, file("other"), ()))  # whose block takes the number of the one undone
    assert not state.changes([undone])


def test_who_asks_again_is_answered_from_memory(database: Database, device: SqliteDeviceState) -> None:
    state = device.add_mandate(MANDATE)
    fill(state, MANDATE)
    paths = [A, B, path("nowhere")]

    def ask() -> object:
        counts = [state.todo_count(kind) for kind in TodoKind]
        return state.bases(paths), state.live(paths), state.heads(paths), state.refused_count(), counts

    first = ask()
    with watched(database) as statements:
        assert ask() == first
    assert statements == []


def test_an_unknown_mandate_has_no_number(database: Database) -> None:
    with pytest.raises(KeyError):
        mandate_number(database.connection, MandateId(b"?" * 16))


def test_base_may_name_heads_before_they_are_added(device: SqliteDeviceState) -> None:
    state = device.add_mandate(MANDATE)
    author = Author(state)
    block = author.block([Change(A, file("x"), ())])
    (stated,) = author.stated(block)
    state.put_bases([BaseRow(A, file("x"), None, (stated.id,))])
    state.add_changes([(stated, True)])
    assert state.content_sources(content("x")) == [A]
