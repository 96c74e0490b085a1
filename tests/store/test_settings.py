"""Settings in SQLite: written where they change, read once."""

from __future__ import annotations

from p2psync.store.database import Database
from p2psync.store.settings import SettingRows
from p2psync.store.state import SqliteDeviceState, mandate_number
from tests.contracts.rows import MANDATE


def test_only_what_changes_is_written(database: Database) -> None:
    SqliteDeviceState(database).add_mandate(MANDATE)
    rows = SettingRows(database.connection, mandate_number(database.connection, MANDATE))
    statements: list[str] = []
    database.connection.set_trace_callback(statements.append)
    assert rows.get("epoch") is None
    rows.put("epoch", [1])
    value = rows.get("epoch")
    assert value == [1]
    rows.put("epoch", value)
    rows.put("epoch", [2])
    assert rows.get("epoch") == [2]
    database.connection.set_trace_callback(None)
    assert [statement.split()[0] for statement in statements] == ["SELECT", "INSERT", "INSERT"]


def test_who_changes_a_value_that_was_given_out_changes_nothing_here(database: Database) -> None:
    SqliteDeviceState(database).add_mandate(MANDATE)
    rows = SettingRows(database.connection, mandate_number(database.connection, MANDATE))
    rows.put("list", [1])
    value = rows.get("list")
    assert isinstance(value, list)
    value.append(2)
    assert rows.get("list") == [1]
