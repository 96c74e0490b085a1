"""Blocks in SQLite."""

from __future__ import annotations

import pytest

from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash
from p2psync.store import blocks as module
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
    state = SqliteDeviceState(database).mandate(MANDATE)
    statements: list[str] = []
    parsed = iter(state.parsed_blocks(""))
    next(parsed)
    database.connection.set_trace_callback(statements.append)
    assert [block for _, block in parsed] == blocks[1:]
    database.connection.set_trace_callback(None)
    assert len([s for s in statements if "raw FROM" in s]) == 2


def test_what_was_just_taken_in_is_not_read_again(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    signed = Author(state).block()
    statements: list[str] = []
    database.connection.set_trace_callback(statements.append)
    row = state.block(signed.hash)
    assert row is not None
    assert state.raw_blocks([row.intake]) == [signed.raw]
    database.connection.set_trace_callback(None)
    assert statements == []


def test_large_blocks_are_not_kept_in_memory(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RAW_BYTES_MAX", 10)
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    row = state.block(Author(state).block().hash)
    assert row is not None
    statements: list[str] = []
    database.connection.set_trace_callback(statements.append)
    assert len(state.raw_blocks([row.intake])) == 1
    database.connection.set_trace_callback(None)
    assert len(statements) == 1


@pytest.mark.parametrize("tips", [(1,), (1, 2), ()])
def test_tips_take_the_place_of_those_before(database: Database, tips: tuple[int, ...]) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    Author(state)
    for numbers in ((3,), (4,), tips, (5,), (6,)):
        several = tuple(Tip(number, BlockHash(bytes([number]) * 32)) for number in numbers)
        state.put_tips({LOG: several}, LOG)
        assert state.tips() == ({LOG: several} if several else {})


def test_a_block_of_another_mandate_is_not_given_out(database: Database) -> None:
    device = SqliteDeviceState(database)
    mine, other = device.add_mandate(MANDATE), device.add_mandate(OTHER)
    signed = Author(other, mandate=OTHER).block()
    row = other.block(signed.hash)
    assert row is not None
    assert mine.block(signed.hash) is None
    with pytest.raises(KeyError):
        mine.raw_blocks([row.intake])
