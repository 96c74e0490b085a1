"""What came out when a file was replaced or removed: kept as a version, and looked at again for late writes.

A program that held the file open goes on writing into it after it was moved away. So it is looked at again after
some time, and when it grew or changed, that is an edit which must not be lost.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, replace
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
from p2psync.fs.staging import Staging
from p2psync.fs.traits import Traits
from p2psync.fs.versions import Versions

LOOK_AGAIN_AFTER_S = (2.0, 60.0)
"""When a file that came out is looked at again, counted from the look before."""


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


class Outs:
    """The files of one mandate that came out lately; safe to use from several threads."""

    def __init__(self, staging: Staging, versions: Versions, traits: Traits) -> None:
        self._staging = staging
        self._versions = versions
        self._traits = traits
        self._watched: list[Out] = []
        self._lock = threading.Lock()

    def keep(
        self,
        out: Path,
        rel: RelPath,
        entry: Entry,
        now: float,
        stood: tuple[ChangeId, ...] = (),
        late: ContentId | None = None,
    ) -> Path:
        """Keep a file that holds `entry`; returns where it lies. Raises OSError."""
        assert entry.content is not None
        spare = self._versions.has(entry.content)
        if spare:
            lies = self._staging.fresh("late")
            os.rename(out, lies)
        else:
            lies = self._versions.adopt(out, entry.content)
        with self._lock:
            due_s = now + LOOK_AGAIN_AFTER_S[0]
            self._watched.append(Out(rel, lies, entry, self._traits.stat(lies.lstat()), 0, due_s, spare, stood, late))
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
            due = [out for out in self._watched if out.due_s <= now]
        writes = []
        for out in due:
            with self._lock:
                self._watched.remove(out)
            with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
                late = self._look(out, now)
                if late is not None:
                    writes.append(late)
        return writes

    def due_s(self) -> float | None:
        """When `late_writes` has something to do; None while nothing is watched."""
        with self._lock:
            return min((out.due_s for out in self._watched), default=None)

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
        before, whole = out.entry.content, _is_whole(out.path, out.lies)
        assert before is not None
        entry = replace(found.entry, mode=out.entry.mode)
        lies = self.keep(out.lies, out.path, entry, now, out.stood, entry.content)
        with contextlib.suppress(OSError):  # held open by a program that lets nobody in: told all the same
            sync_file(lies)
            sync_directories({str(out.lies.parent), str(lies.parent)}, self._staging.root)
        kept = out.spare or self._versions.has(before) or self._keep_a_spare(before)
        overwritten = None if kept else before
        return LateWrite(out.path, entry, out.stood, out.late, whole, overwritten)

    def _keep_a_spare(self, content: ContentId) -> bool:
        """A version was written over: whether another file that came out holds the same and takes its place."""
        with self._lock:
            spares = [out for out in self._watched if out.spare and out.entry.content == content]
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
            self._watched.append(out)


def _is_whole(rel: RelPath, lies: Path) -> bool:
    """Whether the file ends as its kind has to."""
    with lies.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        return completeness(rel, head, file.read(TAIL_BYTES)) is not Completeness.TORN
