"""Addresses and meeting hosts are kept side by side and told apart."""

from __future__ import annotations

import pytest

from p2psync.daemon.finding.places import (
    addresses_among,
    canonical_place,
    host_of,
    hosts_among,
    is_host,
    parse_address,
    rendezvous_of,
)
from p2psync.errors import ConfigError, UsageError
from p2psync.net.dialer import Address
from p2psync.pair.ticket import Rendezvous
from p2psync.rendezvous.protocol.address import HostAddress, pin_text

PIN = bytes(range(32))
HOST = HostAddress("meet.example", 8443, PIN)


def test_places_are_told_apart() -> None:
    places = ["[2001:db8::1]:5", str(HOST), "pc.example:7000", "wss://other.example"]
    assert hosts_among(places) == (HOST, HostAddress("other.example"))
    assert addresses_among(places) == (Address("2001:db8::1", 5), Address("pc.example", 7000))
    assert parse_address("10.0.0.1:80") == Address("10.0.0.1", 80)


def test_places_are_kept_in_one_form() -> None:
    assert canonical_place(f" WSS://Meet.Example:8443#{pin_text(PIN).lower()} ") == str(HOST)
    assert canonical_place("https://meet.example:443/") == "wss://meet.example"
    assert canonical_place("PC.Example:07000") == "pc.example:7000"
    assert is_host("WSS://x")
    assert not is_host("pc.example:443")
    with pytest.raises(UsageError, match="HOST:PORT"):
        canonical_place("nowhere")
    with pytest.raises(ConfigError, match="meeting host"):
        canonical_place("wss://")


def test_a_ticket_carries_a_host() -> None:
    assert host_of(rendezvous_of(HOST)) == HOST
    with pytest.raises(ConfigError):
        host_of(Rendezvous("gopher://x", None))
