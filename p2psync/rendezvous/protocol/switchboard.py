"""The host's side of the relay: which two connections belong together, and how many there may be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, TypeVar

from p2psync.core.value import value
from p2psync.rendezvous.protocol.messages import Reason
from p2psync.rendezvous.protocol.streams import Join

K = TypeVar("K", str, bytes)

WAIT_S: Final = 20.0
"""How long one side waits for the other."""


@value
class RelayLimits:
    streams: int = 2000
    streams_per_topic: int = 64
    """A mandate's members, with some connections at once between two of them."""
    sides_per_network: int = 256
    """An office behind one router."""


DEFAULTS: Final = RelayLimits()


@dataclass(slots=True)
class _Stream:
    first: int
    second: int | None = None


class Switchboard:
    """Knows a connection by a number. `now`: seconds of a clock that never goes back."""

    def __init__(self, limits: RelayLimits = DEFAULTS) -> None:
        self._limits = limits
        self._streams: dict[tuple[bytes, bytes], _Stream] = {}
        """By topic and name."""
        self._sides: dict[int, tuple[Join, str]] = {}
        """What each connection joined, and from which network."""
        self._waiting: dict[int, float] = {}
        """Those that are alone, and since when; the longest first."""
        self._per_topic: Counter[bytes] = Counter()
        self._per_network: Counter[str] = Counter()

    @property
    def streams(self) -> int:
        return len(self._streams)

    @property
    def waiting(self) -> int:
        """Streams of which one side is here."""
        return len(self._waiting)

    def join(self, side: int, join: Join, network: str, now: float) -> int | Reason | None:
        """The other side if it is here already, None if it is waited for, else why not."""
        if self._per_network[network] >= self._limits.sides_per_network:
            return Reason.RELAY_FULL
        key = (join.topic, join.stream)
        stream = self._streams.get(key)
        if stream is None:
            return self._open(key, side, join, network, now)
        if stream.second is not None:
            return Reason.RELAY_FULL
        stream.second = side
        del self._waiting[stream.first]
        self._note(side, join, network)
        return stream.first

    def left(self, side: int) -> int | None:
        """A connection has ended; returns the other side, if there is one, which is to end too."""
        known = self._sides.pop(side, None)
        if known is None:
            return None
        join, network = known
        self._waiting.pop(side, None)
        _less(self._per_network, network)
        stream = self._streams.pop((join.topic, join.stream), None)
        if stream is None:
            return None
        _less(self._per_topic, join.topic)
        return stream.second if stream.first == side else stream.first

    def sweep(self, now: float) -> list[int]:
        """Those that waited long enough; each is to be ended, and told as `left`."""
        return [side for side, since in self._waiting.items() if now - since >= WAIT_S]

    def _open(self, key: tuple[bytes, bytes], side: int, join: Join, network: str, now: float) -> Reason | None:
        limits = self._limits
        if len(self._streams) >= limits.streams or self._per_topic[join.topic] >= limits.streams_per_topic:
            if not self._per_topic[join.topic]:
                del self._per_topic[join.topic]
            return Reason.RELAY_FULL
        self._streams[key] = _Stream(side)
        self._waiting[side] = now
        self._per_topic[join.topic] += 1
        self._note(side, join, network)
        return None

    def _note(self, side: int, join: Join, network: str) -> None:
        self._sides[side] = (join, network)
        self._per_network[network] += 1


def _less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
