"""The base in SQLite: pages, ranges, and which rows need an entry of their own in the index of contents."""

from __future__ import annotations

import pytest

from p2psync.core.change import Change
from p2psync.core.entry import FileStat
from p2psync.core.relpath import prefix_range
from p2psync.engine.state import BaseRow
from p2psync.store.base import PAGE, BaseRows
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState, mandate_number
from tests.contracts.rows import MANDATE, OTHER, A, Author, B, C, content, file, path


@pytest.fixture
def state(database: Database) -> SqliteDeviceState:
    device = SqliteDeviceState(database)
    device.add_mandate(MANDATE)
    return device


@pytest.fixture
def bases(database: Database, state: SqliteDeviceState) -> BaseRows:
    return BaseRows(database.connection, mandate_number(database.connection, MANDATE))


def test_pages_follow_each_other_without_gap_or_overlap(bases: BaseRows) -> None:
    rows = [BaseRow(path(f"{i:05}"), file("1"), None, ()) for i in range(2 * PAGE + 1)]
    bases.put(rows)
    pages = [bases.page("")]
    while pages[-1]:
        pages.append(bases.page(pages[-1][-1][0]))
    assert [len(page) for page in pages] == [PAGE, PAGE, 1, 0]
    assert [row for page in pages for row in page] == [(row.path, row.entry, row.stat) for row in rows]
    assert list(bases.all()) == rows


def test_when_a_stat_was_known_is_kept_though_it_makes_no_other_of_it(bases: BaseRows) -> None:
    bases.put([BaseRow(A, file("1"), FileStat(1, 2, 3, 4), ()), BaseRow(B, file("1"), None, ())])
    stat = bases.get([A])[A].stat
    assert (stat, getattr(stat, "known_ns", None)) == (FileStat(1, 2, 3), 4)
    assert bases.get([B])[B].stat is None


def test_a_range_of_a_directory_holds_what_is_below_it(bases: BaseRows) -> None:
    bases.put([BaseRow(path(p), file("1"), None, ()) for p in ("a", "a.b", "a/b", "a/b/c", "a0", "b/a/b")])
    low, high = prefix_range(A)
    assert [path for path, _, _ in bases.page(low, high)] == ["a/b", "a/b/c"]


def test_only_contents_that_no_head_states_are_indexed_themselves(
    database: Database, state: SqliteDeviceState, bases: BaseRows
) -> None:
    one, two = Author(state.mandate(MANDATE)).save(Change(A, file("1"), ()), Change(B, file("2"), ()))
    bases.put(
        [BaseRow(A, file("1"), None, (one,)), BaseRow(B, file("1"), None, (two,)), BaseRow(C, file("1"), None, ())]
    )
    stray = database.connection.execute("SELECT path FROM base WHERE stray ORDER BY path").fetchall()
    assert stray == [("b",), ("c",)]
    assert bases.sources(content("1")) == ["a", "b", "c"]
    assert len(bases.sources(content("1"), 2)) == 2


def test_another_mandates_rows_are_no_sources(state: SqliteDeviceState, bases: BaseRows) -> None:
    other = state.add_mandate(OTHER)
    (one,) = Author(other, mandate=OTHER).save(Change(A, file("1"), ()))
    other.put_bases([BaseRow(A, file("1"), None, (one,)), BaseRow(B, file("1"), None, ())])
    assert bases.sources(content("1")) == []
    assert bases.get([A]) == {}
    assert bases.page("") == []
