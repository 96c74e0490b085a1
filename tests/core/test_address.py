"""Nobody has to guess where an IPv6 address ends and its port begins."""

from __future__ import annotations

import pytest

from p2psync.core.address import host_and_port


@pytest.mark.parametrize(
    ("host", "written"),
    [("192.0.2.1", "192.0.2.1:80"), ("host.example", "host.example:80"), ("fe80::1%eth0", "[fe80::1%eth0]:80")],
)
def test_an_ipv6_address_stands_in_brackets(host: str, written: str) -> None:
    assert host_and_port(host, 80) == written
