"""One daemon per home directory and folder: locks that the system drops when their process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from p2psync.errors import FolderError, HomeInUse

NAME = "lock"
NOT_A_LINK = getattr(os, "O_NOFOLLOW", 0)
"""Somebody else may put a link into the directory for temporary files."""
RUNTIME_DIRECTORY = Path("/run/user")
"""Where Linux has a directory for what runs, for each user who is logged in."""
LONG_BYTES = struct.calcsize("l")
FS_IOC_GETVERSION = 2 << 30 | LONG_BYTES << 16 | ord("v") << 8 | 1
"""Linux' <linux/fs.h>; other systems know no such request."""

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _running() -> Path:
        return Path(tempfile.gettempdir())

    def _generation(folder: Path) -> int:
        return 0
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _running() -> Path:
        running = RUNTIME_DIRECTORY / str(os.getuid())
        return running if running.is_dir() else Path(tempfile.gettempdir())

    def _generation(folder: Path) -> int:
        """Tells a directory from those that had its number before it; 0 where the disk does not count them."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return int.from_bytes(fcntl.ioctl(handle, FS_IOC_GETVERSION, bytes(LONG_BYTES))[:4], sys.byteorder)
        except OSError:
            return 0
        finally:
            os.close(handle)


class _FileLock:
    """Holds the lock of a file from its making to `release` or the end of the process.

    Raises BlockingIOError where another process, or another lock of this one, holds it, and OSError.
    """

    def __init__(self, path: Path):
        self._path = path
        self._handle: int | None = os.open(path, os.O_CREAT | os.O_RDWR | NOT_A_LINK, 0o600)
        try:
            _lock(self._handle)
        except PermissionError as error:  # as Windows says it
            self._close()
            raise BlockingIOError(*error.args) from error
        except OSError:
            self._close()
            raise

    def release(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class HomeLock(_FileLock):
    """Keeps another daemon out of a home directory. Raises HomeInUse, and OSError.

    The file stays: it is in nobody's way.
    """

    def __init__(self, home: Path):
        try:
            super().__init__(home / NAME)
        except BlockingIOError:
            raise HomeInUse(
                "Another p2psync already runs with the home directory {home}. Stop it first, or use another --home.",
                home=home,
            ) from None


class FolderLock(_FileLock):
    """Keeps this user's other daemons on this PC out of a mandate's folder. Raises FolderError, and OSError.

    The file lies elsewhere, named by what the folder is on this PC, whatever it is called: an open file in the folder
    would keep its drive from being taken out. It goes with its lock. A folder that was deleted a moment ago, and still
    counts as in use, is in no new folder's way, though disks give its number away again.
    """

    def __init__(self, folder: Path):
        what = folder.stat()
        path = _running() / f"p2psync-{what.st_dev:x}-{what.st_ino:x}-{_generation(folder):x}.{NAME}"
        while True:
            try:
                super().__init__(path)
            except BlockingIOError:
                raise FolderError(
                    "{folder} is in use by another p2psync on this PC. Choose another folder.", folder=folder
                ) from None
            if self._is_there():
                return
            self._close()  # it was removed by who had it, between its opening and its locking

    def release(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):  # Windows removes no open file: there it stays, and does no harm
                self._path.unlink()
        super().release()

    def _is_there(self) -> bool:
        assert self._handle is not None
        try:
            return os.path.samestat(os.fstat(self._handle), self._path.stat())
        except FileNotFoundError:
            return False
