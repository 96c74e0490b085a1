"""Building labs: PCs on a switch, or sites behind routers with the internet between them."""

from __future__ import annotations

import contextlib
import itertools
import os
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.lab import nat, system
from tests.lab.line import Line
from tests.lab.network import Lab, Node
from tests.lab.system import PREFIX, LabError

LAN_IPV4 = "10.20.30.{}"
LAN_IPV6 = "fd20:30::{}"
PUBLIC_IPV4 = "45.77.10.{}"
"""Not a range for documentation: those count as private for Python's `ipaddress`. Nothing leaves the machine."""
PUBLIC_IPV6 = "2a0f:5707:0:1::{}"
SITE_IPV4 = "192.168.{}.{}"
SITE_IPV6 = "2a0f:5707:1:{}::{}"
DOUBLE = "double"
"""A router as most are behind another one."""
INNER_FROM = 100
"""Number of the inner router of the first site, if that has one."""
ROUTER_FROM = 101
"""Public address of the first site; public hosts begin with 1."""
HOSTS_MAX = 99
RENUMBERED_FROM = 201
"""Public addresses that routers get later."""

_numbers = itertools.count(1)
_moves = itertools.count(100)
"""Last parts of the addresses of those who moved."""
_renumbered = itertools.count(RENUMBERED_FROM)


@dataclass(frozen=True, slots=True)
class Site:
    """A place behind one router, or hosts with public addresses of their own."""

    nat: str
    """One of nat.NATS, "double", "ipv6", or "none"."""
    hosts: tuple[str, ...]
    """Names of the PCs there."""


def lan(
    hosts: int | Sequence[str] = 2,
    *,
    rate: str | None = None,
    delay: str | float = 0,
    loss: str | float = 0,
    queue: str | float = "50ms",
) -> Lab:
    """PCs a, b, c, ... (or with the names given) on one switch, each with IPv4, IPv6 and link-local IPv6.

    Multicast reaches all. The line's properties, see `Lab.shape`, hold for every PC's cable. Raises LabError.
    """
    names = list(string.ascii_lowercase[:hosts]) if isinstance(hosts, int) else list(hosts)
    with _building(names) as (lab, builder):
        switch = builder.switch("switch")
        for number, name in enumerate(names, 1):
            builder.plug(builder.host(name), switch, LAN_IPV4.format(number), ipv6=LAN_IPV6.format(number))
            lab.shape(name, rate, delay, loss, queue)
        return lab


def wan(
    sites: Sequence[Site] = (Site("port-restricted", ("a",)), Site("port-restricted", ("b",))),
    public: Sequence[str] = ("srv",),
    *,
    rate: str | None = None,
    delay: str | float = 0,
    loss: str | float = 0,
    queue: str | float = "50ms",
) -> Lab:
    """Sites and public hosts around one internet; the router of the n-th site is called "r<n>".

    All have IPv4 alone, but for sites that are "ipv6" and have no IPv4: where there are such, the public hosts have
    both, and everybody can call them by name. The line's properties, see `Lab.shape`, hold for each link to the
    internet. Raises LabError.
    """
    has_ipv6 = any(site.nat == nat.IPV6 for site in sites)
    with _building([*public, *(h for site in sites for h in site.hosts)]) as (lab, builder):
        internet = builder.switch("internet")
        outer = []
        for number, name in enumerate(public, 1):
            ipv6 = PUBLIC_IPV6.format(number) if has_ipv6 else ""
            outer.append(builder.plug(builder.host(name), internet, PUBLIC_IPV4.format(number), ipv6=ipv6))
        addresses = itertools.count(ROUTER_FROM)
        for number, site in enumerate(sites, 1):
            if site.nat == "none":
                for name in site.hosts:
                    outer.append(builder.plug(builder.host(name), internet, PUBLIC_IPV4.format(next(addresses))))
            else:
                outer.append(builder.site(number, site, internet, PUBLIC_IPV4.format(next(addresses))))
        if has_ipv6:
            builder.route_ipv6(outer)
            lab.give_names(public)
        for node in outer:
            lab.shape(node.name, rate, delay, loss, queue)
        return lab


def renumber(lab: Lab, router: str) -> None:
    """The provider gives a router another public address: the mappings to the old one are worth nothing any more."""
    node = lab.node(router)
    old, node.ipv4 = node.ipv4, PUBLIC_IPV4.format(next(_renumbered))
    network = PUBLIC_IPV4.format(0)
    commands = [
        f"addr del {old}/24 dev eth0",
        f"addr add {node.ipv4}/24 broadcast + dev eth0",
        f"route replace {network}/24 dev eth0 proto kernel scope link src {node.ipv4} congctl cubic",
    ]
    system.batch(commands, node.netns)


def move(lab: Lab, host: str, router: str) -> None:
    """Carry a PC behind another router ("r2"), as a laptop: its cable is another one, and so is its address."""
    node, site = lab.node(host), lab.node(router)
    if node.line != Line():
        raise LabError(f"the line of {host} has properties that would not move with it")
    number, last = int(router.removeprefix("r")), next(_moves)
    system.batch(["link del dev eth0"], node.netns)
    _Builder(lab).plug(node, site, SITE_IPV4.format(number, last), gateway=SITE_IPV4.format(number, 1))


@contextlib.contextmanager
def _building(names: Sequence[str]) -> Iterator[tuple[Lab, _Builder]]:
    """A fresh lab; taken down again if its building fails."""
    if len(set(names)) != len(names) or not 0 < len(names) <= HOSTS_MAX:
        raise LabError(f"host names must differ, and be 1 to {HOSTS_MAX}: {names}")
    lab = Lab(f"{os.getpid()}-{next(_numbers)}")
    try:
        yield lab, _Builder(lab)
    except BaseException:
        lab.down()
        raise


class _Builder:
    """Makes namespaces, switches and cables, and gives addresses."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def host(self, name: str) -> Node:
        """A PC without a cable."""
        return self._node(name, runs_programs=True)

    def switch(self, name: str) -> Node:
        """A node with a bridge that passes everything on to everybody concerned."""
        node = self._node(name)
        self._bridge(node)
        return node

    def site(self, number: int, site: Site, internet: Node, public_ipv4: str) -> Node:
        """A router, which is a switch inside, with its hosts; returns the router."""
        if site.nat == nat.IPV6:
            return self._site_ipv6(number, site, internet)
        if site.nat not in (*nat.NATS, DOUBLE):
            raise LabError(f"no NAT: {site.nat!r} (there are {', '.join(nat.NATS)}, {DOUBLE}, {nat.IPV6} and none)")
        kind = nat.USUAL if site.nat == DOUBLE else site.nat
        outer = inner = self._router(f"r{number}", kind, number, internet, public_ipv4)
        if site.nat == DOUBLE:
            between, gateway = SITE_IPV4.format(number, 2), SITE_IPV4.format(number, 1)
            number += INNER_FROM
            inner = self._router(f"r{number}", kind, number, outer, between, gateway=gateway)
        for last, name in enumerate(site.hosts, 2):
            gateway = SITE_IPV4.format(number, 1)
            self.plug(self.host(name), inner, SITE_IPV4.format(number, last), gateway=gateway)
        return outer

    def _site_ipv6(self, number: int, site: Site, internet: Node) -> Node:
        router = self._node(f"r{number}")
        self._bridge(router)
        gateway = SITE_IPV6.format(number, 1)
        system.batch([f"addr add {gateway}/64 dev switch nodad"], router.netns)
        system.set_kernel(router.netns, ipv6__conf__all__forwarding=1)
        self.plug(router, internet, "", ipv6=PUBLIC_IPV6.format(ROUTER_FROM + number - 1))
        system.call("ip", "netns", "exec", router.netns, "nft", "-f", "-", given=nat.rules(nat.IPV6))
        for last, name in enumerate(site.hosts, 2):
            host = self.plug(self.host(name), router, "", ipv6=SITE_IPV6.format(number, last))
            system.batch([f"route add default via {gateway} dev eth0 congctl cubic"], host.netns)
        return router

    def route_ipv6(self, outer: Sequence[Node]) -> None:
        """Tell those at the internet that have IPv6 behind which of them the sites are that have it too."""
        able = [node for node in outer if node.ipv6]
        routers = {int(node.name[1:]): node for node in able if not node.runs_programs}
        for node in able:
            commands = [
                f"route add {SITE_IPV6.format(number, '')}/64 via {router.ipv6} dev eth0 congctl cubic"
                for number, router in routers.items()
                if router is not node
            ]
            system.batch(commands, node.netns)

    def _router(self, name: str, kind: str, number: int, outside: Node, ipv4: str, gateway: str = "") -> Node:
        """A switch for a site's hosts that translates what goes outside."""
        router = self._node(name)
        self._bridge(router)
        system.batch([f"addr add {SITE_IPV4.format(number, 1)}/24 dev switch"], router.netns)
        system.set_kernel(router.netns, ipv4__ip_forward=1)
        self.plug(router, outside, ipv4, gateway=gateway)
        system.call("ip", "netns", "exec", router.netns, "nft", "-f", "-", given=nat.rules(kind))
        return router

    def plug(self, node: Node, switch: Node, ipv4: str, *, ipv6: str = "", gateway: str = "") -> Node:
        """Lay a cable from the node's eth0 to the switch, and give the node its addresses."""
        node.switch, node.ipv4, node.ipv6 = switch, ipv4, ipv6
        system.batch([f"link add eth0 netns {node.netns} type veth peer name {node.name} netns {switch.netns}"])
        system.batch([f"link set dev {node.name} master switch up"], switch.netns)
        # Cubic on every route, whatever this machine prefers: other people's PCs use it.
        commands = ["link set dev eth0 up"]
        if ipv4:
            network = f"{ipv4.rpartition('.')[0]}.0/24"
            commands += [
                f"addr add {ipv4}/24 broadcast + dev eth0",
                f"route replace {network} dev eth0 proto kernel scope link src {ipv4} congctl cubic",
                "route add 224.0.0.0/4 dev eth0",
            ]
        if gateway:
            commands.append(f"route add default via {gateway} dev eth0 src {ipv4} congctl cubic")
        if ipv6:
            commands.append(f"addr add {ipv6}/64 dev eth0 nodad")
            commands += [
                f"route replace {n}/64 dev eth0 proto kernel metric 256 congctl cubic"
                for n in (f"{ipv6.rpartition('::')[0]}::", "fe80::")
            ]
        system.batch(commands, node.netns)
        return node

    def _node(self, name: str, *, runs_programs: bool = False) -> Node:
        node = Node(name, f"{PREFIX}{self._lab.name}-{name}", runs_programs=runs_programs)
        system.batch([f"netns add {node.netns}"])
        self._lab.add(node)
        # Addresses count at once: nobody else can have them.
        system.set_kernel(node.netns, ipv6__conf__all__accept_dad=0, ipv6__conf__default__accept_dad=0)
        system.batch(["link set dev lo up"], node.netns)
        return node

    def _bridge(self, node: Node) -> None:
        system.batch(["link add switch type bridge stp_state 0 mcast_snooping 0", "link set dev switch up"], node.netns)
