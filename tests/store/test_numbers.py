"""Rows name blocks by numbers."""

from __future__ import annotations

import pytest

from p2psync.core.ids import ChangeId
from p2psync.store.database import Database
from p2psync.store.numbers import INDEX_BITS, Numbers, change_number
from p2psync.store.state import SqliteDeviceState, mandate_number
from tests.contracts.rows import MANDATE, NOWHERE, Author


def test_blocks_have_numbers_that_stay(database: Database) -> None:
    author = Author(SqliteDeviceState(database).add_mandate(MANDATE))
    one, two = author.block(), author.block()
    numbers = Numbers(database.connection, mandate_number(database.connection, MANDATE))
    found = numbers.of([one.hash, two.hash, NOWHERE])
    assert found.keys() == {one.hash, two.hash}
    assert found[one.hash][0] < found[two.hash][0]
    assert change_number(ChangeId(two.hash, 3), found) == (found[two.hash][0] << INDEX_BITS) + 3
    with pytest.raises(KeyError):
        change_number(ChangeId(NOWHERE, 0), found)
    database.connection.execute("DELETE FROM block")
    assert numbers.of([one.hash]) == {one.hash: found[one.hash]}
    numbers.forget()
    assert numbers.of([one.hash]) == {}


def test_what_is_noted_is_not_looked_for(database: Database) -> None:
    numbers = Numbers(database.connection, 1)
    numbers.note(NOWHERE, 5, 6)
    assert numbers.of([NOWHERE]) == {NOWHERE: (5, 6)}
