"""Kept versions in SQLite."""

from __future__ import annotations

from p2psync.core.ids import BlockHash, ChangeId
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from tests.contracts.rows import MANDATE, OTHER, A, content, version


def test_a_version_with_and_without_its_change_comes_back(database: Database) -> None:
    state = SqliteDeviceState(database).add_mandate(MANDATE)
    rows = [version("a", "1", 2, ChangeId(BlockHash(b"h" * 32), 499)), version("a", "2", 1)]
    state.add_versions(rows)
    assert state.versions(A) == rows


def test_mandates_keep_their_own_versions(database: Database) -> None:
    device = SqliteDeviceState(database)
    mine, other = device.add_mandate(MANDATE), device.add_mandate(OTHER)
    other.add_versions([version("a", "1", 1), version("a", "2", 1)])
    mine.add_versions([version("a", "2", 1)])
    assert mine.has_version([content("1"), content("2")]) == {content("2")}
    mine.retain_versions(set())
    other.retain_versions({content("2")})
    assert mine.versions(A) == []
    assert other.versions(A) == [version("a", "2", 1)]
