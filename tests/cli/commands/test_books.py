"""Bookkeeping by the command line, with a real daemon."""

from __future__ import annotations

from random import Random

from p2psync.books import synthetic
from tests.cli.machine import Machine, until

INVOICES = synthetic.entries_name("Books", 2025, "ecf")
CHART = "Books 2025.crp"


def test_a_chart_is_shown_bookings_are_checked_and_counted(office: Machine) -> None:
    (office.folder / CHART).write_bytes(synthetic.chart(2025, 60, Random(1)))
    bad = synthetic.entries("ECF", 9, Random(1)).replace(b"\t1100\t", b"\t5999\t")
    (office.folder / INVOICES).write_bytes(bad)
    until(lambda: any(row["file"] == INVOICES for row in office.ask("pending", "Cargo")), "it is counted")
    said = office.run("pending", "Cargo").out
    assert "+9" in said
    shown = office.run("chart", "show", "Cargo", CHART).out
    assert "1100" in shown
    assert "2200" in office.run("chart", "show", "Cargo", CHART, "--vat").out
    assert "Büro Bern" in office.run("chart", "show", "Cargo", CHART, "--centers").out
    checked = office.run("check", "Cargo", INVOICES)
    assert checked.code == 3
    assert "account 5999 is not in the chart" in checked.out
    assert office.run("check", "Cargo", CHART).code == 0
    missing = office.run("chart", "show", "Cargo", "none.crp")
    assert missing.code == 2
    assert CHART in missing.err
