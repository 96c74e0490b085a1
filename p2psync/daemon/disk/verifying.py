"""Reads every byte of a mandate's folder again, and of the kept versions, and finds what the disk did not keep.

A file whose bytes differ though nobody saved it (it is as it was, and nobody has touched it since) is damaged.
One that was saved just now is no fault: it is published as any edit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import field

from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import ContentId
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable
from p2psync.engine.events import Seen
from p2psync.fs.clone import content_of_file
from p2psync.fs.folder import Folder
from p2psync.fs.look import look
from p2psync.fs.pacing import Pacer, Turn
from p2psync.fs.traits import is_untouched
from p2psync.fs.versions import Versions

Known = tuple[RelPath, Entry, FileStat | None]
"""What this device last saw at a path."""


@mutable
class Found:
    """What reading everything has shown."""

    files: int = 0
    bytes: int = 0
    """What was read in the folder."""
    versions: int = 0
    """Kept versions that were read."""
    damaged: list[Seen] = field(default_factory=list)
    """What stands where something else was placed or published, and nobody saved it."""
    changing: list[RelPath] = field(default_factory=list)
    """What was saved or removed since it was last looked at."""
    unreadable: list[Problem] = field(default_factory=list)
    damaged_versions: list[ContentId] = field(default_factory=list)


def read_folder(folder: Folder, rows: Iterable[Known], found: Found, ended: threading.Event, pacer: Pacer) -> None:
    """Compare each file with what is known of it, until `ended`. Blocks."""
    turn = Turn(pacer, ended.is_set)
    for path, entry, known in rows:
        turn.rest()
        if ended.is_set():
            return
        if entry.kind is Kind.FILE:
            _compare(folder, (path, entry, known), found, turn)


def read_versions(versions: Versions, found: Found, ended: threading.Event, pacer: Pacer) -> None:
    """Each kept version lies under the id of its content. Blocks."""
    turn = Turn(pacer, ended.is_set)
    for content in versions.iterate():
        turn.rest()
        if ended.is_set():
            return
        try:
            same = content_of_file(versions.path(content), turn.rest) == content
        except FileNotFoundError:
            continue  # dropped meanwhile
        except OSError:
            same = False
        found.versions += 1
        if not same:
            found.damaged_versions.append(content)


def _compare(folder: Folder, row: Known, found: Found, turn: Turn) -> None:
    path, entry, known = row
    seen = look(folder.path(path), path, entry.mode, folder.traits, turn)
    if isinstance(seen, Problem):
        found.unreadable.append(seen)
        return
    if seen.entry.kind is Kind.FILE:
        found.files += 1
        found.bytes += seen.entry.size
    if seen.entry.same_as(entry):
        return
    if seen.stat is not None and seen.stat == known and _is_untouched(folder, path, known):
        found.damaged.append(seen)
    else:
        found.changing.append(path)


def _is_untouched(folder: Folder, path: RelPath, known: FileStat) -> bool:
    try:
        return is_untouched(folder.path(path).lstat(), known)
    except OSError:
        return False  # it vanished meanwhile
