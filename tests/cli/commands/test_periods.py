"""Accounting periods by the command line, with a real daemon."""

from __future__ import annotations

from random import Random

from p2psync.books import synthetic
from tests.cli.machine import Machine, until

CHART = "Books 2025.crp"


def test_a_period_is_frozen_keeps_its_files_and_is_opened_again(office: Machine) -> None:
    chart = synthetic.chart(2025, 20, Random(1))
    (office.folder / CHART).write_bytes(chart)
    until(lambda: any(row["period"] == "2025" for row in office.ask("period", "Cargo")["periods"]), "it is known")
    frozen = office.run("period", "Cargo", "--freeze", "2025")
    assert (frozen.code, CHART in frozen.err) == (0, True)
    assert "2025 is frozen with" in frozen.out
    assert "frozen by office" in office.run("period", "Cargo").out
    (office.folder / CHART).write_bytes(synthetic.chart(2025, 30, Random(2)))
    until(lambda: (office.folder / CHART).read_bytes() == chart, "it is as it was")
    assert "belongs to the period 2025, which is frozen" in office.run("status").out
    assert "froze a period" in office.run("log", "Cargo").out
    assert office.run("period", "Cargo", "--freeze", "2025").code == 2
    assert "2025 is open again" in office.run("period", "Cargo", "--unfreeze", "2025").out
    assert office.run("period", "Cargo", "--unfreeze", "2025").code == 2


def test_a_new_year_closes_the_years_before(office: Machine) -> None:
    office.ask("mandate", "create", "Years", "--folder", str(office.folder.with_name("years.crsync")))
    folder = office.folder.with_name("years.crsync")
    for year in (2021, 2022, 2023):
        (folder / f"Books {year}.crp").write_bytes(synthetic.chart(year, 20, Random(1)))
    until(lambda: len(office.ask("period", "Years")["periods"]) == 3, "they are known")
    assert office.run("period", "Years", "--freeze", "2021").code == 0
    done = office.run("period", "Years", "--activate", "2023", "--json")
    assert (done.code, [row["period"] for row in done.data]) == (0, ["2022"])
    frozen = {row["period"]: bool(row["frozen"]) for row in office.ask("period", "Years")["periods"]}
    assert frozen == {"2021": True, "2022": True, "2023": False}
    assert "No period before it is open" in office.run("period", "Years", "--activate", "2023").out
    assert office.run("period", "Years", "--activate", "next").code == 2
    assert office.run("period", "Years", "--activate", "2023", "--freeze", "2022").code == 2


def test_the_day_up_to_which_the_books_are_complete_is_told(office: Machine) -> None:
    note = "VAT return of the 2nd quarter is sent"
    said = office.run("period", "Cargo", "--current-until", "2025-06-30", "--note", note).out
    assert ("until 2025-06-30" in said, f"Accounting says: {note}" in said) == (True, True)
    current = office.ask("period", "Cargo")["current_until"]
    assert (current["until"], current["note"]) == ("2025-06-30", note)
    assert f"Accounting says: {note}" in office.run("status").out
    assert f"2025-06-30 {note}" in office.run("log", "Cargo").out
    assert office.run("period", "Cargo", "--note", note).code == 2
    assert office.run("period", "Cargo", "--current-until", "2025-06-30", "--note", "two\nlines").code == 2
    assert office.run("period", "Cargo", "--current-until", "June").code == 2
    assert office.run("period", "Cargo", "--current-until", "2025-06-30", "--freeze", "2025").code == 2


def test_the_day_is_told_in_several_mandates_at_once(office: Machine) -> None:
    office.ask("mandate", "create", "Also", "--folder", str(office.folder.with_name("also.crsync")))
    words = ("period", "Cargo", "--current-until", "2025-05-31")
    told = office.run(*words, "--also", "Also", "--json")
    assert (told.code, [row["mandate"] for row in told.data]) == (0, ["Cargo", "Also"])
    assert office.ask("period", "Also")["current_until"]["until"] == "2025-05-31"
    partly = office.run(*words, "--also", "Nowhere")
    assert (partly.code, "Nowhere: " in partly.err) == (3, True)
    assert "Cargo: The books are complete until 2025-05-31" in partly.out
    assert office.run("period", "Cargo", "--freeze", "2025", "--also", "Also").code == 2
    assert office.run("posted", "Cargo", "--also", "Also").out.startswith(("Nothing waits", "Marked"))
    assert office.run("posted", "Cargo", "--undo", "--also", "Also").code == 2
    office.run("mandate", "leave", "Also", "--wipe")
