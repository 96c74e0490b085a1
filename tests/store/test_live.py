"""Live paths in SQLite: slots that equal their path cost no row in an index, and sums are kept."""

from __future__ import annotations

from p2psync.engine.state import LiveRow
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import MANDATE, A, B, file, path


def test_a_slot_that_equals_its_path_is_not_stored(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    rows = [LiveRow(A, file("1"), "a", 1), LiveRow(path("B"), file("1"), "b", 1)]
    state.put_live(rows)
    stored = database.connection.execute("SELECT slot FROM live ORDER BY path").fetchall()
    assert stored == [("b",), (None,)]
    assert list(state.live([A, path("B")]).values()) == rows


def test_a_path_and_another_that_folds_to_it_share_a_slot(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    state.put_live([LiveRow(B, file("1"), "b", 1), LiveRow(path("B"), file("1"), "b", 1)])
    assert state.live_in_slots(["b", "B"]) == {"b": ["B", "b"]}


def test_totals_are_what_the_rows_say(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    state.put_live([LiveRow(path(f"{i}"), file("x", i), f"{i}", 1) for i in range(100)])
    state.drop_live([path(f"{i}") for i in range(0, 100, 3)])
    counted = database.connection.execute("SELECT count(*), sum(size) FROM live WHERE kind = 1").fetchone()
    assert state.live_totals() == counted
