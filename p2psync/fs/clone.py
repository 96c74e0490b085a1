"""Copying a file so that the copy certainly holds the content that is wanted, sharing blocks where the disk can."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path

from blake3 import blake3

from p2psync.core.ids import ContentId
from p2psync.fs.reading import open_shared

PIECE_BYTES = 1 << 20
"""Read, hashed and written at a time."""
AHEAD_FROM_BYTES = 4 << 20
"""Smaller files are read before a thread has begun."""
AHEAD_MAX = 4
"""Pieces; who uses them takes many together now and then."""
SHARE_FROM_BYTES = 256 * 1024
"""Smaller files are simply copied: sharing blocks saves nothing there."""
FICLONE = 0x40049409


def copy_verified(source: Path, target: Path, content: ContentId) -> bool:
    """Make `target`, which must not exist, a copy of `source` if that holds `content`; else leave nothing.

    Raises OSError where the disk fails; the copy is not flushed.
    """
    try:
        with open_shared(source) as reader, target.open("xb", buffering=0) as writer:
            same = _copy(reader, writer) == content
    except BaseException as error:
        if not isinstance(error, FileExistsError):
            target.unlink(missing_ok=True)
        raise
    if not same:
        target.unlink()
    return same


def content_of_file(path: str | Path, between: Callable[[], None] = lambda: None) -> ContentId:
    """The content id of what a file holds now; `between` is called after each piece. Raises OSError."""
    with open_shared(path) as reader:
        return _hash(reader, between)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Raises OSError; a full disk may leave a part."""
    view = memoryview(data)
    while len(view):
        view = view[os.write(fd, view) :]


def _copy(reader: FileIO, writer: FileIO) -> ContentId:
    size = os.fstat(reader.fileno()).st_size
    if size >= SHARE_FROM_BYTES and _share_blocks(reader.fileno(), writer.fileno()):
        with open(str(writer.name), "rb", buffering=0) as copy:
            return _hash(copy)
    hasher = blake3()
    for piece in pieces(reader, size):
        hasher.update(piece)
        write_all(writer.fileno(), piece)
    return ContentId(hasher.digest())


def _hash(reader: FileIO, between: Callable[[], None] = lambda: None) -> ContentId:
    hasher = blake3()
    for piece in pieces(reader, os.fstat(reader.fileno()).st_size):
        hasher.update(piece)
        between()
    return ContentId(hasher.digest())


def pieces(reader: FileIO, size: int, buffers: int = 1) -> Iterator[memoryview]:
    """A file of `size` bytes; one byte more tells that it grows, perhaps as fast as it is read.

    The same buffers in turn, again and again: with one, each piece must be used before the next is taken.
    """
    left = size + 1
    views = [memoryview(bytearray(min(left, PIECE_BYTES))) for _ in range(buffers)]
    for view in itertools.cycle(views):
        count = reader.readinto(view[:left]) if left else 0
        if not count:
            return
        left -= count
        yield view[:count]


def hashed_pieces(
    reader: FileIO, size: int, whole: blake3, ahead: Callable[[], bool] = lambda: True
) -> Generator[memoryview, None, None]:
    """The same, where `whole` is told each; to be closed before the reader is.

    While `ahead`, another thread reads and hashes the next ones of a big file while one is used.
    """
    is_big = size >= AHEAD_FROM_BYTES
    source = pieces(reader, size, buffers=1 + AHEAD_MAX if is_big else 1)

    def next_one() -> memoryview | None:
        piece = next(source, None)
        if piece is not None:
            whole.update(piece)
        return piece

    with ThreadPoolExecutor(1, "read-ahead") as thread:
        coming: deque[Future[memoryview | None]] = deque()
        while (piece := coming.popleft().result() if coming else next_one()) is not None:
            while is_big and len(coming) < AHEAD_MAX and ahead():
                coming.append(thread.submit(next_one))
            yield piece


def _share_blocks(source: int, target: int) -> bool:
    """True if the file system let both files share their blocks (btrfs, XFS, bcachefs)."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    with contextlib.suppress(OSError):  # whatever the reason is, copying finds out whether it matters
        fcntl.ioctl(target, FICLONE, source)
        return True
    return False
