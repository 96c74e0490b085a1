"""What a disk keeps of files and how it takes names: found out by trying, when a folder is opened.

A disk may belong to another system than this one: FAT and exFAT on Linux know no executable bit, give a file another
inode number whenever they meet it anew, and refuse the names that Windows refuses.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from p2psync.core.change import MTIME_NS_MAX
from p2psync.core.entry import EXECUTABLE, HIDDEN, FileStat
from p2psync.core.relpath import Folding, Platform
from p2psync.core.value import value
from p2psync.fs.attributes import WINDOWS_HIDDEN

MODE_HERE = HIDDEN if os.name == "nt" else EXECUTABLE
"""The bits of an entry's mode that this system keeps with a file, on disks of its own."""
RACY_NS = 20_000_000
"""A file saved so lately may have been saved again within the same tick of its clock."""
RACY_COARSE_NS = 2_000_000_000
"""The same on a disk that keeps times in (two) whole seconds."""
RACY_MARGIN_S = 0.01
NS = 1e9
MOUNTS = Path("/proc/self/mountinfo")
SYSTEM = Platform(sys.platform)
TELLS_APART = Folding()
_PROBE = "tmp-Probe"
_COMPOSED = "tmp-\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_NOT_ON_WINDOWS = 'tmp-<>:"|?*\\.'
_NUMBERED_ANEW = frozenset({"vfat", "msdos", "exfat", "fuse", "fuseblk"})
"""File systems that make up inode numbers: those that have none, and those of programs, which mostly do."""


@value
class Traits:
    """Of one disk; the defaults are those of this system's own disks."""

    names: Platform = SYSTEM
    """Whose names it can hold."""
    folding: Folding = TELLS_APART
    """Which names it takes for the same."""
    composes: bool = False
    """It lists a name in another Unicode form than it was made with."""
    mode_bits: int = MODE_HERE
    """The bits of an entry's mode that it keeps with a file; the others are carried along."""
    keeps_inodes: bool = True
    """A file has its inode number as long as it lives."""

    def stat(self, found: os.stat_result, known_ns: int | None = None) -> FileStat:
        """As of then, or of now."""
        inode = found.st_ino if self.keeps_inodes else 0
        return FileStat(found.st_size, mtime_of(found), inode, time.time_ns() if known_ns is None else known_ns)

    def mode(self, found: os.stat_result, carried: int) -> int:
        """The entry's mode of a file, with the bits of `carried` that this disk does not keep."""
        if os.name == "nt":
            here = HIDDEN if getattr(found, "st_file_attributes", 0) & WINDOWS_HIDDEN else 0
        else:
            here = EXECUTABLE if found.st_mode & stat.S_IXUSR else 0
        return (here & self.mode_bits) | (carried & ~self.mode_bits)


SYSTEMS_OWN = Traits()


def mtime_of(found: os.stat_result) -> int:
    """When a file was modified, as far as a change can state it: disks know years beyond 2262 and before 1677."""
    found_ns = found.st_mtime_ns
    if -MTIME_NS_MAX < found_ns < MTIME_NS_MAX:
        return found_ns
    return MTIME_NS_MAX - 1 if found_ns > 0 else 1 - MTIME_NS_MAX


def is_untouched(found: os.stat_result, known: FileStat) -> bool:
    """Whether nobody has written to a file with this stat since it was known, not even one who set back its time.

    Windows does not tell when a file was touched last: there the time that one may set back has to do.
    """
    return found.st_ctime_ns <= known.known_ns


def racy_for_s(mtime_ns: int, read_ns: int) -> float:
    """After how many seconds a later save would certainly have another mtime; 0 if that holds already."""
    window_ns = RACY_NS if mtime_ns % 1_000_000_000 else RACY_COARSE_NS
    if abs(read_ns - mtime_ns) >= window_ns:
        return 0.0
    return (mtime_ns + window_ns - read_ns) / NS + RACY_MARGIN_S


def probe(staging: Path) -> Traits:
    """What the disk on which a directory of ours lies is like. Raises OSError."""
    with _file(staging / _PROBE):
        folds_case = (staging / _PROBE.swapcase()).exists()
    normalises, composes = _forms(staging)
    return Traits(
        names=SYSTEM if _takes_any_name(staging) else Platform.WINDOWS,
        folding=Folding(folds_case, normalises),
        composes=composes,
        mode_bits=MODE_HERE if os.name == "nt" or _keeps_executable(staging) else 0,
        keeps_inodes=_file_system(staging).partition(".")[0] not in _NUMBERED_ANEW,
    )


def _takes_any_name(staging: Path) -> bool:
    if os.name == "nt":
        return False
    with contextlib.suppress(OSError), _file(staging / _NOT_ON_WINDOWS):
        return _NOT_ON_WINDOWS in os.listdir(staging)
    return False


def _forms(staging: Path) -> tuple[bool, bool]:
    """Whether both Unicode forms are one name, and whether it lists the other one than was given."""
    with contextlib.suppress(OSError), _file(staging / _COMPOSED):  # some disks take no such letters at all
        return (staging / _DECOMPOSED).exists(), _DECOMPOSED in os.listdir(staging)
    return False, False


def _keeps_executable(staging: Path) -> bool:
    probe = staging / _PROBE
    with _file(probe), contextlib.suppress(OSError):  # a disk without modes may refuse to be asked for one
        for mode in (0o600, 0o700, 0o600):
            probe.chmod(mode)
            if probe.stat().st_mode & 0o777 != mode:
                return False
        return True
    return False


def _file_system(directory: Path) -> str:
    """The name of its kind, as "ext4"; "" where the system does not tell."""
    try:
        device = directory.stat().st_dev
        lines = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.partition(" - ")[2].split(" ")[0] for line in lines if line.split(" ", 3)[2:3] == [number]]
    return kinds[-1] if kinds else ""


@contextlib.contextmanager
def _file(probe: Path) -> Iterator[None]:
    probe.write_bytes(b"")
    try:
        yield
    finally:
        probe.unlink()
