"""The cable is pulled, or packets vanish: what was under way goes on, and what was edited meanwhile is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, company, digest, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

MIB = 1 << 20
BIG_BYTES = 200 * MIB
ARRIVED_BYTES = 50 * MIB
NOTICED_S = 15.0
NOTICED_SLACK_S = 5.0
"""For a busy machine, and for the looks themselves."""
BACK_S = 10.0


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with company(lab, root, "payroll", "invoicing") as three:
        yield three


def test_a_big_file_goes_on_and_both_edits_survive_a_cut(pcs: list[Pc], lab: Lab, tmp_path: Path) -> None:
    a, b, c = pcs
    a.save("Cargo 2025.crp", "first\r\nENDOFFILE\r\n")
    a.save("letter.txt", "first")
    agree(*pcs)
    lab.shape("b", "400mbit")
    a.save("big.bin", os.urandom(BIG_BYTES))
    until(lambda: _staged_bytes(b) > ARRIVED_BYTES, "a part of the big file has arrived")
    lab.cut("b")
    until(lambda: not b.connected() and "b" not in a.connected(), "both sides see the cut", NOTICED_S)
    assert b.read("big.bin") is None
    a.save("Cargo 2025.crp", "by accounting\r\nENDOFFILE\r\n")
    b.save("Cargo 2025.crp", "by payroll\r\nENDOFFILE\r\n")
    b.save("Cargo 2025.crp", "by payroll, again\r\nENDOFFILE\r\n")
    a.save("letter.txt", "by accounting")
    b.save("letter.txt", "by payroll, once")
    b.has("letter.txt", "by payroll, once")
    until(lambda: _logged(b, "letter.txt") == 2, "b has noted its letter")
    b.save("letter.txt", "by payroll, twice")
    until(lambda: _logged(b, "letter.txt") == 3, "b has noted its second letter")
    until(lambda: c.read("big.bin") is not None, "c has the big file")

    before = lab.counters("b")
    lab.restore("b")
    lab.shape("b")
    until(lambda: b.connected() == {"a", "c"}, "the links are back", BACK_S)
    found = agree(*pcs)
    received = (lab.counters("b") - before).received_bytes
    assert found["big.bin"] == digest(a.folder / "big.bin")
    assert (b.folder / "big.bin").stat().st_size == BIG_BYTES
    assert received < BIG_BYTES - ARRIVED_BYTES / 2, "what had arrived was sent again"
    assert a.read("Cargo 2025.crp") == b"by accounting\r\nENDOFFILE\r\n"
    assert a.read("letter.txt") == b"by payroll, twice"

    listed = a.run("conflicts", "Cargo")
    assert [(row["path"], row["rule"]) for row in listed] == [("Cargo 2025.crp", "prefer"), ("letter.txt", "newest")]
    assert {row["winner"]["device"] for row in listed} == {a.device, b.device}
    loser_ids = [[loser["id"] for loser in row["losers"]] for row in listed]
    lost = [b"by payroll, again\r\nENDOFFILE\r\n", b"by accounting"]
    for pc in pcs:
        same = pc.run("conflicts", "Cargo")
        assert [[loser["id"] for loser in row["losers"]] for row in same] == loser_ids
        for row, data in zip(same, lost, strict=True):
            out = tmp_path / f"{pc.host}-{row['path']}"
            pc.run("restore", "Cargo", row["path"], "--version", row["losers"][0]["id"], "--to", out)
            assert out.read_bytes() == data


def test_a_person_decides_a_conflict_and_it_is_closed_everywhere(pcs: list[Pc]) -> None:
    a, _b, c = pcs
    listed = {row["path"]: row for row in c.run("conflicts", "Cargo")}
    assert len(listed) == 2
    c.run("conflicts", "Cargo", "letter.txt", "--keep", listed["letter.txt"]["losers"][0]["id"])
    a.run("conflicts", "Cargo", "Cargo 2025.crp", "--keep", "mine")
    until(lambda: all(pc.run("conflicts", "Cargo") == [] for pc in pcs), "no open conflict anywhere")
    for pc in pcs:
        pc.has("letter.txt", "by accounting")
        pc.has("Cargo 2025.crp", "by accounting\r\nENDOFFILE\r\n")
    agree(*pcs)


def test_a_silent_cut_is_noticed_by_both_and_the_link_comes_back(pcs: list[Pc], lab: Lab) -> None:
    a, b, c = pcs
    agree(*pcs)
    lab.cut("b", silent=True)
    try:
        until(lambda: not b.connected(), "b notices", NOTICED_S + NOTICED_SLACK_S)
        until(lambda: a.connected() == {"c"}, "a notices", NOTICED_SLACK_S)
        a.save("meanwhile.txt", "by a")
        c.has("meanwhile.txt", "by a")
    finally:
        lab.restore("b")
    b.has("meanwhile.txt", "by a", BACK_S)
    agree(*pcs)


def _staged_bytes(pc: Pc) -> int:
    staging = pc.folder / ".p2psync" / "staging"
    return sum(file.stat().st_blocks * 512 for file in staging.glob("*.part"))


def _logged(pc: Pc, path: str) -> int:
    return sum(row["path"] == path for row in pc.log())
