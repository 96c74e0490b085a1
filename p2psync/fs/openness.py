"""Whether some program has a file open just now, as far as this system tells.

Linux shows every open file of this user's programs, and the locks of everybody. Windows refuses to open a file alone
that somebody else has open. Elsewhere only a lock is seen.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from p2psync.fs.exchange import FileLocked, windows_error

PROCESSES = Path("/proc")
GENERIC_READ = 0x80000000
ALONE = 0
"""Nobody else may have it open at the same time."""
OPEN_EXISTING = 3
INVALID_HANDLE = (-1, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)

_File = tuple[int, int]
"""Device and inode number."""


def is_open(path: str | Path) -> bool:
    """False where nothing stands, and where the system does not tell. Raises OSError for what cannot be looked at."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    if sys.platform.startswith("linux"):
        file = (found.st_dev, found.st_ino)
        return is_locked(file, PROCESSES) or is_held(file, PROCESSES, os.getpid())
    if sys.platform == "win32":
        import ctypes

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.CreateFileW.restype = ctypes.c_void_p
        return is_shared_out(path, kernel32, ctypes.get_last_error)
    return _is_flocked(path)


def is_written(path: str | Path) -> bool:
    """Whether some program has it open for writing; where the system does not tell what for, open at all.

    Raises OSError for what cannot be looked at.
    """
    if not sys.platform.startswith("linux"):
        return is_open(path)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return is_held((found.st_dev, found.st_ino), PROCESSES, os.getpid(), for_writing=True)


def is_held(file: _File, processes: Path, own: int, *, for_writing: bool = False) -> bool:
    """Whether a process of this user, other than `own`, has it open."""
    with contextlib.suppress(OSError), os.scandir(processes) as listed:
        numbers = [entry.name for entry in listed if entry.name.isdecimal() and int(entry.name) != own]
        return any(_holds(processes / number, file, for_writing) for number in numbers)
    return False


def is_locked(file: _File, processes: Path) -> bool:
    """Whether anybody has a lock on it, other users too; our own programs take none on users' files."""
    device, inode = file
    wanted = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    with contextlib.suppress(OSError):
        return any(wanted in line.split() for line in (processes / "locks").read_text().splitlines())
    return False


def is_shared_out(path: str | Path, kernel32: Any, last_error: Any) -> bool:
    """Windows: whether it cannot be had alone. Raises OSError for any other reason than that."""
    handle = kernel32.CreateFileW(str(path), GENERIC_READ, ALONE, None, OPEN_EXISTING, 0, None)
    if handle in INVALID_HANDLE:
        error = windows_error(last_error(), path)
        if isinstance(error, FileLocked):
            return True
        raise error
    kernel32.CloseHandle(handle)
    return False


def _holds(process: Path, file: _File, for_writing: bool) -> bool:
    """Processes end, and those of others keep their files to themselves."""
    with contextlib.suppress(OSError), os.scandir(process / "fd") as listed:
        for entry in listed:
            with contextlib.suppress(OSError):
                found = os.stat(entry.path)
                if (found.st_dev, found.st_ino) == file and not (for_writing and not _writes(process, entry.name)):
                    return True
    return False


def _writes(process: Path, number: str) -> bool:
    """A line of it says with which flags it was opened, in octal digits."""
    lines = (process / "fdinfo" / number).read_text().splitlines()
    flags = next((int(line.split()[1], 8) for line in lines if line.startswith("flags:")), 0)
    return flags & os.O_ACCMODE != os.O_RDONLY


def _is_flocked(path: str | Path) -> bool:
    import fcntl

    with open(path, "rb") as reader:
        try:
            fcntl.flock(reader, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(reader, fcntl.LOCK_UN)
    return False
