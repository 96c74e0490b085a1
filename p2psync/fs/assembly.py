"""Putting a big file together in staging: chunks at their places, in any order, from anywhere, each verified.

What was written before a restart counts again if it still verifies. The whole is verified as its beginning grows,
so that little is left to read at the end. What comes from other files here is verified by that alone, while more is
copied: only where the whole is wrong, each chunk is looked at.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from itertools import compress
from pathlib import Path

from blake3 import blake3

from p2psync.core.block import ORDINARY
from p2psync.core.chunking import CHUNK_BYTES_MAX, Manifest, Span
from p2psync.core.difference import Taken
from p2psync.core.ids import ContentId
from p2psync.engine.orders import Piece
from p2psync.fs.durable import sync_descriptor
from p2psync.fs.reading import open_shared
from p2psync.fs.staging import Staging
from p2psync.fs.writeback import Writeback
from p2psync.wire.messages import REQUEST_ITEMS_MAX, RESPONSE_DATA_BYTES_MAX

ROOM_LEFT_BYTES = 16 << 20
"""What a big file leaves free on a disk: the small ones that people wait for still fit."""

STRETCH_BYTES_MAX = 1 << 20
"""Read at a time of what is taken from another file."""

FOLLOW_FROM_BYTES = 4 << 20
"""Less is copied before a thread has begun to hash it."""

_INVERTED = bytes([1, 0]) + bytes(254)

Data = bytes | memoryview
Source = tuple[Path, int]
"""A file on this disk, and the offset at which it may hold a chunk."""
FindChunks = Callable[[Set[bytes]], Mapping[bytes, Source]]
"""Looks up chunks by their hashes; what it says is verified before use."""


class Assembly:
    """One big file that is under way; safe to use from several threads."""

    def __init__(self, staging: Staging, manifest: Manifest, file_class: str = ORDINARY) -> None:
        """Takes up what an earlier attempt left. Raises OSError, also where the disk has no room for the rest."""
        self.manifest = manifest
        self._staging = staging
        self.spans = manifest.spans()
        self._offsets = self.spans.offsets
        self._present = bytearray(len(self.spans))
        self._trusted: set[int] = set()
        """Chunks that were taken from other files here, and not verified by themselves."""
        self._drafted = range(0)
        """Chunks that came before anybody named it; trusted, too, until the whole is hashed: others may ask for them by
        the hashes that a peer told."""
        self._is_doubted = False
        """Some of those are something else."""
        self._elsewhere: list[tuple[Source, range]] = []
        """What is still to be taken from there: chunks that follow each other, and where the first of them lies."""
        self._part = staging.part(manifest.content, file_class)
        self._file = _open_part(self._part)
        self._lock = threading.Lock()
        self._more_is_here = threading.Condition(self._lock)
        self._is_copying = False
        self._is_followed = False
        """A thread hashes the whole while others write."""
        self._whole = blake3()
        self._hashed_chunks = 0
        self._writeback = Writeback()
        self._take_up()
        if not self._has_room():
            self.close(keep=False)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @property
    def missing(self) -> list[int]:
        """Indexes of the chunks that are not here yet."""
        return list(compress(range(len(self._present)), self._present.translate(_INVERTED)))

    def held(self) -> bytes:
        """A bit for each chunk that is here, the lowest of each byte first."""
        bits = bytearray((len(self._present) + 7) // 8)
        for index, present in enumerate(self._present):
            bits[index >> 3] |= present << (index & 7)
        return bytes(bits)

    @property
    def closed(self) -> bool:
        """True when it was finished or left."""
        return self._file.closed

    def pieces(self) -> list[Piece]:
        """What is missing, and not to be had here, in parts that one Request may ask for."""
        found: list[Piece] = []
        indexes: list[int] = []
        size = 0
        for index in self._nowhere():
            more = self.spans.size(index, index + 1)
            if indexes and (size + more > RESPONSE_DATA_BYTES_MAX or len(indexes) == REQUEST_ITEMS_MAX):
                found.append(Piece(tuple(indexes), size))
                indexes, size = [], 0
            indexes.append(index)
            size += more
        return [*found, Piece(tuple(indexes), size)] if indexes else found

    def _nowhere(self) -> Iterator[int]:
        known = self._present.copy()
        for _, stretch in self._elsewhere:
            known[stretch.start : stretch.stop] = b"\1" * len(stretch)
        return compress(range(len(known)), known.translate(_INVERTED))

    def reuse(self, find: FindChunks) -> None:
        """Find the missing chunks that lie elsewhere on this disk, for `copy`; the others can be asked for by then."""
        missing = self.missing
        sources = find({self.spans[index][0] for index in missing})
        self._elsewhere = list(_stretches(self.spans, missing, sources))

    def reuse_version(self, file: Path, spans: Sequence[Span], taken: Iterable[Taken]) -> None:
        """The same for those that an older version has, a file that is cut into `spans`."""
        self._elsewhere = [
            ((file, spans[one.before + stretch.start - one.first].offset), stretch)
            for one in taken
            for stretch in self._missing_stretches(one.first, one.first + one.chunks)
        ]

    def _missing_stretches(self, begin: int, end: int) -> Iterator[range]:
        """Of these chunks, those that follow each other."""
        while (begin := self._first(False, begin, end)) < end:
            stretch = self._stretch(begin, self._first(True, begin, end))
            yield stretch
            begin = stretch.stop

    def _first(self, present: bool, begin: int, end: int) -> int:
        """The first of these chunks that is here, or is not; the end if there is none."""
        index = self._present.find(present, begin, end)
        return index if index >= 0 else end

    def _stretch(self, begin: int, end: int) -> range:
        """As many of these chunks as are handled at once: STRETCH_BYTES_MAX, one at least."""
        too_far = self._offsets[begin] + STRETCH_BYTES_MAX
        return range(begin, bisect_right(self._offsets, too_far, begin + 2, end + 1) - 1)

    def copy(self) -> None:
        """Take what was found elsewhere; what is not there any more stays missing. Raises OSError of our own file.

        What came before anybody named it is hashed meanwhile.
        """
        stretches, self._elsewhere = self._elsewhere, []
        size = sum(self._size(stretch) for stretch in (*(stretch for _, stretch in stretches), self._drafted))
        is_followed = size >= FOLLOW_FROM_BYTES and not self._file.closed
        with self._followed() if is_followed else contextlib.nullcontext(), _Readers() as readers:
            for source, stretch in stretches:
                data = readers.read(source, self._size(stretch))
                if data is not None:
                    self._take_over(stretch, data)

    def _take_over(self, stretch: range, data: memoryview) -> None:
        with self._lock:
            if self._file.closed:
                return
            self._write_at(self._offsets[stretch.start], data)
            self._writeback.begin(self._file.fileno(), len(data))
            self._trusted.update(stretch)
            self._present[stretch.start : stretch.stop] = b"\1" * len(stretch)
            if self._is_followed:
                self._more_is_here.notify()
            else:
                self._hash_on({})

    def _size(self, stretch: range) -> int:
        return self.spans.size(stretch.start, stretch.stop)

    @contextlib.contextmanager
    def _followed(self) -> Iterator[None]:
        """Another thread hashes the whole as it grows; at the end, all that is here without a gap is hashed."""
        with open_shared(self._part) as reader, ThreadPoolExecutor(1, "follow") as thread:
            self._is_copying = self._is_followed = True
            following = thread.submit(self._follow, reader)
            try:
                yield
            finally:
                with self._lock:
                    self._is_copying = False
                    self._more_is_here.notify()
            following.result()

    def _follow(self, reader: FileIO) -> None:
        """What is here stays as it is: it is read and hashed while others write behind it. Raises OSError."""
        buffer = memoryview(bytearray(STRETCH_BYTES_MAX + CHUNK_BYTES_MAX))
        try:
            while stretch := self._next_stretch():
                data = buffer[: self._size(stretch)]
                reader.seek(self._offsets[stretch.start])
                if not _read_into(reader, data):
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                self._hash(stretch, data)
        finally:
            self._is_followed = False

    def _next_stretch(self) -> range:
        """Waits for it; empty when there is none, and whoever writes now hashes, too."""
        with self._lock:
            while not (stretch := self._grown()) and self._is_copying:
                self._more_is_here.wait()
            self._is_followed = bool(stretch)
            return stretch

    def write(self, chunks: Sequence[int], data: Sequence[Data]) -> list[int]:
        """Write chunks by their indexes; returns those that do not fit the manifest. Raises OSError.

        Nothing happens when it was left meanwhile.
        """
        good = {index: one for index, one in zip(chunks, data, strict=True) if self._fits(index, one)}
        bad = [index for index in chunks if index not in good]
        with self._lock:
            if self._file.closed:
                return []
            for offset, run in _runs(self.spans, good):
                self._write_at(offset, run)
                self._writeback.wrote(self._file.fileno(), len(run))
            for index in good:
                self._present[index] = 1
            if self._is_followed:
                self._more_is_here.notify()
            else:
                self._hash_on(good)
        return bad

    def read(self, index: int) -> bytes | None:
        """A chunk that is here already, verified; None if it is not. Raises OSError."""
        if not 0 <= index < len(self.spans) or not self._present[index]:
            return None
        with self._lock:
            if self._file.closed:
                return None
            data = self._read_at(self.spans[index])
        return data if self._fits(index, data) else None

    def finish(self) -> bool | None:
        """Verify the whole and give it its name in staging, flushed; False, and nothing is left, if it is another.

        None if some chunks that were taken from other files are not what they should be: `pieces` tells which.
        Raises OSError.
        """
        with self._lock:
            self._hash_on({})
            is_whole = self._hashed_chunks == len(self.spans) and self._whole.digest() == self.manifest.content
            if self._is_doubted or not is_whole:
                return self._distrust()
        sync_descriptor(self._file.fileno())  # others may read what is here meanwhile
        with self._lock:
            self._file.close()
            os.replace(self._part, self._staging.path(self.manifest.content))
            return True

    def _distrust(self) -> bool | None:
        """Look at each chunk that was not verified by itself: None if some of them are wrong, else False."""
        for index in self._trusted:
            self._present[index] = self._fits(index, self._read_at(self.spans[index]))
        self._trusted.clear()
        self._drafted, self._is_doubted = range(0), False
        self._whole = blake3()
        self._hashed_chunks = 0
        if self.missing:
            return None
        self._file.close()
        self._part.unlink()
        return False

    def close(self, keep: bool) -> None:
        """Leave it; `keep` for a later attempt. Raises OSError."""
        with self._lock:
            self._file.close()
            if not keep:
                self._part.unlink(missing_ok=True)

    def _fits(self, index: int, data: Data) -> bool:
        return 0 <= index < len(self.spans) and blake3(data).digest() == self.spans[index].hash

    def _take_up(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if size < self.manifest.size:  # a draft, see `Draft`: an earlier attempt has its full size, and gaps
            self._take_draft(size)
        else:
            for index, span in enumerate(self.spans):
                self._present[index] = self._fits(index, self._read_at(span))
        self._file.truncate(self.manifest.size)

    def _take_draft(self, size: int) -> None:
        whole = bisect_right(self._offsets, size) - 1
        self._present[:whole] = b"\1" * whole
        self._drafted = range(whole)
        self._trusted.update(self._drafted)

    def _has_room(self) -> bool:
        """A file that cannot become whole must not fill the disk for all others."""
        missing = compress(self.manifest.chunks, self._present.translate(_INVERTED))
        return fits_on_disk(self._staging, sum([size for _, size in missing]))

    def _hash_on(self, at_hand: Mapping[int, Data]) -> None:
        """Hash the whole as far as it is here without a gap."""
        while self._hashed_chunks < len(self.spans) and self._present[self._hashed_chunks]:
            data = at_hand.get(self._hashed_chunks)
            if data is None:
                self._hash_stretch(at_hand)
            else:
                self._whole.update(data)
                self._hashed_chunks += 1

    def _hash_stretch(self, at_hand: Collection[int]) -> None:
        """Read what is here and follows."""
        stretch = self._grown(at_hand)
        self._hash(stretch, self._read(self._offsets[stretch.start], self._size(stretch)))

    def _hash(self, stretch: range, data: Data) -> None:
        self._whole.update(data)
        self._hashed_chunks = stretch.stop
        if stretch.start in self._drafted and not self._is_doubted:
            begin, view = self.spans[stretch.start].offset, memoryview(data)
            for index in range(stretch.start, min(stretch.stop, self._drafted.stop)):
                at = self.spans[index].offset - begin
                self._is_doubted |= not self._fits(index, view[at : at + self.spans[index].size])

    def _grown(self, at_hand: Collection[int] = ()) -> range:
        """The chunks that are here, follow what was hashed, and are not at hand; empty if there are none."""
        first = self._hashed_chunks
        end = min([index for index in at_hand if index >= first], default=len(self.spans))
        end = self._first(False, first, end)
        return self._stretch(first, end) if end > first else range(first, first)

    def _read_at(self, span: Span) -> bytes:
        return self._read(span.offset, span.size)

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size) or b""

    def _write_at(self, offset: int, data: Data) -> None:
        self._file.seek(offset)
        view = memoryview(data)
        while len(view):
            view = view[self._file.write(view) :]


def check_room(staging: Staging, content: ContentId, size: int, file_class: str = ORDINARY) -> None:
    """Before a big file is asked for: whoever announces it may claim any size. Raises OSError where it cannot fit."""
    part = staging.part(content, file_class)
    here = getattr(part.stat(), "st_blocks", 0) * 512 if part.exists() else 0
    if not fits_on_disk(staging, size - here):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fits_on_disk(staging: Staging, needed: int) -> bool:
    """Whether so many bytes more leave room for small files."""
    return needed <= 0 or needed + ROOM_LEFT_BYTES <= shutil.disk_usage(staging.root).free


def _open_part(path: Path) -> FileIO:
    """Opened for reading and writing, made when missing; a link or another thing of that name is not followed."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    return FileIO(os.open(path, flags, 0o666), "r+b")


def _stretches(
    spans: Sequence[Span], indexes: Sequence[int], sources: Mapping[bytes, Source]
) -> Iterator[tuple[Source, range]]:
    """Chunks that follow each other, and do so where they come from, too, are read together."""
    begin = end = size = at = 0
    file = Path()
    for index in indexes:
        digest, _, length = spans[index]
        source = sources.get(digest)
        if source is None:
            continue
        if index != end or source[1] != at + size or size + length > STRETCH_BYTES_MAX or source[0] is not file:
            if begin != end:
                yield (file, at), range(begin, end)
            (file, at), begin, size = source, index, 0
        end = index + 1
        size += length
    if begin != end:
        yield (file, at), range(begin, end)


def _runs(spans: Sequence[Span], chunks: Mapping[int, Data]) -> Iterator[tuple[int, bytes]]:
    """Chunks that follow each other in the file are written together: (offset, bytes)."""
    run: list[Data] = []
    first = following = 0
    for index in sorted(chunks):
        if run and index != following:
            yield spans[first].offset, b"".join(run)
            run = []
        if not run:
            first = index
        run.append(chunks[index])
        following = index + 1
    if run:
        yield spans[first].offset, b"".join(run)


class _Readers:
    """The files that chunks are copied from, each opened once; one that cannot be read just has nothing."""

    def __init__(self) -> None:
        self._files: dict[Path, FileIO | None] = {}
        self._buffer = memoryview(bytearray(STRETCH_BYTES_MAX + CHUNK_BYTES_MAX))

    def __enter__(self) -> _Readers:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            if file is not None:
                file.close()

    def read(self, source: Source, size: int) -> memoryview | None:
        """Into the same buffer again and again; None unless all of it is there."""
        path, offset = source
        if path not in self._files:
            self._files[path] = None
            with contextlib.suppress(OSError):
                self._files[path] = open_shared(path)
        file = self._files[path]
        if file is None:
            return None
        with contextlib.suppress(OSError):
            file.seek(offset)
            data = self._buffer[:size]
            return data if _read_into(file, data) else None
        return None


def _read_into(file: FileIO, buffer: memoryview) -> bool:
    """False if the file ends before. Raises OSError."""
    done = 0
    while done < len(buffer) and (count := file.readinto(buffer[done:])):
        done += count
    return done == len(buffer)
