"""This machine's own network addresses, and what an address says about where it lies."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from p2psync.core.value import value
from p2psync.core.ways import DIRECT, LAN

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LAN_NETWORKS: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
_STRANGER_PREFIX_V6 = 64


@value
class OwnAddress:
    """An address of one of this machine's interfaces."""

    ip: str
    """Without zone."""
    prefix: int
    """Bits of the network part."""
    interface: int
    """The system's number of the interface."""

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        return ipaddress.ip_network((self.ip, self.prefix), strict=False)


def all_addresses() -> frozenset[OwnAddress]:
    """What is set now, on every interface."""
    import ifaddr

    return frozenset(
        OwnAddress(
            (ip.ip if isinstance(ip.ip, str) else ip.ip[0]).partition("%")[0], ip.network_prefix, adapter.index or 0
        )
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    )


def own_addresses() -> frozenset[OwnAddress]:
    """Where others may reach this machine; IPv4 loopback if there is nothing else: its other daemons can."""
    found = all_addresses()
    outside = frozenset(a for a in found if not is_loopback(a.ip))
    return outside or frozenset(a for a in found if "." in a.ip)


def reachable_at(listen: str | None) -> frozenset[str]:
    """Where others may reach somebody who listens at a host: None, "0.0.0.0" and "::" are no place to go to."""
    if listen is None:
        return frozenset(address.ip for address in own_addresses())
    ip = parse_ip(listen)
    if ip is None or not ip.is_unspecified:
        return frozenset({listen})
    return frozenset(address.ip for address in own_addresses() if ip.version == 6 or ":" not in address.ip)


def is_neighbour(host: str) -> bool:
    """Whether an IP address lies in a network that this machine is in, public or not."""
    ip = parse_ip(host)
    return ip is not None and any(ip in address.network for address in own_addresses())


def translated(addresses: Iterable[str]) -> list[str]:
    """Of this machine's addresses those IPv4 ones that a router has to translate before others can call them."""
    ips = (parse_ip(address) for address in addresses)
    return sorted(
        str(ip) for ip in ips if ip and ip.version == 4 and not (ip.is_global or ip.is_loopback or ip.is_link_local)
    )


def way_of(host: str) -> str:
    """LAN for an IP address of a private or local network, else DIRECT."""
    ip = parse_ip(host)
    return LAN if ip is not None and any(ip in network for network in _LAN_NETWORKS) else DIRECT


def stranger_network(host: str) -> str:
    """What one stranger is likely to have all addresses of: one IPv4 address, an IPv6 /64."""
    ip = parse_ip(host)
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(ip), _STRANGER_PREFIX_V6), strict=False))
    return str(ip)


def is_loopback(host: str) -> bool:
    ip = parse_ip(host)
    return ip is not None and ip.is_loopback


def parse_ip(host: str) -> IPAddress | None:
    """An IP address, its zone left out, one in the IPv4-mapped form as IPv4; None for a host name."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip
