"""How a big file is cut, told by what is different from an older version: the list of chunks is long, changes are few.

Whoever gets it must know how the older version is cut, and says so by nothing: the difference names what it starts
from by a hash of that list, since two devices may have cut the same content in different ways.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from blake3 import blake3

from p2psync.core.chunking import (
    CHUNK_BYTES_MAX,
    CHUNK_BYTES_MIN,
    CHUNKS_MAX,
    ChunkRef,
    Manifest,
    Span,
)
from p2psync.core.ids import HASH_BYTES, ContentId
from p2psync.errors import CodecError

DIFFERENCE_BYTES_MAX = 128 * 1024
"""A longer one is not worth it: the manifest itself can be asked for."""
COMPARED = 1024
"""Chunks at a time."""
_HEAD = struct.Struct(f"<B{HASH_BYTES}s")
_FORMAT = 1
_RUN = struct.Struct("<III")
"""Index of the first chunk that is taken from the base, how many; how many new ones follow."""
_NEW = struct.Struct(f"<I{HASH_BYTES}s")


class Taken(NamedTuple):
    """Chunks that follow each other in both versions."""

    first: int
    """Index of the first of them."""
    before: int
    """The same in the base."""
    chunks: int
    """How many."""


def encode_difference(spans: Sequence[Span], base: Sequence[Span]) -> bytes | None:
    """None if it would be too long."""
    hashes, hashes_before = [span.hash for span in spans], [span.hash for span in base]
    parts = [_HEAD.pack(_FORMAT, _print_of(hashes_before))]
    size = _HEAD.size
    at = 0
    for first, count, new in _runs(hashes, hashes_before):
        at += count + new
        fresh = spans[at - new : at]
        size += _RUN.size + new * _NEW.size
        if size > DIFFERENCE_BYTES_MAX:
            return None
        parts.append(_RUN.pack(first, count, new) + b"".join(_NEW.pack(span.size, span.hash) for span in fresh))
    return b"".join(parts)


def decode_difference(
    encoded: bytes, content: ContentId, size: int, base: Manifest
) -> tuple[Manifest, list[Taken]] | None:
    """The manifest of `content`, a file of `size` bytes, and what of it the base has; None if the sender's base was cut
    in another way.

    Raises CodecError unless these are the bytes of a difference within the limits whose sizes add up.
    """
    if len(encoded) < _HEAD.size:
        raise CodecError("a difference of manifests that is too short")
    version, print_of_base = _HEAD.unpack_from(encoded)
    if version != _FORMAT or print_of_base != _print_of(chunk.hash for chunk in base.chunks):
        return None
    chunks: list[ChunkRef] = []
    taken: list[Taken] = []
    at = _HEAD.size
    try:
        while at < len(encoded):
            first, count, new = _RUN.unpack_from(encoded, at)
            at += _RUN.size
            same = base.chunks[first : first + count]
            taken.append(Taken(len(chunks), first, len(same)))
            chunks += same
            end = at + new * _NEW.size
            chunks += (ChunkRef(digest, length) for length, digest in _NEW.iter_unpack(encoded[at:end]))
            at = end
            if len(chunks) > CHUNKS_MAX:
                raise CodecError("a difference of manifests makes too many chunks")
    except struct.error:
        raise CodecError("a difference of manifests is cut off") from None
    if at != len(encoded) or not _is_possible([chunk.size for chunk in chunks], size):
        raise CodecError("a difference of manifests does not make up its file")
    return Manifest(content, size, tuple(chunks)), taken


def _is_possible(sizes: Sequence[int], size: int) -> bool:
    return (
        sum(sizes) == size
        and max(sizes, default=1) <= CHUNK_BYTES_MAX
        and min(sizes[:-1], default=CHUNK_BYTES_MIN) >= CHUNK_BYTES_MIN
        and (not sizes or sizes[-1] > 0)
    )


def _runs(hashes: Sequence[bytes], before: Sequence[bytes]) -> Iterator[tuple[int, int, int]]:
    """What is taken from the base in one stretch, first and count, and how many new chunks are behind it."""
    indexes: dict[bytes, int] = {}
    first = count = new = at = 0
    while at < len(hashes):
        if not new and (same := _alike(hashes, at, before, first + count)):
            count += same
            at += same
            continue
        indexes = indexes or {known: index for index, known in enumerate(before)}
        index = indexes.get(hashes[at])
        if index is None:
            new += 1
            at += 1
            continue
        if count or new:
            yield first, count, new
        first, count, new = index, 0, 0
    if count or new:
        yield first, count, new


def _alike(hashes: Sequence[bytes], at: int, before: Sequence[bytes], index: int) -> int:
    """How many follow from there on that are the same in both, or at least many of them: in lists, which is quicker."""
    count = min(COMPARED, len(hashes) - at, len(before) - index)
    if hashes[at : at + count] == before[index : index + count]:
        return count
    return next(i for i in range(count) if hashes[at + i] != before[index + i])


def _print_of(hashes: Iterable[bytes]) -> bytes:
    return blake3(b"".join(hashes)).digest()
