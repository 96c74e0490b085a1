"""What a file carries beside its bytes: modification time, executable bit, hidden, read-only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from pathlib import Path
from typing import Any

from p2psync.core.entry import EXECUTABLE, HIDDEN, Entry

WINDOWS_HIDDEN = 0x2
PERMISSIONS = 0o777
READ_BITS = 0o444
WRITE_BITS = 0o222
CAN_USE_DESCRIPTORS = {os.utime, os.chmod} <= os.supports_fd


def set_attributes(path: str | Path | int, entry: Entry, kept: int) -> os.stat_result:
    """Give a file of ours, which no program knows yet, the time and mode of `entry`. Raises OSError.

    `path` may be a descriptor where the system CAN_USE_DESCRIPTORS. `kept`: the bits of a mode that its disk keeps.
    Returns its stat, in which the mode may be that of before.
    """
    with contextlib.suppress(OverflowError, PermissionError):  # a time that cannot be set here: the present one stays
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
    found = os.fstat(path) if isinstance(path, int) else os.lstat(path)
    _set_mode(path, entry.mode, kept, found.st_mode, None)
    return found


def set_mode(path: str | Path, mode: int, kept: int, like: int | None = None) -> None:
    """Set the bits of an entry's mode that the disk keeps; time and bytes stay. Raises OSError.

    `like`: the st_mode of the file it replaces, if any: who may read and write it stays as the user had set it.
    """
    _set_mode(path, mode, kept, os.stat(path).st_mode, like)


def _set_mode(path: str | Path | int, mode: int, kept: int, before: int, like: int | None) -> None:
    if not kept:
        return
    if os.name == "nt":
        assert not isinstance(path, int)
        set_hidden(path, bool(mode & HIDDEN), ctypes.CDLL("kernel32", use_last_error=True))
        return
    found = before & PERMISSIONS
    wanted = with_executable(found if like is None else like & PERMISSIONS, bool(mode & EXECUTABLE))
    if wanted != found:
        os.chmod(path, wanted)


def with_executable(permissions: int, executable: bool) -> int:
    """Whoever may read it may execute it, or nobody may; unchanged where the owner's bit says so already."""
    if bool(permissions & stat.S_IXUSR) == executable:
        return permissions
    return permissions | (permissions & READ_BITS) >> 2 if executable else permissions & ~0o111


def is_read_only(path: str | Path) -> bool:
    """Whether its owner may not write it; on Windows, whether it has the read-only attribute. Raises OSError."""
    return not os.stat(path).st_mode & stat.S_IWUSR


def set_read_only(path: str | Path, read_only: bool) -> None:
    """Let nobody write a file, or its owner again; Python tells Windows by the same bit. Raises OSError."""
    found = os.stat(path).st_mode & PERMISSIONS
    os.chmod(path, found & ~WRITE_BITS if read_only else found | stat.S_IWUSR)


def set_hidden(path: str | Path, hidden: bool, kernel32: Any) -> None:
    """Set or clear Windows' hidden attribute. Raises OSError."""
    found = kernel32.GetFileAttributesW(str(path))
    wanted = found | WINDOWS_HIDDEN if hidden else found & ~WINDOWS_HIDDEN
    if wanted != found and not kernel32.SetFileAttributesW(str(path), wanted):
        raise OSError(0, "the hidden attribute could not be set", str(path))
