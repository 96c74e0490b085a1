"""Reading a file whole while programs may be writing to it: what is returned stood on the disk at one moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path

from blake3 import blake3

from p2psync.books.completeness import HEAD_BYTES, TAIL_BYTES
from p2psync.core.chunking import MANIFEST_THRESHOLD_BYTES, NOTHING, Chunker, Layout, Span
from p2psync.core.ids import ContentId, content_of
from p2psync.core.value import value
from p2psync.fs.clone import PIECE_BYTES, pieces
from p2psync.fs.reading import open_descriptor, read_up_to
from p2psync.fs.tagging import tag_of

READS_MAX = 3
"""Of a small file that changes while it is read; a big one is left to stand still first."""
SMALL_BYTES = 64 << 10
"""Read in one piece."""
CUT_BYTES_MAX = 4 << 30
"""Larger files are cut when a peer asks for them: the list of their chunks would take long to make, and much memory."""


Tell = Callable[[Sequence[Span]], None]
"""Hears how a big file is cut while it is read: what was cut since the last time."""


def tell_nobody(_spans: Sequence[Span]) -> None:
    """Nobody wants to know before it is read."""


class Stopped(Exception):
    """Nobody wants to know any more."""


class TooLarge(Exception):
    """It holds more than was to be read."""


@value
class Reading:
    """A file's bytes at one moment, as far as they matter."""

    stat: os.stat_result
    """From before the first byte was read, and the same after the last."""
    content: ContentId
    head: bytes
    tail: bytes
    layout: Layout = NOTHING
    """If it is so large that it travels in chunks: whoever fetches it asks for that soon."""
    data: bytes | None = None
    """All of a small file."""


def read_stable(
    path: str | Path,
    stopped: Callable[[], bool] = lambda: False,
    before: Layout = NOTHING,
    limit: int | None = None,
    tell: Tell = tell_nobody,
) -> Reading | None:
    """Read and hash a regular file; None if it changes while it is read.

    `before`: how it was cut when it was read last, as far as that is known: most of it may be the same. `limit`:
    of its bytes.

    Raises OSError, Stopped soon after `stopped` says so, TooLarge.
    """
    for _ in range(READS_MAX):
        reading, size = _read_once(path, stopped, before, limit, tell)
        if reading is not None or size > PIECE_BYTES:
            return reading
    return None


def _read_once(
    path: str | Path,
    stopped: Callable[[], bool],
    cut_before: Layout,
    limit: int | None,
    tell: Tell,
) -> tuple[Reading | None, int]:
    """What was read, if the file stood still, and its size."""
    descriptor, before = open_descriptor(path)
    if limit is not None and before.st_size > limit:
        os.close(descriptor)
        raise TooLarge
    if before.st_size <= SMALL_BYTES:
        return _read_small(descriptor, before, stopped), before.st_size
    with FileIO(descriptor, "rb") as reader:
        whole, cutting = blake3(), _Cutting(before.st_size, cut_before, tell)
        head = tail = b""
        count = 0
        for piece in pieces(reader, before.st_size, cutting.room):
            if stopped():
                raise Stopped
            whole.update(piece)
            if not count:
                head = bytes(piece[:HEAD_BYTES])
            tail = (tail + bytes(piece[-TAIL_BYTES:]))[-TAIL_BYTES:]
            count += len(piece)
            cutting.filled(len(piece))
        after = os.fstat(reader.fileno())
    if count != before.st_size or _times(after) != _times(before):
        return None, before.st_size
    return Reading(before, ContentId(whole.digest()), head, tail, cutting.finish()), count


def _read_small(descriptor: int, before: os.stat_result, stopped: Callable[[], bool]) -> Reading | None:
    """In as few steps as can be: at each of them another thread may take over, and thousands of files come at once."""
    try:
        if stopped():
            raise Stopped
        data = read_up_to(descriptor, before.st_size)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if len(data) != before.st_size or _times(after) != _times(before):
        return None
    return Reading(before, content_of(data), data[:HEAD_BYTES], data[-TAIL_BYTES:], data=data)


class _Cutting:
    """Cuts a file of `size` bytes that is fed in order, if it is to be cut."""

    def __init__(self, size: int, before: Layout, tell: Tell) -> None:
        is_cut = MANIFEST_THRESHOLD_BYTES < size <= CUT_BYTES_MAX
        self._chunker = Chunker(size, before, tag_of) if is_cut else None
        self._spans: list[Span] = []
        self._tell = tell

    @property
    def room(self) -> Callable[[int], memoryview] | None:
        return self._chunker.room if self._chunker is not None else None

    def filled(self, count: int) -> None:
        if self._chunker is not None:
            self._cut(self._chunker.filled(count))

    def finish(self) -> Layout:
        if self._chunker is None:
            return NOTHING
        self._cut(self._chunker.finish())
        return Layout(self._spans, self._chunker.stretches)

    def _cut(self, spans: Sequence[Span]) -> None:
        self._spans += spans
        self._tell(spans)


def _times(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns
