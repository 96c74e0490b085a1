"""Members by the command line: tickets in every form, devices and their rights, addresses; mistakes are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.cli.commands.members import qr_text
from p2psync.cli.tickets import ticket_text
from tests.cli.machine import Machine, company, machines, until


def test_a_ticket_is_alone_on_stdout(office: Machine, tmp_path: Path) -> None:
    named, saved = tmp_path / "a", tmp_path / "a.p2pticket"
    result = office.run("invite", "Cargo", "--role", "reader", "--save", str(named), "--qr", "--expires", "2h")
    assert result.code == 0
    ticket = result.out.removesuffix("\n")
    assert ticket.isalnum()
    assert ticket.isupper()
    assert ticket.startswith("P2P1")
    assert str(saved) in result.err
    assert "█" in result.err
    assert ticket in saved.read_text()
    assert "never by plain e-mail" in result.err
    assert "never by plain e-mail" in saved.read_text()
    assert os.name == "nt" or saved.stat().st_mode & 0o077 == 0
    assert ticket_text(str(saved)) == ticket_text(str(named)) == saved.read_text()


def test_invitations_are_listed_and_cancelled(office: Machine) -> None:
    made = office.ask("invite", "Cargo", "--role", "keeper", "--uses", "2")
    assert set(made) >= {"id", "ticket", "expires"}
    (listed,) = [one for one in office.ask("invites", "Cargo") if one["id"] == made["id"]]
    assert (listed["role"], listed["uses_left"]) == ("keeper", 2)
    assert made["id"] in office.run("invites", "Cargo").out
    assert office.ask("invites", "Cargo", "--cancel", made["id"])["id"] == made["id"]
    assert made["id"] not in [one["id"] for one in office.ask("invites", "Cargo")]


def test_joining_says_as_what_and_by_whom(tmp_path: Path) -> None:
    with machines(tmp_path, "office", "home") as (office, home):
        office.ask("mandate", "create", "Cargo", "--folder", str(office.folder))
        office.ask("share", "Cargo")
        ticket = office.ask("invite", "Cargo", "--role", "invoicing", "--confirm")["ticket"]
        held = home.run("join", "-", "--folder", str(home.folder), "--timeout", "1s", stdin=f"  {ticket.lower()}\n")
        assert held.code == 5
        assert "approval" in held.err
        (waiting,) = [one for one in office.ask("devices", "Cargo") if one["state"] == "waiting"]
        assert "waits for approval" in office.run("devices", "Cargo").out
        office.ask("devices", "Cargo", "--approve", waiting["device"][:7])
        joined = home.ask("join", ticket, "--folder", str(home.folder), "--timeout", "30s")
        own = office.ask("status")["device"]
        assert (joined["mandate"], joined["role"], joined["fingerprint"]) == ("Cargo", "invoicing", own["fingerprint"])


def test_who_works_at_a_device_is_told_beside_its_name(office: Machine, home: Machine) -> None:
    rows = office.ask("devices", "Cargo", "--person", "home=Anna Müller = boss")
    assert {row["name"]: row["person"] for row in rows} == {"office": None, "home": "Anna Müller = boss"}
    until(lambda: "home (Anna Müller = boss)" in home.run("devices", "Cargo").out, "home knows")
    assert "home (Anna Müller = boss, " in office.run("status").out
    assert "home (" not in home.run("devices", "Cargo", "--person", "home=").out
    assert home.run("devices", "Cargo", "--person", "office=Bert").code == 1


def test_rights_are_given_and_taken(tmp_path: Path) -> None:
    with company(tmp_path, role="accounting") as (office, home):
        until(lambda: len(home.ask("devices", "Cargo")) == 2, "the newcomer knows the members")
        roles = {d["name"]: d["role"] for d in office.ask("devices", "Cargo", "--primary", "home")}
        assert roles == {"office": "accounting", "home": "accounting"}
        after = office.ask("devices", "Cargo", "--role", "home=reader")
        assert {d["name"]: d["role"] for d in after}["home"] == "reader"
        assert home.run("devices", "Cargo", "--revoke", "office").code == 1
        until(lambda: home.ask("status")["mandates"][0]["role"] == "reader", "the new role has arrived")
        (home.folder / "not allowed.txt").write_text("x")
        until(lambda: home.ask("status")["mandates"][0]["problem_list"], "the edit is refused")
        assert "may not be changed by this PC" in home.run("status").out
        revoked = office.run("devices", "Cargo", "--revoke", "home")
        assert "nobody can take that back" in revoked.err
        assert "--renew FILE" in revoked.err
        assert {d["name"]: d["state"] for d in office.ask("devices", "Cargo")}["home"] == "revoked"


def test_addresses_are_added_listed_and_removed(office: Machine) -> None:
    assert {"address": "192.0.2.7:4710"} in office.ask("peer", "add", "Cargo", "192.0.2.7:4710")
    assert "192.0.2.7:4710" in office.run("peer", "list", "Cargo").out
    assert {"address": "192.0.2.7:4710"} not in office.ask("peer", "remove", "Cargo", "192.0.2.7:4710")


@pytest.mark.parametrize(
    ("words", "code", "fragment"),
    [
        (["invite", "Nope", "--role", "reader"], 2, "Nope"),
        (["invite", "Cargo", "--role", "pope"], 2, "pope"),
        (["invite", "Cargo", "--role", "reader", "--expires", "soon"], 2, "soon"),
        (["invite", "Cargo", "--role", "reader", "--uses", "0"], 2, "--uses"),
        (["invite", "Cargo", "--role", "reader", "--uses", "99999999"], 2, "uses"),
        (["invite", "Cargo", "--role", "reader", "--save", "/none/at all/t"], 1, "P2P1"),
        (["invite", "Cargo", "--role", "reader", "--code"], 2, "needs mDNS or a meeting host"),
        (["join", "4217-tamiro-marilu", "--folder", "/tmp/x"], 2, "needs mDNS or a meeting host"),
        (["invite", "Cargo", "--role", "reader", "--code", "--qr"], 2, "--qr"),
        (["invite", "Cargo", "--role", "reader", "--code", "--uses", "2"], 2, "one device"),
        (["invite", "Cargo", "--role", "reader", "--code", "--expires", "7d"], 2, "within a day"),
        (["invites", "Cargo", "--cancel", "ffff"], 2, "invitation"),
        (["join", "hello", "--folder", "/tmp/x"], 1, "P2P1"),
        (["join", "4217-hello", "--folder", "/tmp/x"], 1, "two words"),
        (["join", "4217 tamiro marilx", "--folder", "/tmp/x"], 1, "marilu"),
        (["join", "/none/t.p2pticket", "--folder", "/tmp/x"], 1, "/none/t.p2pticket"),
        (["join", "P2P1X"], 2, "--folder DIR is missing"),
        (["join", "P2P1X", "--folder", "/tmp/x", "--timeout", "x"], 2, "90s"),
        (["devices", "Nope"], 2, "Nope"),
        (["devices", "Cargo", "--revoke", "ZZZZZZZ"], 2, "ZZZZZZZ"),
        (["devices", "Cargo", "--role", "home"], 2, "DEVICE=ROLE"),
        (["devices", "Cargo", "--person", "home"], 2, "DEVICE=TEXT"),
        (["devices", "Cargo", "--person", "=Anna"], 2, "DEVICE=TEXT"),
        (["devices", "Cargo", "--person", "nobody=Anna"], 2, "no device nobody"),
        (["devices", "Cargo", "--person", "home=a\nb"], 2, "at most 80 characters"),
        (["devices", "Cargo", "--role", "home=pope"], 2, "pope"),
        (["devices", "Cargo", "--primary", "home"], 2, "accounting"),
        (["devices", "Cargo", "--approve", "home"], 2, "home"),
        (["devices", "Cargo", "--approve", "a", "--revoke", "b"], 2, "One change at a time"),
        (["peer", "add", "Cargo", "nowhere"], 2, "nowhere"),
        (["peer", "remove", "Cargo", "192.0.2.9:1"], 2, "192.0.2.9:1"),
        (["peer", "list", "Nope"], 2, "Nope"),
    ],
)
def test_what_cannot_be_is_told(office: Machine, words: list[str], code: int, fragment: str) -> None:
    office.refuses(*words, code=code, saying=fragment)


def test_what_a_ticket_says_is_shown_and_nothing_happens(office: Machine, home: Machine, tmp_path: Path) -> None:
    with machines(tmp_path, "guest") as (guest,):
        made = office.ask("invite", "Cargo", "--role", "reader", "--admin")
        shown = guest.run("join", "-", "--show", stdin=made["ticket"])
        fingerprint = office.ask("status")["device"]["fingerprint"]
        assert shown.code == 0
        lines = [line.split() for line in shown.out.splitlines()]
        for line in ("mandate Cargo", "invited by office", f"fingerprint {fingerprint}", "role reader, admin"):
            assert line.split() in lines
        assert guest.ask("join", made["ticket"], "--show")["expires"] == made["expires"]
        assert guest.ask("mandate", "list") == []
        assert "says nothing by itself" in guest.run("join", "4217-tamiro-marilu", "--show").out
        guest.refuses("join", made["ticket"][:-1], "--show", code=1, saying="typing error")
    assert "member of it already" in home.run("join", made["ticket"], "--show").out


def test_a_qr_code_fits_a_terminal() -> None:
    lines = qr_text("P2P1" + "A" * 170).splitlines()
    assert len(lines) < 40
