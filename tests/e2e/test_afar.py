"""PCs behind two routers meet at a host, are paired by ticket, and stay in sync whatever happens to their ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.afar import Host, far_company, way
from tests.e2e.pc import Pc, agree, until
from tests.lab import Lab, Site, move, requires_lab, wan

pytestmark = requires_lab

NEXT_WAY_S = 10.0
"""When a path dies the next one takes over within this."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two homes behind routers as most are, a third PC in the first of them, and a host in the Internet."""
    with wan([Site("port-restricted", ("a", "c")), Site("port-restricted", ("b",))]) as two:
        yield two


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path, host: Host) -> Iterator[list[Pc]]:
    with far_company(lab, root, host, "a", "b", "c") as three:
        yield three


def test_files_travel_between_homes(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.save("from a.txt", "a")
    b.save("from b.txt", "b" * 1_000_000)
    for pc in pcs:
        pc.has("from a.txt", "a")
        pc.has("from b.txt", "b" * 1_000_000)
    assert way(a, c) == way(c, a) == "lan"
    until(lambda: way(a, b) == way(b, a) not in ("lan", None), "both say how they reach each other")


def test_a_router_that_forgets_its_connections_costs_seconds(pcs: list[Pc], lab: Lab) -> None:
    a, b, _c = pcs
    agree(*pcs)
    lab.forget_nat("r2")
    b.save("after.txt", "the router forgot")
    took = a.has("after.txt", "the router forgot", NEXT_WAY_S)
    print(f"in sync {took:.1f} s after the router forgot")
    agree(*pcs)


def test_the_host_may_be_away_and_come_back(pcs: list[Pc], host: Host) -> None:
    a, b, c = pcs
    agree(*pcs)
    host.stop()
    until(lambda: all(told(pc) for pc in pcs), "all tell that the host is away")
    c.save("lan.txt", "goes on")
    a.has("lan.txt", "goes on")
    assert way(a, c) == "lan"
    host.start()
    b.save("back.txt", "the host is back")
    a.has("back.txt", "the host is back")
    agree(*pcs)
    until(lambda: not any(told(pc) for pc in pcs), "all is well again")


def test_a_laptop_goes_home_and_comes_back(pcs: list[Pc], lab: Lab) -> None:
    """c is carried from a's office to b's home, and back; nobody touches anything."""
    a, b, c = pcs
    agree(*pcs)
    for router, near, far in (("r2", b, a), ("r1", a, b)):
        move(lab, "c", router)
        c.save("laptop.txt", f"carried behind {router}")
        took = max(pc.has("laptop.txt", f"carried behind {router}") for pc in (near, far))
        print(f"in sync {took:.1f} s after it was plugged in behind {router}")
        until(lambda c=c, near=near: way(c, near) == way(near, c) == "lan", "those nearby have a local connection")  # type: ignore[misc]
        until(lambda c=c, far=far: way(c, far) not in ("lan", None), "the others another one")  # type: ignore[misc]
        near.save("to the laptop.txt", router)
        c.has("to the laptop.txt", router)
        agree(*pcs)


def told(pc: Pc) -> str | None:
    """What is wrong with the meeting host."""
    (host,) = pc.overall()["rendezvous"]
    return str(host["problem"]) if host["problem"] else None
