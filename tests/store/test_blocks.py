"""Blocks in SQLite."""

from __future__ import annotations

import pytest

from p2psync.store.blocks import PARSED_AT_ONCE
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import LOG, MANDATE, OTHER, Author


def test_rows_are_read_without_the_bytes_of_their_blocks(database: Database) -> None:
    statements: list[str] = []
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    author = Author(state)
    signed = author.block()
    database.connection.set_trace_callback(statements.append)
    state.block(signed.hash)
    state.blocks_of(LOG, 0)
    database.connection.set_trace_callback(None)
    assert all("raw" not in statement.replace("length(block.raw)", "") for statement in statements)


def test_all_blocks_of_a_class_are_read_some_at_a_time(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    author = Author(state)
    blocks = [author.block().block for _ in range(2 * PARSED_AT_ONCE + 1)]
    statements: list[str] = []
    parsed = iter(state.parsed_blocks(""))
    next(parsed)
    database.connection.set_trace_callback(statements.append)
    assert [block for _, block in parsed] == blocks[1:]
    database.connection.set_trace_callback(None)
    assert len([s for s in statements if "raw FROM" in s]) == 2


def test_a_block_of_another_mandate_is_not_given_out(database: Database) -> None:
    device = SqliteDeviceState(database)
    mine, other = device.add_mandate(MANDATE), device.add_mandate(OTHER)
    signed = Author(other, mandate=OTHER).block()
    row = other.block(signed.hash)
    assert row is not None
    assert mine.block(signed.hash) is None
    with pytest.raises(KeyError):
        mine.raw_blocks([row.intake])
