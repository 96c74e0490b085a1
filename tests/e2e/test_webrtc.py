"""Two PCs behind routers between which no TCP gets through, at a host that relays nothing: UDP alone carries it all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.e2e.afar import far_company, host_on, refuse_tcp, way
from tests.e2e.pc import Pc, agree, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = requires_lab

SITES = Site("port-restricted", ("a",)), Site("port-restricted", ("b",))
NEXT_WAY_S = 10.0
BYTES = Random(1).randbytes(10_000_000)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with wan(SITES) as homes:
        refuse_tcp(homes)
        yield homes


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """Already the ticket was honoured that way: there was no other."""
    with host_on(lab, root, "srv", "--no-relay") as host, far_company(lab, root, host, "a", "b") as two:
        yield two


def test_webrtc_carries_the_sync(pcs: list[Pc]) -> None:
    a, b = pcs
    a.save("small.txt", "from a")
    a.save("big.bin", BYTES)
    b.has("small.txt", "from a")
    b.has("big.bin", BYTES)
    b.save("back.txt", "from b")
    a.has("back.txt", "from b")
    assert way(a, b) == way(b, a) == "webrtc"
    agree(a, b)


def test_a_router_that_forgets_its_connections_costs_seconds(pcs: list[Pc], lab: Lab) -> None:
    a, b = pcs
    lab.forget_nat("r2")
    b.save("after.txt", "the router forgot")
    a.has("after.txt", "the router forgot", NEXT_WAY_S)
    assert way(a, b) == "webrtc"


def test_a_pc_that_starts_anew_is_found_again(pcs: list[Pc]) -> None:
    a, b = pcs
    b.kill()
    a.save("meanwhile.txt", "while b was off")
    b.start()
    b.has("meanwhile.txt", "while b was off")
    until(lambda: way(a, b) == way(b, a) == "webrtc", "they are connected")
    agree(a, b)
