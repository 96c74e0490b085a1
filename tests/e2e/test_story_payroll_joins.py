"""The payroll clerk joins the fiduciary's mandate on the LAN: she gets the chart, and her wages are all she may change.

With what goes wrong: tickets that are mistyped, old or used, two users of one PC, and a network without multicast.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import time

import pytest

from p2psync.books import synthetic
from p2psync.pair.ticket import parse
from tests.e2e.pc import MANDATE, Pc, agree, office, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

CHART = "Cargo 2025.crp"
WAGES = synthetic.entries_name("Cargo", 2025, "ecs")
INVOICES = synthetic.entries_name("Cargo", 2025, "ecf")


def chart(seed: int) -> bytes:
    return synthetic.chart(2025, 60, Random(seed))


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """The fiduciary with a mandate in which accounting leads, the clerk's PC, and another one."""
    with office(lab, root) as three:
        fiduciary = three[0]
        fiduciary.create()
        for rule in ("*.crp=enforce", "*.ecf=enforce", "*.ecs=enforce"):
            fiduciary.run("rules", MANDATE, "--set", rule)
        fiduciary.save(CHART, chart(1))
        yield three


def stores_nothing(pc: Pc) -> None:
    assert pc.run("mandate", "list") == []
    assert not (pc.folder / ".p2psync" / "marker").exists()
    assert pc.files() == {} if pc.folder.exists() else True


def test_a_ticket_that_is_mistyped_or_old_stores_nothing_and_says_why(pcs: list[Pc]) -> None:
    fiduciary, clerk, _ = pcs
    ticket = fiduciary.invite("payroll", "--expires", "1s")
    mistyped = ticket[:20] + ("A" if ticket[20] != "A" else "B") + ticket[21:]
    answer = clerk.ask("join", "-", "--folder", clerk.folder, given=mistyped)
    assert (answer.exit, "Copy it again" in answer.said) == (1, True)
    stores_nothing(clerk)
    until(lambda: time() > parse(ticket).expires_s + 0.2, "it is over")
    answer = clerk.ask("join", "-", "--folder", clerk.folder, given=ticket)
    assert (answer.exit, "expired" in answer.said) == (1, True)
    stores_nothing(clerk)


def test_both_see_the_same_fingerprint_and_the_fiduciary_confirms(pcs: list[Pc]) -> None:
    fiduciary, clerk, other = pcs
    ticket = fiduciary.invite("payroll", "--expires", "24h", "--confirm")
    answer = clerk.ask("join", "-", "--folder", clerk.folder, "--timeout", "10s", given=ticket)
    assert (answer.exit, answer.data["waiting_for"]) == (5, "approval")
    assert answer.data["fingerprint"] == fiduciary.overall()["device"]["fingerprint"]
    stores_nothing(clerk)
    (waiting,) = [row for row in fiduciary.run("devices", MANDATE) if row["state"] == "waiting"]
    assert waiting["device"] == clerk.device
    assert waiting["fingerprint"] == clerk.overall()["device"]["fingerprint"]
    begun = clerk.begin("join", ticket, "--folder", clerk.folder, "--timeout", "60s")
    fiduciary.run("devices", MANDATE, "--approve", waiting["device"])
    out, said = begun.communicate(timeout=90)
    assert begun.returncode == 0, (out, said)
    clerk.has(CHART, chart(1))
    agree(fiduciary, clerk)
    used = other.ask("join", "-", "--folder", other.folder, given=ticket)
    assert (used.exit, "used" in used.said) == (1, True)
    stores_nothing(other)


def test_the_clerk_publishes_wages_and_changes_nothing_else(pcs: list[Pc]) -> None:
    fiduciary, clerk, _ = pcs
    wages = synthetic.entries("ECS", 42, Random(2))
    clerk.save(WAGES, wages)
    fiduciary.has(WAGES, wages)
    clerk.save(INVOICES, synthetic.entries("ECF", 3, Random(3)))
    clerk.has(INVOICES, None)
    clerk.save(CHART, chart(9))
    clerk.has(CHART, chart(1))
    (clerk.folder / CHART).unlink()
    clerk.has(CHART, chart(1))
    assert {clerk.problems()[path] for path in (CHART, INVOICES)} == {"edit-refused"}
    assert "refused" in {row["reason"] for row in clerk.run("versions", MANDATE, CHART)}
    agree(fiduciary, clerk)
    assert set(fiduciary.files()) == {CHART, WAGES}
    assert {row["path"] for row in fiduciary.log() if row["device"] == clerk.device} == {WAGES}
    fiduciary.save(CHART, chart(2))
    clerk.has(CHART, chart(2))


def test_two_users_of_one_pc_are_two_devices(pcs: list[Pc], root: Path) -> None:
    fiduciary, clerk, _ = pcs
    second = Pc(clerk.lab, clerk.host, root / "second user")
    try:
        second.start()
        second.join(fiduciary.invite("reader"))
        second.has(CHART, chart(2))
        assert second.device != clerk.device
        devices = {row["device"]: row["role"] for row in fiduciary.run("devices", MANDATE)}
        assert (devices[clerk.device], devices[second.device]) == ("payroll", "reader")
        second.run("mandate", "leave", MANDATE)
        assert clerk.run("mandate", "list") != []
        clerk.save("letter.txt", "goes on")
        fiduciary.has("letter.txt", "goes on")
    finally:
        second.kill()


def test_without_multicast_an_address_brings_them_together(pcs: list[Pc]) -> None:
    """The ticket's address lets her join; once the fiduciary listens elsewhere, a person says where."""
    fiduciary, _, other = pcs
    fiduciary.restart("--no-mdns", "--listen", "0.0.0.0:4801")
    other.restart("--no-mdns")
    other.join(fiduciary.invite("payroll"))
    other.has(CHART, chart(2))
    fiduciary.restart("--no-mdns", "--listen", "0.0.0.0:4802")
    other.restart("--no-mdns")
    answer = other.ask("sync", MANDATE, "--timeout", "3s")
    assert (answer.exit, answer.data["result"]) == (5, "failed")
    other.run("peer", "add", MANDATE, f"{other.lab.ip(fiduciary.host)}:4802")
    until(lambda: fiduciary.host in other.connected(), "they are connected")
    fiduciary.save(CHART, chart(3))
    other.has(CHART, chart(3))
