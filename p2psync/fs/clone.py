"""Copying a file so that the copy certainly holds the content that is wanted, sharing blocks where the disk can."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from blake3 import blake3

from p2psync.core.ids import ContentId
from p2psync.fs.reading import open_shared

PIECE_BYTES = 1 << 20
"""Read, hashed and written at a time."""
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


def pieces(reader: FileIO, size: int, room: Callable[[int], memoryview] | None = None) -> Iterator[memoryview]:
    """A file of `size` bytes; one byte more tells that it grows, perhaps as fast as it is read.

    `room` tells where to read so many bytes to; else the same buffer is used again and again. Each piece must be used
    before the next is taken.
    """
    left = size + 1
    room = room or _one_buffer(min(left, PIECE_BYTES))
    while left and (count := reader.readinto(view := room(min(left, PIECE_BYTES)))):
        left -= count
        yield view[:count]


def _one_buffer(size: int) -> Callable[[int], memoryview]:
    buffer = memoryview(bytearray(size))
    return lambda count: buffer[:count]


def _share_blocks(source: int, target: int) -> bool:
    """True if the file system let both files share their blocks (btrfs, XFS, bcachefs)."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    with contextlib.suppress(OSError):  # whatever the reason is, copying finds out whether it matters
        fcntl.ioctl(target, FICLONE, source)
        return True
    return False
