"""One source of visitors is one IPv4 address, or one IPv6 site."""

from __future__ import annotations

import pytest

from p2psync.rendezvous.protocol.networks import network_of, plain_host


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("relay:x", "relay:x"),
    ],
)
def test_network(host: str, network: str) -> None:
    assert network_of(host) == network


def test_plain_host() -> None:
    assert plain_host("fe80::1%2") == "fe80::1"
    assert plain_host("::ffff:10.0.0.1") == "10.0.0.1"
    assert plain_host("nas") == "nas"
