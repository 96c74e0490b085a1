"""Token buckets: how much somebody may do at once, and for how long."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from p2psync.core.value import value

K = TypeVar("K", bound=Hashable)


@value
class Rate:
    """So much at once, and so much for every second that passes."""

    burst: float
    per_s: float


class Bucket:
    """What is left of one `Rate`. `now`: seconds of a clock that never goes back."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._left = rate.burst
        self._at = now

    def take(self, cost: float, now: float) -> bool:
        """Whether there was enough; if not, nothing is taken."""
        self._fill(now)
        if cost > self._left:
            return False
        self._left -= cost
        return True

    def take_ahead(self, cost: float, now: float) -> None:
        """Take it in any case; the next has to wait until the debt is paid."""
        self._fill(now)
        self._left -= cost

    def ready_at(self, now: float) -> float:
        """When there is no debt; `now` or later."""
        self._fill(now)
        return now if self._left >= 0 else now - self._left / self._rate.per_s

    def is_full(self, now: float) -> bool:
        """True if it says no more than a new one would."""
        self._fill(now)
        return self._left >= self._rate.burst

    def _fill(self, now: float) -> None:
        self._left = min(self._rate.burst, self._left + max(0.0, now - self._at) * self._rate.per_s)
        self._at = max(self._at, now)


class Buckets(Generic[K]):
    """A bucket for each of at most `most` keys; the one that was used longest ago is forgotten first."""

    def __init__(self, rate: Rate, most: int) -> None:
        self._rate = rate
        self._most = most
        self._of: OrderedDict[K, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def take(self, key: K, cost: float, now: float) -> bool:
        """Whether this one had enough left."""
        bucket = self._of.get(key)
        if bucket is None:
            self._make_room(now)
            bucket = self._of[key] = Bucket(self._rate, now)
        self._of.move_to_end(key)
        return bucket.take(cost, now)

    def _make_room(self, now: float) -> None:
        while self._of:
            key, oldest = next(iter(self._of.items()))
            if len(self._of) < self._most and not oldest.is_full(now):
                return
            del self._of[key]
