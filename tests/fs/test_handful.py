"""A few bytes for a moment: taken once and together, the oldest go first."""

from __future__ import annotations

from p2psync.core.ids import content_of
from p2psync.fs.handful import ITEM_BYTES, Handful

A, B, C = (content_of(text) for text in (b"a", b"b", b"c"))


def test_what_is_held_is_taken_together_and_once() -> None:
    held = Handful(1000)
    held.put({A: b"a", B: b"b"})
    assert held.take([A, C]) is None
    assert held.take([B, A]) == [b"b", b"a"]
    assert held.take([A]) is None


def test_one_is_held_with_the_others() -> None:
    held = Handful(2 * ITEM_BYTES + 2)
    for content in (A, B, C):
        held.put_one(content, b"1")
    assert held.take_any([A, B, C]) == {B: b"1", C: b"1"}


def test_those_that_are_held_are_taken_of_some() -> None:
    held = Handful(1000)
    held.put({A: b"a", B: b"b"})
    assert held.take_any([C, B]) == {B: b"b"}
    assert held.take_any([A, B]) == {A: b"a"}


def test_only_some_bytes_are_held() -> None:
    held = Handful(2 * ITEM_BYTES + 4)
    for content in (A, B, A, C):
        held.put({content: b"12"})
    assert held.take([B]) is None, "the oldest"
    assert held.take([A, C]) == [b"12", b"12"]
    held.put({A: b"1234", B: b""})
    assert held.bytes == 2 * ITEM_BYTES + 4
    held.clear()
    assert held.bytes == 0
    held.put({A: b"", B: b"1234"})
    assert held.take([A, B]) == [b"", b"1234"]
    held.put({A: b"1" * (ITEM_BYTES + 5)})
    assert held.take([A]) is None


def test_files_without_end_fill_no_memory_however_small_they_are() -> None:
    held = Handful(2 * ITEM_BYTES)
    held.put({A: b"", B: b"", C: b""})
    assert (held.take([A]), held.take([B, C])) == (None, [b"", b""])
