"""Looking at one path: what stands there, whether it is what was expected, and what a failure of the disk means."""

from __future__ import annotations

import errno
import os
import stat
import time
import unicodedata
from pathlib import Path
from typing import Protocol

from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry, FileStat, Kind
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath
from p2psync.engine.events import Seen
from p2psync.fs.clone import content_of_file
from p2psync.fs.pacing import UNPACED, Turn
from p2psync.fs.traits import Traits, racy_for_s

EXACT = Folding()
LOOKS_MAX = 5

_CODES = {
    errno.ENOSPC: Code.DISK_FULL,
    errno.EDQUOT: Code.DISK_FULL,
    errno.EROFS: Code.READ_ONLY,
    errno.EACCES: Code.READ_ONLY,
    errno.EPERM: Code.READ_ONLY,
    errno.ETXTBSY: Code.LOCKED,
    errno.ENAMETOOLONG: Code.NAME_TOO_LONG,
}
_WINDOWS_LOCKED = frozenset({32, 33})


class Places(Protocol):
    """What placing needs to know of a mandate's folder."""

    @property
    def root(self) -> Path:
        """The folder itself."""

    @property
    def staging(self) -> Path:
        """A directory on the same file system that no program looks into."""

    @property
    def versions(self) -> Path:
        """Another one, for kept files."""

    @property
    def traits(self) -> Traits:
        """What its disk is like."""

    def path(self, rel: RelPath) -> Path:
        """Where a path lies on this disk."""

    def where(self, rel: RelPath) -> str:
        """The same as text."""


def matches(path: str | Path, expect: Entry, known: FileStat | None, traits: Traits) -> bool:
    """True if `path` holds the file that was expected; reads it unless its stat says enough. Raises OSError."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or traits.mode(found, expect.mode) != expect.mode:
        return False
    if traits.stat(found) == known and not racy_for_s(found.st_mtime_ns, time.time_ns()):
        return True
    return found.st_size == expect.size and content_of_file(path) == expect.content


def look(path: Path, rel: RelPath, carried: int, traits: Traits, turn: Turn = UNPACED) -> Seen | Problem:
    """What stands at a path now, read whole; a Problem where that cannot be said."""
    try:
        for _ in range(LOOKS_MAX):
            seen = _look_once(path, rel, carried, traits, turn)
            if seen is not None:
                return seen
    except (FileNotFoundError, NotADirectoryError):
        return Seen(rel, ABSENT)
    except OSError as error:
        return Problem(rel, Code.UNREADABLE, error.strerror or str(error))
    return Problem(rel, Code.STILL_CHANGING)


def is_listed(target: str | Path, traits: Traits) -> bool:
    """Whether that very name is there: on a disk that folds names, one may answer that is written otherwise."""
    if traits.folding == EXACT:
        return True
    above, name = os.path.split(target)
    try:
        names = os.listdir(above)
    except FileNotFoundError:
        return False
    return name in names or (traits.composes and _composed(name) in map(_composed, names))


def is_locked(error: OSError) -> bool:
    """True if another program keeps the file to itself."""
    return error.errno == errno.EBUSY or getattr(error, "winerror", None) in _WINDOWS_LOCKED


def disk_problem(rel: RelPath, error: OSError) -> Problem:
    """What a failure of the disk means for a path."""
    code = Code.LOCKED if is_locked(error) else _CODES.get(error.errno or 0, Code.DISK_ERROR)
    return Problem(rel, code, error.strerror or str(error))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _look_once(path: Path, rel: RelPath, carried: int, traits: Traits, turn: Turn) -> Seen | Problem | None:
    """None if the file changed while it was read."""
    before = path.lstat()
    if stat.S_ISDIR(before.st_mode):
        return Seen(rel, EMPTY_DIRECTORY)
    if stat.S_ISLNK(before.st_mode):
        return Problem(rel, Code.SYMBOLIC_LINK)
    if not stat.S_ISREG(before.st_mode):
        return Problem(rel, Code.SPECIAL_FILE)
    content = content_of_file(path, turn.rest)
    known = traits.stat(before)
    if traits.stat(path.lstat()) != known:
        return None
    return Seen(rel, Entry(Kind.FILE, known.size, known.mtime_ns, traits.mode(before, carried), content), known)
