"""Each shape takes exactly what its field may hold, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, LogId
from p2psync.core.problem import Code
from p2psync.wire.messages import LOGS_MAX, TIPS_PER_LOG_MAX, What
from p2psync.wire.shapes import (
    INTEGER_MAX,
    Finite,
    Flag,
    Many,
    Maybe,
    OneOf,
    Raw,
    Row,
    Shape,
    Sorted,
    Text,
    TipsOfLogs,
    Whole,
    unpack_array,
)

LOG, OTHER = LogId(b"l" * 16), LogId(b"o" * 16)
LOW, HIGH = Tip(1, BlockHash(b"h" * 32)), Tip(2, BlockHash(b"g" * 32))
LOW_ROW, HIGH_ROW = tuple(LOW), tuple(HIGH)


@pytest.mark.parametrize(
    ("shape", "value", "plain"),
    [
        (Whole(), 0, 0),
        (Whole(), INTEGER_MAX, INTEGER_MAX),
        (Whole(1, 3), 3, 3),
        (Finite(), -1.5, -1.5),
        (Flag(), True, True),
        (Text(2), "é€", "é€"),
        (Text(0), "", ""),
        (Raw(1, 2), b"ab", b"ab"),
        (OneOf(What), What.CHUNK, 3),
        (Maybe(Flag()), None, None),
        (Maybe(Flag()), False, False),
        (Many(Whole(), 2), (1, 2), [1, 2]),
        (Many(OneOf(What), 2), (), []),
        (Row((Text(9), OneOf(What))), ("a", What.CONTENT), ["a", 1]),
        (Sorted(Many(Whole(), 3)), (1, 2, 3), [1, 2, 3]),
        (TipsOfLogs(), {}, []),
        (
            TipsOfLogs(),
            {LOG: (LOW, HIGH), OTHER: (LOW,)},
            [[LOG, [[1, b"h" * 32], [2, b"g" * 32]]], [OTHER, [[1, b"h" * 32]]]],
        ),
    ],
)
def test_values_come_back(shape: Shape, value: Any, plain: Any) -> None:
    assert shape.pack(value) == plain
    back = shape.unpack(tuples(plain))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("shape", "plain"),
    [
        (Whole(), -1),
        (Whole(), INTEGER_MAX + 1),
        (Whole(), True),
        (Whole(), 1.0),
        (Whole(1, 3), 0),
        (Finite(), float("nan")),
        (Finite(), float("-inf")),
        (Finite(), 1),
        (Flag(), 1),
        (Flag(), None),
        (Text(2), "abc"),
        (Text(2), b"a"),
        (Raw(1, 2), b""),
        (Raw(1, 2), b"abc"),
        (Raw(1, 2), "a"),
        (OneOf(What), 9),
        (OneOf(What), True),
        (OneOf(What), "CHUNK"),
        (Maybe(Flag()), 0),
        (Many(Whole(), 2), (1, 2, 3)),
        (Many(Whole(), 2, 1), ()),
        (Many(Whole(), 2), (1, "2")),
        (Many(Whole(), 2), b"ab"),
        (Row((Whole(), Whole())), (1,)),
        (Row((Whole(), Whole())), (1, 2, 3)),
        (Row((Whole(), Whole())), 5),
        (Sorted(Many(Whole(), 3)), (2, 1)),
        (Sorted(Many(Whole(), 3)), (1, 1)),
        (TipsOfLogs(), ((LOG, ((0, b"h" * 32),)),)),
        (TipsOfLogs(), ((b"short", (LOW_ROW,)),)),
        (TipsOfLogs(), ((LOG, tuple((n + 1, b"h" * 32) for n in range(TIPS_PER_LOG_MAX + 1))),)),
        (TipsOfLogs(), tuple((n.to_bytes(16, "big"), (LOW_ROW,)) for n in range(LOGS_MAX + 1))),
    ],
)
def test_anything_else_is_refused(shape: Shape, plain: Any) -> None:
    with pytest.raises(ValueError, match=r"not|neither|twice"):
        shape.unpack(plain)


def test_rows_of_tips_are_read_as_they_stand_in_the_refused_ones() -> None:
    assert TipsOfLogs().unpack(((LOG, (LOW_ROW, HIGH_ROW)),)) == {LOG: (LOW, HIGH)}


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        (((LOG, (LOW_ROW,)), (LOG, (HIGH_ROW,))), "a log twice"),
        (((OTHER, (LOW_ROW,)), (LOG, (LOW_ROW,))), "not in order"),
        (((LOG, (HIGH_ROW, LOW_ROW)),), "not in order"),
        (((LOG, (LOW_ROW, LOW_ROW)),), "not in order"),
    ],
)
def test_there_is_one_way_to_write_tips(plain: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TipsOfLogs().unpack(plain)


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Whole(), -1),
        (Finite(), float("inf")),
        (Text(1), "ab"),
        (Raw(0, 1), b"ab"),
        (Many(Raw(0, 1), 1), (b"", b"")),
        (Many(Raw(0, 1), 1), (b"ab",)),
        (Row((Whole(), Whole())), (1,)),
    ],
)
def test_what_could_not_be_read_is_not_written(shape: Shape, value: Any) -> None:
    with pytest.raises(ValueError, match=r"not|zip"):
        shape.pack(value)


def test_tips_are_sorted_on_the_way_out() -> None:
    assert TipsOfLogs().pack({OTHER: (HIGH, LOW), LOG: (LOW,)}) == TipsOfLogs().pack({LOG: (LOW,), OTHER: (LOW, HIGH)})


def test_text_may_be_of_a_kind_of_its_own() -> None:
    assert type(Text(99).pack(Code.NAME_ESCAPES)) is str


def tuples(plain: Any) -> Any:
    """As msgpack gives it."""
    return tuple(map(tuples, plain)) if isinstance(plain, list) else plain


@pytest.mark.parametrize(
    ("plain", "why"),
    [
        (b"\xc1", "msgpack"),
        (b"\x93\x01\x02\x03", "limits"),
        (b"\x91\xa3abc", "limits"),
        (b"\x91\xc4\x03abc", "limits"),
        (b"\x81\x01\x02", "limits"),
        (b"\x05", "no list"),
        (b"\x91" * 2000 + b"\x01", "limits"),
    ],
)
def test_an_array_beyond_its_bounds_is_refused(plain: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unpack_array(plain, text_bytes_max=2, bytes_max=2, items_max=2)


def test_an_array_within_its_bounds_is_taken() -> None:
    assert unpack_array(b"\x92\xa2ab\xc4\x02cd", text_bytes_max=2, bytes_max=2, items_max=2) == ("ab", b"cd")
