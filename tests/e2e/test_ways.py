"""PCs that move, and paths that die: another way takes over in seconds, and a better one as soon as there is one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.afar import far_company, host_on, way
from tests.e2e.pc import Pc, agree, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = requires_lab

NEXT_WAY_S = 10.0
"""When a path dies the next one takes over within this."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two PCs with public addresses, and a host."""
    with wan([Site("none", ("a",)), Site("none", ("b",))]) as two:
        yield two


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with host_on(lab, root) as host, far_company(lab, root, host, "a", "b", mdns=False) as two:
        yield two


@contextlib.contextmanager
def nothing_between(lab: Lab, one: str, other: str) -> Iterator[None]:
    """Packets between two PCs vanish, without a word to either."""
    rules = [(one, "INPUT", lab.ip(other)), (other, "INPUT", lab.ip(one))]
    for node, chain, source in rules:
        lab.run(node, ["iptables", "-w", "-A", chain, "-s", source, "-j", "DROP"], check=True)
    try:
        yield
    finally:
        for node, chain, source in rules:
            lab.run(node, ["iptables", "-w", "-D", chain, "-s", source, "-j", "DROP"], check=True)


def test_the_relay_takes_over_when_the_path_dies_and_gives_back(pcs: list[Pc], lab: Lab) -> None:
    a, b = pcs
    agree(a, b)
    assert way(a, b) == way(b, a) == "direct"
    with nothing_between(lab, "a", "b"):
        b.save("over the relay.txt", "the path is dead")
        took = a.has("over the relay.txt", "the path is dead", NEXT_WAY_S)
        print(f"the relay took over after {took:.1f} s")
        until(lambda: way(a, b) == way(b, a) == "relay", "they say so")
        a.save("back.txt", "back")
        b.has("back.txt", "back")
        until(lambda: "direct" in reasons(a), "it says why there is no better way")
    until(lambda: way(a, b) == way(b, a) == "direct", "the plain connection is there again", 120)
    agree(a, b)


def reasons(pc: Pc) -> dict[str, str]:
    """Why the only other PC is not reached in a better way, by way."""
    (peer,) = pc.status()["peers"]
    return {str(one["way"]): str(one["reason"]) for one in peer["not_better"]}
