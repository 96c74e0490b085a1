"""Who may do what: readers change nothing, the revoked are refused by all, and nobody else is lost with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, company, pause, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab


@pytest.fixture
def pcs(lab: Lab, tmp_path: Path) -> Iterator[list[Pc]]:
    with company(lab, tmp_path, "payroll", "reader") as three:
        yield three


def test_a_readers_edits_are_refused_and_undone(pcs: list[Pc], tmp_path: Path) -> None:
    a, b, reader = pcs
    a.save("report.txt", "as it is")
    a.save("deleted.txt", "to stay")
    agree(*pcs)
    reader.save("report.txt", "as the reader wants it")
    reader.has("report.txt", "as it is")
    (reader.folder / "deleted.txt").unlink()
    reader.has("deleted.txt", "to stay")
    reader.save("own.txt", "of the reader")
    until(lambda: "own.txt" in reader.problems(), "the reader is told")
    assert reader.problems()["report.txt"] == "edit-refused"
    kept = [row["size"] for row in reader.run("versions", "Cargo", "report.txt")]
    assert len("as the reader wants it") in kept
    found = agree(a, b)
    assert found.keys() == {"report.txt", "deleted.txt"}
    assert {row["device"] for row in a.log()} == {a.device}


def test_a_revoked_device_is_refused_by_all(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.run("devices", "Cargo", "--role", f"{c.device}=invoicing")
    a.save("for all.txt", "before")
    agree(*pcs)
    revoked = c.device
    a.run("devices", "Cargo", "--revoke", revoked)
    until(lambda: c.connected() == set(), "nobody talks to c")
    until(lambda: c.problems().get("") == "removed", "c knows why")
    assert b.connected() == {"a"}
    a.save("secret.txt", "for members")
    b.has("secret.txt", "for members")
    c.save("for all.txt", "by the revoked")
    c.save("more.txt", "by the revoked")
    c.restart()
    b.restart()
    pause(3)
    assert c.connected() == set()
    agree(a, b)
    for pc in (a, b):
        assert pc.read("for all.txt") == b"before"
        assert pc.read("more.txt") is None
        assert {row["name"]: row["state"] for row in pc.run("devices", "Cargo")} == {
            "a": "member",
            "b": "member",
            "c": "revoked",
        }
    assert c.read("secret.txt") is None
    assert c.read("for all.txt") == b"by the revoked", "its folder stays as it is"


def test_a_member_that_was_off_during_the_revocation_comes_back(pcs: list[Pc]) -> None:
    """It knows only the secret from before, and learns of the revocation from whoever it meets first."""
    a, b, c = pcs
    revoked = c.device
    b.stop()
    a.run("devices", "Cargo", "--revoke", revoked)
    until(lambda: c.connected() == set(), "a refuses c")
    c.save("evil.txt", "by the revoked")
    a.save("good.txt", "for members")
    b.restart("--listen", "0.0.0.0:4713")
    b.has("good.txt", "for members")
    until(lambda: b.connected() == {"a"}, "b learned that c is out")
    a.restart("--listen", "0.0.0.0:4714")
    agree(a, b)
    assert b.read("evil.txt") is None
    assert a.read("evil.txt") is None
    assert c.connected() == set()


def test_a_member_tells_another_of_a_revocation(pcs: list[Pc]) -> None:
    """b was off; the one who revoked goes off; a fourth voice is not needed, for b hears it before it trusts c."""
    a, b, c = pcs
    a.run("devices", "Cargo", "--role", f"{c.device}=invoicing")
    agree(*pcs)
    revoked = b.device
    b.stop()
    a.run("devices", "Cargo", "--revoke", revoked)
    until(lambda: [row["state"] for row in c.run("devices", "Cargo") if row["name"] == "b"] == ["revoked"], "c knows")
    a.stop()
    b.start()
    b.save("late.txt", "by the revoked")
    until(lambda: b.problems().get("") == "removed", "c told b")
    assert b.connected() == set()
    assert c.connected() == set()
    assert c.read("late.txt") is None


def test_a_member_leaves_and_keeps_its_files(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.save("common.txt", "of all")
    agree(*pcs)
    assert a.ask("mandate", "leave", "Cargo").exit != 0, "the last admin may not leave"
    b.run("mandate", "leave", "Cargo")
    assert b.run("mandate", "list") == []
    assert b.read("common.txt") == b"of all"
    until(lambda: "b" not in a.connected(), "a sees it go")
    until(lambda: {r["name"]: r["state"] for r in a.run("devices", "Cargo")}.get("b") != "member", "b is no member")
    a.save("later.txt", "for the rest")
    c.has("later.txt", "for the rest")
    assert b.read("later.txt") is None
