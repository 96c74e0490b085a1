"""What an address says about where it lies, and which own addresses count."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace

import pytest

from p2psync.core.ways import DIRECT, LAN
from p2psync.net import addresses
from p2psync.net.addresses import (
    OwnAddress,
    is_loopback,
    is_neighbour,
    own_addresses,
    parse_ip,
    reachable_at,
    stranger_network,
    translated,
    way_of,
)


@pytest.mark.parametrize(
    ("host", "way"),
    [
        ("192.168.1.5", LAN),
        ("10.9.8.7", LAN),
        ("172.16.0.1", LAN),
        ("172.32.0.1", DIRECT),
        ("169.254.3.4", LAN),
        ("127.0.0.1", LAN),
        ("198.51.100.1", DIRECT),
        ("100.64.0.1", DIRECT),
        ("::1", LAN),
        ("fe80::1%eth0", LAN),
        ("fd00::2", LAN),
        ("2001:db8::1", DIRECT),
        ("::ffff:192.168.1.5", LAN),
        ("::ffff:8.8.8.8", DIRECT),
        ("pc.example.org", DIRECT),
        ("", DIRECT),
    ],
)
def test_the_way_to_an_address(host: str, way: str) -> None:
    assert way_of(host) == way


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("1.2.3.4", "::ffff:1.2.3.4", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%1", "fe80::2%2", True),
    ],
)
def test_which_addresses_one_stranger_may_have(one: str, other: str, same: bool) -> None:
    assert (stranger_network(one) == stranger_network(other)) is same


def test_parsing() -> None:
    assert parse_ip("fe80::1%3") == ipaddress.ip_address("fe80::1")
    assert parse_ip("::ffff:1.2.3.4") == ipaddress.ip_address("1.2.3.4")
    assert parse_ip("localhost") is None
    assert is_loopback("127.1.2.3")
    assert not is_loopback("localhost")
    assert OwnAddress("192.168.1.5", 24, 2).network == ipaddress.ip_network("192.168.1.0/24")


def adapters(monkeypatch: pytest.MonkeyPatch, *ips: str | tuple[str, int, int]) -> None:
    found = [SimpleNamespace(index=i, ips=[SimpleNamespace(ip=ip, network_prefix=8)]) for i, ip in enumerate(ips)]
    monkeypatch.setattr("ifaddr.get_adapters", lambda: found)


def test_loopback_counts_only_if_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters(monkeypatch, "127.0.0.1", ("::1", 0, 0), "10.0.0.1", ("fe80::1%eth0", 0, 3))
    assert own_addresses() == {OwnAddress("10.0.0.1", 8, 2), OwnAddress("fe80::1", 8, 3)}
    adapters(monkeypatch, "127.0.0.1", ("::1", 0, 0))
    assert own_addresses() == {OwnAddress("127.0.0.1", 8, 0)}
    adapters(monkeypatch)
    assert own_addresses() == frozenset()


def test_all_interfaces_are_no_place_to_go_to(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters(monkeypatch, "10.0.0.1", ("2001:db8::1", 0, 3))
    assert reachable_at(None) == reachable_at("::") == {"10.0.0.1", "2001:db8::1"}
    assert reachable_at("0.0.0.0") == {"10.0.0.1"}
    assert reachable_at("10.0.0.7") == {"10.0.0.7"}
    assert reachable_at("pc.example.org") == {"pc.example.org"}


def test_neighbours_are_in_a_network_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        addresses, "own_addresses", lambda: {OwnAddress("45.77.10.3", 24, 1), OwnAddress("2a00::5", 64, 1)}
    )
    for host, near in (("45.77.10.9", True), ("45.77.11.9", False), ("2a00::9", True), ("meet.example.ch", False)):
        assert is_neighbour(host) == near


def test_what_a_router_translates_is_known() -> None:
    own = [
        "192.168.1.5",
        "10.0.0.1",
        "100.64.0.2",
        "45.77.10.9",
        "127.0.0.1",
        "169.254.1.1",
        "fd00::1",
        "2a00::1",
        "pc",
    ]
    assert translated(own) == ["10.0.0.1", "100.64.0.2", "192.168.1.5"]
