"""A mandate's folder on its disk before it is at work, and after: looked at, made ready, given back. For threads."""

from __future__ import annotations

import contextlib
import os
import shutil
from enum import Enum
from pathlib import Path

from p2psync.core.ids import MandateId
from p2psync.core.problem import Code
from p2psync.core.relpath import OWN_DIRECTORY
from p2psync.core.value import value
from p2psync.errors import FolderError
from p2psync.fs.folder import Folder, Marker
from p2psync.fs.traits import probe
from p2psync.store.lock import FolderLock

Extent = tuple[int, int]
"""How many files and directories there are, and when the last of them changed, nanoseconds since 1970."""


@value
class Found:
    """What a look at the disk told before anything is opened."""

    folder: Folder
    marker: Marker | None


class Past(Enum):
    """What a folder's marker tells of the time since this device last had it open."""

    KNOWN = "known"
    """Nobody else had it: what stands in it follows from what stood there."""
    OTHER = "other"
    """It was restored from a backup, or the database was."""
    NONE = "none"
    """This device never had it open."""


def past_of(marker: Marker | None, epochs: tuple[bytes, ...]) -> Past:
    """`epochs`: those that the marker may have if nobody else touched the folder."""
    if not epochs:
        return Past.NONE
    return Past.KNOWN if marker is not None and marker.epoch in epochs else Past.OTHER


def lock_of(folder: Folder) -> FolderLock | None:
    """None where there are no locks. Raises FolderError if another p2psync of this PC has the folder open."""
    try:
        return FolderLock(folder.root)
    except OSError:
        return None


def was_swapped(folder: Folder, mandate: MandateId) -> bool:
    """Another folder of the same mandate stands there, as after a backup was restored."""
    if folder.trouble() is not Code.FOLDER_MARKER_GONE:
        return False
    marker = folder.read_marker()
    return marker is not None and marker.mandate == mandate


def prepare(root: Path, mandate: MandateId | None, others: list[Path]) -> list[Path]:
    """Make a folder that a mandate can have, apart from those of others; None for a mandate to be created.

    Returns the directories that were not there before, innermost first. Raises FolderError with the reason.
    """
    folder = Folder(root)
    marker = folder.read_marker()
    if marker is not None and marker.mandate != mandate:
        raise FolderError(
            "{folder} belongs to another mandate. Choose another folder, or remove {own} if that mandate is no "
            "longer used.",
            folder=root,
            own=folder.own,
        )
    ours = (folder.staging, folder.versions, folder.own, folder.root, *folder.root.parents)
    made = [directory for directory in ours if not os.path.exists(directory)]
    folder.prepare(others)
    held = lock_of(folder)
    if held is not None:
        held.release()
    return made


def remove_empty(directories: list[Path]) -> None:
    """Undo what `prepare` made, as far as nothing was put into it."""
    for directory in directories:
        with contextlib.suppress(OSError):
            directory.rmdir()


def look_at(root: Path, mandate: MandateId, fresh: bool) -> Found | Code:
    """What is there, or what is wrong with it; `fresh`: it was never open. Raises OSError."""
    folder = Folder(root)
    if not folder.root.is_dir():
        return Code.FOLDER_GONE
    marker = folder.read_marker()
    if not fresh and (marker is None or marker.mandate != mandate):
        return Code.FOLDER_MARKER_GONE
    for directory in (folder.own, folder.staging, folder.versions):
        directory.mkdir(exist_ok=True)
    return Found(Folder(root, probe(folder.staging)), marker)


def extent_of(root: Path) -> Extent:
    """How far a directory goes, and since when it has."""
    count = newest_ns = 0
    for directory, _directories, files in os.walk(root):
        for path in (directory, *(os.path.join(directory, name) for name in files)):
            with contextlib.suppress(OSError):
                count += 1
                newest_ns = max(newest_ns, os.lstat(path).st_ctime_ns)
    return count, newest_ns


def abandon(root: Path, wipe: bool) -> None:
    """Make it an ordinary folder again, its versions kept; `wipe`: nothing of it stays."""
    if wipe:
        shutil.rmtree(root, ignore_errors=True)
        return
    own = root / OWN_DIRECTORY
    (own / "marker").unlink(missing_ok=True)
    shutil.rmtree(own / "staging", ignore_errors=True)
