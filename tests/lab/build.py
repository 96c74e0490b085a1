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
SITE_IPV4 = "192.168.{}.{}"
DOUBLE = "double"
"""A router as most are behind another one."""
INNER_FROM = 100
"""Number of the inner router of the first site, if that has one."""
ROUTER_FROM = 101
"""Public address of the first site; public hosts begin with 1."""
HOSTS_MAX = 99

_numbers = itertools.count(1)
_moves = itertools.count(100)
"""Last parts of the addresses of those who moved."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place behind one router, or hosts with public addresses of their own."""

    nat: str
    """One of nat.NATS, "double", or "none"."""
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
    """Sites and public hosts around one internet, IPv4 only; the router of the n-th site is called "r<n>".

    The line's properties, see `Lab.shape`, hold for each link to the internet. Raises LabError.
    """
    with _building([*public, *(h for site in sites for h in site.hosts)]) as (lab, builder):
        internet = builder.switch("internet")
        outer = []
        for number, name in enumerate(public, 1):
            outer.append(builder.plug(builder.host(name), internet, PUBLIC_IPV4.format(number)))
        addresses = itertools.count(ROUTER_FROM)
        for number, site in enumerate(sites, 1):
            if site.nat == "none":
                for name in site.hosts:
                    outer.append(builder.plug(builder.host(name), internet, PUBLIC_IPV4.format(next(addresses))))
            else:
                outer.append(builder.site(number, site, internet, PUBLIC_IPV4.format(next(addresses))))
        for node in outer:
            lab.shape(node.name, rate, delay, loss, queue)
        return lab


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
        if site.nat not in (*nat.NATS, DOUBLE):
            raise LabError(f"no NAT: {site.nat!r} (there are {', '.join(nat.NATS)}, {DOUBLE} and none)")
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
        network = f"{ipv4.rpartition('.')[0]}.0/24"
        # Cubic on every route, whatever this machine prefers: other people's PCs use it.
        commands = [
            "link set dev eth0 up",
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
