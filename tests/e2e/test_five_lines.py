"""What a newcomer types, with real daemons as separate processes, driven through the command line alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.machine import Machine, company, machines, until

STOP_S = 5.0
CHART = "Cargo 2025.crp"


@pytest.fixture
def pcs(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    with company(tmp_path) as both:
        yield both


def chart(text: str) -> str:
    """A chart of accounts that is complete."""
    return f"TITLE={text}\r\nENDOFFILE\r\n"


def test_five_lines_and_two_folders_are_one(tmp_path: Path) -> None:
    """PC 1: up, mandate create, share && invite; PC 2: up, join. Files lie in the folder before."""
    with machines(tmp_path, "pc1", "pc2", up=False) as (pc1, pc2):
        pc1.home.mkdir()
        pc1.save(CHART, chart("before"))
        pc1.up()
        created = pc1.shell("mandate", "create", "Cargo", "--folder", str(pc1.folder), "--role", "accounting")
        assert (created.code, created.err) == (0, "")
        assert "p2psync share Cargo" in created.out
        assert pc1.shell("share", "Cargo").code == 0
        ticket = pc1.shell("invite", "Cargo", "--role", "payroll").out
        assert ticket.count("\n") == 1
        pc2.up()
        joined = pc2.shell("join", ticket.strip(), "--folder", str(pc2.folder))
        assert joined.code == 0, joined
        assert "payroll" in joined.out
        pc2.has(CHART, chart("before"))
        pc1.save("from 1.txt", "one")
        pc2.has("from 1.txt", "one")
        pc2.save("from 2.txt", "two")
        pc1.has("from 2.txt", "two")
        assert pc1.shell("sync", "Cargo").code == 0


def test_after_either_was_off_both_catch_up(pcs: tuple[Machine, Machine]) -> None:
    office, home = pcs
    code, took_s, said = home.end(signal.SIGTERM)
    assert (code, said) == (0, "")
    assert took_s < STOP_S
    office.save("while home was off.txt", "a")
    home.save("while off.txt", "b")
    home.up()
    home.has("while home was off.txt", "a")
    office.has("while off.txt", "b")
    assert office.end(signal.SIGINT)[:1] == (0,)
    home.save("while office was off.txt", "c")
    office.up()
    office.has("while office was off.txt", "c")


def test_a_killed_daemon_goes_on_where_it_was(pcs: tuple[Machine, Machine]) -> None:
    office, home = pcs
    for number in range(50):
        office.save(f"many/{number}.txt", str(number))
    home.end(signal.SIGKILL)
    assert home.run("status").code == 4
    office.save("after.txt", "x")
    home.up()
    home.has("after.txt", "x")
    home.has("many/49.txt", "49")
    assert office.ask("sync", "Cargo")["result"] in ("success", "nothing-new")
    assert home.ask("log", "Cargo", "--verify")["ok"]


def test_accounting_wins_and_the_other_version_is_kept(pcs: tuple[Machine, Machine]) -> None:
    office, home = pcs
    office.save(CHART, chart("old"))
    home.has(CHART, chart("old"))
    home.end()
    office.save(CHART, chart("by accounting"))
    home.save(CHART, chart("by payroll, later"))
    home.up()
    home.has(CHART, chart("by accounting"))
    until(lambda: office.ask("conflicts", "Cargo"), "the conflict is listed")
    until(lambda: _ids(office) == _ids(home), "both list the same")
    (conflict,) = office.ask("conflicts", "Cargo")
    (loser,) = conflict["losers"]
    assert (conflict["path"], conflict["rule"], loser["name"]) == (CHART, "prefer", "home")
    target = office.home / "loser"
    office.ask("wait", "Cargo", "--timeout", "30s")
    office.ask("restore", "Cargo", CHART, "--version", loser["id"], "--to", str(target))
    assert target.read_bytes().decode() == chart("by payroll, later")
    home.ask("conflicts", "Cargo", CHART, "--keep", "mine")
    office.has(CHART, chart("by payroll, later"))
    until(lambda: not office.ask("conflicts", "Cargo"), "the conflict is closed everywhere")
    assert not [p for p in office.folder.rglob("*") if p.is_file() and p.suffix == ".crp" and p.name != CHART]


def _ids(machine: Machine) -> list[object]:
    return [(c["path"], c["winner"]["id"], [x["id"] for x in c["losers"]]) for c in machine.ask("conflicts", "Cargo")]


def test_each_ticket_that_is_wrong_gets_its_own_sentence(tmp_path: Path) -> None:
    """Used, cancelled, expired, mistyped, cut off, no ticket at all: nothing is stored and no folder is made."""
    with machines(tmp_path, "office", "home", "third") as (office, home, third):
        office.ask("mandate", "create", "Cargo", "--folder", str(office.folder))
        office.ask("share", "Cargo")
        used, cancelled, expired = (
            office.ask("invite", "Cargo", "--role", "reader", "--expires", expires) for expires in ("1h", "1h", "1s")
        )
        home.ask("join", used["ticket"], "--folder", str(home.folder))
        office.ask("invites", "Cargo", "--cancel", cancelled["id"])
        good = office.ask("invite", "Cargo", "--role", "reader")["ticket"]
        mistyped = good[:20] + ("A" if good[20] != "A" else "B") + good[21:]
        until(lambda: [i["id"] for i in office.ask("invites", "Cargo")][:1] != [expired["id"]], "the third has expired")
        answers = [
            third.run("join", ticket, "--folder", str(third.folder), "--timeout", "10s")
            for ticket in (used["ticket"], cancelled["ticket"], expired["ticket"], mistyped, good[:-9], "hello")
        ]
        assert [answer.code for answer in answers] == [1] * 6
        sentences = [answer.err.splitlines()[-1] for answer in answers]
        for sentence, word in zip(
            sentences, ("used", "cancelled", "expired", "typing", "typing", "no ticket"), strict=True
        ):
            assert word in sentence
        assert third.ask("mandate", "list") == []
        assert not third.folder.exists()
        assert third.run("join", "-", "--folder", str(third.folder), "--json", stdin=good).code == 0


def test_an_absent_inviter_is_waited_for_and_the_same_command_resumes(tmp_path: Path) -> None:
    with machines(tmp_path, "office", "home") as (office, home):
        office.ask("mandate", "create", "Cargo", "--folder", str(office.folder))
        office.ask("share", "Cargo")
        saved = tmp_path / "home.p2pticket"
        assert office.run("invite", "Cargo", "--role", "payroll", "--save", str(saved)).code == 0
        assert os.name == "nt" or saved.stat().st_mode & 0o077 == 0
        office.end()
        waiting = home.run("join", str(saved), "--folder", str(home.folder), "--timeout", "1s")
        assert waiting.code == 5
        assert "the same command" in waiting.err
        office.up()
        assert home.run("join", str(saved), "--folder", str(home.folder), "--timeout", "30s").code == 0
        assert home.run("join", str(saved), "--folder", str(home.folder)).code == 0


def test_without_another_device_in_reach_sync_fails_and_says_for_whom_it_waits(pcs: tuple[Machine, Machine]) -> None:
    office, home = pcs
    home.end()
    until(lambda: not office.ask("status")["mandates"][0]["peers"][0]["connected"], "the link is gone")
    result = office.run("sync", "Cargo", "--timeout", "1s", "--json")
    assert result.code == 5
    assert (result.data["result"], result.data["waiting_for"]) == ("failed", ["home"])
    assert office.run("wait", "--timeout", "1s").code == 5
    past = office.ask("history", "Cargo", "--run", result.data["id"])
    assert (past[0]["result"], past[0]["waiting_for"]) == ("failed", ["home"])


def test_a_revoked_device_gets_nothing_more(pcs: tuple[Machine, Machine]) -> None:
    office, home = pcs
    office.ask("devices", "Cargo", "--revoke", "home")
    office.save("secret.txt", "not for home")
    states = {d["name"]: d["state"] for d in office.ask("devices", "Cargo")}
    assert states == {"office": "member", "home": "revoked"}
    until(lambda: office.ask("status")["mandates"][0]["peers"] == [], "it is no peer any more")
    assert office.ask("sync", "Cargo")["result"] in ("success", "nothing-new")
    assert home.read("secret.txt") is None
