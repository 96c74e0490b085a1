"""What is done about files before the engine hears of them, so that nothing is announced that must not be.

A bookkeeping file is copied first, for its program may save it again at once; one whose end nothing tells waits until
its program has closed it, where no sign tells of that. A file that goes back to what it was,
time and all, waits a little: a backup that is being copied over the folder brings the folder's own `.p2psync`, too,
and when its marker turns out to be of another past, what the backup brings is old and no edit. Without such a marker
it is an edit, however many files go back: a person brought them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_bytes

from p2psync.books.completeness import ENTRIES, suffix_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents.reading import Reading
from p2psync.daemon.logs import EventLog
from p2psync.engine.events import Seen
from p2psync.engine.settle import WRITING_QUIET_S
from p2psync.fs.contents import Contents
from p2psync.fs.doubt import is_bookkeeping, is_old
from p2psync.fs.folder import EPOCH_BYTES, Folder, FolderVanished, Marker

HOLD_S = 10.0
"""How long a file that goes back waits for the marker: most copying programs have reached it by then."""
RESTORING_S = 600.0
"""After a folder with another past was opened, each file that goes back is of the same backup."""
WRITTEN_S = 1.0
"""Between two looks whether a file is still open."""
NS = 1e9
TOLERANCE_NS = 2_000_000_000
"""Between times that are the same: what archives and other disks make of them."""


class Holding:
    """Of one folder; `judge` may be called from several threads."""

    def __init__(
        self,
        folder: Folder,
        contents: Contents,
        reading: Reading,
        log: EventLog,
        *,
        edits: bool,
        restoring: bool,
        is_written: Callable[[Path], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`edits`: what differs is an edit from the first; else from the end of the first scan. `restoring`: the
        folder was found with another past. `is_written`: whether a program has a file open for writing; None where the
        signs of a save tell that already.
        """
        self._folder = folder
        self._contents = contents
        self._reading = reading
        self._log = log
        self._edits = edits
        self._is_written = is_written
        self._restoring_until_s = clock() + RESTORING_S if restoring else clock()
        self._clock = clock
        self._back: dict[RelPath, float] = {}
        """Since when a file is seen to go back."""
        self._lock = threading.Lock()

    def scanned(self) -> None:
        """The whole folder was looked at: from now on what differs is an edit."""
        self._edits = True

    def judge(self, seen: Sequence[Seen]) -> Mapping[RelPath, float]:
        """The files that are not to be told of yet, and in how many seconds to look at them again.

        Raises FolderVanished when a backup was found to be copied into the folder: it is to be opened anew.
        """
        if not self._edits:
            return {}
        held = {s.path: 0.0 for s in seen if is_bookkeeping(s.path) and not self._is_copied(s)}
        held |= {s.path: WRITTEN_S for s in seen if self._is_unclosed(s)}
        back = self._going_back([s for s in seen if is_old(s.entry)])
        with self._lock:
            return held | self._waiting(back, [s.path for s in seen])

    def _is_copied(self, seen: Seen) -> bool:
        return seen.entry.content is None or self._contents.hold(seen.entry.content, seen.path)

    def _is_unclosed(self, seen: Seen) -> bool:
        """Its program may only be thinking; but some never close what they have written."""
        age_ns = time.time_ns() - seen.entry.mtime_ns
        if self._is_written is None or suffix_of(seen.path) not in ENTRIES or age_ns >= WRITING_QUIET_S * NS:
            return False
        try:
            return self._is_written(self._folder.path(seen.path))
        except OSError:
            return False

    def _waiting(self, back: Sequence[RelPath], seen: Sequence[RelPath]) -> dict[RelPath, float]:
        now_s = self._clock()
        for path in seen:
            if path in self._back and path not in back:
                del self._back[path]
        if back and now_s < self._restoring_until_s:
            self._begin_anew()
        waits = {}
        for path in back:
            wait_s = self._back.setdefault(path, now_s) + HOLD_S - now_s
            if wait_s > 0:
                waits[path] = wait_s
            else:
                del self._back[path]
        return waits

    def _begin_anew(self) -> None:
        """A marker that nobody knows makes whoever opens the folder next, also after a crash, mistrust its past."""
        marker = self._folder.read_marker()
        if marker is not None:
            self._log.event("folder.restored", mandate=marker.mandate)
            Folder(self._folder.root).write_marker(Marker(marker.mandate, token_bytes(EPOCH_BYTES)))
        raise FolderVanished

    def _going_back(self, seen: Sequence[Seen]) -> list[RelPath]:
        """Those that show what they showed before, with the time of then, though something else stood there since."""
        if not seen:
            return []
        bases = self._reading.get_many([s.path for s in seen])
        known = self._reading.is_known([s.path for s in seen if s.path not in bases])
        differing = [
            s for s in seen if (bases[s.path][0].content != s.entry.content if s.path in bases else s.path in known)
        ]
        return [s.path for s in differing if self._was(s)]

    def _was(self, seen: Seen) -> bool:
        assert seen.entry.content is not None
        past = self._reading.past(seen.path, seen.entry.content)
        return any(abs(entry.mtime_ns - seen.entry.mtime_ns) <= TOLERANCE_NS for entry in past)
