"""A bounded memory of files by their stat, for several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from p2psync.core.latest import put_latest
from p2psync.core.relpath import RelPath

T = TypeVar("T")

RECALLED_MAX = 4_000
"""Several times what is between two looks in a storm; what was forgotten is read once more."""


class Recall(Generic[T]):
    """The oldest go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[RelPath, T] = {}

    def put(self, path: RelPath, value: T) -> None:
        with self._lock:
            put_latest(self._known, {path: value}, RECALLED_MAX)

    def renew(self, known: Mapping[RelPath, T], unknown: Iterable[RelPath]) -> None:
        """Put many and forget many in one step."""
        with self._lock:
            for path in unknown:
                self._known.pop(path, None)
            put_latest(self._known, known, RECALLED_MAX)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def get(self, path: RelPath) -> T | None:
        with self._lock:
            return self._known.get(path)

    def unknown(self, paths: Iterable[RelPath]) -> list[RelPath]:
        """Those of the paths of which nothing is known."""
        with self._lock:
            return [path for path in paths if path not in self._known]

    def forget(self, path: RelPath) -> T | None:
        """What was known, which is known no more."""
        with self._lock:
            return self._known.pop(path, None)
