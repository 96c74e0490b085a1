"""Judges one file against the base: whether it must be read, and what its bytes say."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from typing import Protocol

from p2psync.books.completeness import Completeness, completeness
from p2psync.core.change import SIZE_BYTES_MAX
from p2psync.core.chunking import NOTHING, Layout
from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.engine.events import Seen
from p2psync.engine.settle import QUIET_S
from p2psync.fs.folder import Folder
from p2psync.fs.listing import unreadable
from p2psync.fs.look import is_locked
from p2psync.fs.pacing import UNPACED, Turn
from p2psync.fs.recall import Recall
from p2psync.fs.sight import Expected, Found, Gathering, Large, Moved, Row
from p2psync.fs.stable import SMALL_BYTES, Reading, Stopped, Tell, TooLarge, read_stable, tell_nobody
from p2psync.fs.traits import is_untouched, racy_for_s

LARGE_BYTES = 8 << 20
"""A look leaves larger files to a reader that keeps nobody waiting."""
RECALL_S = 2.0
"""Younger files are likely to be looked at again soon; what was read of them, and of large ones, is remembered."""
VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ELOOP})
"""What is no file any more, or something else by now, is looked at again."""
NS = 1e9
LATELY_NS = 10_000_000_000
"""By then the base knows what was placed."""


class Cutting(Protocol):
    """Who gives files to others, in chunks."""

    def note_cut(self, content: ContentId, layout: Layout, before: ContentId | None) -> None:
        """A file that was read is cut so; it held `before`."""

    def note_bytes(self, content: ContentId, data: bytes) -> None:
        """A small file that was read holds this."""

    def cut_before(self, content: ContentId) -> Layout:
        """How a content was cut; nothing where that is not at hand."""


class NoCutting:
    """For whoever gives no files to others."""

    def note_cut(self, content: ContentId, layout: Layout, before: ContentId | None) -> None:
        pass

    def note_bytes(self, content: ContentId, data: bytes) -> None:
        pass

    def cut_before(self, content: ContentId) -> Layout:
        return NOTHING


@value
class Manner:
    """How files are looked at in one pass."""

    full: bool = False
    """Read every file, also those whose stat is the base's."""
    large: bool = False
    """Read large files that stand still."""
    large_unquiet: bool = False
    """Read those that do not, too."""
    asked: RelPath | None = None
    """The directory that the pass was meant for."""
    moved: Moved = field(default_factory=Moved)
    turn: Turn = UNPACED
    """It rests between files and between pieces of big ones."""
    tell: Tell = tell_nobody
    """Of the large file that the pass is for."""

    def reads(self, size: int, age_s: float) -> bool:
        return size <= LARGE_BYTES or self.large_unquiet or (self.large and age_s >= QUIET_S)


@value
class _Known:
    """What the last reading of a file told."""

    entry: Entry
    stat: FileStat
    whole: Completeness
    racy: bool
    """It must be read once more, whatever its stat says."""


class Inspector:
    def __init__(self, folder: Folder, cutting: Cutting | None = None) -> None:
        self._folder = folder
        self._cutting = cutting or NoCutting()
        self._traits = folder.traits
        self._expected: Recall[tuple[FileStat, int]] = Recall()
        self._taken: Recall[bool] = Recall()
        """What we removed ourselves."""
        self._known: Recall[_Known] = Recall()
        self._doubted: Recall[int] = Recall()
        """Files that a full pass wanted to be read: until their bytes are the base's, no stat says enough. With when
        those that were found damaged had been touched last, as of `st_ctime_ns`; 0 for what is to be read."""
        self._stop = threading.Event()

    def expect(self, several: Sequence[Expected]) -> None:
        """While a file has just this stat and mode it is ours, and not read; None: nothing of ours stands there."""
        bits = self._traits.mode_bits
        stand = {path: (found, mode & bits) for path, found, mode in several if found is not None}
        vanish = {path: True for path, found, _mode in several if found is None}
        self._expected.renew(stand, vanish)
        self._taken.renew(vanish, stand)

    def took_away(self, path: RelPath) -> bool:
        """Whether that nothing stands there is our own doing, as far as is known; told once."""
        return self._taken.forget(path) is not None

    def placed_lately(self, path: RelPath) -> bool:
        """Whether something was placed there so lately that the base may not know it yet."""
        expected = self._expected.get(path)
        return expected is not None and time.time_ns() - expected[0].known_ns < LATELY_NS

    def doubt(self, path: RelPath) -> None:
        """Read it, whatever its stat says."""
        self._doubted.put(path, 0)

    def is_ours(self, path: RelPath, found: os.stat_result) -> bool:
        """Whether what stands there is just what was expected, and nothing else is known of it."""
        return self._is_expected(path, found, self._traits.stat(found)) and bool(self.unknown([path]))

    def unknown(self, paths: Iterable[RelPath]) -> list[RelPath]:
        """Those of the paths of which nothing is known that would make a file of ours worth a look."""
        return self._known.unknown(self._doubted.unknown(paths))

    def _is_expected(self, path: RelPath, found: os.stat_result, here: FileStat) -> bool:
        """`here` is its stat as far as it is kept; a mode that somebody changed since is news."""
        expected = self._expected.get(path)
        return expected is not None and expected == (here, self._traits.mode(found, 0))

    def stop(self) -> None:
        """Readings under way raise Stopped."""
        self._stop.set()

    def resume(self) -> None:
        self._stop.clear()

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Raises Stopped once `stop` was called."""
        if self._stop.is_set():
            raise Stopped

    def file(self, path: RelPath, found: os.stat_result, row: Row | None, into: Gathering, manner: Manner) -> None:
        """`found`: what lstat says of it now. Raises Stopped."""
        entry, stat = (row[1], row[2]) if row is not None and row[1].kind == Kind.FILE else (ABSENT, None)
        here, age_s = self._traits.stat(found), age_of(found)
        known = self._known.get(path)
        if manner.full:
            self.doubt(path)
        doubted = self._doubted.get(path)
        if stat == here and doubted == found.st_ctime_ns:
            into.problems.append(Problem(path, Code.DAMAGED))
        elif doubted is not None or (known is not None and known.racy):
            self._read(path, here, age_s, entry, stat, into, manner)
        elif self._is_expected(path, found, here):
            return
        elif stat == here:
            self._note_mode(path, self._traits.mode(found, entry.mode), entry, here, into)
        elif known is not None and known.stat == here:
            seen = Seen(path, replace(known.entry, mode=self._traits.mode(found, entry.mode)), known.stat)
            into.found.append(Found(seen, known.whole, age_s, manner.asked))
        elif (moved := manner.moved.by_stat.get(here)) is not None:
            seen = Seen(path, replace(moved.entry, mode=self._traits.mode(found, moved.entry.mode)), here)
            into.found.append(Found(seen, Completeness.OPEN, age_s, manner.asked))
            into.missing.append(moved)
            manner.moved.met.add(moved.path)
        else:
            self._read(path, here, age_s, entry, stat, into, manner)

    def new_file(self, path: RelPath, into: Gathering, manner: Manner) -> bool:
        """One that a directory lists, that the base does not know and of which most likely nothing else is known: then
        no stat says enough, and it is asked for only when the file is open.

        False for one that is not to be read so: `file` tells of it.
        """
        if manner.full or manner.moved.by_stat or self._known.get(path) or self._expected.get(path):
            return False
        begun_ns = time.time_ns()
        try:
            reading = read_stable(self._folder.where(path), self._stop.is_set, limit=SMALL_BYTES)
        except TooLarge:
            return False
        except OSError as error:
            self._refused(path, error, into)
            return True
        if reading is None:
            into.unstable.append(path)
        else:
            if reading.data:
                self._cutting.note_bytes(reading.content, reading.data)
            into.found.append(self._found(path, reading, begun_ns, ABSENT, manner))
        return True

    def _note_mode(self, path: RelPath, mode: int, entry: Entry, here: FileStat, into: Gathering) -> None:
        if mode != entry.mode:
            into.found.append(Found(Seen(path, replace(entry, mode=mode), here), Completeness.WHOLE, 0.0))

    def _read(
        self,
        path: RelPath,
        here: FileStat,
        age_s: float,
        entry: Entry,
        stat: FileStat | None,
        into: Gathering,
        manner: Manner,
    ) -> None:
        if here.size >= SIZE_BYTES_MAX:
            into.problems.append(unreadable(path, OSError(errno.EFBIG, os.strerror(errno.EFBIG))))
            return
        if not manner.reads(here.size, age_s):
            into.large.append(Large(path, here.size, age_s))
            return
        known = self._known.get(path)
        begun_ns = time.time_ns()
        reading = self._reading(path, entry, into, manner)
        if reading is None:
            return
        found = self._found(path, reading, begun_ns, entry, manner)
        if found.seen.entry.content == entry.content:
            self._doubted.forget(path)
        untouched = found.seen.stat == stat and stat is not None and is_untouched(reading.stat, stat)
        if untouched and found.seen.entry.content != entry.content and not (known is not None and known.racy):
            self._known.forget(path)
            self._doubted.put(path, reading.stat.st_ctime_ns)
            into.problems.append(Problem(path, Code.DAMAGED))
        elif not found.seen.entry.same_as(entry) or not untouched:
            into.found.append(found)

    def _reading(self, path: RelPath, entry: Entry, into: Gathering, manner: Manner) -> Reading | None:
        """None where there is none, which was told then unless the path merely vanished."""

        def stopped() -> bool:
            manner.turn.rest()
            return self._stop.is_set()

        try:
            before = self._cutting.cut_before(entry.content) if entry.content is not None else NOTHING
            reading = read_stable(self._folder.where(path), stopped, before, tell=manner.tell)
        except OSError as error:
            self._refused(path, error, into)
            return None
        if reading is None:
            into.unstable.append(path)
        elif reading.layout.spans:
            self._cutting.note_cut(reading.content, reading.layout, entry.content)
        elif reading.data:
            self._cutting.note_bytes(reading.content, reading.data)
        return reading

    def _refused(self, path: RelPath, error: OSError, into: Gathering) -> None:
        if is_locked(error):
            into.locked.append(path)
        elif error.errno not in VANISHED:
            into.problems.append(unreadable(path, error))

    def _found(self, path: RelPath, reading: Reading, begun_ns: int, entry: Entry, manner: Manner) -> Found:
        stat, age_s = self._traits.stat(reading.stat, begun_ns), age_of(reading.stat)
        mode = self._traits.mode(reading.stat, entry.mode)
        new = Entry(Kind.FILE, stat.size, stat.mtime_ns, mode, reading.content)
        whole = completeness(path, reading.head, reading.tail)
        racy_s = racy_for_s(stat.mtime_ns, begun_ns)
        if racy_s or age_s < RECALL_S or stat.size > LARGE_BYTES or whole is Completeness.TORN:
            self._known.put(path, _Known(new, stat, whole, racy_s > 0))
        else:
            self._known.forget(path)
        if new.same_as(entry):
            whole = Completeness.WHOLE  # only its stat is news
        return Found(Seen(path, new, stat), whole, age_s, manner.asked, racy_s)


def age_of(found: os.stat_result) -> float:
    """Seconds since it was modified; negative if that lies in the future of this computer's clock."""
    return (time.time_ns() - found.st_mtime_ns) / NS
