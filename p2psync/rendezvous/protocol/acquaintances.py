"""Whom a member has met at a host: which sessions of whom, by which handles, and how far their letters have come.

A session that wrote to us is never forgotten while ours lasts: otherwise a host could say that it is gone, and deliver
its old letters once more. When there are too many of them, a session of our own begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from p2psync.core.ids import DeviceId

SESSIONS_PER_DEVICE_MAX: Final = 4
PEERS_MAX: Final = 4096
RETIRED_MAX: Final = 4096
ROUTES_MAX: Final = 4


class Peer(NamedTuple):
    """A member as it is connected now: in another session it is another peer."""

    room: bytes
    """Id of the mandate or of the ticket."""
    device: DeviceId
    session: bytes


@dataclass(slots=True)
class Known:
    """What is known of one peer."""

    heard_at: float
    lives: bool = False
    """It named our session, and nobody said since that it left."""
    routes: dict[bytes, bytes] = field(default_factory=dict)
    """Handle by topic; the one heard from last comes last."""
    to_all: int = 0
    to_us: int = 0
    """Numbers of the last letters heard."""
    from_us: int = 0
    """Number of the last letter written to it."""


class Acquaintances:
    """All peers of one session of ours. What returns peers returns those that lived and are lost."""

    def __init__(self) -> None:
        self._known: dict[Peer, Known] = {}
        self._by_route: dict[tuple[bytes, bytes], Peer] = {}
        self._retired: set[bytes] = set()
        """Sessions that wrote to us, and are in the table no more."""

    @property
    def worn_out(self) -> bool:
        """So many came and went that it is time for another session."""
        return len(self._retired) > RETIRED_MAX

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self._known))

    def get(self, peer: Peer) -> Known | None:
        return self._known.get(peer)

    def is_retired(self, peer: Peer) -> bool:
        """Nothing that it says can be believed to be new."""
        return peer.session in self._retired

    def meet(self, peer: Peer, now: float) -> tuple[Known, list[Peer]]:
        """Make place for somebody new, if it has to be in the place of others."""
        same = [one for one in self._known if one[:2] == peer[:2]]
        lost = []
        if len(same) >= SESSIONS_PER_DEVICE_MAX:
            lost = self._retire(min(same, key=self._worth))
        elif len(self._known) >= PEERS_MAX:
            lost = self._retire(min(self._known, key=self._worth))
        known = self._known[peer] = Known(now)
        return known, lost

    def heard(self, peer: Peer, topic: bytes, handle: bytes, now: float) -> list[Peer]:
        """It was heard just now, by this way."""
        known = self._known[peer]
        known.heard_at = now
        other = self._by_route.get((topic, handle))
        lost = self.lose(topic, handle) if other not in (None, peer) else []
        old = known.routes.pop(topic, None)
        if old is not None:
            del self._by_route[topic, old]
        known.routes[topic] = handle
        self._by_route[topic, handle] = peer
        if len(known.routes) > ROUTES_MAX:
            oldest = next(iter(known.routes))
            del self._by_route[oldest, known.routes.pop(oldest)]
        return lost

    def lose(self, topic: bytes, handle: bytes) -> list[Peer]:
        """Nobody is reached by this way any more."""
        peer = self._by_route.pop((topic, handle), None)
        if peer is None:
            return []
        routes = self._known[peer].routes
        del routes[topic]
        return [] if routes else self.lost(peer)

    def lose_topic(self, topic: bytes) -> list[Peer]:
        handles = [handle for name, handle in self._by_route if name == topic]
        return [peer for handle in handles for peer in self.lose(topic, handle)]

    def lost(self, peer: Peer) -> list[Peer]:
        """It is not there any more; what it wrote stays known."""
        known = self._known[peer]
        for route in known.routes.items():
            del self._by_route[route]
        known.routes.clear()
        lived, known.lives = known.lives, False
        return [peer] if lived else []

    def silent_since(self, moment: float) -> list[Peer]:
        """Those with a way to them that were not heard since."""
        return [peer for peer, known in self._known.items() if known.routes and known.heard_at <= moment]

    def _retire(self, peer: Peer) -> list[Peer]:
        lost = self.lost(peer)
        if self._known.pop(peer).to_us:
            self._retired.add(peer.session)
        return lost

    def _worth(self, peer: Peer) -> tuple[bool, bool, float]:
        """Those that never wrote to us go first, then those that left, then those that were silent for longest."""
        known = self._known[peer]
        return bool(known.to_us), known.lives, known.heard_at
