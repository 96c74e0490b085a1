"""Placements in flight, in SQLite: a batch is one row, which survives until all of it has ended."""

from __future__ import annotations

from p2psync.engine.state import PlacingRow
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import MANDATE, A, B, C, file


def batches(database: Database) -> int:
    (count,) = database.connection.execute("SELECT count(*) FROM placing").fetchone()
    assert isinstance(count, int)
    return count


def test_a_batch_is_one_row_until_all_of_it_ended(database: Database) -> None:
    device = SqliteDeviceState(database)
    state = device.add_mandate(MANDATE)
    state.begin_placing([PlacingRow(A, file("1"), ()), PlacingRow(B, file("2"), ())])
    state.begin_placing([PlacingRow(C, file("3"), ())])
    assert batches(database) == 2
    state.end_placing([A, C])
    assert batches(database) == 1
    assert device.mandate(MANDATE).placing() == {B: PlacingRow(B, file("2"), ())}, "read from the disk again"
    state.end_placing([B])
    assert batches(database) == 0


def test_a_mandate_that_is_removed_takes_its_placements_along(database: Database) -> None:
    device = SqliteDeviceState(database)
    device.add_mandate(MANDATE).begin_placing([PlacingRow(A, file("1"), ())])
    device.remove_mandate(MANDATE)
    assert batches(database) == 0
