"""Bookkeepers who work while apart: accounting's chart wins, an index with two writers keeps the lines of both."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from p2psync.books import synthetic
from p2psync.books.synthetic import Listed
from p2psync.core.ids import content_of
from tests.e2e.pc import MANDATE, Pc, agree, company, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

CHART, INDEX = "Cargo 2025.crp", "Cargo 2025.ecc"
MONDAY, TUESDAY = datetime(2025, 6, 2, 9), datetime(2025, 6, 3, 9)


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """Accounting, invoicing, and a second PC of the company that writes assets."""
    with company(lab, root, "invoicing", "invoicing") as three:
        three[0].save(CHART, chart())
        for pc in three:
            pc.has(CHART, chart())
        yield three


def chart(*numbers: str) -> bytes:
    made = synthetic.chart(2025, 60, Random(1))
    for number in numbers:
        made = synthetic.add_account(made, number, f"Account {number}")
    return made


def apart(*pcs: Pc) -> None:
    for pc in pcs:
        pc.stop()


def together(*pcs: Pc) -> None:
    for pc in pcs:
        pc.start()
    agree(*pcs)


def test_an_account_is_added_and_all_have_the_same_chart(pcs: list[Pc]) -> None:
    pcs[0].save(CHART, chart("1105"))
    for pc in pcs:
        pc.has(CHART, chart("1105"))
        rows = [one for one in pc.run("log", MANDATE) if one["content"] == content_of(chart("1105")).hex()]
        assert [row["name"] for row in rows if row["kind"] != "received"] == ["a"], "others only say that they have it"


def test_accountings_chart_wins_over_one_that_was_changed_while_apart_which_is_kept(pcs: list[Pc]) -> None:
    a, b, c = pcs
    apart(*pcs)
    (a.folder / CHART).write_bytes(chart("1105", "1106"))
    (b.folder / CHART).write_bytes(chart("1105", "9999"))
    together(*pcs)
    for pc in pcs:
        pc.has(CHART, chart("1105", "1106"))
        (conflict,) = pc.run("conflicts", MANDATE)
        assert [loser["content"] for loser in conflict["losers"]] == [content_of(chart("1105", "9999")).hex()]
        until(lambda pc=pc: pc.status()["health"] == "action", f"{pc.host} asks")  # type: ignore[misc]
        assert {"what": "conflicts", "count": 1} in pc.status()["actions"]
    a.run("conflicts", MANDATE, CHART, "--keep", "mine")
    until(lambda: all(pc.run("conflicts", MANDATE) == [] for pc in pcs), "it is decided everywhere")
    assert agree(a, b, c)


def test_a_chart_that_somebody_else_deletes_comes_back(pcs: list[Pc]) -> None:
    _, b, _ = pcs
    (b.folder / CHART).unlink()
    b.has(CHART, chart("1105", "1106"))


def test_without_a_leader_the_chart_waits_for_a_decision(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.run("rules", MANDATE, "--set", "*.crp=manual")
    for pc in pcs:
        until(lambda pc=pc: mode(pc) == "manual", f"{pc.host} knows the rule")  # type: ignore[misc]
    agree(*pcs)
    apart(*pcs)
    (a.folder / CHART).write_bytes(chart("2001"))
    (b.folder / CHART).write_bytes(chart("2002"))
    for pc in pcs:
        pc.start()
    until(lambda: len(c.run("conflicts", MANDATE)) == 1, "it is open")
    until(lambda: len(a.run("conflicts", MANDATE)) == len(b.run("conflicts", MANDATE)) == 1, "for both")
    assert (a.read(CHART), b.read(CHART)) == (chart("2001"), chart("2002")), "nobody's is replaced"
    (row,) = c.run("conflicts", MANDATE)
    chosen = next(o["id"] for o in (row["winner"], *row["losers"]) if o["content"] == content_of(chart("2002")).hex())
    a.run("conflicts", MANDATE, CHART, "--keep", chosen)
    for pc in pcs:
        pc.has(CHART, chart("2002"))


def mode(pc: Pc) -> str:
    """Of charts."""
    return str(next(row["mode"] for row in pc.run("rules", MANDATE) if row.get("pattern") == "*.crp"))


def test_two_who_wrote_the_index_while_apart_are_both_in_it(pcs: list[Pc]) -> None:
    a, b, c = pcs
    bills, assets = synthetic.entries("ECF", 5, Random(1), uid=1), synthetic.entries("ECF", 6, Random(2), uid=2)
    apart(b, c)
    (b.folder / "Bills.ecf").write_bytes(bills)
    (b.folder / INDEX).write_bytes(synthetic.index([Listed("ECF", "Bills.ecf", MONDAY, 1)]))
    (c.folder / "Assets.ecf").write_bytes(assets)
    (c.folder / INDEX).write_bytes(synthetic.index([Listed("ECF", "Assets.ecf", TUESDAY, 2)]))
    together(b, c)
    for pc in pcs:
        until(lambda pc=pc: has_both(pc), f"{pc.host} has both lines")  # type: ignore[misc]
        pc.has("Bills.ecf", bills)
        pc.has("Assets.ecf", assets)
    assert a.problems().get(INDEX) is None


def has_both(pc: Pc) -> bool:
    data = pc.read(INDEX) or b""
    return b"Bills.ecf" in data and b"Assets.ecf" in data and data.endswith(b"#END\r\n")


def test_two_files_with_one_number_are_a_task_that_names_the_index(pcs: list[Pc]) -> None:
    a, b, c = pcs
    both = [Listed("ECF", "Bills.ecf", MONDAY, 1), Listed("ECF", "Assets.ecf", TUESDAY, 2)]
    apart(b, c)
    for pc, name in ((b, "Rents.ecf"), (c, "Cars.ecf")):
        (pc.folder / name).write_bytes(synthetic.entries("ECF", 3, Random(len(name)), uid=3))
        (pc.folder / INDEX).write_bytes(synthetic.index([*both, Listed("ECF", name, TUESDAY, 3)]))
    together(b, c)
    for pc in (a, b, c):
        until(lambda pc=pc: pc.problems().get(INDEX) == "index-conflict", f"{pc.host} asks")  # type: ignore[misc]
        assert pc.status()["health"] == "action"
    assert all((pc.folder / name).exists() for pc in pcs for name in ("Rents.ecf", "Cars.ecf"))
