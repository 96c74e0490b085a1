"""What came out when a file was replaced or removed: kept as a version, and looked at again for late writes.

A program that held the file open goes on writing into it after it was moved away. So it is looked at again after
some time, and when it grew or changed, that is an edit which must not be lost, also when this program ends meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from p2psync.books.completeness import HEAD_BYTES, TAIL_BYTES, Completeness, completeness
from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import ChangeId, ContentId
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.events import LateWrite
from p2psync.fs.clone import content_of_file
from p2psync.fs.durable import sync_directories, sync_file
from p2psync.fs.look import look
from p2psync.fs.staging import OUT, Staging
from p2psync.fs.traits import Traits
from p2psync.fs.versions import Versions
from p2psync.fs.watchlist import Note, Watchlist

LOOK_AGAIN_AFTER_S = (2.0, 60.0)
"""When a file that came out is looked at again, counted from the look before."""
NOTES_MAX = 1000
"""Lines of the list of what is watched that may be out of date."""


@dataclass(slots=True, eq=False)
class Out:
    """One file that came out and is still watched."""

    path: RelPath
    lies: Path
    entry: Entry
    stat: FileStat
    looks: int
    due_s: float

    spare: bool
    """True if its content is kept already elsewhere: when nothing was written late, this one is not needed."""
    stood: tuple[ChangeId, ...]
    """The heads that it was when it stood at its path."""
    late: ContentId | None
    """What the last late write into it left."""
    told: LateWrite | None = None
    """How that was told."""


class Outs:
    """The files of one mandate that came out lately; safe to use from several threads."""

    def __init__(self, staging: Staging, versions: Versions, traits: Traits) -> None:
        self._staging = staging
        self._versions = versions
        self._traits = traits
        self._watched: dict[int, Out] = {}
        """By identity: thousands come out at once when a directory gets another name."""
        self._next_s = inf
        """When the first of them is due."""
        self._watchlist = Watchlist(staging.root)
        self._untold: list[LateWrite] = []
        """What the program before this one may have told, or not have come to."""
        self._lock = threading.Lock()

    def recover(self, now: float) -> set[str]:
        """At start: go on watching what was watched before; returns the names in staging of what lies there."""
        found = {lies: note for note in self._watchlist.read() if (lies := self._lies(note)) is not None}
        for lies, note in found.items():
            if note.late is not None:
                self._untold.append(self._told(note, note.late))
            spare = lies.parent == self._staging.root
            out = Out(note.path, lies, note.entry, note.stat, 0, now, spare, note.stood, note.late)
            self._watch(replace(out, told=self._untold[-1] if note.late is not None else None))
        self._watchlist.replace(map(_noted, self._watched.values()))
        return {lies.name for lies in found if lies.parent == self._staging.root}

    def _lies(self, note: Note) -> Path | None:
        assert note.entry.content is not None
        places = [self._versions.path(note.entry.content)]
        if OUT.fullmatch(note.name):
            places.insert(0, self._staging.root / note.name)
        return next((place for place in places if place.is_file()), None)

    def _told(self, note: Note, late: ContentId) -> LateWrite:
        assert note.entry.content == late
        gone = note.overwritten is not None and not self._versions.has(note.overwritten)
        return LateWrite(note.path, note.entry, note.stood, note.before, note.whole, note.overwritten if gone else None)

    def keep(self, out: Path, rel: RelPath, entry: Entry, now: float, stood: tuple[ChangeId, ...] = ()) -> Path:
        """Keep a file that holds `entry`; returns where it lies. Raises OSError."""
        return self._keep(out, rel, entry, now, stood, None)

    def _keep(
        self, out: Path, rel: RelPath, entry: Entry, now: float, stood: tuple[ChangeId, ...], told: LateWrite | None
    ) -> Path:
        assert entry.content is not None
        spare = self._versions.has(entry.content)
        lies = self._staging.fresh("late") if spare else self._versions.path(entry.content)
        due_s, stat = now + LOOK_AGAIN_AFTER_S[0], self._traits.stat(out.lstat())
        watched = Out(rel, lies, entry, stat, 0, due_s, spare, stood, entry.content if told else None, told)
        with self._lock:
            self._watchlist.add(_noted(watched))
            self._watch(watched)
        if spare:
            os.rename(out, lies)
        else:
            self._versions.adopt(out, entry.content)
        return lies

    def keep_unknown(self, out: Path, rel: RelPath, now: float) -> Entry:
        """Keep a file that nobody has read yet; returns what it holds. Raises OSError.

        While a program writes into it that is not certain; what it holds in the end is told as a late write.
        """
        content = content_of_file(out)
        found = self._traits.stat(out.lstat())
        entry = Entry(Kind.FILE, found.size, found.mtime_ns, self._traits.mode(out.lstat(), 0), content)
        lies = self.keep(out, rel, entry, now)
        sync_directories({str(lies.parent)}, self._staging.root)
        return entry

    def late_writes(self, now: float) -> list[LateWrite]:
        """Edits that were written into files after they had come out; their bytes are kept as versions.

        `now` is of the same clock as the one that `keep` was called with.
        """
        with self._lock:
            due = [out for out in self._watched.values() if out.due_s <= now]
            writes, self._untold = self._untold, []
        try:
            for out in due:
                with self._lock:
                    del self._watched[id(out)]
                with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
                    late = self._look(out, now)
                    if late is not None:
                        writes.append(late)
        finally:
            with self._lock:
                self._next_s = min((out.due_s for out in self._watched.values()), default=inf)
        with self._lock:
            if not self._watched or self._watchlist.length > NOTES_MAX + 2 * len(self._watched):
                self._watchlist.replace(map(_noted, self._watched.values()))
        return writes

    def due_s(self) -> float | None:
        """When `late_writes` has something to do; None while nothing is watched."""
        with self._lock:
            return self._next_s if self._watched else None

    def _look(self, out: Out, now: float) -> LateWrite | None:
        if self._traits.stat(out.lies.lstat()) == out.stat:
            self._watch_on(out, now)
            return None
        found = look(out.lies, out.path, out.entry.mode, self._traits)
        if isinstance(found, Problem) or found.entry.kind is not Kind.FILE:
            self._watch_again(out, now)
            return None
        if found.entry.content == out.entry.content:
            assert found.stat is not None
            out.stat = found.stat
            self._watch_on(out, now)
            return None
        entry = replace(found.entry, mode=out.entry.mode)
        before, whole = out.entry.content, _is_whole(out.path, out.lies)
        assert before is not None
        told = LateWrite(out.path, entry, out.stood, out.late, whole, None if out.spare else before)
        lies = self._keep(out.lies, out.path, entry, now, out.stood, told)
        with contextlib.suppress(OSError):  # held open by a program that lets nobody in: told all the same
            sync_file(lies)
            sync_directories({str(out.lies.parent), str(lies.parent)}, self._staging.root)
        kept = out.spare or self._versions.has(before) or self._keep_a_spare(before)
        return replace(told, overwritten=None) if kept else told

    def _keep_a_spare(self, content: ContentId) -> bool:
        """A version was written over: whether another file that came out holds the same and takes its place."""
        with self._lock:
            spares = [out for out in self._watched.values() if out.spare and out.entry.content == content]
        for spare in spares:
            with contextlib.suppress(FileNotFoundError):
                if self._traits.stat(spare.lies.lstat()) == spare.stat:
                    spare.lies = self._versions.adopt(spare.lies, content)
                    spare.spare = False
                    return True
        return False

    def _watch_on(self, out: Out, now: float) -> None:
        out.looks += 1
        if out.looks < len(LOOK_AGAIN_AFTER_S):
            self._watch_again(out, now)
        elif out.spare:
            out.lies.unlink()

    def _watch_again(self, out: Out, now: float) -> None:
        out.due_s = now + LOOK_AGAIN_AFTER_S[out.looks]
        with self._lock:
            self._watch(out)

    def _watch(self, out: Out) -> None:
        self._watched[id(out)] = out
        self._next_s = min(self._next_s, out.due_s)


def _noted(out: Out) -> Note:
    name = out.lies.name if out.spare else ""
    told = out.told
    if told is None:
        return Note(out.path, name, out.entry, out.stat, out.stood, out.late)
    more = (told.before, told.whole, told.overwritten)
    return Note(out.path, name, out.entry, out.stat, out.stood, out.late, *more)


def _is_whole(rel: RelPath, lies: Path) -> bool:
    """Whether the file ends as its kind has to."""
    with lies.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        return completeness(rel, head, file.read(TAIL_BYTES)) is not Completeness.TORN
