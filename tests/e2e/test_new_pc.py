"""A laptop is stolen, and its owner goes on with a new PC: nothing is lost, nothing counts twice, the log is whole."""

from __future__ import annotations

from pathlib import Path
from random import Random

from p2psync.books import synthetic
from tests.e2e.pc import MANDATE, agree, office, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

INVOICES = synthetic.entries_name("Cargo", 2025, "ecf")


def test_the_owner_goes_on_with_a_new_pc(lab: Lab, tmp_path: Path) -> None:
    with office(lab, tmp_path, "a", "b", "c") as (fiduciary, stolen, fresh):
        fiduciary.create()
        stolen.join(fiduciary.invite("invoicing"))
        fiduciary.run("rules", MANDATE, "--set", "*.ecf=enforce:owner")
        bills = synthetic.entries("ECF", 20, Random(1))
        stolen.save(INVOICES, bills)
        fiduciary.has(INVOICES, bills)
        fiduciary.run("posted", MANDATE, INVOICES)
        fiduciary.run("devices", MANDATE, "--revoke", stolen.device)
        until(lambda: stolen.problems().get("") == "removed", "the stolen laptop is out")
        fresh.join(fiduciary.invite("invoicing"))
        fresh.has(INVOICES, bills)
        assert fiduciary.run("migrate", INVOICES, "--to", fresh.device, "--mandate", MANDATE)
        until(lambda: any(line["kind"] == "owner" for line in fresh.run("log", MANDATE)), "the new PC knows")
        more = synthetic.more_entries(bills, 2, Random(2))
        fresh.save(INVOICES, more)
        fiduciary.has(INVOICES, more)
        (row,) = fiduciary.run("pending", MANDATE)
        assert (row["new"], row["changed"], row["removed"]) == (2, 0, 0), "what was posted is not counted again"
        agree(fiduciary, fresh)
        assert stolen.read(INVOICES) == bills, "what the laptop has stays on it; it gets nothing new"
        assert stolen.connected() == set()
        for pc in (fiduciary, fresh):
            told = pc.run("log", MANDATE, "--verify")
            assert (told["ok"], told["devices"]) == (True, 3)


def test_the_only_admins_pc_is_lost_and_the_key_that_was_put_away_lets_another_one_in(lab: Lab, tmp_path: Path) -> None:
    """Also past members that joined after it was put away."""
    with office(lab, tmp_path, "a", "b", "c") as (lost, owner, fresh):
        lost.create()
        stick = tmp_path / "cargo.recovery"
        lost.run("mandate", "recovery", MANDATE, "--save", stick)
        owner.join(lost.invite("invoicing"))
        bills = synthetic.entries("ECF", 5, Random(1))
        owner.save(INVOICES, bills)
        lost.has(INVOICES, bills)
        lost.kill()
        assert owner.ask("devices", MANDATE, "--revoke", "a").exit == 1, "nobody who is left may do that"
        fresh.run("join", stick, "--folder", fresh.folder)
        fresh.has(INVOICES, bills)
        fresh.run("devices", MANDATE, "--revoke", "a")
        until(lambda: {d["name"]: d["state"] for d in owner.run("devices", MANDATE)}["a"] == "revoked", "b knows")
        agree(owner, fresh)
