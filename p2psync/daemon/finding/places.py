"""Where members of a mandate may be found, as texts that are kept: addresses of theirs, and meeting hosts."""

from __future__ import annotations

from collections.abc import Iterable

from p2psync.errors import TicketMalformed, UsageError
from p2psync.net.dialer import Address
from p2psync.pair.ticket import Rendezvous, canonical_address
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.address import parse_address as parse_host

SCHEMES = ("wss://", "https://")


def is_host(text: str) -> bool:
    """Whether it is a meeting host."""
    return text.strip().lower().startswith(SCHEMES)


def canonical_place(text: str) -> str:
    """As it is kept. Raises UsageError or ConfigError for what is no place."""
    if is_host(text):
        return str(parse_host(text))
    try:
        return canonical_address(text)
    except TicketMalformed as error:
        raise UsageError(error.sentence, **error.fields) from None


def hosts_among(places: Iterable[str]) -> tuple[HostAddress, ...]:
    return tuple(parse_host(place) for place in places if is_host(place))


def addresses_among(places: Iterable[str]) -> tuple[Address, ...]:
    return tuple(parse_address(place) for place in places if not is_host(place))


def parse_address(text: str) -> Address:
    """A ticket's `host:port`."""
    host, _, port = text.rpartition(":")
    return Address(host.strip("[]"), int(port))


def host_of(rendezvous: Rendezvous) -> HostAddress:
    """A ticket's meeting host. Raises ConfigError if there can be no such."""
    return parse_host(rendezvous.url, rendezvous.pin)


def rendezvous_of(host: HostAddress) -> Rendezvous:
    """As a ticket carries it."""
    return Rendezvous(host.url, host.pin)
