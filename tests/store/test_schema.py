"""The steps of the schema: in order, each whole or not at all, never backwards."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from p2psync.errors import SchemaTooNew
from p2psync.store import schema
from p2psync.store.database import Database
from p2psync.store.schema import migrate, steps


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def with_steps(monkeypatch: pytest.MonkeyPatch, *sql: str) -> None:
    monkeypatch.setattr(schema, "steps", lambda: dict(enumerate(sql, 1)))


def test_a_new_database_has_all_steps(database: Database) -> None:
    assert version(database.connection) == len(steps())
    assert {"mandate", "change", "run"} <= tables(database.connection)


def test_every_table_is_explained() -> None:
    for sql in steps().values():
        lines = sql.splitlines()
        for number, line in enumerate(lines):
            if line.startswith("CREATE TABLE"):
                assert lines[number - 1].startswith("-- "), line


def test_steps_that_are_missing_are_applied_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with_steps(monkeypatch, "CREATE TABLE one (a); INSERT INTO one VALUES (1);")
    migrate(connection)
    with_steps(
        monkeypatch,
        "CREATE TABLE one (a); INSERT INTO one VALUES (1);",
        "CREATE TABLE two (a); INSERT INTO two SELECT a + 1 FROM one;",
        "ALTER TABLE two ADD COLUMN b DEFAULT 3;",
    )
    migrate(connection)
    assert version(connection) == 3
    assert connection.execute("SELECT * FROM two").fetchall() == [(2, 3)]
    migrate(connection)
    assert connection.execute("SELECT * FROM one").fetchall() == [(1,)]
    connection.close()


def test_a_step_that_fails_leaves_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with_steps(monkeypatch, "CREATE TABLE one (a);", "CREATE TABLE two (a); INSERT INTO three VALUES (1);")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection)
    assert (version(connection), tables(connection)) == (1, {"one"})
    connection.close()


OF_A_FILE = (
    "INSERT INTO change (mandate, log, accepted, stamp, time_ms, kind, size, mtime_ns, mode, path_tag, path, content) "
    "VALUES (1, 1, 1, 1, 0, 1, 5, 0, 0, 0, 'a.crp', x'63')",
    "INSERT INTO live VALUES (1, 'a.crp', 1, 5, 0, 0, x'63', NULL, 1)",
    "INSERT INTO base VALUES (1, 'a.crp', 1, 5, 0, 0, x'63', 5, 0, 1, x'', 0)",
)


def test_rows_of_the_first_schema_live_through_all_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = steps()
    with monkeypatch.context() as early:
        with_steps(early, everything[1])
        database = Database.open(tmp_path / "state.db")
        database.connection.execute("INSERT INTO mandate (id) VALUES (x'01')")
        for sql in OF_A_FILE:
            database.connection.execute(sql)
        database.close()
    database = Database.open(tmp_path / "state.db")
    assert version(database.connection) == len(everything)
    assert database.connection.execute("SELECT id FROM mandate").fetchall() == [(b"\x01",)]
    for table in ("change", "live", "base"):
        found = database.connection.execute(f"SELECT path, content FROM {table}").fetchall()
        assert found == [("a.crp", b"c")], "what is known to lie here is not fetched again"
    database.close()


def test_reasons_that_stood_among_the_items_of_a_run_stand_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    everything = steps()
    with monkeypatch.context() as early:
        with_steps(early, everything[1], everything[2])
        migrate(connection)
    moved = {"path": "\udcff.crp", "direction": "sent", "reason_why": "reason"}
    trouble = {"path": "a", "code": "locked", "device": None}
    mixed = [
        *(moved, {"reason": "waiting-for", "value": "Home"}, {"reason": "waiting-for", "value": 'Büro "2"'}),
        *({"reason": "problem", "value": trouble}, {"reason": "message", "value": "It’s over."}),
    ]
    for number, (ended_ms, items) in enumerate([(5, mixed), (6, [moved]), (7, []), (None, [])]):
        connection.execute(
            "INSERT INTO run VALUES (?, x'01', 1, ?, 'failed', ?)", (number, ended_ms, json.dumps(items))
        )
    migrate(connection)
    rows = [(json.loads(a), json.loads(b)) for a, b in connection.execute("SELECT items, reasons FROM run")]
    none = {"waiting_for": [], "absent": [], "problems": [], "message": ""}
    assert rows == [
        (
            [moved],
            {"waiting_for": ["Home", 'Büro "2"'], "absent": [], "problems": [trouble], "message": "It’s over."},
        ),
        ([moved], none),
        ([], none),
        ([], {}),
    ]
    connection.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "state.db")
    database.connection.execute(f"PRAGMA user_version = {len(steps()) + 1}")
    database.close()
    with pytest.raises(SchemaTooNew, match="Update p2psync"):
        Database.open(tmp_path / "state.db")
    connection = sqlite3.connect(tmp_path / "state.db")
    assert version(connection) == len(steps()) + 1
    connection.close()
