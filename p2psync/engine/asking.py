"""What to ask of a peer next: small files many at once, big ones piece by piece, and what others have of those."""

from __future__ import annotations

from random import Random

from p2psync.engine.lanes import Asked, Pace, Peer, Wants, request_bytes_max
from p2psync.engine.orders import Compartment
from p2psync.wire.messages import REQUEST_ITEMS_MAX, What

MANIFEST_ALLOWANCE_BYTES = 256 * 1024
"""What an unanswered request for a manifest counts in its link's window."""
HOLDING_ALLOWANCE_BYTES = 16 * 1024
"""The same for one about what the other side holds."""


class Asking:
    """Chooses for one device; what is chosen is taken out of its queue."""

    def __init__(self, random: Random, pace: Pace) -> None:
        self._random = random
        self._pace = pace

    def choose(self, peer: Peer, what: What, compartment: Compartment, wants: Wants, now: float) -> Asked | None:
        """None where nothing of that kind is to be asked of the peer; the Request's number is the caller's to give."""
        if what is What.HOLDING:
            return self._holding(peer, compartment, wants, now)
        if what is What.CONTENT:
            return self._files(peer, compartment, wants, now)
        if what is What.MANIFEST:
            return self._manifest(peer, compartment, wants, now)
        return self._piece(peer, compartment, wants, now)

    def _holding(self, peer: Peer, compartment: Compartment, wants: Wants, now: float) -> Asked | None:
        """Where there is a choice whom to ask for a piece, each is asked now and then what it has."""
        if len(wants.links) < 2 or peer.lane_of is not None:
            return None
        for file in wants.files.values():
            if file.todo and file.holdings.is_due(peer.link, now):
                file.holdings.asked(peer.link)
                return Asked(compartment, What.HOLDING, now, HOLDING_ALLOWANCE_BYTES, [file.item])
        return None

    def _files(self, peer: Peer, compartment: Compartment, wants: Wants, now: float) -> Asked | None:
        asked = Asked(compartment, What.CONTENT, now, owed=0)
        while len(asked.items) < REQUEST_ITEMS_MAX and (item := wants.small.pop_for(peer.giver)) is not None:
            if asked.items and asked.owed + item.size > request_bytes_max(self._pace, peer):
                wants.small.push_back(item)
                break
            asked.items.append(item)
            asked.owed += item.size
        return asked if asked.items else None

    def _manifest(self, peer: Peer, compartment: Compartment, wants: Wants, now: float) -> Asked | None:
        item = wants.big.pop_for(peer.giver) if wants.has_room_for_big else None
        if item is None:
            return None
        wants.manifests_asked += 1
        return Asked(compartment, What.MANIFEST, now, MANIFEST_ALLOWANCE_BYTES, [item])

    def _piece(self, peer: Peer, compartment: Compartment, wants: Wants, now: float) -> Asked | None:
        for file in wants.files.values():
            piece = file.holdings.choose(file.todo, peer.giver, wants.links, self._random, now, peer.took_s)
            if piece is not None:
                piece = file.cut(piece, request_bytes_max(self._pace, peer))
                file.holdings.took(peer.giver, piece)
                return Asked(compartment, What.CHUNK, now, piece.size, [file.item], file, piece)
        return None
