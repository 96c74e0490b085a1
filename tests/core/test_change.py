"""Changes come back from their rows; rows that no honest device makes raise one of three errors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.change import MTIME_NS_MAX, NAMED_MAX, SIZE_BYTES_MAX, Change, pack_changes, unpack_changes
from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import BlockHash, ChangeId
from p2psync.core.relpath import parse
from p2psync.errors import CodecError, InvalidId, InvalidPath
from tests.core.making import batches, change_id, file

FILE = file("content")


def through(value: object) -> Any:
    """What is left of plain lists after a journey in msgpack."""
    return msgpack.unpackb(msgpack.packb(value))


@given(batches)
def test_changes_come_back(batch: tuple[Change, ...]) -> None:
    assert unpack_changes(through(pack_changes(batch)), 500) == batch


def test_a_block_that_many_changes_name_is_written_once() -> None:
    one, two = ChangeId(BlockHash(b"x" * 32), 0), ChangeId(BlockHash(b"x" * 32), 7)
    packed = pack_changes((Change(parse("a"), FILE, (one,)), Change(parse("b"), FILE, (two,), (one,))))
    assert packed[0] == [b"x" * 32]
    assert [row[-2:] for row in through(packed)[1]] == [[[0, 0], []], [[0, 7], [0, 0]]]


def test_what_a_change_names_is_both_its_parents_and_what_it_settles() -> None:
    one, two = change_id("one"), change_id("two")
    assert Change(parse("a"), FILE, (one,), (two,)).named == (one, two)


ROW: list[Any] = ["a.txt", 1, 7, 1_000, 0, b"c" * 32, [], []]
"""path, kind, size, mtime_ns, mode, content, parents, settled"""


def with_field(index: int, value: object) -> list[Any]:
    return [*ROW[:index], value, *ROW[index + 1 :]]


def test_the_row_that_the_bad_ones_differ_from_is_good() -> None:
    [change] = unpack_changes([[], [ROW]], 500)
    assert (change.path, change.entry.size, change.entry.content) == ("a.txt", 7, b"c" * 32)


@pytest.mark.parametrize(
    "row",
    [
        *(with_field(0, path) for path in (b"a.txt", None, 1)),
        *(with_field(1, kind) for kind in (-1, 3, True, "1", None)),
        *(with_field(2, size) for size in (-1, SIZE_BYTES_MAX, True, 1.0, None)),
        *(with_field(3, mtime) for mtime in (MTIME_NS_MAX, -MTIME_NS_MAX, True, 0.5)),
        *(with_field(4, mode) for mode in (4, -1, True, "rw")),
        with_field(5, None),
        *(with_field(6, named) for named in ([0], [1, 0], [-1, 0], [0, -1], [0, 1 << 16], [0, True], ["x", 0])),
        *(with_field(7, named) for named in ([1, 0], None, "", 0)),
        with_field(6, [0, 0] * (NAMED_MAX + 1)),
        ["a.txt", 0, 0, 0, 0, b"c" * 32, [], []],
        ["a.txt", 0, 1, 0, 0, None, [], []],
        ["a.txt", 2, 1, 0, 0, None, [], []],
        ["a.txt", 0, 0, 0, 1, None, [], []],
        ["a.txt", 2, 0, 0, 2, None, [], []],
        ROW[:-1],
        [*ROW, 0],
        None,
        {},
    ],
    ids=repr,
)
def test_a_row_that_no_honest_device_makes(row: object) -> None:
    with pytest.raises(CodecError):
        unpack_changes([[b"x" * 32], [row]], 500)


def test_the_longest_list_of_named_changes_is_accepted() -> None:
    [change] = unpack_changes([[b"x" * 32], [with_field(6, [0, 1] * NAMED_MAX)]], 500)
    assert len(change.parents) == NAMED_MAX


@pytest.mark.parametrize("content", [b"c" * 31, b"", "c" * 32, 1])
def test_a_content_is_32_bytes(content: object) -> None:
    with pytest.raises(InvalidId):
        unpack_changes([[], [with_field(5, content)]], 500)


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "C:/a", ".p2psync/x", "a\0b", "a//b", ""])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        unpack_changes([[], [with_field(0, path)]], 500)


@pytest.mark.parametrize(
    "packed", [None, [], [[]], [[], []], [[], [], []], {}, [(), [ROW]], [[b"short"], [ROW]], [[], 5]]
)
def test_a_body_that_is_no_list_of_changes(packed: object) -> None:
    with pytest.raises((CodecError, InvalidId)):
        unpack_changes(packed, 500)


def test_a_block_has_a_limited_number_of_changes_and_one_for_a_path() -> None:
    rows: list[object] = [[f"{i}", *ROW[1:]] for i in range(4)]
    assert len(unpack_changes([[], rows], 4)) == 4
    with pytest.raises(CodecError):
        unpack_changes([[], rows], 3)
    with pytest.raises(CodecError, match="same path twice"):
        unpack_changes([[], [ROW, ROW]], 500)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=5) | st.binary(max_size=33),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=20,
)


@given(anything | st.tuples(st.lists(anything, max_size=2), st.lists(anything, max_size=3)).map(list))
def test_no_other_plain_value_does_more_than_raise(packed: object) -> None:
    with suppress(CodecError, InvalidId, InvalidPath):
        unpack_changes(packed, 500)


def test_a_removal_has_no_content() -> None:
    [change] = unpack_changes([[], [["a", 0, 0, 0, 0, None, [], []]]], 500)
    assert change.entry == ABSENT
    assert change.entry.same_as(Entry(Kind.ABSENT, 0, 5))
