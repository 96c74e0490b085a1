"""The beginning of a big file that comes before anybody has named its content: kept under a name of its own.

It is a hint like all that comes unasked. Once a change names what the path holds, an `Assembly` takes it up as it takes
up what an earlier attempt left: each chunk of it counts if it verifies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

from p2psync.fs.assembly import fits_on_disk
from p2psync.fs.clone import write_all
from p2psync.fs.staging import TEMPORARY_PREFIX, WRITE_NEW, Staging
from p2psync.fs.writeback import Writeback


class Draft:
    """Of one file, written in order; safe to use from several threads."""

    def __init__(self, staging: Staging, size: int) -> None:
        """`size` is what the whole file is said to have, in bytes. Nothing is on the disk before the first `append`."""
        self._staging = staging
        self._to_come = size
        self._path = staging.fresh(TEMPORARY_PREFIX)
        self._descriptor: int | None = None
        self._is_over = False
        self._lock = threading.Lock()
        self._writeback = Writeback()

    def append(self, data: bytes) -> bool:
        """False once it is over, as it is where the disk fails or would have no room for the whole."""
        with self._lock:
            if not self._is_over:
                try:
                    self._append(data)
                except OSError:
                    self._end()
            return not self._is_over

    def _append(self, data: bytes) -> None:
        if not fits_on_disk(self._staging, max(self._to_come, len(data))):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._descriptor is None:
            self._descriptor = os.open(self._path, WRITE_NEW, 0o666)
        write_all(self._descriptor, data)
        self._to_come -= len(data)
        self._writeback.wrote(self._descriptor, len(data))

    def become(self, part: Path) -> None:
        """What there is of it is an earlier attempt at that file from now on, unless there was one."""
        with self._lock:
            if self._descriptor is not None and not part.exists():
                with contextlib.suppress(OSError):
                    self._close()
                    self._path.replace(part)
            self._end()

    def drop(self) -> None:
        """Nothing of it is left; the same when it is over already."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        self._is_over = True
        if self._descriptor is not None:
            self._close()
        with contextlib.suppress(OSError):  # then it goes at the next start
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        assert self._descriptor is not None
        descriptor, self._descriptor = self._descriptor, None
        os.close(descriptor)
