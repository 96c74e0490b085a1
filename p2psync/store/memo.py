"""Rows that were read or written lately, so that the batch of one event asks for each only once.

Each statement gives the interpreter's lock away several times; beside a big transfer getting it back takes longer than
the statement. For the one writer of a database alone: others would not hear what it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from p2psync.core.latest import put_latest

ROWS_MAX = 600
"""Remembered of one kind: those of one large batch of paths."""

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class Memo(Generic[K, V]):
    """What is known by its key, the latest; those that came first are forgotten first."""

    def __init__(self, most: int = ROWS_MAX):
        self._most = most
        self._known: dict[K, V] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._known

    def __getitem__(self, key: K) -> V:
        """Raises KeyError."""
        return self._known[key]

    def of(self, keys: Iterable[K]) -> tuple[dict[K, V], list[K]]:
        """What is known of these keys, and those of which nothing is; each once."""
        known, asked = self._known, dict.fromkeys(keys)
        found = {key: known[key] for key in asked if key in known}
        return found, [key for key in asked if key not in found]

    def part(self, rows: Mapping[K, T]) -> tuple[list[T], list[T]]:
        """New rows by their keys, into those of which it is known that there was none before, and the others."""
        known = self._known
        lacking = {key for key in rows if key in known and known[key] is None}
        fresh = [row for key, row in rows.items() if key in lacking]
        return fresh, [row for key, row in rows.items() if key not in lacking]

    def put(self, news: Mapping[K, V]) -> None:
        """From now on it is so."""
        put_latest(self._known, news, self._most)

    def drop(self, keys: Iterable[K]) -> None:
        """It may be otherwise now."""
        for key in keys:
            self._known.pop(key, None)

    def forget(self) -> None:
        """A transaction was undone: what it wrote was remembered too."""
        self._known.clear()
