"""What home routers do with addresses, as rules for nftables.

* full-cone: one public port for each inner port, whoever is talked to, and open to everybody from then on;
* port-restricted: the same public port, open only to the addresses and ports that were talked to (most routers);
* symmetric: a new random public port for every address and port that is talked to (many mobile networks).

* ipv6: no translation, and no IPv4 at all; packets from outside come in only as answers, as routers are delivered.

Two inner hosts of one full-cone site must not use the same port at the same time: the last one gets the packets.
"""

from __future__ import annotations

USUAL = "port-restricted"
NATS = ("full-cone", USUAL, "symmetric")
IPV6 = "ipv6"

_FIREWALL = """
table ip guard {
    chain to_router {
        type filter hook input priority filter;
        # a stray packet that the router took for itself would occupy the mapping that a hole punch needs
        iifname "eth0" ip protocol != icmp ct state new drop
    }
    chain to_inside {
        type filter hook forward priority filter;
        iifname "eth0" ct state new ct status & dnat == 0 drop
    }
}
"""

_MASQUERADE = """
table ip translate {
    chain leaving {
        type nat hook postrouting priority srcnat;
        oifname "eth0" masquerade %s
    }
}
"""

_CONE = """
table ip cone {
    map owner {
        type inet_proto . inet_service : ipv4_addr
        size 65535
        flags dynamic
    }
    chain arriving {
        type nat hook prerouting priority dstnat;
        iifname "eth0" dnat to meta l4proto . th dport map @owner
    }
    chain leaving {
        type filter hook forward priority filter;
        oifname "eth0" meta l4proto { tcp, udp } update @owner { meta l4proto . th sport : ip saddr }
    }
}
"""


_FIREWALL_IPV6 = """
table ip6 guard {
    chain to_inside {
        type filter hook forward priority filter;
        iifname "eth0" meta l4proto != ipv6-icmp ct state new drop
    }
}
"""


def rules(nat: str) -> str:
    """The nftables rules of a router whose public side is eth0. Raises KeyError if `nat` is none of NATS, nor IPV6."""
    if nat == IPV6:
        return _FIREWALL_IPV6
    translate = {
        "full-cone": _MASQUERADE % "" + _CONE,
        "port-restricted": _MASQUERADE % "",
        "symmetric": _MASQUERADE % "fully-random",
    }
    return translate[nat] + _FIREWALL
