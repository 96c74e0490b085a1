"""Changes in SQLite: tags are a way to find rows, and decide nothing."""

from __future__ import annotations

import pytest

from p2psync.core.change import Change
from p2psync.engine.state import BaseRow
from p2psync.store import base, changes
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import ANNA, BERT, BERTS, LOG, MANDATE, A, Author, B, content, file


def test_contents_and_paths_of_one_tag_are_told_apart(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (changes, base):
        monkeypatch.setattr(module, "content_tag", lambda content: content and 7)
    monkeypatch.setattr(changes, "path_tag", lambda path: 9)
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    one, two = Author(state, LOG, ANNA).save(Change(A, file("1"), ()), Change(B, file("2"), ()))
    Author(state, BERTS, BERT, "payroll").save(Change(A, file("3"), ()))
    assert state.with_content(A, content("1")) == [one]
    assert state.with_content(A, content("2")) == []
    assert state.with_content(B, content("2")) == [two]
    assert state.content_classes(content("1")) == {""}
    assert state.content_classes(content("3")) == {"payroll"}
    rows = changes.ChangeRows(database.connection, 1)
    several = [content(text) for text in ("1", "3", "4")]
    assert rows.named_in("", several) == {content("1")}
    assert rows.named_in("payroll", several) == {content("3")}
    state.put_bases([BaseRow(A, file("1"), None, (one,)), BaseRow(B, file("2"), None, (two,))])
    assert state.content_sources(content("1")) == [A]


def test_superseded_is_a_function_of_the_rows(database: Database) -> None:
    """However a change came to be superseded or not, an exact count over all rows says the same."""
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    author = Author(state)
    (one,) = author.save(Change(A, file("1"), ()))
    (two,) = author.save(Change(A, file("2"), (one,)))
    (three,) = author.save(Change(A, file("3"), (two,), (one,)))
    (four,) = author.save(Change(A, file("4"), (one,)), accepted=False)
    for verdicts in ([(three, False)], [(two, False), (four, True)], [(four, False)], [(two, True), (three, True)]):
        state.judge_again([(change.block, [verdict]) for change, verdict in verdicts])
        wrong = database.connection.execute(
            "SELECT number FROM change WHERE superseded <> EXISTS (SELECT 1 FROM naming JOIN change AS namer "
            "ON namer.number = naming.namer WHERE naming.named = change.number AND namer.accepted)"
        )
        assert wrong.fetchall() == []


def test_conflicts_are_looked_for_again_where_heads_changed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    anna, bert = Author(state), Author(state, BERTS, BERT)
    asked: list[str] = []
    database.connection.set_trace_callback(asked.append)
    (one, _) = anna.save(Change(A, file("1"), ()), Change(B, file("1"), ()))
    assert state.conflicted() == []
    (two, _) = bert.save(Change(A, file("2"), ()), Change(B, file("2"), ()))
    assert state.conflicted() == [A, B]
    bert.save(Change(A, file("3"), (two,), (one,)))
    assert state.conflicted() == [B]
    state.judge_again([(one.block, [True, False])])
    assert state.conflicted() == []
    assert sum("GROUP BY" in sql for sql in asked) == 1
    monkeypatch.setattr(changes, "DOUBTED_MAX", 0)
    bert.save(Change(B, file("4"), ()))
    anna.save(Change(B, file("5"), ()))
    assert state.conflicted() == [B]
    assert sum("GROUP BY" in sql for sql in asked) == 2


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("before", [[], ["1"], ["1", "2"]])
@pytest.mark.parametrize("at_once", [1, 2])
def test_heads_that_were_asked_for_before_are_what_the_rows_say(
    database: Database, before: list[str], at_once: int, accepted: bool
) -> None:
    """A path without heads has just the one that comes: that is not read again."""
    devices = SqliteDeviceState(database)
    state = devices.add_mandate(MANDATE)
    author = Author(state)
    for text in before:
        author.save(Change(A, file(text), ()))
    state.heads([A, B])
    author.save(*(Change(A, file(f"new {i}"), ()) for i in range(at_once)), accepted=accepted)
    author.save(Change(B, file("b"), ()))
    assert state.heads([A, B]) == devices.mandate(MANDATE).heads([A, B])
    assert [len(state.heads([A, B]).get(path, ())) for path in (A, B)] == [len(before) + at_once * accepted, 1]
