"""Keeps heavy reading to a share of one processor: after a piece of work it rests, so that programs have the rest.

The share is of all readers together. Nothing that a person waits for is paced: what he saves is read at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from p2psync.core.rate import Bucket

US_PER_PERCENT: Final = 10_000
"""Microseconds of processor time in a second, for each percent."""
REST_MIN_S: Final = 0.1
"""Shorter rests are saved up: what is found between two of them is told together."""
GIVE_WAY_S: Final = 0.03
"""So long heavy reading rests when somebody saves: by then the save is told of."""
GIVE_WAY_EVERY_S: Final = 0.1
"""However often somebody saves, it has two thirds of the time."""
SLICE_S: Final = 0.05
"""So soon a rest ends when the limit is lifted, or when nobody wants to know any more."""


class Clock(Protocol):
    """For threads; a virtual one in tests."""

    def now_s(self) -> float:
        """Never goes back."""

    def worked_s(self) -> float:
        """Processor time that this thread took."""

    def rest(self, seconds: float) -> None: ...


class ThreadClock:
    """This PC's."""

    def now_s(self) -> float:
        return time.monotonic()

    def worked_s(self) -> float:
        return time.thread_time()

    def rest(self, seconds: float) -> None:
        threading.Event().wait(seconds)


class Pacer:
    """Of one device. For several threads; it holds no lock while one of them rests."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock if clock is not None else ThreadClock()
        self._bucket: Bucket | None = None
        self._gave_way_s = -GIVE_WAY_EVERY_S
        """When all readers began to rest for a save."""
        self._lock = threading.Lock()

    def put(self, share: int | None) -> None:
        """From now on; percent of one processor, None for as much as there is."""
        self._bucket = Bucket(share * US_PER_PERCENT, self.clock.now_s()) if share is not None else None

    def give_way(self) -> None:
        """Somebody saves."""
        now_s = self.clock.now_s()
        if now_s - self._gave_way_s >= GIVE_WAY_EVERY_S:
            self._gave_way_s = now_s

    def rest_s(self, since_s: float) -> float:
        """So long a save is yet to be let by that came after `since_s`."""
        return self._gave_way_s + GIVE_WAY_S - self.clock.now_s() if self._gave_way_s > since_s else 0.0

    @property
    def bucket(self) -> Bucket | None:
        """Another one after each `put`; None where there is no limit."""
        return self._bucket

    def wait_s(self, bucket: Bucket, worked_s: float) -> float:
        """So much more was done; how long to rest for it."""
        with self._lock:
            now_s = self.clock.now_s()
            bucket.spend(round(worked_s * 1_000_000), now_s)
            return bucket.wait_s(False, 0, now_s)


class Turn:
    """One reader's work, by one thread at a time."""

    def __init__(self, pacer: Pacer, is_over: Callable[[], bool]) -> None:
        """`is_over`: nobody wants to know any more what it reads."""
        self._pacer = pacer
        self._is_over = is_over
        self._begun_s = pacer.clock.now_s()
        """A save from before may be why there is something to read."""
        self._counted: Bucket | None = None
        """Where what was done since `_since_s` counts."""
        self._since_s = 0.0

    def begin(self) -> None:
        """It goes on, perhaps in another thread."""
        self._counted = None

    def is_due(self) -> bool:
        """Whether it is to rest: what it has found should be told before."""
        return self._pacer.bucket is not None and self._wait_s() >= REST_MIN_S

    def rest(self) -> None:
        """Between two pieces of work: as long as is due. Without a limit only a save is let by."""
        if (rest_s := self._pacer.rest_s(self._begun_s)) > 0:
            self._pacer.clock.rest(rest_s)
        bucket = self._pacer.bucket
        if bucket is None or self._wait_s() < REST_MIN_S:
            return
        while not self._is_over() and self._pacer.bucket is bucket and (wait_s := self._pacer.wait_s(bucket, 0.0)) > 0:
            self._pacer.clock.rest(min(wait_s, SLICE_S))

    def _wait_s(self) -> float:
        """What was done under another limit, or before it began, does not count."""
        bucket, worked_s = self._pacer.bucket, self._pacer.clock.worked_s()
        done_s = worked_s - self._since_s if bucket is self._counted else 0.0
        self._counted, self._since_s = bucket, worked_s
        return self._pacer.wait_s(bucket, done_s) if bucket is not None else 0.0


UNPACED: Final = Turn(Pacer(), lambda: True)
"""For what never rests."""
