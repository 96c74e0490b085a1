"""Bulk reaches the medium while it comes, in small portions, so that a flush beside it has little to wait for.

A flush of one small file, or of the database, waits until the drive has written all that it took before. Of a big
file at the speed of a LAN that were tens of megabytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from p2psync.fs.durable import flush_bytes, start_writeback

PORTION_BYTES = 1 << 20
"""After so many the system is asked to begin writing."""
FLUSH_BYTES = 2 << 20
"""After so many the drive is asked to finish."""
RESTS = 4
"""A flush is followed by so many times as long without one."""
SLOW_S = 0.025
RESTS_SLOW = 100
"""The same after one that took so long: a slow drive, or a busy one, has better things to do."""


class Writeback:
    """Of one file that grows."""

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._now_s = now_s
        self._unbegun = self._unflushed = 0
        self._next_s = now_s()

    def wrote(self, fd: int, size: int) -> None:
        """So many bytes more were written as they came. Raises OSError where the disk lost some of them."""
        self._unflushed += size
        begun_s = self._now_s()
        if self._unflushed >= FLUSH_BYTES and begun_s >= self._next_s:
            flush_bytes(fd)
            ended_s = self._now_s()
            took_s = ended_s - begun_s
            self._next_s = ended_s + (RESTS if took_s < SLOW_S else RESTS_SLOW) * took_s
            self._unbegun = self._unflushed = 0
        else:
            self.begin(fd, size)

    def begin(self, fd: int, size: int) -> None:
        """The same without ever waiting, for what this PC had elsewhere.

        That comes as fast as memory is: to wait for the drive now and then would hold it up, and yet not keep short
        what the drive has to write. Raises OSError.
        """
        self._unbegun += size
        if self._unbegun >= PORTION_BYTES:
            start_writeback(fd, 0, 0)
            self._unbegun = 0
