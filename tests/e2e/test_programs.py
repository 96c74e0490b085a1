"""Bookkeeping programs' own files, anywhere on two PCs: what one saves is in the other's, whole, whatever is killed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.e2e.pc import MANDATE, Pc, company, pause, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

CHART = "Cargo 2025.crp"
WAGES = "Cargo (01-01-2025 ~ 31-12-2025).ecs"
LINE = "31.01.2025\t5000\t1020\tS-{0:03}\tMüller & Cie\t{0}.00\t\t0\t\t0\t0\t{0}\t\t\t1\t\t\t\t\t\t0\r\n"
HEAD = "#FSC\t9.5.0\tECS\r\n#ECC\t1; 1; 31.01.2025 09:00:00; 1\r\n"
SAVES = 30


def wages(count: int) -> bytes:
    return (HEAD + "".join(LINE.format(number) for number in range(1, count + 1))).encode("cp1252")


def chart(title: str) -> bytes:
    return f"MAJREV=9\r\nDATEBEG=01.01.2025\r\nDATEEND=31.12.2025\r\nTITLE={title}\r\nENDOFFILE\r\n".encode("cp1252")


def books(pc: Pc) -> Path:
    """Where the programs of a PC keep their files: not in the mandate's folder."""
    folder = pc.root / f"{pc.host}.books"
    folder.mkdir(exist_ok=True)
    return folder


def holds(pc: Pc, name: str, data: bytes) -> None:
    file = books(pc) / name
    until(lambda: file.exists() and file.read_bytes() == data, f"the program of {pc.host} has {name}")


def is_current(pc: Pc, name: str) -> None:
    until(lambda: {r["path"]: r["state"] for r in pc.run("attach")}.get(name) == "current", f"{name} is up to date")


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """The fiduciary, a, and the payroll clerk, b, with their charts and wages attached, also where no file is yet."""
    with company(lab, root, "payroll") as both:
        a, b = both
        for pc, name, data in ((a, CHART, chart("first")), (b, WAGES, wages(1))):
            (books(pc) / name).write_bytes(data)
            pc.run("attach", books(pc) / name, "--mandate", MANDATE)
        for pc, name, data in ((b, CHART, chart("first")), (a, WAGES, wages(1))):
            pc.has(name, data)
            pc.run("attach", books(pc) / name, "--mandate", MANDATE)
        for pc in both:
            is_current(pc, CHART)
            is_current(pc, WAGES)
        yield both


def test_wages_go_to_the_fiduciary_once_they_are_whole_and_nobody_has_the_file_open(pcs: list[Pc]) -> None:
    a, b = pcs
    (books(b) / WAGES).write_bytes(wages(42)[:-5])
    pause(2.0)
    assert (books(a) / WAGES).read_bytes() == wages(1), "half a line is no booking"
    (books(b) / WAGES).write_bytes(wages(42))
    holds(a, WAGES, wages(42))
    reader = a.lab.popen(a.host, ["tail", "-f", books(a) / WAGES], stdout=subprocess.DEVNULL)
    try:
        (books(b) / WAGES).write_bytes(wages(41))
        until(lambda: [r["state"] for r in a.run("inbox")] == ["open"], "it waits in the inbox")
        assert (books(a) / WAGES).read_bytes() == wages(42)
        assert a.ask("deliver", MANDATE, WAGES).exit == 5
    finally:
        reader.kill()
        reader.wait()
    holds(a, WAGES, wages(41))


def test_a_live_database_is_refused_with_what_to_attach_instead(pcs: list[Pc]) -> None:
    a, _ = pcs
    (books(a) / "Cargo 2025.cre").write_bytes(b"\0" * 100)
    answer = a.ask("attach", books(a) / "Cargo 2025.cre", "--mandate", MANDATE)
    assert answer.exit == 2
    assert "Cargo 2025.crp" in str(answer.data)


def test_killed_again_and_again_between_two_programs(pcs: list[Pc]) -> None:
    """Whoever looks into a program's file sees a whole version at any time."""
    a, b = pcs
    random = Random(7)
    versions = {chart("first"), *(chart(f"save {number}") for number in range(SAVES))}
    for number in range(SAVES):
        (books(a) / CHART).write_bytes(chart(f"save {number}"))
        pause(random.uniform(0.0, 0.6))
        assert (books(b) / CHART).read_bytes() in versions, "a partial file has a user's name"
        if number % 5 == 4:
            victim = (a, b)[number % 2]
            victim.kill()
            assert (books(b) / CHART).read_bytes() in versions
            victim.start()
    holds(b, CHART, chart(f"save {SAVES - 1}"))
    until(lambda: not [f for f in books(b).iterdir() if f.name.startswith(".")], "no copy is left")
    assert a.run("conflicts", MANDATE) == []
    assert {row["device"] for row in b.log() if row["path"] == CHART} == {a.device}, "b changed nothing"


def test_what_was_edited_at_both_ends_while_a_pc_was_off_is_a_conflict(pcs: list[Pc]) -> None:
    a, b = pcs
    b.kill()
    (books(b) / CHART).write_bytes(chart("by payroll"))
    (books(a) / CHART).write_bytes(chart("by accounting"))
    a.has(CHART, chart("by accounting"))
    b.start()
    until(lambda: len(a.run("conflicts", MANDATE)) == 1, "both know of it")
    until(lambda: [r["state"] for r in b.run("inbox")] == ["waiting"], "b is asked")
    assert (books(b) / CHART).read_bytes() == chart("by payroll")
    assert (books(a) / CHART).read_bytes() == chart("by accounting")
    b.run("deliver", MANDATE, CHART)
    assert (books(b) / CHART).read_bytes() == chart("by accounting")
    (conflict,) = b.run("conflicts", MANDATE)
    (loser,) = conflict["losers"]
    kept = b.root / "kept.crp"
    b.run("restore", MANDATE, CHART, "--version", loser["id"], "--to", kept)
    assert kept.read_bytes() == chart("by payroll")
