"""Watches bookkeeping programs' own files, wherever they lie: what each holds once its program is done with it.

A look at each file's stat a second costs nothing and works on every disk; when one changed, the same rules as in the
mandates' folders say when it is whole and may be read, and when a missing one is gone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from p2psync.books.completeness import Completeness, completeness
from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable, value
from p2psync.engine.events import Seen
from p2psync.engine.settle import How, Settler
from p2psync.fs.inspector import age_of
from p2psync.fs.listing import unreadable
from p2psync.fs.look import is_locked
from p2psync.fs.openness import is_written
from p2psync.fs.stable import read_stable
from p2psync.fs.traits import SYSTEMS_OWN, racy_for_s

WRITTEN_S = 1.0
"""Between looks at a file that a program has open for writing, for nothing tells when it is closed."""
RETRY_S = 5.0
"""After a file could not be read for a reason other than its being written."""


@value
class Sighting:
    """What a program's file held when its program was done with it."""

    entry: Entry
    """ABSENT if it is gone and has stayed so; its mode has the bits that this system keeps."""
    stat: FileStat | None
    """None if it is gone."""
    torn: bool = False
    """It lacks its end, and was given up: whether it counts depends on who may write it."""


@mutable
class _Watched:
    file: str
    stat: FileStat | None = None
    """At the last poll; None if nothing stood there."""
    sighting: Sighting | None = None
    """None until it is known."""
    changed: bool = True
    """Something happened since."""


class ProgramFiles:
    """The attached files of one mandate, by their paths in its folder; for one thread at a time, except `stop`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._settler = Settler()
        self._watched: dict[RelPath, _Watched] = {}
        self._stop = threading.Event()
        self.troubles: dict[RelPath, Problem] = {}
        """Why a file cannot be taken in."""

    def watch(self, files: Mapping[RelPath, str]) -> None:
        """These, and no others, from now on."""
        for path in [path for path, one in self._watched.items() if files.get(path) != one.file]:
            del self._watched[path]
            self.troubles.pop(path, None)
        for path, file in files.items():
            if path not in self._watched:
                self._watched[path] = _Watched(file)
                self._settler.noticed(path, How.ASKED, self._clock())

    def look_again(self, paths: Iterable[RelPath]) -> None:
        """Read these anew: they were found to hold something else than was said."""
        for path in paths:
            if path in self._watched:
                self._watched[path].changed = True
                self._settler.noticed(path, How.ASKED, self._clock())

    def poll(self) -> None:
        """Look at every file, and read those that are due. Raises Stopped."""
        now = self._clock()
        for path, one in self._watched.items():
            self._poll(path, one, now)
        for path in self._settler.due(self._clock()):
            watched = self._watched.get(path)
            if watched is None:
                self._settler.settled(path)
            else:
                self._look(path, watched)
        self.troubles.update((RelPath(p.path), p) for p in self._settler.troubles(self._clock()))

    def sighting(self, path: RelPath) -> Sighting | None:
        """What the file holds; None while that is not settled."""
        one = self._watched.get(path)
        return one.sighting if one is not None and not one.changed else None

    def due_in_s(self) -> float | None:
        """When `poll` has something to do beside looking around; None if nothing is waited for."""
        due_s = self._settler.next_due()
        return None if due_s is None else max(0.0, due_s - self._clock())

    def stop(self) -> None:
        """A reading under way raises Stopped; from any thread."""
        self._stop.set()

    # -- one file ------------------------------------------------------------------------------------------

    def _poll(self, path: RelPath, one: _Watched, now: float) -> None:
        try:
            stat = SYSTEMS_OWN.stat(os.stat(one.file))
        except (FileNotFoundError, NotADirectoryError):
            stat = None
        except OSError as error:
            self._trouble(path, one, unreadable(path, error))
            return
        if stat != one.stat:
            one.stat, one.changed = stat, True
            self._settler.noticed(path, How.MODIFIED if stat is not None else How.DELETED, now)

    def _look(self, path: RelPath, one: _Watched) -> None:
        now = self._clock()
        begun_ns = time.time_ns()
        try:
            reading = read_stable(one.file, self._stop.is_set)
            whole = completeness(path, reading.head, reading.tail) if reading is not None else Completeness.TORN
            is_unclosed = whole is Completeness.OPEN and is_written(one.file)
        except (FileNotFoundError, NotADirectoryError):
            self._missing(path, one, now)
            return
        except OSError as error:
            if is_locked(error):
                self._settler.locked(path, now)
            else:
                self._trouble(path, one, unreadable(path, error))
                self._settler.settled(path)
                self._settler.again(path, now + RETRY_S, now)
            return
        if reading is None:
            self._settler.unstable(path, now)
            return
        stat = SYSTEMS_OWN.stat(reading.stat)
        mode = SYSTEMS_OWN.mode(reading.stat, 0)
        entry = Entry(Kind.FILE, stat.size, stat.mtime_ns, mode, reading.content)
        self._settler.writing(path, is_unclosed)
        if self._settler.found(Seen(path, entry, stat), whole, age_of(reading.stat), now):
            self._settle(path, one, Sighting(entry, stat))
            racy_s = racy_for_s(stat.mtime_ns, begun_ns)
            if racy_s:
                self._settler.again(path, now + racy_s, now)
        elif whole is Completeness.TORN and self._settler.is_given_up(path, now):
            self._settle(path, one, Sighting(entry, stat, torn=True))
        elif is_unclosed:
            self._settler.again(path, now + WRITTEN_S, now)

    def _missing(self, path: RelPath, one: _Watched, now: float) -> None:
        """A folder that is not there says nothing about its files."""
        if not Path(one.file).parent.is_dir():
            self._trouble(path, one, Problem(path, Code.FOLDER_GONE, str(Path(one.file).parent)))
            self._settler.settled(path)
            self._settler.again(path, now + RETRY_S, now)
        elif self._settler.missing(path, ABSENT, None, now):
            self._settle(path, one, Sighting(ABSENT, None))

    def _settle(self, path: RelPath, one: _Watched, sighting: Sighting) -> None:
        one.sighting, one.changed, one.stat = sighting, False, sighting.stat
        if not sighting.torn:
            self.troubles.pop(path, None)

    def _trouble(self, path: RelPath, one: _Watched, problem: Problem) -> None:
        one.changed = True
        self.troubles[path] = problem
