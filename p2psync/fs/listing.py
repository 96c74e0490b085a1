"""A directory of the mandate as this disk lists it, sorted into what is replicated and what is not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from enum import Enum

from p2psync.core.ignore import IgnoreRules, is_live_database
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import OWN_DIRECTORY, RelPath
from p2psync.core.value import value
from p2psync.errors import InvalidPath
from p2psync.fs.folder import Folder

Ignores = Callable[[RelPath, bool], bool]
"""Whether a path, a directory or not, stays out of the mandate."""


class Sort(Enum):
    FILE = "file"
    DIRECTORY = "directory"
    LEFT_OUT = "left out"
    """Ignored, a link, a device: what the base knows at it and below it is neither looked at nor gone."""


@value
class Child:
    """One name that a directory lists."""

    rel: RelPath
    sort: Sort
    problem: Problem | None = None
    """Why it is left out, where the user should know."""


def children(folder: Folder, directory: RelPath | None, ignore: IgnoreRules) -> Iterator[Child | Problem]:
    """What lies in a directory (None: in the folder itself), in no order, links not followed.

    A Problem stands for a name that cannot be a path. Raises OSError.
    """
    prefix = "" if directory is None else folder.spelling(directory) + "/"
    ignores = _all if directory is not None and ignore.ignores(directory, True) else ignore.names
    with os.scandir(folder.where(directory or "")) as listed:
        for entry in listed:
            if not prefix and entry.name == OWN_DIRECTORY:
                continue
            try:
                rel = folder.spelled(prefix + entry.name)
            except InvalidPath as error:
                yield Problem(shown(prefix + entry.name), Code(error.code))
                continue
            child = _sorted(entry, rel, ignores)
            if child is not None:
                yield child


def left_out(rel: RelPath, mode: int, ignores: Ignores) -> Child | None:
    """The child that something with this st_mode makes, if it is not replicated."""
    if ignores(rel, stat.S_ISDIR(mode)):
        return Child(rel, Sort.LEFT_OUT, Problem(rel, Code.LIVE_DATABASE) if is_live_database(rel) else None)
    if stat.S_ISLNK(mode):
        return Child(rel, Sort.LEFT_OUT, Problem(rel, Code.SYMBOLIC_LINK))
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return Child(rel, Sort.LEFT_OUT, Problem(rel, Code.SPECIAL_FILE))
    return None


def shown(name: str) -> str:
    """A disk name as text, also where its bytes are none."""
    return name.encode("utf-8", "backslashreplace").decode()


def unreadable(rel: RelPath, error: OSError) -> Problem:
    """Why a path could not be read."""
    return Problem(rel, Code.UNREADABLE, error.strerror or str(error))


def _all(rel: RelPath, is_directory: bool) -> bool:
    return True


def _sorted(entry: os.DirEntry[str], rel: RelPath, ignores: Ignores) -> Child | None:
    """None if it vanished meanwhile."""
    try:
        if entry.is_file(follow_symlinks=False):
            return left_out(rel, stat.S_IFREG, ignores) or Child(rel, Sort.FILE)
        if entry.is_dir(follow_symlinks=False):
            return left_out(rel, stat.S_IFDIR, ignores) or Child(rel, Sort.DIRECTORY)
        return left_out(rel, os.lstat(entry.path).st_mode, ignores)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Child(rel, Sort.LEFT_OUT, unreadable(rel, error))
