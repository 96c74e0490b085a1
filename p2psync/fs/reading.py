"""Opening a user's file for reading so that no program is ever in its own user's way.

On Windows a reader that does not share everything makes a program's save fail; elsewhere a pipe that took a file's
name would make the reader wait for ever, and a link would lead it out of the folder.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

from p2psync.fs.exchange import windows_error

GENERIC_READ = 0x80000000
SHARE_ALL = 7
"""Others may read, write, and delete or rename."""
OPEN_EXISTING = 3
OPEN_LINK_ITSELF = 0x00200000
INVALID_HANDLE = (-1, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


def open_shared(path: str | Path) -> FileIO:
    """A regular file, unbuffered. Raises OSError, also when something else stands there."""
    return FileIO(open_descriptor(path)[0], "rb")


def open_descriptor(path: str | Path) -> tuple[int, os.stat_result]:
    """The same as a descriptor, which the caller closes, and its fstat: so a storm of small files is read."""
    descriptor = _open_descriptor(path)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return descriptor, found
    os.close(descriptor)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def read_up_to(descriptor: int, size: int) -> bytes:
    """Less only at the file's end. Raises OSError."""
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


if sys.platform == "win32":

    def _open_descriptor(path: str | Path) -> int:
        import ctypes
        import msvcrt

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.CreateFileW.restype = ctypes.c_void_p
        return msvcrt.open_osfhandle(windows_handle(path, kernel32, ctypes.get_last_error), os.O_RDONLY | os.O_BINARY)

else:

    def _open_descriptor(path: str | Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def windows_handle(path: str | Path, kernel32: Any, last_error: Callable[[], int]) -> int:
    """CreateFileW with every kind of sharing. Raises OSError."""
    handle = kernel32.CreateFileW(str(path), GENERIC_READ, SHARE_ALL, None, OPEN_EXISTING, OPEN_LINK_ITSELF, None)
    if handle in INVALID_HANDLE:
        raise windows_error(last_error(), path)
    return int(handle)
