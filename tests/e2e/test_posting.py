"""What bookkeepers do all day: bookings come, are counted, checked, marked as posted; their producer sees all that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from tests.e2e.pc import Pc, company, office, pause, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

CHART = "Cargo 2025.crp"
INVOICES = synthetic.entries_name("Cargo", 2025, "ecf")
SALARIES = synthetic.entries_name("Cargo Löhne", 2025, "ecs")
BANNER_S = 10.0
TORN_S = 3.0
"""Longer than such a file has to stand still."""


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """Accounting, payroll, and a second accountant, who works at home."""
    with company(lab, root, "payroll", "accounting") as three:
        yield three


def salaries(lines: int, seed: int = 1) -> bytes:
    return synthetic.entries("ECS", lines, Random(seed), uid=seed)


def counts(pc: Pc, file: str) -> list[tuple[int, int, int]]:
    """New, changed and removed lines that wait, by period."""
    rows = [row for row in pc.run("pending", "Cargo") if row["file"] == file]
    return [(row["new"], row["changed"], row["removed"]) for row in rows]


def shown(pc: Pc, file: str) -> Any:
    return next((row for row in pc.run("pending", "Cargo", "--all") if row["file"] == file), None)


def comes_to(pc: Pc, file: str, step: str) -> Any:
    """Wait until a file has come so far: published, delivered, posted."""
    until(lambda: (shown(pc, file) or {"step": ""})["step"] == step, f"{file} is {step} for {pc.host}")
    return shown(pc, file)


def waits(pc: Pc, file: str, *expected: tuple[int, int, int]) -> float:
    return until(lambda: counts(pc, file) == list(expected), f"{pc.host} counts {expected} in {file}")


def test_alone_one_sees_within_seconds_what_is_to_be_posted(lab: Lab, tmp_path: Path) -> None:
    """A local mandate, made of its accounting file: three bookings are added; a half-written file never counts."""
    with office(lab, tmp_path, "a") as (alone,):
        data, books = synthetic.entries("ECF", 5, Random(1)), tmp_path / "books"
        for folder in (books, tmp_path / "OneDrive"):
            folder.mkdir()
            (folder / "Cargo 2025.cre").write_bytes(b"a live database")
            (folder / CHART).write_bytes(synthetic.chart(2025, 60, Random(1)))
            (folder / INVOICES).write_bytes(data)
            listed = synthetic.Listed("ECF", INVOICES, datetime(2025, 12, 31, 9), 1)
            (folder / "Cargo 2025.ecc").write_bytes(synthetic.index([listed]))
        words = ("mandate", "create", "Cargo", "--folder", alone.folder, "--accounting")
        assert "OneDrive" in alone.ask(*words, tmp_path / "OneDrive" / "Cargo 2025.cre").said
        made = alone.run(*words, books / "Cargo 2025.cre")
        assert made["state"] == "local"
        assert {row["path"] for row in made["attached"]} == {CHART, INVOICES, "Cargo 2025.ecc"}
        waits(alone, INVOICES, (5, 0, 0))
        alone.run("posted", "Cargo")
        more = synthetic.more_entries(data, 3, Random(2))
        (books / INVOICES).write_bytes(more[:-9])
        pause(TORN_S)
        assert counts(alone, INVOICES) == []
        (books / INVOICES).write_bytes(more)
        assert waits(alone, INVOICES, (3, 0, 0)) < BANNER_S
        until(lambda: alone.status()["pending"] == 3, "status says so too", BANNER_S)


def test_salaries_are_delivered_posted_and_that_comes_back(pcs: list[Pc]) -> None:
    fiduciary, payroll, home = pcs
    fiduciary.save(CHART, synthetic.chart(2025, 60, Random(1)))
    payroll.save(SALARIES, salaries(42))
    waits(fiduciary, SALARIES, (42, 0, 0))
    delivered = comes_to(payroll, SALARIES, "delivered")
    assert {one["name"] for one in delivered["deliveries"]} <= {"a", "c"}
    fiduciary.run("posted", "Cargo", SALARIES)
    assert counts(fiduciary, SALARIES) == []
    posted = comes_to(payroll, SALARIES, "posted")
    assert posted["posted"]["name"] == "a"
    comes_to(home, SALARIES, "posted")
    assert payroll.ask("posted", "Cargo", SALARIES, "--undo").exit == 1, "payroll posts nothing"


def test_taken_back_and_posted_anew_is_never_nothing_new(pcs: list[Pc]) -> None:
    fiduciary, payroll, _home = pcs
    payroll.save(SALARIES, salaries(0))
    waits(fiduciary, SALARIES, (0, 0, 42))
    payroll.save(SALARIES, salaries(41, seed=2))
    until(lambda: sum(map(sum, counts(fiduciary, SALARIES))) > 1, "most lines are others")
    ((new, changed, removed),) = counts(fiduciary, SALARIES)
    assert (new + changed, removed + changed) == (41, 42)
    fiduciary.run("posted", "Cargo", SALARIES)
    (payroll.folder / SALARIES).unlink()
    waits(fiduciary, SALARIES, (0, 0, 41))
    fiduciary.run("posted", "Cargo")
    assert counts(fiduciary, SALARIES) == []


def test_a_booking_that_accounting_would_refuse_is_named_by_its_line(pcs: list[Pc]) -> None:
    fiduciary, payroll, _home = pcs
    lines = salaries(20, seed=3).split(b"\r\n")
    lines[16] = lines[16].replace(b"\t5000\t", b"\t5999\t", 1)
    wrong = b"\r\n".join(lines)
    payroll.save(SALARIES, wrong)
    fiduciary.has(SALARIES, wrong)
    until(lambda: counts(fiduciary, SALARIES) != [], "it is known")
    found = fiduciary.ask("check", "Cargo", SALARIES)
    assert found.exit == 3
    assert found.data[0]["findings"] == [{"line": 17, "code": "debit-unknown", "facts": {"account": "5999"}}]
    (fiduciary.folder / CHART).unlink()
    payroll.has(CHART, None)
    fiduciary.save("Cargo 2024.crp", synthetic.chart(2024, 60, Random(1)))
    until(lambda: fiduciary.ask("chart", "show", "Cargo").exit == 0, "the other chart is known")
    (missing,) = fiduciary.ask("check", "Cargo", SALARIES).data[0]["findings"]
    assert (missing["code"], missing["facts"]["period"]) == ("chart-missing", "2025")
    fiduciary.save(CHART, synthetic.chart(2025, 60, Random(1)))


def test_two_accountants_who_are_apart_agree_afterwards(pcs: list[Pc]) -> None:
    fiduciary, payroll, home = pcs
    payroll.save(INVOICES, synthetic.entries("ECF", 8, Random(5)))
    for pc in (fiduciary, home):
        waits(pc, INVOICES, (8, 0, 0))
    fiduciary.stop()
    payroll.stop()
    home.run("posted", "Cargo", INVOICES)
    home.stop()
    fiduciary.start()
    fiduciary.run("posted", "Cargo", INVOICES)
    fiduciary.run("posted", "Cargo", INVOICES, "--undo")
    assert counts(fiduciary, INVOICES) == [(8, 0, 0)]
    payroll.start()
    home.start()
    for pc in pcs:
        assert comes_to(pc, INVOICES, "posted")["posted"]["name"] == "c"
    marks = [row["kind"] for row in fiduciary.log("Cargo") if row["path"] == INVOICES]
    assert sorted(marks) == ["file", "posted", "posted", "undone"]
