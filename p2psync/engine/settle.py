"""When a file that changes is ready to be read, and when one that vanished is gone.

Bookkeeping programs overwrite in place and delete what they are about to write, so neither a changed file nor a
missing one means anything at first. The `Settler` is told of signs, says which paths to look at now, is told what
stands there, and answers whether that may be published. Paths it says nothing more about are settled.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import field
from enum import Enum
from math import inf

from p2psync.books.completeness import ENTRIES, INDEX, MASTER, Completeness, suffix_of
from p2psync.core.entry import Entry, FileStat
from p2psync.core.ids import EMPTY_CONTENT, ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable
from p2psync.engine.events import Seen

QUIET_S = 0.3
"""A file whose bytes do not tell that it is whole must have stood still for so long."""
WRITING_QUIET_S = 5.0
"""The same for one that a program was seen to write into and not to close: it may only be thinking."""
WRITING_PATIENCE_S = 30.0
"""Since the first sign; then it is one of those files that a program never closes, and the quiet time is enough."""
SUSPICION_S = 0.03
"""Silence after which a look is worth its reading; what it finds waits for the rest of the quiet time."""
HOLD_S = 1.0
"""A file must have been missing for so long before it counts as deleted."""
BOOKKEEPING_HOLD_S = 2.0
INDEX_HOLD_S = 10.0
"""Every producer deletes the index before it writes the new one."""
HOLD_MAX_S = INDEX_HOLD_S
PATIENCE_S = 60.0
"""A file that cannot be taken in for so long becomes a Problem."""
LOCKED_PATIENCE_S = 5.0
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 10.0
ROUNDING_S = 0.001
"""A look due at the end of the quiet time must not find that a rounding error of it is left."""
LOOK_PATHS_MAX = 500
PENDING_MAX = 50_000
"""Paths under watch; beyond, `overflowed` is set and the folder must be scanned."""
APPEARED_MAX = 8_000
"""Files that were published, by two keys each, remembered so that a deletion which they explain need not wait."""
APPEARED_S = 60.0
"""How long; a scan tells of what is new long before it can tell what is missing."""


class How(Enum):
    """The sign by which a path came to notice."""

    CREATED = "created"
    MODIFIED = "modified"
    CLOSED = "closed"
    """A program that had it open for writing closed it."""
    RENAMED = "renamed"
    """It came to this name whole."""
    DELETED = "deleted"
    """It was deleted, or left this name."""
    ASKED = "asked"
    """Somebody wants to know, or only attributes changed, or it is a directory; no sign of a write."""


_Key = FileStat | ContentId
"""By what the same file, or its content, is known under another name."""


@mutable
class _Pending:
    """What is known of a path that is not settled; times are those of `now`."""

    first_s: float
    changed_s: float | None = None
    """The last sign of a write."""
    due_s: float = inf
    """When to look; inf while somebody looks."""
    queued_s: float = inf
    """The time of its one valid place in the queue."""
    renamed: bool = False
    suspected: bool = False
    """It was read before its quiet time is over, which is done once."""
    made: bool = False
    """It was made under this name, and not closed since."""
    writing: bool = False
    """A program has written into it, and has not closed it since."""
    gone_s: float | None = None
    explained: bool = False
    keys: tuple[_Key, ...] = ()
    held: Code | None = None
    tries: int = 0


@mutable
class Settler:
    """Bounded; all times in seconds of one clock that never goes back."""

    quiet_s: float = QUIET_S
    writing_quiet_s: float = WRITING_QUIET_S
    hears_closing: bool = False
    """Signs tell when a program closes what it wrote, as inotify's do."""
    overflowed: bool = False
    """Some signs were dropped; whoever scans the folder sets it back."""
    _pending: dict[RelPath, _Pending] = field(default_factory=dict, init=False)
    _queue: list[tuple[float, RelPath]] = field(default_factory=list, init=False)
    _held: dict[RelPath, float] = field(default_factory=dict, init=False)
    _missing: dict[_Key, RelPath] = field(default_factory=dict, init=False)
    _appeared: OrderedDict[_Key, tuple[RelPath, float]] = field(default_factory=OrderedDict, init=False)

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, path: RelPath) -> bool:
        return path in self._pending

    # -- signs ----------------------------------------------------------------------------------------------------

    def noticed(self, path: RelPath, how: How, now: float) -> None:
        """A watcher saw something at `path`."""
        pending = self._open(path, now)
        if pending is None:
            return
        if how in (How.DELETED, How.CLOSED, How.RENAMED):
            pending.made = pending.writing = False
        if how is How.DELETED:
            pending.renamed = False
            self._look_at(path, pending, now)
            return
        if how is not How.ASKED:
            self._absence_over(path, pending)
            pending.changed_s = now
        if how is How.RENAMED:
            pending.renamed = True
        elif how in (How.CREATED, How.MODIFIED):
            pending.renamed = False
            pending.made |= self.hears_closing and how is How.CREATED
            pending.writing |= self.hears_closing and how is How.MODIFIED
            if now - pending.first_s > PATIENCE_S and pending.held is None:
                self._hold(path, pending, Code.STILL_CHANGING, pending.first_s + PATIENCE_S)
        self._look_at(path, pending, now + self._look_after_s(path, how, pending))

    def writing(self, path: RelPath, is_written: bool) -> None:
        """Whether a program has it open for writing, where the system is asked because no sign tells."""
        if path in self._pending:
            self._pending[path].writing = is_written

    def again(self, path: RelPath, due_s: float, now: float) -> None:
        """Look at `path` once more, not before `due_s`, whatever happens."""
        pending = self._open(path, now)
        if pending is not None and due_s < pending.due_s:
            self._look_at(path, pending, due_s)

    def clear(self) -> None:
        """Forget everything: the folder is scanned anew."""
        for known in (self._pending, self._queue, self._held, self._missing, self._appeared):
            known.clear()
        self.overflowed = False

    def due(self, now: float, limit: int = LOOK_PATHS_MAX) -> tuple[RelPath, ...]:
        """The paths to look at now; each look is to be answered by one of the methods below."""
        looks: list[RelPath] = []
        while self._queue and self._queue[0][0] <= now and len(looks) < limit:
            queued_s, path = heapq.heappop(self._queue)
            pending = self._pending.get(path)
            if pending is None or pending.queued_s != queued_s:
                continue
            pending.queued_s = inf
            if pending.due_s > now:
                self._look_at(path, pending, pending.due_s)
            else:
                pending.due_s = inf
                looks.append(path)
        return tuple(looks)

    def next_due(self) -> float | None:
        """When `due` may have something; None while nothing is waited for."""
        return self._queue[0][0] if self._queue else None

    # -- what a look found ----------------------------------------------------------------------------------------

    def found(self, seen: Seen, whole: Completeness, age_s: float, now: float, asked: RelPath | None = None) -> bool:
        """Something new stands at `seen.path`; True if it may be published now, and then it is settled.

        `age_s`: how long ago it was modified by this computer's clock, which may be wrong; `asked`: the directory
        that the look was meant for, if it was not the path itself.
        """
        path = seen.path
        pending = self._pending.get(path)
        if pending is not None and pending.due_s != inf:
            return False
        if whole is Completeness.WHOLE or self._came_whole(pending, asked):
            self._publish(seen, now)
            return True
        still_s, quiet_s = self._still_s(pending, age_s, now), self._quiet_s(pending, now, seen.entry.size == 0)
        if whole is Completeness.OPEN and still_s >= quiet_s - ROUNDING_S:
            self._publish(seen, now)
            return True
        pending = self._open(path, now)
        if pending is None:
            return False
        self._absence_over(path, pending)
        if pending.changed_s is None:
            pending.changed_s = now - still_s
        if whole is Completeness.TORN:
            self._hold(path, pending, Code.INCOMPLETE, now - still_s + PATIENCE_S)
            self._retry(path, pending, now)
        else:
            self._look_at(path, pending, now + quiet_s - still_s)
        return False

    def missing(self, path: RelPath, entry: Entry, stat: FileStat | None, now: float) -> bool:
        """Nothing stands where `entry` stood; True if the path is gone for good, and then it is settled."""
        pending = self._open(path, now)
        if pending is None or pending.due_s != inf:
            return False
        if pending.gone_s is None:
            pending.gone_s = now
            pending.keys = _keys_of_missing(path, entry, stat)
            pending.explained = any(self._appeared_elsewhere(key, path, now) for key in pending.keys)
        if pending.explained or now >= pending.gone_s + hold_s(path):
            self.settled(path)
            return True
        self._missing.update((key, path) for key in pending.keys)
        self._look_at(path, pending, pending.gone_s + hold_s(path))
        return False

    def unstable(self, path: RelPath, now: float) -> None:
        """It changed while it was read."""
        self._unreadable(path, Code.STILL_CHANGING, PATIENCE_S, now)

    def locked(self, path: RelPath, now: float) -> None:
        """Another program keeps it to itself."""
        self._unreadable(path, Code.LOCKED, LOCKED_PATIENCE_S, now)

    def settled(self, path: RelPath) -> None:
        """There is nothing (more) to wait for at `path`, unless a sign came since the look was due."""
        pending = self._pending.get(path)
        if pending is None or pending.due_s != inf:
            return
        self._absence_over(path, pending)
        self._held.pop(path, None)
        del self._pending[path]

    def is_held(self, path: RelPath) -> bool:
        """True while something other than the quiet time keeps `path` from being taken in."""
        return path in self._held

    def is_given_up(self, path: RelPath, now: float) -> bool:
        """True once a torn file has stood still for as long as a file may stay torn: nobody will write its end."""
        pending = self._pending.get(path)
        if pending is None or pending.held is not Code.INCOMPLETE or pending.changed_s is None:
            return False
        return now - pending.changed_s >= PATIENCE_S - ROUNDING_S

    def is_quiet(self, path: RelPath, age_s: float, now: float) -> bool:
        """True if `path` has stood still; else a look is due when it may have. For files that take long to read.

        `age_s` as in `found`.
        """
        pending = self._open(path, now)
        if pending is None or pending.due_s != inf:
            return False
        still_s, quiet_s = self._still_s(pending, age_s, now), self._quiet_s(pending, now, False)
        if pending.renamed or still_s >= quiet_s - ROUNDING_S:
            return True
        if pending.changed_s is None:
            pending.changed_s = now - still_s
        self._look_at(path, pending, now + quiet_s - still_s)
        return False

    def is_suspect(self, path: RelPath) -> bool:
        """True once for a path that has not stood still: reading it now may save that time later, or be in vain."""
        pending = self._pending.get(path)
        if pending is None or pending.suspected:
            return False
        pending.suspected = True
        return True

    def troubles(self, now: float) -> tuple[Problem, ...]:
        """Files that could not be taken in for too long, each told once."""
        late = [path for path, report_s in self._held.items() if report_s <= now]
        problems = []
        for path in late:
            self._held[path] = inf
            code = self._pending[path].held
            assert code is not None
            problems.append(Problem(path, code))
        return tuple(problems)

    # -- helpers --------------------------------------------------------------------------------------------------

    def _open(self, path: RelPath, now: float) -> _Pending | None:
        pending = self._pending.get(path)
        if pending is None:
            if len(self._pending) >= PENDING_MAX:
                self.overflowed = True
                return None
            pending = self._pending[path] = _Pending(now)
        return pending

    def _look_after_s(self, path: RelPath, how: How, pending: _Pending) -> float:
        if how in (How.RENAMED, How.ASKED):
            return 0.0
        if how is How.CLOSED and (pending.renamed or suffix_of(path) in (MASTER, INDEX)):
            return 0.0
        return SUSPICION_S

    def _look_at(self, path: RelPath, pending: _Pending, due_s: float) -> None:
        """One place in the queue a path: a look that moves back keeps its place and is put off when its turn comes."""
        pending.due_s = due_s
        if due_s < pending.queued_s:
            pending.queued_s = due_s
            heapq.heappush(self._queue, (due_s, path))

    def _still_s(self, pending: _Pending | None, age_s: float, now: float) -> float:
        """Seconds without a sign of a write; a modification time in the future is a wrong clock and says nothing."""
        changed_s = pending.changed_s if pending is not None else None
        if changed_s is None:
            return max(age_s, 0.0)
        return now - changed_s if age_s < 0 else min(now - changed_s, age_s)

    def _quiet_s(self, pending: _Pending | None, now: float, is_empty: bool) -> float:
        """How long it must have stood still. What was made and is not empty may be a second name of a whole file."""
        if pending is None or now - pending.first_s >= WRITING_PATIENCE_S:
            return self.quiet_s
        return self.writing_quiet_s if pending.writing or (pending.made and is_empty) else self.quiet_s

    def _came_whole(self, pending: _Pending | None, asked: RelPath | None) -> bool:
        if pending is not None and pending.renamed:
            return True
        above = self._pending.get(asked) if asked is not None else None
        return above is not None and above.renamed

    def _publish(self, seen: Seen, now: float) -> None:
        self.settled(seen.path)
        self._appear(seen, now)

    def _appear(self, seen: Seen, now: float) -> None:
        """Remember what was published, and let the deletions that it explains go at once."""
        for key in _keys(seen.entry, seen.stat):
            self._appeared[key] = (seen.path, now)
            self._appeared.move_to_end(key)
            waiting = self._missing.pop(key, None) if self._missing else None
            if waiting is not None:
                pending = self._pending[waiting]
                pending.explained = True
                self._look_at(waiting, pending, now)
        while len(self._appeared) > APPEARED_MAX:
            self._appeared.popitem(last=False)

    def _appeared_elsewhere(self, key: _Key, path: RelPath, now: float) -> bool:
        where, when_s = self._appeared.get(key, (path, now))
        return where != path and now - when_s <= APPEARED_S

    def _absence_over(self, path: RelPath, pending: _Pending) -> None:
        for key in pending.keys:
            if self._missing.get(key) == path:
                del self._missing[key]
        pending.gone_s, pending.keys, pending.explained = None, (), False

    def _unreadable(self, path: RelPath, code: Code, patience_s: float, now: float) -> None:
        pending = self._open(path, now)
        if pending is not None and pending.due_s == inf:
            self._hold(path, pending, code, now + patience_s)
            self._retry(path, pending, now)

    def _hold(self, path: RelPath, pending: _Pending, code: Code, report_s: float) -> None:
        if pending.held is not code:
            pending.held = code
            self._held[path] = report_s

    def _retry(self, path: RelPath, pending: _Pending, now: float) -> None:
        self._look_at(path, pending, now + min(RETRY_FIRST_S * 2**pending.tries, RETRY_MAX_S))
        pending.tries = min(pending.tries + 1, 16)


def hold_s(path: RelPath) -> float:
    """How long a path must have been missing before it counts as deleted, in seconds."""
    suffix = suffix_of(path)
    if suffix == INDEX:
        return INDEX_HOLD_S
    return BOOKKEEPING_HOLD_S if suffix == MASTER or suffix in ENTRIES else HOLD_S


def _keys(entry: Entry, stat: FileStat | None) -> tuple[_Key, ...]:
    """Empty files are all alike, so they have none."""
    if entry.content is None or entry.content == EMPTY_CONTENT:
        return ()
    return (entry.content,) if stat is None or stat.inode == 0 else (stat, entry.content)


def _keys_of_missing(path: RelPath, entry: Entry, stat: FileStat | None) -> tuple[_Key, ...]:
    """A copy made before an index is deleted is a program's precaution while it writes the new one, and no rename."""
    keys = _keys(entry, stat)
    return keys[:1] if suffix_of(path) == INDEX else keys
