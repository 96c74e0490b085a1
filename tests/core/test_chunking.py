"""Chunks depend on content alone, survive insertions, and their manifests are read strictly."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from pyfastcdc import FastCDC

from p2psync.core import chunking
from p2psync.core.chunking import (
    CHUNK_BYTES_MAX,
    CHUNK_BYTES_MIN,
    CHUNKS_MAX,
    MANIFEST_PART_BYTES_MAX,
    MANIFEST_THRESHOLD_BYTES,
    NOTHING,
    STRETCH_BYTES,
    Chunker,
    ChunkRef,
    Layout,
    Manifest,
    Span,
    TagOf,
    average_chunk_bytes,
    decode_manifest,
    encode_manifest,
    encode_parts,
    manifest_bytes_max,
)
from p2psync.core.ids import EMPTY_CONTENT, ContentId, content_of
from p2psync.errors import CodecError
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX

MIB = 1 << 20
HUGE = 5 << 30


def random_bytes(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


def chunked(data: bytes, cuts: list[int] | None = None, size: int | None = None) -> Manifest:
    """The manifest of data that is fed in pieces which end at `cuts`."""
    chunker = Chunker(len(data) if size is None else size)
    borders = [0, *sorted(cuts or []), len(data)]
    spans = []
    for start, end in pairwise(borders):
        spans += chunker.feed(data[start:end])
    assert chunker.fed == len(data)
    spans += chunker.finish()
    manifest = Manifest.of(content_of(data), spans)
    assert list(manifest.spans()) == spans
    return manifest


def test_chunks_follow_each_other_and_carry_their_hashes() -> None:
    data = random_bytes(3 * MIB)
    manifest = chunked(data)
    assert manifest.size == len(data)
    end = 0
    for span in manifest.spans():
        assert span.offset == end
        end += span.size
        assert span.hash == blake3(data[span.offset : end]).digest()
    assert end == len(data)
    assert 200 < len(manifest.chunks) < 500


def test_an_empty_file_has_no_chunks() -> None:
    assert chunked(b"") == Manifest(EMPTY_CONTENT, 0, ())


LARGE = random_bytes(10 * MIB, seed=2)
WHOLE = {size: chunked(LARGE, size=size) for size in (MIB, HUGE)}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, len(LARGE)), max_size=30), st.sampled_from([MIB, HUGE]))
def test_how_a_file_is_fed_makes_no_difference(cuts: list[int], size: int) -> None:
    assert chunked(LARGE, cuts, size) == WHOLE[size]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 200_000), st.integers(1, 7000), st.sampled_from([b"\0", b"ab", random_bytes(100_000)]))
def test_small_pieces_make_no_difference_whatever_the_content(size: int, piece: int, pattern: bytes) -> None:
    data = (pattern * (size // len(pattern) + 1))[:size]
    assert chunked(data, list(range(piece, size, piece))) == chunked(data)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2 * MIB), st.integers(0, MIB)), max_size=10))
def test_what_is_read_into_its_room_is_as_good_as_fed(reads: list[tuple[int, int]]) -> None:
    """A read may fill less than all of the room."""
    chunker, spans, at = Chunker(MIB), list[Span](), 0
    for asked, more in [*reads, (len(LARGE), 0)]:
        room = chunker.room(asked + more)
        assert len(room) == asked + more
        part = LARGE[at : at + asked]
        room[: len(part)] = part
        at += len(part)
        spans += chunker.filled(len(part))
    assert at == chunker.fed == len(LARGE)
    assert [*spans, *chunker.finish()] == list(WHOLE[MIB].spans())


def test_cuts_are_those_of_the_whole_file_at_once() -> None:
    cutter = FastCDC(6 * 1024, min_size=2 * 1024, max_size=24 * 1024, normalized_chunking=1)
    assert [chunk.length for chunk in cutter.cut_buf(LARGE)] == [chunk.size for chunk in WHOLE[MIB].chunks]


def test_borders_stay_where_they_are_in_every_release() -> None:
    """Members of different versions would share no chunks otherwise."""
    assert [span.offset for span in WHOLE[MIB].spans()[1:5]] == [12206, 24797, 41503, 51261]
    assert [span.offset for span in WHOLE[HUGE].spans()[1:5]] == [524288, 872949, 1338852, 1829613]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2 * MIB), st.integers(0, 40_000), st.binary(max_size=5000)), max_size=4))
def test_knowing_how_an_older_version_was_cut_makes_no_difference(edits: list[tuple[int, int, bytes]]) -> None:
    data = LARGE[: 2 * MIB]
    for at, gone, new in edits:
        data = data[:at] + new + data[at + gone :]
    before = read(LARGE[: 2 * MIB])
    for known in (Layout(before.spans), before):
        chunker = Chunker(len(data), known)
        spans = [span for start in range(0, len(data), 300_000) for span in chunker.feed(data[start : start + 300_000])]
        spans += chunker.finish()
        assert spans == list(chunked(data).spans())
        check_stretches(data, Layout(spans, chunker.stretches))


def read(data: bytes, before: Layout = NOTHING, tag_of: TagOf = content_of) -> Layout:
    """How data is cut that comes in the pieces that a reader gives."""
    chunker = Chunker(len(data), before, tag_of)
    spans = [span for start in range(0, len(data), MIB) for span in chunker.feed(data[start : start + MIB])]
    return Layout([*spans, *chunker.finish()], chunker.stretches)


def check_stretches(data: bytes, layout: Layout) -> None:
    """They are of all chunks, each of one."""
    following = 0
    for stretch in layout.stretches:
        assert stretch.first == following
        following += stretch.chunks
        spans = layout.spans[stretch.first : following]
        assert stretch.tag == content_of(memoryview(data)[spans[0].offset : spans[-1].offset + spans[-1].size])
    assert following == len(layout.spans)


def test_only_where_something_changed_is_looked_at_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    data = LARGE[: 8 * MIB]
    edited = data[: 2 * MIB] + b"inserted" + data[2 * MIB :]
    hashed: list[int] = []
    tagged: list[int] = []

    def hashing(part: bytes) -> Any:
        hashed.append(len(part))
        return blake3(part)

    def tagging(part: memoryview) -> bytes:
        tagged.append(len(part))
        return bytes(part)

    before = read(data, tag_of=bytes)
    monkeypatch.setattr(chunking, "blake3", hashing)
    layout = read(edited, before, tagging)
    assert len(hashed + tagged) < len(layout.spans) // 4
    assert sum(hashed) < 2 * STRETCH_BYTES, "around the change"
    assert sum(tagged) < len(data) + 2 * STRETCH_BYTES, "the rest, once"
    monkeypatch.undo()
    assert layout.spans == read(edited).spans


def test_chunks_of_larger_files_are_recognised_one_by_one() -> None:
    chunker = Chunker(HUGE)
    chunker.feed(LARGE)
    chunker.finish()
    assert chunker.stretches == []


def test_what_is_appended_takes_the_border_away_that_was_none() -> None:
    data = LARGE[: 2 * MIB]
    chunker = Chunker(len(data) + 5000, Layout(chunked(data).spans()))
    spans = chunker.feed(data + LARGE[-5000:])
    assert [*spans, *chunker.finish()] == list(chunked(data + LARGE[-5000:]).spans())


def test_where_nothing_changed_no_border_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    before = WHOLE[MIB].spans()
    chunker = Chunker(len(LARGE), Layout(before))
    monkeypatch.setattr(chunker, "_search", lambda data, end, spans, last: (end, False))
    spans = chunker.feed(LARGE)
    assert [*spans, *chunker.finish()] == list(WHOLE[MIB].spans())


def test_a_file_that_is_cut_finer_or_coarser_now_is_cut_anew() -> None:
    before = WHOLE[MIB].spans()
    chunker = Chunker(HUGE, Layout(before))
    spans = chunker.feed(LARGE)
    assert [*spans, *chunker.finish()] == list(WHOLE[HUGE].spans())


def test_the_buffer_that_was_fed_may_be_used_again() -> None:
    chunker = Chunker(len(LARGE))
    buffer = bytearray(MIB)
    spans = []
    for start in range(0, len(LARGE), MIB):
        buffer[:] = LARGE[start : start + MIB]
        spans += chunker.feed(memoryview(buffer))
    buffer[:] = bytes(MIB)
    assert [*spans, *chunker.finish()] == list(WHOLE[MIB].spans())


def test_what_is_held_is_bounded() -> None:
    """Whatever is fed, all but the last few MiB has come out as chunks."""
    chunker = Chunker(HUGE)
    done = 0
    for start in range(0, len(LARGE), 100_000):
        done += sum(span.size for span in chunker.feed(LARGE[start : start + 100_000]))
        assert chunker.fed - done < 5 * MIB


@pytest.mark.parametrize("size", [MIB, 300 * MIB, HUGE])
def test_sizes_of_chunks_are_within_the_limits_of_a_manifest(size: int) -> None:
    data = LARGE[: 4 * MIB] + bytes(4 * MIB)
    sizes = [chunk.size for chunk in chunked(data, size=size).chunks]
    assert max(sizes) <= CHUNK_BYTES_MAX
    assert min(sizes[:-1]) >= CHUNK_BYTES_MIN


def test_an_insertion_changes_only_the_chunks_around_it() -> None:
    changed = chunked(LARGE[: 5 * MIB] + b"inserted" + LARGE[5 * MIB :], size=MIB)
    assert len(set(changed.chunks) - set(WHOLE[MIB].chunks)) <= 3


def test_finer_for_small_files_coarser_for_large_ones() -> None:
    assert [
        average_chunk_bytes(size) for size in (0, 256 << 20, (256 << 20) + 1, 4 << 30, (4 << 30) + 1, 100 << 30)
    ] == [
        6 * 1024,
        6 * 1024,
        64 * 1024,
        64 * 1024,
        256 * 1024,
        256 * 1024,
    ]


def test_chunks_and_parts_fit_the_response_that_carries_them() -> None:
    assert max(MANIFEST_THRESHOLD_BYTES, CHUNK_BYTES_MAX, MANIFEST_PART_BYTES_MAX) <= RESPONSE_DATA_BYTES_MAX


def made(*sizes: int) -> Manifest:
    chunks = tuple(ChunkRef(bytes([index % 256]) * 32, size) for index, size in enumerate(sizes))
    return Manifest(ContentId(b"c" * 32), sum(sizes), chunks)


SIZES = st.lists(st.integers(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX), max_size=20)


@given(SIZES, st.integers(1, CHUNK_BYTES_MAX))
def test_a_manifest_comes_back_from_its_bytes(sizes: list[int], last: int) -> None:
    manifest = made(*sizes, last)
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_a_manifest_of_a_real_file_comes_back() -> None:
    assert decode_manifest(encode_manifest(WHOLE[MIB])) == WHOLE[MIB]
    assert decode_manifest(encode_manifest(chunked(b""))) == chunked(b"")


def test_a_long_manifest_travels_in_parts() -> None:
    manifest = made(*[CHUNK_BYTES_MIN] * 40_000)
    parts = encode_parts(manifest)
    assert len(parts) == 3
    assert max(map(len, parts)) == MANIFEST_PART_BYTES_MAX
    assert decode_manifest(b"".join(parts)) == manifest


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (Manifest(ContentId(b"c" * 32), 5000, made(4999).chunks), "do not make up"),
        (made(CHUNK_BYTES_MIN - 1, 9), "forbidden size"),
        (made(CHUNK_BYTES_MAX + 1), "forbidden size"),
        (made(CHUNK_BYTES_MIN, 0), "empty chunk"),
        (made(0), "empty chunk"),
    ],
)
def test_sizes_that_cannot_be_are_refused(manifest: Manifest, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        decode_manifest(encode_manifest(manifest))


def test_the_number_of_chunks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 41 + 36 * CHUNKS_MAX < 64 * MIB
    monkeypatch.setattr(chunking, "CHUNKS_MAX", 2)
    decode_manifest(encode_manifest(made(5000, 5000)))
    with pytest.raises(CodecError, match="bytes long"):
        decode_manifest(encode_manifest(made(5000, 5000, 5000)))


@given(st.lists(st.integers(CHUNK_BYTES_MIN, 3 * CHUNK_BYTES_MIN)), st.integers(1, CHUNK_BYTES_MIN))
def test_no_manifest_is_longer_than_its_file_can_need(sizes: list[int], last: int) -> None:
    manifest = made(*sizes, last)
    assert len(encode_manifest(manifest)) <= manifest_bytes_max(manifest.size)
    finest = made(*[CHUNK_BYTES_MIN] * len(sizes), last)
    assert manifest_bytes_max(finest.size) - len(encode_manifest(finest)) in (0, 36)
    assert manifest_bytes_max(1 << 50) < 64 * MIB


@pytest.mark.parametrize("encoded", [b"", b"\1", b"\2" + bytes(40), bytes(40), encode_manifest(made(5000)) + b"x"])
def test_other_bytes_are_no_manifest(encoded: bytes) -> None:
    with pytest.raises(CodecError):
        decode_manifest(encoded)


@given(st.binary(max_size=200), st.integers(0, 112), st.integers(0, 255))
def test_decoding_is_total(noise: bytes, position: int, value: int) -> None:
    damaged = bytearray(encode_manifest(made(5000, 6000)))
    damaged[position] = value
    for encoded in (noise, b"\1" + noise, bytes(damaged)):
        try:
            manifest = decode_manifest(encoded)
        except CodecError:
            continue
        assert encode_manifest(manifest) == encoded


def test_spans_of_a_manifest_have_offsets() -> None:
    first, second = Span(bytes(32), 0, 5000), Span(b"\1" * 32, 5000, 6000)
    spans = made(5000, 6000).spans()
    assert list(spans) == spans[:] == [first, second]
    assert (spans[0], spans[1], spans[-1], spans[-2]) == (first, second, second, first)
    assert spans[1:] == spans[-1:] == [second]
    assert spans[::-1] == [second, first]
    assert [*spans.offsets] == [0, 5000, 11000]
    assert (spans.size(0, 0), spans.size(0, 1), spans.size(0, 2)) == (0, 5000, 11000)
    for index in (2, -3):
        with pytest.raises(IndexError):
            spans[index]
