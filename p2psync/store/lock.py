"""One daemon per home directory: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from p2psync.errors import HomeInUse

NAME = "lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HomeLock:
    """Holds the lock of a home directory from its making to `release` or the end of the process.

    Raises HomeInUse where another process, or another HomeLock of this one, holds it, and OSError. The file
    stays: if it were removed, two processes could each lock a file of this name.
    """

    def __init__(self, home: Path):
        self._handle: int | None = os.open(home / NAME, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(self._handle)
        except OSError as error:
            self.release()
            if not isinstance(error, BlockingIOError | PermissionError):
                raise
            raise HomeInUse(
                "Another p2psync already runs with the home directory {home}. Stop it first, or use another --home.",
                home=home,
            ) from None

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> HomeLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
