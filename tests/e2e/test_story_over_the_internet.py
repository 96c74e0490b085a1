"""The owner at home and the fiduciary in the office share no LAN: a meeting host unites them and learns nothing.

With what goes wrong: routers that let no direct way through, a host that is away, a PC that is off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from p2psync.books import synthetic
from tests.e2e.afar import Host, far_company, way
from tests.e2e.pc import MANDATE, Pc, agree, pause, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = requires_lab

CHART = "Cargo 2025.crp"
SECRET = b"Lohn Margrit Aeberhard"
"""Stands in a file; whoever passes it on must not see it."""


def chart(seed: int) -> bytes:
    return synthetic.chart(2025, 60, Random(seed)).replace(b"TITLE=", b"TITLE=" + SECRET)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The owner's home and the fiduciary's office behind strict routers; the second PC of the office; the host."""
    with wan([Site("symmetric", ("home",)), Site("symmetric", ("office", "desk"))]) as two:
        yield two


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path, host: Host) -> Iterator[list[Pc]]:
    with far_company(lab, root, host, "office", "home", "desk") as three:
        three[0].save(CHART, chart(1))
        for pc in three:
            pc.has(CHART, chart(1))
        yield three


def told(pc: Pc) -> str | None:
    (host,) = pc.overall()["rendezvous"]
    return str(host["problem"]) if host["problem"] else None


def test_the_first_replica_is_complete_and_the_host_has_learnt_nothing(pcs: list[Pc], host: Host) -> None:
    office, home, desk = pcs
    agree(*pcs)
    assert way(office, desk) == "lan"
    assert way(office, home) == "relay"
    kept = b"".join(path.read_bytes() for path in host.home.rglob("*") if path.is_file())
    kept += host.log.read_bytes()
    for clear in (SECRET, b"Cargo", b".crp", office.device.encode(), b"office"):
        assert clear not in kept, clear


def test_a_pc_that_is_off_is_waited_for_and_gets_it_later(pcs: list[Pc]) -> None:
    """Also where the sender is cut off from the mains in between."""
    office, home, desk = pcs
    for pc in (office, desk):
        pc.kill()
    home.save("invoice.txt", "for the fiduciary")
    until(lambda: "invoice.txt" in {row["path"] for row in home.log()}, "it is announced")
    answer = home.ask("sync", MANDATE, "--timeout", "3s")
    assert (answer.exit, answer.data["result"]) == (5, "failed")
    assert "office" in answer.said or "office" in str(answer.data), answer
    assert {p["behind_files"] for p in home.status()["peers"]} == {1}
    home.kill()
    home.start()
    for pc in (office, desk):
        pc.start()
        pc.has("invoice.txt", "for the fiduciary")
    agree(*pcs)


def test_the_host_is_away_and_the_office_goes_on(pcs: list[Pc], host: Host) -> None:
    office, home, desk = pcs
    agree(*pcs)
    host.stop()
    until(lambda: all(told(pc) for pc in pcs), "all tell that the host is away")
    desk.save("in the office.txt", "goes on")
    office.has("in the office.txt", "goes on")
    assert home.read("in the office.txt") is None
    host.start("--relay")
    home.has("in the office.txt", "goes on")
    agree(*pcs)


def test_where_no_direct_way_leads_through_only_a_relay_helps(pcs: list[Pc], host: Host) -> None:
    """The last one: a host that was not told to relay passes nothing on, and that is said."""
    office, home, desk = pcs
    agree(*pcs)
    host.stop()
    host.start("--no-relay")
    until(lambda: not any(told(pc) for pc in pcs), "the host is back")
    office.save("no way.txt", "to the owner")
    desk.has("no way.txt", "to the owner")
    pause(5)
    assert home.read("no way.txt") is None
    assert home.connected() == set()
    answer = home.ask("sync", MANDATE, "--timeout", "2s")
    assert answer.exit == 5
    assert [one["relay"] for one in home.overall()["rendezvous"]] == [False]
    host.stop()
    host.start("--relay")
    home.has("no way.txt", "to the owner")
    until(lambda: way(home, office) == "relay", "home shows the relay as its way")
