"""Values as columns, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import BlockHash, ChangeId, ContentId
from p2psync.store.packing import (
    any_text,
    content_tag,
    entry_columns,
    entry_of,
    pack_ids,
    pack_numbers,
    stat_columns,
    stat_of,
    text_of,
    unpack_ids,
    unpack_numbers,
)

change_ids = st.builds(ChangeId, st.binary(min_size=32, max_size=32).map(BlockHash), st.integers(0, 65535))


@given(st.lists(change_ids, max_size=5).map(tuple))
def test_ids_come_back(ids: tuple[ChangeId, ...]) -> None:
    packed = pack_ids(ids)
    assert unpack_ids(packed) == ids
    assert packed is None or len(packed) == 34 * len(ids)


@given(st.lists(st.integers(0, 2**63 - 1), max_size=5))
def test_numbers_come_back(numbers: list[int]) -> None:
    assert unpack_numbers(pack_numbers(numbers)) == tuple(numbers)


@pytest.mark.parametrize("entry", [ABSENT, Entry(Kind.DIRECTORY), Entry(Kind.FILE, 2**49, -5, 3, ContentId(b"c" * 32))])
def test_entries_come_back(entry: Entry) -> None:
    again = entry_of(*entry_columns(entry))
    assert again == entry
    assert isinstance(again.kind, Kind)


@pytest.mark.parametrize("inode", [0, 1, 2**63 - 1, 2**63, 2**128 - 1])
def test_stats_come_back_with_any_inode(inode: int) -> None:
    size, mtime_ns, packed = stat_columns(FileStat(1, 2, inode))
    assert isinstance(packed, bytes) == (inode >= 2**63)
    assert size is not None
    assert mtime_ns is not None
    assert packed is not None
    found = stat_of(size, mtime_ns, packed, 3)
    assert found == FileStat(1, 2, inode)
    assert getattr(found, "known_ns", None) == 3


def test_an_empty_stat_is_all_null() -> None:
    assert stat_columns(None) == (None, None, None)


@given(st.text(st.characters()))
def test_any_text_comes_back_and_sorts_alike(text: str) -> None:
    assert text_of(any_text(text)) == text
    assert (any_text(text) < any_text("m")) == (text < "m")


def test_a_tag_is_the_beginning_of_a_content() -> None:
    assert content_tag(b"\x01\x02" + bytes(30)) == 0x010200000000
    assert content_tag(None) is None
