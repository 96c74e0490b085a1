"""Making sure that bytes and names survive a power cut, at the price of one flush a batch where the system can.

A flush for each of 10,000 small files costs more than everything else together; one `syncfs` for 250 of them
costs as much as a few. It flushes what other programs write on that disk too, so a few files are flushed singly.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SINGLY_MAX = 15
"""Up to this many files or directories are flushed one by one, more by one flush of their whole file system."""
SYNC_FILE_RANGE_WRITE = 2

_LIBC: Any = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def sync_files(paths: Iterable[str | Path], root: Path) -> None:
    """Returns when the bytes of all paths are on the medium; `root` lies on the same file system. Raises OSError."""
    several = list(paths)
    if len(several) > SINGLY_MAX and _sync_file_system(root):
        return
    for path in several:
        sync_file(path)


def sync_directories(paths: Iterable[str | Path], root: Path) -> None:
    """The same for the names in directories; those that are gone meanwhile are skipped."""
    if os.name == "nt":
        return  # NTFS journals names by itself, and directories cannot be flushed
    several = list(paths)
    if len(several) > SINGLY_MAX and _sync_file_system(root):
        return
    for path in several:
        with contextlib.suppress(FileNotFoundError):
            sync_file(path)


def sync_file(path: str | Path) -> None:
    """Flush one file or directory. Raises OSError."""
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0) if os.name == "nt" else os.O_RDONLY)
    try:
        sync_descriptor(fd)
    finally:
        os.close(fd)


def sync_descriptor(fd: int) -> None:
    """fsync that means it: macOS keeps bytes in the drive's cache unless asked for more. Raises OSError."""
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    os.fsync(fd)


def start_writeback(fd: int, offset: int, length: int) -> None:
    """Ask the system to begin writing a range now, so that a later flush of something else does not wait for it."""
    if _LIBC is not None:
        _LIBC.sync_file_range(fd, ctypes.c_longlong(offset), ctypes.c_longlong(length), SYNC_FILE_RANGE_WRITE)


def flush_bytes(fd: int) -> None:
    """Wait until the bytes of a file are on the medium; nothing happens where the system cannot do that for one file
    alone and cheaply. Raises OSError."""
    if _LIBC is not None:
        os.fdatasync(fd)


def _sync_file_system(root: Path) -> bool:
    if _LIBC is None:
        return False
    fd = os.open(root, os.O_RDONLY)
    try:
        return bool(_LIBC.syncfs(fd) == 0)
    finally:
        os.close(fd)
