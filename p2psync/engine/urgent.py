"""What somebody just saved goes first, however much else is to be fetched: few files of each author at a time.

Without it a member that announces ten thousand files, and is slow or silent when asked for them, would hold up what all
others save.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

from p2psync.core.ids import DeviceId
from p2psync.core.relpath import RelPath

SAVE_PATHS_MAX = 16
"""Paths of a block that is somebody's save; those with more are a first scan, or half of one."""
AHEAD_MAX = 64
"""Paths of one author that are ahead of the rest at a time, and as many that are to be."""


class Urgent:
    def __init__(self) -> None:
        self._waiting: dict[DeviceId, deque[RelPath]] = {}
        self._begun: dict[RelPath, DeviceId] = {}

    def saved(self, author: DeviceId, paths: Sequence[RelPath]) -> None:
        """A block of this author came in; of too many the newest are kept, the others wait like everything."""
        if 0 < len(paths) <= SAVE_PATHS_MAX:
            self._waiting.setdefault(author, deque(maxlen=AHEAD_MAX)).extend(paths)

    def next(self, is_under_way: Callable[[RelPath], bool]) -> list[RelPath]:
        """What is to be begun now; it counts as begun while it is under way."""
        if not self._waiting:
            return []
        self._begun = {path: author for path, author in self._begun.items() if is_under_way(path)}
        count = Counter(self._begun.values())
        found: list[RelPath] = []
        for author, waiting in list(self._waiting.items()):
            while waiting and count[author] < AHEAD_MAX:
                path = waiting.popleft()
                self._begun[path] = author
                count[author] += 1
                found.append(path)
            if not waiting:
                del self._waiting[author]
        return found
