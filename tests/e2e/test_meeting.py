"""PCs of one LAN find each other, are paired by ticket, and pass on what is saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.e2e.pc import Pc, agree, company, pause, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

AT_ONCE_S = 2.0
"""On a busy machine; it takes a few hundredths of a second."""


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with company(lab, root, "payroll", "invoicing") as three:
        yield three


def test_files_travel_in_both_directions(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.save("Cargo 2025.crp", "chart of accounts\r\nENDOFFILE\r\n")
    b.save("in/deep/down/letter.txt", "from payroll")
    c.save("empty", b"")
    for pc in pcs:
        pc.has("Cargo 2025.crp", "chart of accounts\r\nENDOFFILE\r\n")
        pc.has("in/deep/down/letter.txt", "from payroll")
        pc.has("empty", b"")
    b.save("Cargo 2025.crp", "corrected by payroll\r\nENDOFFILE\r\n")
    a.has("Cargo 2025.crp", "corrected by payroll\r\nENDOFFILE\r\n")
    (c.folder / "empty").unlink()
    a.has("empty", None)
    b.has("empty", None)
    (a.folder / "in").rename(a.folder / "out")
    b.has("out/deep/down/letter.txt", "from payroll")
    until(lambda: not (b.folder / "in").exists(), "the old directory is gone")
    agree(*pcs)
    assert a.run("conflicts") == []


def test_a_save_is_at_the_other_at_once(pcs: list[Pc]) -> None:
    a, b, _c = pcs
    took = []
    for number in range(10):
        a.save("often.txt", f"{number}" * 64)
        took.append(b.has("often.txt", f"{number}" * 64))
    assert median(took) < AT_ONCE_S


def test_commands_tell_who_is_there_and_that_all_is_done(pcs: list[Pc]) -> None:
    a, _b, c = pcs
    agree(*pcs)
    assert [(row["name"], row["role"], row["state"]) for row in c.run("devices", "Cargo")] == [
        ("a", "accounting", "member"),
        ("b", "payroll", "member"),
        ("c", "invoicing", "member"),
    ]
    (c.folder / "just now.txt").write_bytes(b"saved in place")
    ran = c.run("sync", "Cargo", "--timeout", "60s")
    assert ran["result"] == "success"
    assert a.read("just now.txt") == b"saved in place"
    assert c.run("sync", "Cargo", "--timeout", "60s")["result"] == "nothing-new"
    assert c.ask("wait", "Cargo", "--timeout", "60s").exit == 0
    assert {row["path"] for row in a.log()} >= {"just now.txt"}
    assert c.ask("log", "Cargo", "--verify").exit == 0


def test_a_file_reaches_a_pc_through_another(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.stop()
    c.save("via.txt", "by c, while a was off")
    b.has("via.txt", "by c, while a was off")
    c.stop()
    a.start()
    a.has("via.txt", "by c, while a was off")
    assert "via.txt" in {row["path"] for row in a.log() if row["device"] == _member(a, "c")}
    c.start()
    agree(*pcs)


def test_members_that_know_no_address_of_each_other_meet(pcs: list[Pc]) -> None:
    """The joiners know where the inviter listens, and nothing of each other: mDNS alone brings them together."""
    a, b, c = pcs
    a.stop()
    b.restart("--listen", "0.0.0.0:4711")
    c.restart("--listen", "0.0.0.0:4712")
    until(lambda: b.connected() == {"c"}, "b and c meet without a")
    c.restart("--listen", "0.0.0.0:4712", "--no-mdns")
    pause(3)
    assert c.connected() == set()
    known = _addresses(c)
    c.run("peer", "add", "Cargo", f"{c.lab.ip('b')}:4711")
    until(lambda: c.connected() == {"b"}, "c dials the address it was told")
    assert _addresses(c) - known == {f"{c.lab.ip('b')}:4711"}
    c.run("peer", "remove", "Cargo", f"{c.lab.ip('b')}:4711")
    c.restart()
    a.start()
    agree(*pcs)


def test_nothing_is_left_behind_when_a_daemon_ends(pcs: list[Pc]) -> None:
    a, b, c = pcs
    daemon = b.daemon
    assert daemon is not None
    assert b.stop() < 5
    assert daemon.returncode == 0
    assert not (b.home / "daemon.json").exists()
    assert b.ask("status").exit == 4
    until(lambda: a.connected() == {"c"}, "a sees b go", 5)
    b.start()
    agree(a, b, c)


def _addresses(pc: Pc) -> set[str]:
    return {str(row["address"]) for row in pc.run("peer", "list", "Cargo")}


def _member(pc: Pc, name: str) -> str:
    return next(str(row["device"]) for row in pc.run("devices", "Cargo") if row["name"] == name)
