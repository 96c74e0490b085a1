"""Where to try to reach somebody who may be anywhere: a bounded number of places, each less often the more it failed.

Pure; times are seconds of one clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from p2psync.net.dialer import Address

GIVEN_MAX: Final = 32
"""Addresses that somebody wrote down, and that are tried."""
SEEN_MAX: Final = 32
"""Addresses that were announced in this network; of more the latest count."""
PAUSE_MIN_S: Final = 2.0
PAUSE_MAX_S: Final = 60.0


@dataclass(slots=True, eq=False)
class Place:
    """One address, and how it went there."""

    address: Address
    nonce: bytes | None
    """Of the announcement that told of it; None if it was written down."""
    due_s: float
    tries: int = 0
    reason: str = ""
    """Why the last try failed, for people."""

    def __str__(self) -> str:
        return str(self.address)


class Attempts:
    def __init__(self, given: Iterable[Address], now_s: float) -> None:
        self._given = [Place(address, None, now_s) for address in list(dict.fromkeys(given))[:GIVEN_MAX]]
        self._seen: dict[Address, Place] = {}

    def saw(self, addresses: Sequence[Address], nonce: bytes, now_s: float) -> None:
        """Somebody announces himself there: what was not tried with this announcement is due at once."""
        for address in addresses[:SEEN_MAX]:
            before = self._seen.pop(address, None)
            known = before is not None and before.nonce == nonce
            self._seen[address] = before if known and before is not None else Place(address, nonce, now_s)
        for address in list(self._seen)[:-SEEN_MAX]:
            del self._seen[address]

    def due(self, now_s: float) -> Place | None:
        """The place to try now: of those that are due one that was tried least; what was seen goes first."""
        places = [place for place in (*self._seen.values(), *self._given) if place.due_s <= now_s]
        return min(places, key=lambda place: place.tries, default=None)

    def failed(self, place: Place, reason: str, now_s: float) -> None:
        place.tries += 1
        place.reason = reason
        place.due_s = now_s + min(PAUSE_MAX_S, PAUSE_MIN_S * 2.0 ** min(place.tries - 1, 16))

    def tried(self) -> list[Place]:
        """Where it failed, in the order in which it is known."""
        return [place for place in (*self._given, *self._seen.values()) if place.tries]
