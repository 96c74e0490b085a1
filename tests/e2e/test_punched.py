"""Two PCs behind ordinary home routers, and a host that relays nothing: TCP goes through, and fills the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.e2e.afar import far_company, host_on
from tests.e2e.pc import Pc, agree, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = requires_lab

SITES = Site("port-restricted", ("a",)), Site("port-restricted", ("b",))
MIB = 1 << 20
NEXT_WAY_S = 10.0


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with wan(SITES, rate="100mbit", delay="10ms", loss="0.1%") as homes:
        yield homes


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with host_on(lab, root, "srv", "--no-relay") as host, far_company(lab, root, host, "a", "b") as two:
        yield two


def _way(pc: Pc) -> str | None:
    """How the only other PC is reached, more exactly than its path tells."""
    (peer,) = pc.status()["peers"]
    return str(peer["way"]) if peer["connected"] else None


def test_both_meet_in_the_middle_and_what_is_big_has_lanes(pcs: list[Pc]) -> None:
    a, b = pcs
    until(lambda: _way(a) == _way(b) == "punched", "they are connected")
    big = Random(1).randbytes(32 * MIB)
    for giver, taker in ((a, b), (b, a)):
        giver.save(f"{giver.host}.bin", big + giver.host.encode())
        giver.save(f"{giver.host}.txt", "meanwhile")
        taker.has(f"{giver.host}.txt", "meanwhile")
        taker.has(f"{giver.host}.bin", big + giver.host.encode())
    assert a.lanes() == b.lanes() > 0
    agree(a, b)


def test_a_router_that_forgets_its_connections_costs_seconds(pcs: list[Pc], lab: Lab) -> None:
    a, b = pcs
    lab.forget_nat("r2")
    b.save("after.txt", "the router forgot")
    a.has("after.txt", "the router forgot", NEXT_WAY_S)
    until(lambda: _way(a) == _way(b) == "punched", "they are connected")
    agree(a, b)
