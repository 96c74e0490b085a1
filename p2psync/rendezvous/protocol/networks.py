"""What counts as one source of visitors: limits by address hold for it."""

from __future__ import annotations

import ipaddress
from typing import Final

IPV6_SITE_BITS: Final = 64
"""One subscriber has a whole network of IPv6 addresses."""


def plain_host(host: str) -> str:
    """An IP address without its zone, one in the IPv4-mapped form as IPv4; other text as it is."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def network_of(host: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one; other text counts as it is."""
    plain = plain_host(host)
    if ":" not in plain:
        return plain
    try:
        return str(ipaddress.ip_network((int(ipaddress.IPv6Address(plain)), IPV6_SITE_BITS), strict=False))
    except ValueError:
        return plain
