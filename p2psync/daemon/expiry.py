"""What waits for somebody to come for it, and is given up if nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")


class Expiry(Generic[K]):
    """Idle timeouts by key. All methods are for the event loop."""

    def __init__(self, give_up: Callable[[K], None]) -> None:
        """`give_up` is called with a key that nobody used for so long; it is not waited for any more by then."""
        self._give_up = give_up
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._used: set[K] = set()

    def __contains__(self, key: K) -> bool:
        return key in self._timers

    def begin(self, key: K, after_s: float) -> None:
        """It is given up after so many seconds without use, the last of them at most twice as long ago."""
        self.end(key)
        self._timers[key] = asyncio.get_running_loop().call_later(after_s, self._due, key, after_s)

    def used(self, key: K) -> None:
        """Somebody came, and may come again."""
        if key in self._timers:
            self._used.add(key)

    def end(self, key: K) -> None:
        """It is not waited for any more; the same if it was not."""
        self._used.discard(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Nothing is given up from now on."""
        for key in tuple(self._timers):
            self.end(key)

    def _due(self, key: K, after_s: float) -> None:
        if key in self._used:
            self.begin(key, after_s)
        else:
            self.end(key)
            self._give_up(key)
