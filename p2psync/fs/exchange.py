"""Two atomic steps that placing stands on: exchange two files, and move a file to a name that is still free.

Each system has its own calls for them: Linux `renameat2`, macOS `renamex_np`, Windows `ReplaceFileW` and
`MoveFileExW`. `exchange_for` chooses; a disk that cannot exchange says `ExchangeUnsupported`, and
`fs.aside` does it there in journalled steps.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

AT_FDCWD = -100
RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
RENAME_SWAP = 2
RENAME_EXCL = 4
MOVEFILE_WRITE_THROUGH = 8
REPLACEFILE_IGNORE_MERGE_ERRORS = 2
UNABLE_TO_MOVE_REPLACEMENT_2 = 1177
"""ReplaceFileW moved the old file to its backup name and then failed: the target's name is free now."""
BACKUP_SUFFIX = ".out"

_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_LOCKED_CODES = frozenset({32, 33, 1175, 1176})  # sharing and lock violation; ReplaceFileW's words for the same
_ERRNO_OF_WINDOWS = {
    1: errno.ENOTSUP,
    2: errno.ENOENT,
    3: errno.ENOENT,
    5: errno.EACCES,
    17: errno.EXDEV,
    19: errno.EROFS,
    39: errno.ENOSPC,
    50: errno.ENOTSUP,
    80: errno.EEXIST,
    112: errno.ENOSPC,
    123: errno.ENAMETOOLONG,
    145: errno.ENOTEMPTY,
    183: errno.EEXIST,
    206: errno.ENAMETOOLONG,
    1295: errno.EDQUOT,
}


class ExchangeUnsupported(OSError):
    """This disk cannot exchange two files in one step."""


class FileLocked(OSError):
    """A program holds the file open and lets nobody else move it."""


class Exchange(Protocol):
    """How files change places on this system; both steps leave each file whole whatever happens."""

    def swap(self, staged: Path, target: Path) -> None:
        """Exchange two existing files: afterwards `staged` names what stood at `target`.

        Raises FileNotFoundError, FileLocked, ExchangeUnsupported, or OSError; then nothing has moved.
        """

    def move_new(self, source: str | Path, target: str | Path) -> None:
        """Rename a file to a name that is free. Raises FileExistsError if it is taken, FileLocked, or OSError."""


def exchange_for(platform: str, library: Any = None, last_error: Callable[[], int] | None = None) -> Exchange:
    """The exchange for a `sys.platform`; `library` and `last_error` stand in for the system's own in tests."""
    if platform == "win32":
        return WindowsExchange(library, last_error)
    if platform == "darwin":
        return MacExchange(library, last_error)
    if platform.startswith("linux"):
        return LinuxExchange(library, last_error)
    return LinkExchange()


class LinkExchange:
    """For systems without a call of their own: a hard link refuses a taken name, and nothing can be exchanged."""

    def swap(self, staged: Path, target: Path) -> None:
        raise ExchangeUnsupported(errno.ENOSYS, "no atomic exchange", str(target))

    def move_new(self, source: str | Path, target: str | Path) -> None:
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in _NOT_HERE | {errno.EPERM, errno.EMLINK}:
                raise
            _rename_if_free(source, target)
        else:
            os.unlink(source)


class FlaggedExchange(LinkExchange, ABC):
    """For systems with a rename that takes flags; a disk that lacks one of them needs links, or cannot exchange."""

    def __init__(self, library: Any, last_error: Callable[[], int] | None, exchange: int, no_replace: int) -> None:
        self._library = library or ctypes.CDLL(None, use_errno=True)
        self._last_error = last_error or ctypes.get_errno
        self._exchange = exchange
        self._no_replace = no_replace

    def swap(self, staged: Path, target: Path) -> None:
        code = self._rename(staged, target, self._exchange)
        if code in _NOT_HERE:
            raise ExchangeUnsupported(code, os.strerror(code), str(target))
        if code:
            raise OSError(code, os.strerror(code), str(target))

    def move_new(self, source: str | Path, target: str | Path) -> None:
        code = self._rename(source, target, self._no_replace)
        if code in _NOT_HERE:
            super().move_new(source, target)
        elif code:
            raise OSError(code, os.strerror(code), str(target))

    def _rename(self, source: str | Path, target: str | Path, flags: int) -> int:
        return self._last_error() if self._call(os.fsencode(source), os.fsencode(target), flags) else 0

    @abstractmethod
    def _call(self, source: bytes, target: bytes, flags: int) -> int:
        """The system's own: 0 if it worked."""


class LinuxExchange(FlaggedExchange):
    """renameat2 with its two flags; file systems that lack a flag answer EINVAL."""

    def __init__(self, library: Any = None, last_error: Callable[[], int] | None = None) -> None:
        super().__init__(library, last_error, RENAME_EXCHANGE, RENAME_NOREPLACE)

        self._renameat2: Callable[[int, bytes, int, bytes, int], int] | None = None
        with contextlib.suppress(AttributeError):  # a libc from before 2018
            self._renameat2 = self._library.renameat2

    def _rename(self, source: str | Path, target: str | Path, flags: int) -> int:
        return super()._rename(source, target, flags) if self._renameat2 is not None else errno.ENOSYS

    def _call(self, source: bytes, target: bytes, flags: int) -> int:
        assert self._renameat2 is not None
        return self._renameat2(AT_FDCWD, source, AT_FDCWD, target, flags)


class MacExchange(FlaggedExchange):
    """renamex_np of APFS and HFS+; other file systems answer ENOTSUP."""

    def __init__(self, library: Any = None, last_error: Callable[[], int] | None = None) -> None:
        super().__init__(library, last_error, RENAME_SWAP, RENAME_EXCL)

    def _call(self, source: bytes, target: bytes, flags: int) -> int:
        return int(self._library.renamex_np(source, target, flags))


class WindowsExchange:
    """ReplaceFileW keeps what it replaces under a backup name, which then takes the staged file's name."""

    def __init__(self, library: Any = None, last_error: Callable[[], int] | None = None) -> None:
        self._kernel32 = library or ctypes.CDLL("kernel32", use_last_error=True)
        self._last_error: Callable[[], int] = last_error or getattr(ctypes, "get_last_error")  # noqa: B009

    def swap(self, staged: Path, target: Path) -> None:
        backup = staged.with_name(staged.name + BACKUP_SUFFIX)
        flags = REPLACEFILE_IGNORE_MERGE_ERRORS
        if not self._kernel32.ReplaceFileW(str(target), str(staged), str(backup), flags, None, None):
            code = self._last_error()
            if code == UNABLE_TO_MOVE_REPLACEMENT_2:
                self.move_new(backup, target)
            raise windows_error(code, target)
        self.move_new(backup, staged)

    def move_new(self, source: str | Path, target: str | Path) -> None:
        if not self._kernel32.MoveFileExW(str(source), str(target), MOVEFILE_WRITE_THROUGH):
            raise windows_error(self._last_error(), target)


def windows_error(code: int, path: str | Path) -> OSError:
    """The OSError for a Windows error code, with the errno that the rest of p2psync judges by."""
    if code in _LOCKED_CODES or code == UNABLE_TO_MOVE_REPLACEMENT_2:
        return FileLocked(errno.EBUSY, f"in use by another program (Windows error {code})", str(path))
    number = _ERRNO_OF_WINDOWS.get(code, errno.EIO)
    if number == errno.ENOTSUP:
        return ExchangeUnsupported(number, f"Windows error {code}", str(path))
    return OSError(number, f"Windows error {code}", str(path))


def _rename_if_free(source: str | Path, target: str | Path) -> None:
    """For disks without hard links (FAT); a file created in the instant between the two steps would be replaced."""
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)


EXCHANGE = exchange_for(sys.platform)
"""This system's."""
