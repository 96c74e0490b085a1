"""Big files as chunks whose borders the content draws, so that a changed file shares chunks with its old version.

A `Chunker` reads a file once, in pieces of any size, and gives chunks and the content id; the `Manifest`
lists them for whoever fetches the file. A manifest is a hint where bytes can be had: only the content id,
which is signed, says whether what was put together is right. It is about 0.2 % of a file of up to 256 MiB
and less of larger ones (12 MB for 100 GiB), so it has one level and travels whole, in parts.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from blake3 import blake3
from pyfastcdc import FastCDC

from p2psync.core.ids import HASH_BYTES, ContentId
from p2psync.core.value import value
from p2psync.errors import CodecError

MANIFEST_THRESHOLD_BYTES = 512 * 1024
"""Files up to this size travel whole in one Response and need no manifest."""
CHUNK_BYTES_MAX = 512 * 1024
"""So that each fits a Response."""
CHUNK_BYTES_MIN = 4 * 1024
"""Of each chunk but a file's last, so that no manifest is large beside its file."""
CHUNKS_MAX = 1_800_000
"""In one manifest, which is then 62 MiB: 110 GiB at worst, 500 GiB of ordinary content."""
MANIFEST_PART_BYTES_MAX = 512 * 1024
"""So that each part fits a Response."""


class ChunkRef(NamedTuple):
    """One chunk of a manifest."""

    hash: bytes
    """BLAKE3 of its bytes, 32 bytes."""
    size: int
    """Bytes."""


class Span(NamedTuple):
    """Where a chunk lies in its file."""

    hash: bytes
    """BLAKE3 of its bytes, 32 bytes."""
    offset: int
    """Bytes from the start of the file."""
    size: int
    """Bytes."""


@value
class Manifest:
    """The chunks that make up one content, in order and without a gap."""

    content: ContentId
    size: int
    """Bytes of the file: the sum of the chunks' sizes."""
    chunks: tuple[ChunkRef, ...]

    @classmethod
    def of(cls, content: ContentId, spans: Sequence[Span]) -> Manifest:
        """The manifest of a file whose whole `spans` a `Chunker` gave."""
        chunks = tuple(ChunkRef(span.hash, span.size) for span in spans)
        return cls(content, sum(chunk.size for chunk in chunks), chunks)

    def spans(self) -> list[Span]:
        """The chunks with their offsets."""
        offsets = accumulate((chunk.size for chunk in self.chunks), initial=0)
        return [Span(chunk.hash, offset, chunk.size) for chunk, offset in zip(self.chunks, offsets, strict=False)]


class Chunker:
    """Cuts one file that is fed in order. Where it cuts depends on the content and `size` alone.

    It holds a few MiB at most, beside what it is fed. Not for use by two threads at once.
    """

    def __init__(self, size: int) -> None:
        """`size` is the file's expected size in bytes, and only chooses how fine to cut: see `average_chunk_bytes`."""
        average = average_chunk_bytes(size)
        largest = min(4 * average, CHUNK_BYTES_MAX)
        self._cutter = FastCDC(average, min_size=average // 4, max_size=largest, normalized_chunking=2)
        self._read_ahead = max(1 << 20, 8 * largest)
        self._whole = blake3()
        self._buffer = bytearray()
        self._start = 0

    @property
    def fed(self) -> int:
        """Bytes so far."""
        return self._start + len(self._buffer)

    def feed(self, piece: bytes | bytearray | memoryview) -> list[Span]:
        """The chunks that are certain by now; `piece` may be overwritten afterwards."""
        self._whole.update(piece)
        self._buffer += piece
        # What is behind the last certain border is looked at again next time: wait until that is little of it all.
        return self._cut(last=False) if len(self._buffer) >= self._read_ahead else []

    def finish(self) -> tuple[ContentId, list[Span]]:
        """The content id of all that was fed, and the remaining chunks."""
        return ContentId(self._whole.digest()), self._cut(last=True)

    def _cut(self, last: bool) -> list[Span]:
        spans = []
        end = 0
        for chunk in self._cutter.cut_buf(self._buffer):
            # A border at the end of the buffer may be there only because the buffer ends.
            if not last and chunk.offset + chunk.length == len(self._buffer):
                break
            spans.append(Span(blake3(chunk.data).digest(), self._start + chunk.offset, chunk.length))
            end = chunk.offset + chunk.length
        self._buffer = self._buffer[end:]
        self._start += end
        return spans


def average_chunk_bytes(size: int) -> int:
    """How fine a file of `size` bytes is cut: finer saves bytes when it changes, coarser keeps its manifest small.

    A file that grows over a limit shares no chunks with its old version, once.
    """
    if size <= 256 << 20:
        return 16 * 1024
    return 64 * 1024 if size <= 4 << 30 else 256 * 1024


_HEAD = struct.Struct("<B32sQ")
_FORMAT = 1
_ENTRY_BYTES = 4 + HASH_BYTES


def encode_manifest(manifest: Manifest) -> bytes:
    """Format, content id, file size; the size of each chunk (32 bits, little endian); the hash of each."""
    sizes = struct.pack(f"<{len(manifest.chunks)}I", *(chunk.size for chunk in manifest.chunks))
    head = _HEAD.pack(_FORMAT, manifest.content, manifest.size)
    return b"".join((head, sizes, *(chunk.hash for chunk in manifest.chunks)))


def encode_parts(manifest: Manifest) -> list[bytes]:
    """`encode_manifest` in parts of at most MANIFEST_PART_BYTES_MAX, to be joined before `decode_manifest`."""
    encoded = encode_manifest(manifest)
    return [encoded[i : i + MANIFEST_PART_BYTES_MAX] for i in range(0, len(encoded), MANIFEST_PART_BYTES_MAX)]


def manifest_bytes_max(size: int) -> int:
    """How long the encoded manifest of a file of `size` bytes can be at most."""
    return _HEAD.size + min(size // CHUNK_BYTES_MIN + 1, CHUNKS_MAX) * _ENTRY_BYTES


def decode_manifest(encoded: bytes) -> Manifest:
    """Raises CodecError unless these are the bytes of a manifest within the limits whose sizes add up.

    Whether it is the manifest that was asked for is for the caller to compare: `content` and `size`.
    """
    count, rest = divmod(len(encoded) - _HEAD.size, _ENTRY_BYTES)
    if rest or not 0 <= count <= CHUNKS_MAX:
        raise CodecError(f"a manifest cannot be {len(encoded)} bytes long")
    version, content, size = _HEAD.unpack_from(encoded)
    if version != _FORMAT:
        raise CodecError(f"a manifest of the unknown format {version}; update p2psync")
    sizes = struct.unpack_from(f"<{count}I", encoded, _HEAD.size)
    if sum(sizes) != size:
        raise CodecError("the chunks of a manifest do not make up its file")
    if count and (max(sizes) > CHUNK_BYTES_MAX or min(sizes[:-1], default=CHUNK_BYTES_MIN) < CHUNK_BYTES_MIN):
        raise CodecError("a manifest has a chunk of a forbidden size")
    if count and not sizes[-1]:
        raise CodecError("a manifest has an empty chunk")
    first = _HEAD.size + 4 * count
    hashes = (encoded[i : i + HASH_BYTES] for i in range(first, len(encoded), HASH_BYTES))
    return Manifest(ContentId(content), size, tuple(map(ChunkRef, hashes, sizes)))
