"""Reading a file whole while programs may be writing to it: what is returned stood on the disk at one moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from p2psync.books.completeness import HEAD_BYTES, TAIL_BYTES
from p2psync.core.ids import ContentId
from p2psync.core.value import value
from p2psync.fs.clone import PIECE_BYTES, pieces
from p2psync.fs.reading import open_shared

READS_MAX = 3
"""Of a small file that changes while it is read; a big one is left to stand still first."""


class Stopped(Exception):
    """Nobody wants to know any more."""


@value
class Reading:
    """A file's bytes at one moment, as far as they matter."""

    stat: os.stat_result
    """From before the first byte was read, and the same after the last."""
    content: ContentId
    head: bytes
    tail: bytes


def read_stable(path: str | Path, stopped: Callable[[], bool] = lambda: False) -> Reading | None:
    """Read and hash a regular file; None if it changes while it is read.

    Raises OSError, and Stopped soon after `stopped` says so.
    """
    for _ in range(READS_MAX):
        reading, size = _read_once(path, stopped)
        if reading is not None or size > PIECE_BYTES:
            return reading
    return None


def _read_once(path: str | Path, stopped: Callable[[], bool]) -> tuple[Reading | None, int]:
    """What was read, if the file stood still, and its size."""
    with open_shared(path) as reader:
        before = os.fstat(reader.fileno())
        hasher = blake3()
        head = tail = b""
        count = 0
        for piece in pieces(reader, before.st_size):
            if stopped():
                raise Stopped
            hasher.update(piece)
            if not count:
                head = bytes(piece[:HEAD_BYTES])
            tail = (tail + bytes(piece[-TAIL_BYTES:]))[-TAIL_BYTES:]
            count += len(piece)
        after = os.fstat(reader.fileno())
    if count != before.st_size or _times(after) != _times(before):
        return None, before.st_size
    return Reading(before, ContentId(hasher.digest()), head, tail), count


def _times(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns
