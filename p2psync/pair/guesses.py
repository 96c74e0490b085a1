"""Counts wrong proofs, so that guessing gets slower for its source and ends for its ticket.

The tables live as long as the process and are bounded: who guesses from many addresses pushes out the oldest
entries, and still meets a ticket's own limit.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from math import ldexp
from typing import NamedTuple

from p2psync.pair.ticket import TicketId

WRONG_PROOFS_MAX = 5
"""A ticket that was tried with so many wrong proofs is to be cancelled."""
DELAY_FIRST_S = 1.0
DELAY_MAX_S = 600.0
"""The delay doubles with every wrong proof from one source, up to this."""
FORGET_S = 3600.0
"""A source without a wrong proof for so long is forgotten."""
SOURCES_MAX = 1024
TICKETS_MAX = 1024
IPV6_SITE_BITS = 64
"""One subscriber has a whole network of IPv6 addresses; all of it is one source."""


class _Record(NamedTuple):
    wrong: int
    last_s: float


class Guesses:
    """Who guessed wrong, and how often. `now_s` are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Record] = OrderedDict()
        self._tickets: OrderedDict[TicketId, int] = OrderedDict()

    def wait_s(self, source: str, now_s: float) -> float:
        """Seconds until a caller from this IP address may try again; 0.0 if now."""
        record = self._sources.get(_site(source))
        if record is None:
            return 0.0
        return max(0.0, record.last_s + _delay_s(record.wrong) - now_s)

    def wrong(self, source: str, ticket: TicketId | None, now_s: float) -> bool:
        """Count a wrong proof; `ticket` is None if no such ticket exists. True if the ticket is to be cancelled now."""
        self._forget_old(now_s)
        site = _site(source)
        record = self._sources.get(site, _Record(0, now_s))
        self._sources[site] = _Record(record.wrong + 1, now_s)
        self._sources.move_to_end(site)
        if len(self._sources) > SOURCES_MAX:
            self._sources.popitem(last=False)
        return ticket is not None and self._count(ticket) >= WRONG_PROOFS_MAX

    def _count(self, ticket: TicketId) -> int:
        self._tickets[ticket] = self._tickets.get(ticket, 0) + 1
        self._tickets.move_to_end(ticket)
        if len(self._tickets) > TICKETS_MAX:
            self._tickets.popitem(last=False)
        return self._tickets[ticket]

    def _forget_old(self, now_s: float) -> None:
        while self._sources:
            site, record = next(iter(self._sources.items()))
            if now_s - record.last_s < FORGET_S:
                return
            del self._sources[site]


def _delay_s(wrong: int) -> float:
    """After the given number of wrong proofs; the exponent is bounded, for a float is."""
    return min(DELAY_MAX_S, ldexp(DELAY_FIRST_S, min(wrong - 1, 32)))


def _site(source: str) -> str:
    """What counts as one source; text that is no IP address (a relay's name) counts as it is."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_SITE_BITS), strict=False))
