"""What is new in a file comes back as its manifest, from the same older version alone, and is read strictly."""

from __future__ import annotations

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core import difference as module
from p2psync.core.chunking import CHUNK_BYTES_MAX, Manifest, Span
from p2psync.core.difference import Taken, decode_difference, encode_difference
from p2psync.core.ids import ContentId
from p2psync.errors import CodecError

OLD, NEW = ContentId(b"o" * 32), ContentId(b"n" * 32)


def cut(kinds: list[int]) -> list[Span]:
    """A file of such chunks; each kind has a size of its own."""
    spans: list[Span] = []
    for kind in kinds:
        offset = spans[-1].offset + spans[-1].size if spans else 0
        spans.append(Span(bytes([kind]) * 32, offset, 4096 + kind))
    return spans


def size_of(spans: list[Span]) -> int:
    return sum(span.size for span in spans)


KINDS = st.lists(st.integers(0, 9), max_size=30)


@given(KINDS, KINDS)
def test_the_manifest_comes_back(before: list[int], after: list[int]) -> None:
    old, new = cut(before), cut(after)
    encoded = encode_difference(new, old)
    assert encoded is not None
    decoded = decode_difference(encoded, NEW, size_of(new), Manifest.of(OLD, old))
    assert decoded is not None
    manifest, taken = decoded
    assert manifest == Manifest.of(NEW, new)
    told = [(one.first + i, one.before + i) for one in taken for i in range(one.chunks)]
    assert all(new[index].hash == old[index_before].hash for index, index_before in told)
    in_both = {index for index, span in enumerate(new) if span.hash in {known.hash for known in old}}
    assert {index for index, _ in told} == in_both


@given(KINDS, KINDS, st.integers(1, 4))
def test_how_many_are_compared_together_changes_nothing(before: list[int], after: list[int], compared: int) -> None:
    expected = encode_difference(cut(after), cut(before))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "COMPARED", compared)
        assert encode_difference(cut(after), cut(before)) == expected


def test_it_is_as_short_as_the_change() -> None:
    random = Random(1)
    old = [Span(random.randbytes(32), n * 5000, 5000) for n in range(20_000)]
    new = [*old[:100], Span(b"1" * 32, 500_000, 5000), *old[101:9000], Span(b"2" * 32, 0, 7000), *old[9000:]]
    encoded = encode_difference(new, old)
    assert encoded is not None
    assert len(encoded) < 200
    assert encode_difference([Span(random.randbytes(32), 0, 5000) for _ in range(20_000)], old) is None


def test_another_way_of_cutting_the_older_version_tells_nothing() -> None:
    old, new = cut([1, 2, 3]), cut([1, 4, 3])
    encoded = encode_difference(new, old)
    assert encoded is not None
    assert decode_difference(encoded, NEW, size_of(new), Manifest.of(OLD, cut([1, 2]))) is None
    assert decode_difference(b"\2" + encoded[1:], NEW, size_of(new), Manifest.of(OLD, old)) is None


def damaged(encoded: bytes, cut_off: int = 0, more: bytes = b"") -> bytes:
    return encoded[: len(encoded) - cut_off] + more


@pytest.mark.parametrize(
    ("cut_off", "more", "reason"),
    [
        (60, b"", "too short"),
        (1, b"", "cut off"),
        (0, b"\0", "cut off"),
        (0, struct.pack("<III", 0, 1, 0), "does not make up"),
        (0, struct.pack("<III", 0, 0, 9), "does not make up"),
        (0, struct.pack("<III", 0, 0, 1) + struct.pack("<I32s", 0, b"x" * 32), "does not make up"),
    ],
)
def test_what_no_honest_peer_sends_is_refused(cut_off: int, more: bytes, reason: str) -> None:
    old = cut([1, 2, 3])
    encoded = encode_difference(cut([1, 2]), old)
    assert encoded is not None
    with pytest.raises(CodecError, match=reason):
        decode_difference(damaged(encoded, cut_off, more), NEW, size_of(cut([1, 2])), Manifest.of(OLD, old))


def test_who_takes_more_than_the_base_has_is_given_what_it_has() -> None:
    old = cut([1, 2, 3])
    encoded = encode_difference(old[2:], old)
    assert encoded is not None
    greedy = encoded[: -struct.calcsize("<III")] + struct.pack("<III", 2, 1000, 0)
    decoded = decode_difference(greedy, NEW, old[2].size, Manifest.of(OLD, old))
    assert decoded is not None
    assert decoded[1] == [Taken(0, 2, 1)]


@pytest.mark.parametrize("size", [10, CHUNK_BYTES_MAX + 1])
def test_chunks_of_a_forbidden_size_are_refused(size: int) -> None:
    old = cut([1, 2, 3])
    new = [Span(b"x" * 32, 0, size), *cut([1])]
    encoded = encode_difference(new, old)
    assert encoded is not None
    with pytest.raises(CodecError, match="does not make up"):
        decode_difference(encoded, NEW, size_of(new), Manifest.of(OLD, old))


def test_the_number_of_chunks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    old = cut([1, 2, 3])
    encoded = encode_difference(old, old)
    assert encoded is not None
    monkeypatch.setattr(module, "CHUNKS_MAX", 2)
    with pytest.raises(CodecError, match="too many"):
        decode_difference(encoded, NEW, size_of(old), Manifest.of(OLD, old))
