"""Big files as chunks whose borders the content draws, so that a changed file shares chunks with its old version.

A `Chunker` reads a file once, in pieces of any size, and gives its chunks; the `Manifest` lists them for whoever
fetches the file. A manifest is a hint where bytes can be had: only the content id,
which is signed, says whether what was put together is right. It is about 0.4 % of a file of up to 256 MiB
and less of larger ones (12 MB for 100 GiB), so it has one level and travels whole, in parts.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple, overload

from blake3 import blake3
from pyfastcdc import FastCDC

from p2psync.core.ids import HASH_BYTES, ContentId, content_of
from p2psync.core.value import value
from p2psync.errors import CodecError

MANIFEST_THRESHOLD_BYTES = 512 * 1024
"""Files up to this size travel whole in one Response and need no manifest."""
CHUNK_BYTES_MAX = 512 * 1024
"""So that each fits a Response."""
CHUNK_BYTES_MIN = 2 * 1024
"""Of each chunk but a file's last, so that no manifest is large beside its file."""
CHUNKS_MAX = 1_800_000
"""In one manifest, which is then 62 MiB: 110 GiB at worst, 500 GiB of ordinary content."""
STRETCH_BYTES = 256 * 1024
"""What is recognised together, about."""
STRETCHED_AVERAGE_MAX = 8 * 1024
"""Chunks that are larger on average are as quickly recognised one by one."""
MANIFEST_PART_BYTES_MAX = 512 * 1024
"""So that each part fits a Response."""


class ChunkRef(NamedTuple):
    """One chunk of a manifest."""

    hash: bytes
    """BLAKE3 of its bytes, 32 bytes."""
    size: int
    """Bytes."""


_chunk_ref: Callable[[tuple[bytes, int]], ChunkRef] = partial(tuple.__new__, ChunkRef)


class Span(NamedTuple):
    """Where a chunk lies in its file."""

    hash: bytes
    """BLAKE3 of its bytes, 32 bytes."""
    offset: int
    """Bytes from the start of the file."""
    size: int
    """Bytes."""


_span: Callable[[tuple[bytes, int, int]], Span] = partial(tuple.__new__, Span)
"""For thousands of them: in a third of the time."""


class Stretch(NamedTuple):
    """Some chunks that follow each other: recognised together they take a fifth of the time."""

    first: int
    """Index of the first chunk."""
    chunks: int
    """How many."""
    tag: bytes
    """Of all their bytes, as who cuts files on this device makes it."""


TagOf = Callable[[memoryview], bytes]
"""Two stretches have the same tag only if they hold the same."""


@value
class Layout:
    """How a file is cut."""

    spans: Sequence[Span] = ()
    """Its chunks, in order and without a gap."""
    stretches: Sequence[Stretch] = ()
    """Of the chunks, in their order; none are known where it was not read just now."""


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
        chunks = tuple([_chunk_ref((digest, size)) for digest, _, size in spans])
        return cls(content, sum([size for _, size in chunks]), chunks)

    def spans(self) -> Spans:
        """The chunks with their offsets."""
        return Spans(self.chunks)


class Spans(Sequence[Span]):
    """Chunks without a gap, each a `Span` when it is looked at: of a file that changed a little few are."""

    def __init__(self, chunks: Sequence[ChunkRef]) -> None:
        self._chunks = chunks
        self.offsets = array("Q", accumulate([size for _, size in chunks], initial=0))
        """Where each begins, and where the last one ends."""

    def __len__(self) -> int:
        return len(self._chunks)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> list[Span]: ...
    def __getitem__(self, index: int | slice) -> Span | list[Span]:
        if isinstance(index, slice):
            offsets = map(self.offsets.__getitem__, range(*index.indices(len(self._chunks))))
            return [_span((digest, at, size)) for (digest, size), at in zip(self._chunks[index], offsets, strict=True)]
        digest, size = self._chunks[index]
        return Span(digest, self.offsets[index if index >= 0 else index - 1], size)

    def __iter__(self) -> Iterator[Span]:
        return (_span((digest, at, size)) for (digest, size), at in zip(self._chunks, self.offsets, strict=False))

    def size(self, begin: int, end: int) -> int:
        """Bytes of the chunks from one to before another."""
        return self.offsets[end] - self.offsets[begin]


NOTHING = Layout()
"""Of a file that was not there, or of which nothing is known."""


class Chunker:
    """Cuts one file that is fed in order. Where it cuts depends on the content and `size` alone.

    It holds a few MiB at most, beside what it is fed. Not for use by two threads at once.
    """

    def __init__(self, size: int, before: Layout = NOTHING, tag_of: TagOf = content_of) -> None:
        """`size` is the file's expected size in bytes, and only chooses how fine to cut: see `average_chunk_bytes`.

        `before`: how an older version was cut. Where its chunks still are, no border is looked for; all ends the same.
        `tag_of`: tells stretches from each other; the same for both versions.
        """
        average = average_chunk_bytes(size)
        largest = min(4 * average, CHUNK_BYTES_MAX)
        # Sizes that vary more let the borders behind a change meet the old ones sooner.
        smallest = max(average // 4, CHUNK_BYTES_MIN)
        self._cutter = FastCDC(average, min_size=smallest, max_size=largest, normalized_chunking=1)
        self._read_ahead = max(1 << 20, 8 * largest)
        self._buffer = bytearray()
        """Never shrinks: to be given fresh memory for each piece would take longer than to copy it."""
        self._held = 0
        """Bytes of the buffer that are in use."""
        self._start = 0
        is_alike = before.spans and average_chunk_bytes(before.spans[-1].offset + before.spans[-1].size) == average
        self._before = [*before.spans] if is_alike else []
        self._stretches_before = {stretch.first: stretch for stretch in before.stretches} if is_alike else {}
        self._finds_stretches = average <= STRETCHED_AVERAGE_MAX
        self._tag_of = tag_of
        self.stretches: list[Stretch] = []
        """Of the chunks that were certain so far; for whoever cuts the next version of the file."""
        self._cut_so_far = 0
        self._next = 0
        """Index of the chunk before that may come now; behind the last where none is known to."""
        self._indexes: dict[bytes, int] = {}
        """Of the chunks before, by hash; made when the first of them is not where it was."""

    @property
    def fed(self) -> int:
        """Bytes so far."""
        return self._start + self._held

    def feed(self, piece: bytes | bytearray | memoryview) -> list[Span]:
        """The chunks that are certain by now; `piece` may be overwritten afterwards."""
        self.room(len(piece))[:] = piece
        return self.filled(len(piece))

    def room(self, size: int) -> memoryview:
        """Where so many bytes more may be put, for `filled`: whoever reads a file there need not copy them."""
        end = self._held + size
        if end > len(self._buffer):
            larger = bytearray(end)
            larger[: self._held] = memoryview(self._buffer)[: self._held]
            self._buffer = larger
        return memoryview(self._buffer)[self._held : end]

    def filled(self, count: int) -> list[Span]:
        """So many bytes are in the room that was given last; the same as `feed`. What is in that room moves."""
        self._held += count
        # What is behind the last certain border is looked at again next time: wait until that is little of it all.
        return self._cut(last=False) if self._held >= self._read_ahead else []

    def finish(self) -> list[Span]:
        """The remaining chunks."""
        return self._cut(last=True)

    def _cut(self, last: bool) -> list[Span]:
        spans: list[Span] = []
        data = memoryview(self._buffer)[: self._held]
        found_before = len(self.stretches)
        end, goes_on = 0, True
        while goes_on:
            end = self._follow(data, end, spans, last)
            end, goes_on = self._search(data, end, spans, last)
        if self._finds_stretches:
            self._find_stretches(data, spans, self.stretches[found_before:])
        self._cut_so_far += len(spans)
        self._held -= end
        data[: self._held] = data[end:]
        self._start += end
        return spans

    def _follow(self, data: memoryview, end: int, spans: list[Span], last: bool) -> int:
        """Take the chunks that were there before, as long as they are; returns where the last one ends."""
        while self._next < len(self._before):
            stretch = self._stretches_before.get(self._next)
            if stretch is not None and stretch.first + stretch.chunks < len(self._before):
                stop = end + self._before[stretch.first + stretch.chunks].offset - self._before[stretch.first].offset
                if stop > len(data) and not last:
                    break
                if self._tag_of(data[end:stop]) == stretch.tag:
                    self._take_stretch(stretch, end, spans)
                    end = stop
                    continue
            known = self._before[self._next]
            stop = end + known.size
            if stop > len(data) and not last:
                break
            is_end = self._next == len(self._before) - 1  # a border that the content did not draw
            if is_end and stop == len(data) and not last:
                break
            if (is_end and stop != len(data)) or blake3(data[end:stop]).digest() != known.hash:
                self._next = len(self._before)
                break
            spans.append(Span(known.hash, self._start + end, known.size))
            self._next += 1
            end = stop
        return end

    def _take_stretch(self, stretch: Stretch, at: int, spans: list[Span]) -> None:
        """Its chunks are here again, `at` bytes behind the start of the buffer."""
        self.stretches.append(stretch._replace(first=self._cut_so_far + len(spans)))
        self._next = stretch.first + stretch.chunks
        same = self._before[stretch.first : self._next]
        shift = self._start + at - same[0].offset
        spans += same if not shift else [_span((digest, offset + shift, size)) for digest, offset, size in same]

    def _find_stretches(self, data: memoryview, spans: Sequence[Span], taken: Sequence[Stretch]) -> None:
        """Make new ones of the chunks that none was taken for."""
        del self.stretches[len(self.stretches) - len(taken) :]
        at = 0
        for stretch in taken:
            self._make_stretches(data, spans, at, stretch.first - self._cut_so_far)
            self.stretches.append(stretch)
            at = stretch.first - self._cut_so_far + stretch.chunks
        self._make_stretches(data, spans, at, len(spans))

    def _make_stretches(self, data: memoryview, spans: Sequence[Span], at: int, end: int) -> None:
        size = 0
        for index in range(at, end):
            size += spans[index].size
            if size >= STRETCH_BYTES or index == end - 1:
                first = spans[at].offset - self._start
                tag = self._tag_of(data[first : first + size])
                self.stretches.append(Stretch(self._cut_so_far + at, index + 1 - at, tag))
                at, size = index + 1, 0

    def _search(self, data: memoryview, end: int, spans: list[Span], last: bool) -> tuple[int, bool]:
        """Look for borders; returns where the last one is, and whether it is where a chunk from before may follow."""
        if self._next < len(self._before):
            return end, False
        start = end
        for chunk in self._cutter.cut_buf(data[start:]):
            stop = start + chunk.offset + chunk.length
            # A border at the end of the buffer may be there only because the buffer ends.
            if not last and stop == len(data):
                break
            digest = blake3(chunk.data).digest()
            spans.append(Span(digest, self._start + end, chunk.length))
            end = stop
            if self._before and (index := self._index(digest)) is not None:
                self._next = index + 1
                return end, self._next < len(self._before)
        return end, False

    def _index(self, digest: bytes) -> int | None:
        if not self._indexes:
            self._indexes = {span.hash: index for index, span in enumerate(self._before)}
        return self._indexes.get(digest)


def average_chunk_bytes(size: int) -> int:
    """How fine a file of `size` bytes is cut: finer saves bytes when it changes, coarser keeps its manifest small.

    A file that grows over a limit shares no chunks with its old version, once.
    """
    if size <= 256 << 20:
        return 6 * 1024
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
