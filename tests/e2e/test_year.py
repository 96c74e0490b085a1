"""A new fiscal year: its files join by themselves, both years are there, and the old one is closed for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from p2psync.core.ids import content_of
from tests.e2e.pc import MANDATE, Pc, company, until
from tests.e2e.test_programs import books
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

CHART, NEXT_CHART = "Cargo 2025.crp", "Cargo 2026.crp"
WAGES, NEXT_WAGES = (synthetic.entries_name("Cargo Löhne", year, "ecs") for year in (2025, 2026))


def chart(year: int, seed: int = 1) -> bytes:
    return synthetic.chart(year, 60, Random(seed))


def wages(lines: int, seed: int = 1) -> bytes:
    return synthetic.entries("ECS", lines, Random(seed), uid=seed)


LATE = content_of(wages(30, seed=2)).hex()


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """The fiduciary, whose chart is attached, payroll, whose wages are, and the owner."""
    with company(lab, root, "payroll", "invoicing") as three:
        a, b, _ = three
        (books(a) / CHART).write_bytes(chart(2025))
        a.run("attach", books(a) / CHART, "--mandate", MANDATE)
        (books(b) / WAGES).write_bytes(wages(20))
        b.run("attach", books(b) / WAGES, "--mandate", MANDATE)
        for pc in three:
            pc.has(CHART, chart(2025))
            pc.has(WAGES, wages(20))
        yield three


def periods(pc: Pc) -> dict[str, Any]:
    """By their names: who froze them, None for an open one."""
    return {row["period"]: row["frozen"] for row in pc.run("period", MANDATE)["periods"]}


def late(pc: Pc) -> list[tuple[str, str]]:
    """What came too late, and from whom."""
    return [(row["path"], row["name"]) for row in pc.run("period", MANDATE)["late"]]


def test_the_files_of_the_new_year_join_by_themselves_and_both_years_are_there(pcs: list[Pc]) -> None:
    a, b, c = pcs
    (books(a) / NEXT_CHART).write_bytes(chart(2026))
    c.has(NEXT_CHART, chart(2026))
    dated = wages(5).replace(b".2025\t", b".2026\t")
    (books(b) / NEXT_WAGES).write_bytes(dated)
    a.has(NEXT_WAGES, dated)
    until(lambda: set(periods(c)) == {"2025", "2026"}, "both years are known")
    until(lambda: {row["period"] for row in a.run("pending", MANDATE)} == {"2025", "2026"}, "bookings have their year")


def test_a_booking_of_no_period_is_told_with_its_line(pcs: list[Pc]) -> None:
    a, b, _ = pcs
    odd = wages(3).replace(b".2025\t", b".2027\t")
    b.save("Cargo later.ecs", odd)
    a.has("Cargo later.ecs", odd)
    (row,) = a.ask("check", MANDATE, "Cargo later.ecs").data
    assert {finding["code"] for finding in row["findings"]} == {"date-outside"}
    (b.folder / "Cargo later.ecs").unlink()
    a.has("Cargo later.ecs", None)


def test_the_frozen_year_stays_as_it_is_on_all_pcs_and_what_came_too_late_is_kept(pcs: list[Pc]) -> None:
    a, b, c = pcs
    b.stop()
    until(lambda: "b" not in a.connected(), "payroll is off")
    a.run("period", MANDATE, "--freeze", "2025")
    until(lambda: (periods(c)["2025"] or {}).get("name") == "a", "the owner's PC knows of it")
    assert periods(c)["2026"] is None
    c.save(CHART, chart(2025, seed=7))
    c.has(CHART, chart(2025))
    assert c.problems()[CHART] == "period-frozen"
    (b.folder / WAGES).write_bytes(wages(30, seed=2))
    b.start()
    until(
        lambda: [(row["path"], row["name"]) for row in a.run("period", MANDATE)["late"]] == [(WAGES, "b")], "it is late"
    )
    for pc in pcs:
        pc.has(WAGES, wages(20))
        until(lambda pc=pc: late(pc) == [(WAGES, "b")], f"{pc.host} lists it")  # type: ignore[misc]
    assert b.problems()[WAGES] == "period-frozen"
    assert LATE in [row["content"] for row in b.run("versions", MANDATE, WAGES)]
    assert c.ask("period", MANDATE, "--unfreeze", "2025").exit == 1, "only an admin may"


def test_unfrozen_it_can_be_brought_up_to_date(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.run("period", MANDATE, "--unfreeze", "2025")
    until(lambda: periods(b)["2025"] is None, "payroll knows")
    kept = next(row for row in b.run("versions", MANDATE, WAGES) if row["content"] == LATE)
    b.run("restore", MANDATE, WAGES, "--version", kept["id"])
    c.has(WAGES, wages(30, seed=2))
    assert late(a) == []
    kinds = [line["kind"] for line in c.run("log", MANDATE) if line["kind"] in ("freeze", "unfreeze")]
    assert kinds == ["freeze", "unfreeze"]


def test_all_see_up_to_when_the_books_are_complete(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.run("period", MANDATE, "--current-until", "2026-03-31")
    for pc in (b, c):
        until(lambda pc=pc: pc.status()["current_until"] == "2026-03-31", f"{pc.host} sees it")  # type: ignore[misc]
    c.run("sync", MANDATE)
    assert c.status()["current_until"] == "2026-03-31", "exchanging files moves no such day"
