"""Bookkeeping by the command line, with a real daemon."""

from __future__ import annotations

from pathlib import Path
from random import Random

from p2psync.books import synthetic
from p2psync.books.synthetic_master import master_records, master_xml
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
    until(lambda: office.ask("status")["mandates"][0]["pending"] >= 9, "status counts them")
    assert "to post: p2psync pending Cargo" in office.run("status").out
    assert "published" in office.run("pending", "Cargo", "--all").out
    assert "+9" in office.run("pending").out
    marked = office.run("posted", "Cargo", INVOICES)
    assert marked.code == 0
    assert INVOICES in marked.out
    assert INVOICES not in office.run("pending", "Cargo").out
    assert "posted by office" in office.run("pending", "Cargo", "--all").out
    assert "marked as posted" in office.run("log", "Cargo").out
    undone = office.run("posted", "Cargo", INVOICES, "--undo")
    assert "is not marked as posted any more" in undone.out
    assert office.run("posted", "Cargo", INVOICES, "--undo").code == 2
    missing = office.run("chart", "show", "Cargo", "none.crp")
    assert missing.code == 2
    assert CHART in missing.err


def test_master_data_are_imported_shown_and_changed(office: Machine, tmp_path: Path) -> None:
    export = tmp_path / "export.xml"
    export.write_bytes(master_xml(master_records(30, Random(1))))
    assert "Nothing was taken over" in office.run("chart", "import", "Cargo", str(export), "--dry-run").out
    taken = office.run("chart", "import", "Cargo", str(export), "--format", "xml")
    assert (taken.code, "39 records: +" in taken.out) == (0, True)
    shown = office.run("chart", "show", "Cargo", "master-data.p2pmaster", "--terms", "--centers")
    assert "PAYMENT TERM" in shown.out
    assert "COST CENTRE" in shown.out
    assert office.run("chart", "set", "Cargo", "account", "1000", "cash", "true").code == 1
    assert "account.cash" in office.run("rules", "Cargo", "--open", "account.cash").out
    assert "cash=true" in office.run("chart", "set", "Cargo", "account", "1000", "cash", "true").out
    assert "only after the master marked" in office.run("chart", "remove", "Cargo", "account", "1000").err
    office.run("chart", "import", "Cargo", str(export), "--follow")
    assert f"taken over by itself from {export}" in office.run("chart", "show", "Cargo", "master-data.p2pmaster").out
    assert str(export) in office.run("chart", "unfollow", "Cargo").out
    export.write_bytes(master_xml(master_records(20, Random(1))))
    dropping = office.run("chart", "import", "Cargo", str(export))
    assert dropping.code == 1
    assert "--keep-missing" in dropping.err
