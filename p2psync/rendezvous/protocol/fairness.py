"""Whose turn it is on the relay: equal shares for topics, by bytes, and no faster than each and all together may be.

Start-time fair queueing: a topic's clock goes forward by what it sends, and the topic whose clock is furthest behind
has the next turn. So a mandate with sixteen streams gets no more than one with a single stream. Who was away for a
while begins where the others are, up to a small credit: a single stream is always away between two pieces.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from p2psync.rendezvous.protocol.buckets import Bucket, Rate

CREDIT_BYTES: Final = 1 << 20
RESTING_MAX: Final = 4096
"""Topics remembered that have nothing to send now, and sent a lot before."""


@dataclass(slots=True)
class _Queue:
    """The streams of one topic that wait for their turn."""

    allowance: Bucket
    clock_bytes: int
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    """(stream, bytes)"""


class Turns:
    """Knows a stream by a number; each asks for one turn at a time. `now`: seconds of a clock that never goes back."""

    def __init__(self, per_topic: Rate, together: Rate, now: float) -> None:
        """Both in bytes."""
        self._per_topic = per_topic
        self._together = Bucket(together, now)
        self._clock_bytes = 0
        """That of the topic that had the last turn."""
        self._queues: dict[bytes, _Queue] = {}
        """Topics with somebody waiting."""
        self._resting: OrderedDict[bytes, _Queue] = OrderedDict()
        """The others."""

    def ask(self, topic: bytes, stream: int, size_bytes: int, now: float) -> None:
        """This stream of the topic has so much to send."""
        queue = self._queues.get(topic)
        if queue is None:
            queue = self._resting.pop(topic, None) or _Queue(Bucket(self._per_topic, now), self._clock_bytes)
            queue.clock_bytes = max(queue.clock_bytes, self._clock_bytes - CREDIT_BYTES)
            self._queues[topic] = queue
        queue.waiting.append((stream, size_bytes))

    def forget(self, topic: bytes, stream: int) -> None:
        """It does not want its turn any more."""
        queue = self._queues.get(topic)
        if queue is not None:
            queue.waiting = deque(one for one in queue.waiting if one[0] != stream)
            self._rest_if_empty(topic, queue)

    def next(self, now: float) -> int | None:
        """The stream that may send what it asked for; None if nobody may now."""
        if self._together.ready_at(now) > now:
            return None
        ready = [topic for topic, queue in self._queues.items() if queue.allowance.ready_at(now) <= now]
        if not ready:
            return None
        topic = min(ready, key=lambda one: self._queues[one].clock_bytes)
        queue = self._queues[topic]
        stream, size = queue.waiting.popleft()
        self._clock_bytes = max(self._clock_bytes, queue.clock_bytes)
        queue.clock_bytes += size
        queue.allowance.take_ahead(size, now)
        self._together.take_ahead(size, now)
        self._rest_if_empty(topic, queue)
        return stream

    def ready_at(self, now: float) -> float | None:
        """When `next` is worth asking again; None if nobody waits."""
        if not self._queues:
            return None
        soonest = min(queue.allowance.ready_at(now) for queue in self._queues.values())
        return max(self._together.ready_at(now), soonest)

    def _rest_if_empty(self, topic: bytes, queue: _Queue) -> None:
        if queue.waiting:
            return
        del self._queues[topic]
        self._resting[topic] = queue
        if len(self._resting) > RESTING_MAX:
            self._resting.popitem(last=False)
