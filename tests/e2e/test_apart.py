"""Two mandates on one PC are strictly apart, and a restricted class is unknown to those outside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.e2e.pc import Pc, agree, office, tree, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

SECRET_NAME = "Mueller salary 2025"
OTHER = "Danube"


@pytest.fixture
def pcs(lab: Lab, tmp_path: Path) -> Iterator[list[Pc]]:
    with office(lab, tmp_path) as three:
        yield three


def test_two_mandates_with_different_peers(pcs: list[Pc]) -> None:
    """a shares one mandate with b and another with c; they meet through the same socket, and see half of it each."""
    a, b, c = pcs
    a.create()
    other = a.root / "danube.crsync"
    a.create("--role", "payroll", mandate=OTHER, folder=other)
    b.join(a.invite("payroll"))
    c.join(a.invite("payroll", mandate=OTHER))
    a.save("cargo only.txt", "of Cargo")
    (other / "danube only.txt").write_bytes(b"of Danube")
    b.has("cargo only.txt", "of Cargo")
    c.has("danube only.txt", "of Danube")
    c.save("by c.txt", "of Danube")
    b.save("by b.txt", "of Cargo")
    until(lambda: (other / "by c.txt").exists(), "a has what c saved")
    a.has("by b.txt", "of Cargo")
    agree(a, b)
    assert c.files().keys() == tree(other).keys() == {"danube only.txt", "by c.txt"}
    assert a.files().keys() == {"cargo only.txt", "by b.txt"}
    assert [m["name"] for m in b.overall()["mandates"]] == ["Cargo"]
    assert [m["name"] for m in c.overall()["mandates"]] == [OTHER]
    assert b.connected() == {"a"}
    assert c.connected(OTHER) == {"a"}
    assert {m["name"]: [p["name"] for p in m["peers"]] for m in a.overall()["mandates"]} == {
        "Cargo": ["b"],
        OTHER: ["c"],
    }
    _knows_nothing_of(b, OTHER, "danube only", "by c", c.device)
    _knows_nothing_of(c, "Cargo", "cargo only", "by b", b.device)
    assert b.ask("status", OTHER).exit == 2
    a.run("mandate", "leave", OTHER, "--wipe") if a.ask("mandate", "leave", OTHER).exit == 0 else None
    agree(a, b)


def test_who_is_in_two_mandates_with_the_same_peer(pcs: list[Pc]) -> None:
    """One link serves both; a revocation in one of them leaves the other alone."""
    a, b, _c = pcs
    a.create()
    other_a, other_b = a.root / "a2.crsync", b.root / "b2.crsync"
    a.create(mandate=OTHER, folder=other_a)
    b.join(a.invite("payroll"))
    b.join(a.invite("payroll", mandate=OTHER), folder=other_b)
    (other_a / "one.txt").write_bytes(b"1")
    until(lambda: (other_b / "one.txt").exists(), "the second mandate works")
    a.run("devices", OTHER, "--revoke", b.device)
    until(lambda: b.connected(OTHER) == set(), "out of the second mandate")
    (other_a / "two.txt").write_bytes(b"2")
    a.save("still.txt", "together")
    b.has("still.txt", "together")
    agree(a, b)
    assert not (other_b / "two.txt").exists()


def test_a_restricted_class_is_unknown_outside_it(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.create("--restrict", "*.ecs=accounting,payroll")
    b.join(a.invite("payroll"))
    c.join(a.invite("invoicing"))
    content = f"#{token_hex(200)}"
    b.save(f"{SECRET_NAME}.ecs", f"{content}\r\n")
    b.save("common.txt", "for all")
    a.has(f"{SECRET_NAME}.ecs", f"{content}\r\n")
    a.save(f"{SECRET_NAME} 2.ecs", f"{content} again\r\n")
    b.has(f"{SECRET_NAME} 2.ecs", f"{content} again\r\n")
    c.has("common.txt", "for all")
    b.save("after.txt", "a later change that all may read")
    c.has("after.txt", "a later change that all may read")
    until(lambda: all(pc.status()["in_sync"] for pc in pcs), "in sync")
    b.stop()
    (b.folder / f"{SECRET_NAME}.ecs").unlink()
    b.start()
    a.has(f"{SECRET_NAME}.ecs", None)
    until(lambda: all(pc.status()["in_sync"] for pc in pcs), "in sync")
    assert c.files().keys() == {"common.txt", "after.txt"}
    assert {row["path"] for row in c.log()} == {"common.txt", "after.txt"}
    assert c.run("log", "Cargo", "--verify") is not None
    _knows_nothing_of(c, SECRET_NAME, content[:40])
    c.stop()
    _knows_nothing_of(c, SECRET_NAME, content[:40])
    c.save("mine.ecs", "of invoicing, which may not have any\r\n")
    c.start()
    until(lambda: "mine.ecs" in c.problems(), "c is told that it may not")
    assert a.read("mine.ecs") is None


def _knows_nothing_of(pc: Pc, *texts: str) -> None:
    """Neither its home nor its folder holds any of these, in a name or in bytes."""
    for place in (pc.home, pc.folder):
        for path in place.rglob("*"):
            for text in texts:
                assert text not in path.name, path
                assert not path.is_file() or text.encode() not in path.read_bytes(), (path, text)
