"""Marks are read as they were written, and bytes that no device writes are refused."""

from __future__ import annotations

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.block import Block, parse_block, sign_block
from p2psync.core.ids import ChangeId, content_of
from p2psync.core.mark import KIND_CHARACTERS_MAX, MARKS_MAX, POSTED, UNDONE, Mark, pack_marks, unpack_marks
from p2psync.core.relpath import parse
from p2psync.errors import CodecError, InvalidId, InvalidPath
from tests.core.making import LOG, M, digest

ids = st.builds(ChangeId, st.sampled_from([digest("one"), digest("two")]), st.integers(0, 499))
marks = st.builds(
    Mark,
    st.sampled_from([POSTED, UNDONE, "from-tomorrow"]),
    st.sampled_from(["Cargo.ecf", "Löhne/06.ecs"]).map(parse),
    st.none() | st.binary(max_size=3).map(content_of),
    st.lists(ids, max_size=3).map(tuple),
)


@given(st.lists(marks, min_size=1, max_size=5).map(tuple))
def test_marks_are_read_as_they_were_written(several: tuple[Mark, ...]) -> None:
    assert unpack_marks(msgpack.unpackb(msgpack.packb(pack_marks(several)))) == several
    block = Block(LOG, 2, digest("before"), 1_000, (), None, marks=several)
    signed = sign_block(M, block, lambda _: bytes(64))
    assert parse_block(M, signed.raw).block == block
    assert parse_block(M, signed.raw).hash == signed.hash


GOOD = [POSTED, "Cargo.ecf", bytes(32), [0, 7]]


@pytest.mark.parametrize(
    "row",
    [
        *([], GOOD[:3], [*GOOD, 1], None, "row"),
        *([[], *GOOD[1:]], ["", *GOOD[1:]], ["x" * (KIND_CHARACTERS_MAX + 1), *GOOD[1:]], ["a b", *GOOD[1:]]),
        *([POSTED, "../a", bytes(32), []], [POSTED, b"a", bytes(32), []], [POSTED, "a", bytes(31), []]),
        *([POSTED, "a", None, [0]], [POSTED, "a", None, [1, 0]], [POSTED, "a", None, [0, 1 << 16]]),
        [POSTED, "a", None, [0, 0] * 65],
    ],
)
def test_a_row_that_is_no_mark_is_refused(row: object) -> None:
    with pytest.raises((CodecError, InvalidId, InvalidPath)):
        unpack_marks([[digest("one")], [row]])


def test_so_are_no_marks_and_too_many() -> None:
    assert unpack_marks([[digest("one")], [GOOD]])[0].named == (ChangeId(digest("one"), 7),)
    several: list[object] = [[[], []], [[digest("one")], [GOOD] * (MARKS_MAX + 1)], [[]], {}, None]
    for body in several:
        with pytest.raises(CodecError):
            unpack_marks(body)


def test_a_block_of_a_kind_that_is_not_known_says_nothing() -> None:
    """So did blocks with marks to versions that did not know them, and so will what comes after marks."""
    block = Block(LOG, 2, digest("before"), 1_000, (), None, marks=(Mark(POSTED, parse("a"), None),))
    raw = sign_block(M, block, lambda _: bytes(64)).raw
    newer = raw.replace(b"\xa5marks", b"\xa5other")
    assert newer != raw
    assert parse_block(M, newer).block == replace(block, marks=())
