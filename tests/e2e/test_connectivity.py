"""Every pair of networks connects: by which way, how soon, how fast, as a table."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.afar import Host, host_on, way
from tests.e2e.pc import RUNNING, Pc, agree, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = requires_lab

BIG_BYTES = 4 << 20
SETTLED_S = 6.0
"""A better way that exists was taken by then."""
KINDS = {
    "public": ("none", ()),
    "full-cone": ("full-cone", ()),
    "port-restricted": ("port-restricted", ()),
    "symmetric": ("symmetric", ()),
    "double NAT": ("double", ()),
    "UDP blocked": ("port-restricted", (("-p", "udp", "-j", "DROP"),)),
    "only 443 out": (
        "port-restricted",
        (("-o", "lo", "-j", "ACCEPT"), ("-p", "tcp", "--dport", "443", "-j", "ACCEPT"), ("-j", "DROP")),
    ),
}
"""A PC's router, and what its network lets out."""
PAIRS = list(combinations_with_replacement(KINDS, 2))
DIRECT = {("public", kind) for kind in KINDS if kind != "only 443 out"}
"""Pairs of which one can be called, and the other call it."""


class Row(NamedTuple):
    pair: tuple[str, str]
    way: str
    first_byte_s: float
    """From the start of the second PC's daemon, which knows nothing but its ticket, to its first file."""
    mb_s: float


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two sites of each kind, with a PC each, and a host."""
    sites = [Site(nat, (node(kind, number),)) for kind, (nat, _) in KINDS.items() for number in (1, 2)]
    with wan(sites) as several:
        for kind, (_, rules) in KINDS.items():
            for number in (1, 2):
                for rule in rules:
                    several.run(node(kind, number), ["iptables", "-w", "-A", "OUTPUT", *rule], check=True)
        yield several


@pytest.fixture(scope="module")
def host(lab: Lab, root: Path) -> Iterator[Host]:
    with host_on(lab, root) as one:
        yield one


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    rows: list[Row] = []
    yield rows
    print(f"\n{'':34} way      first byte    throughput")
    for pair, reached, first_byte_s, mb_s in rows:
        print(f"{' - '.join(pair):34} {reached:8} {first_byte_s:8.1f} s {mb_s:8.1f} MB/s")


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_pair_connects(pair: tuple[str, str], lab: Lab, root: Path, host: Host, table: list[Row]) -> None:
    place = root / "-".join(pair).replace(" ", "_")
    one, other = Pc(lab, node(pair[0], 1), place), Pc(lab, node(pair[1], 2), place)
    RUNNING.extend([one, other])
    try:
        one.start("--no-mdns", "--rendezvous", host.address)
        one.create()
        one.save("first.txt", "the first byte")
        ticket = one.invite()
        begun_s = time.monotonic()
        other.start("--no-mdns")
        other.join(ticket)
        other.has("first.txt", "the first byte")
        first_byte_s = time.monotonic() - begun_s
        agree(one, other)
        if pair in DIRECT:
            until(lambda: way(one, other) == way(other, one) == "direct", "a plain connection took over")
        else:
            settle(one, other)
        data = os.urandom(BIG_BYTES)
        began_s = time.monotonic()
        one.save("big", data)
        other.has("big", data)
        mb_s = BIG_BYTES / 1e6 / (time.monotonic() - began_s)
        table.append(Row(pair, way(one, other) or "none", first_byte_s, mb_s))
        assert way(one, other) is not None
    finally:
        for pc in (one, other):
            pc.kill()
            RUNNING.remove(pc)


def settle(one: Pc, other: Pc) -> None:
    """Wait until the way has not changed for a while."""
    seen, since_s = way(one, other), time.monotonic()

    def stands() -> bool:
        nonlocal seen, since_s
        if way(one, other) != seen or seen != way(other, one):
            seen, since_s = way(one, other), time.monotonic()
        return time.monotonic() - since_s > SETTLED_S

    until(stands, "one way stays in use")


def node(kind: str, number: int) -> str:
    """A host's name is short enough for an interface."""
    return f"{''.join(word[0] for word in kind.replace('-', ' ').split())}{len(kind)}{number}"
