"""A bounded memory of files by their stat, for several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from p2psync.core.relpath import RelPath

T = TypeVar("T")

RECALLED_MAX = 4_000
"""Several times what is between two looks in a storm; what was forgotten is read once more."""


class Recall(Generic[T]):
    """The oldest go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[RelPath, T] = OrderedDict()

    def put(self, path: RelPath, value: T) -> None:
        with self._lock:
            self._known[path] = value
            self._known.move_to_end(path)
            if len(self._known) > RECALLED_MAX:
                self._known.popitem(last=False)

    def renew(self, known: Mapping[RelPath, T], unknown: Iterable[RelPath]) -> None:
        """Put many and forget many in one step."""
        with self._lock:
            for path in unknown:
                self._known.pop(path, None)
            for path, value in known.items():
                self._known[path] = value
                self._known.move_to_end(path)
            while len(self._known) > RECALLED_MAX:
                self._known.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def get(self, path: RelPath) -> T | None:
        """Without the lock: one look into a dictionary sees it before a change or after it."""
        return self._known.get(path)

    def forget(self, path: RelPath) -> T | None:
        """What was known, which is known no more."""
        with self._lock:
            return self._known.pop(path, None)
