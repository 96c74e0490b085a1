"""Tickets end to end: each that cannot be used has its own sentence, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes
from time import time
from typing import TypeVar

from p2psync.net.identity import Identity
from p2psync.net.tls import dial_pairing
from p2psync.net.trust import period_tag
from p2psync.pair.conversation import Failed
from p2psync.pair.ticket import SECRET_BYTES, Ticket, encode, meeting_secret, parse
from tests.e2e.mallory import joiner, talk
from tests.e2e.pc import Answer, Pc, agree, until
from tests.lab import requires_lab

pytestmark = requires_lab

T = TypeVar("T")


def refused(pc: Pc, ticket: str, *options: object) -> Answer:
    answer = pc.ask("join", "-", "--folder", pc.folder, *options, given=ticket)
    assert answer.exit == 1, answer
    return answer


def test_a_local_mandate_invites_nobody(pcs: list[Pc], tmp_path: Path) -> None:
    a = pcs[0]
    a.run("mandate", "create", "Private", "--folder", tmp_path / "private")
    answer = a.ask("invite", "Private", "--role", "reader")
    assert answer.exit == 1
    assert "share" in answer.said
    a.run("mandate", "leave", "Private")


def test_a_ticket_works_once_and_from_a_file(pcs: list[Pc], guest: Pc, tmp_path: Path) -> None:
    a, b, _c = pcs
    file = tmp_path / "for b.p2pticket"
    made = a.run("invite", "Cargo", "--role", "payroll", "--save", file)
    assert [row["id"] for row in a.run("invites", "Cargo")] == [made["id"]]
    joined = b.run("join", file, "--folder", b.folder)
    assert (joined["mandate"], joined["role"]) == ("Cargo", "payroll")
    assert joined["fingerprint"] == a.overall()["device"]["fingerprint"]
    assert b.run("join", file, "--folder", b.folder)["mandate"] == "Cargo", "the same command again succeeds"
    assert a.run("invites", "Cargo") == []
    agree(a, b)
    assert "used" in refused(guest, made["ticket"]).said


def test_mistyped(pcs: list[Pc], guest: Pc) -> None:
    ticket = pcs[0].invite()
    middle = len(ticket) // 2
    swapped = ticket[:middle] + ("A" if ticket[middle] != "A" else "B") + ticket[middle + 1 :]
    for wrong in (swapped, ticket[:-4], ticket[:8], "no ticket at all", ""):
        assert "Copy it again" in refused(guest, wrong).said
    assert guest.ask("join", "missing.p2pticket", "--folder", guest.folder).exit == 1


def test_expired(pcs: list[Pc], guest: Pc) -> None:
    ticket = pcs[0].invite("payroll", "--expires", "1s")
    expires_s = parse(ticket).expires_s
    until(lambda: time() > expires_s + 0.2, "it is over")
    assert "expired" in refused(guest, ticket).said
    later = encode(replace(parse(ticket), expires_s=expires_s + 3600))
    assert "expired" in refused(guest, later, "--timeout", "20s").said, "the inviter judges by what it wrote down"


def test_cancelled(pcs: list[Pc], guest: Pc) -> None:
    a = pcs[0]
    made = a.run("invite", "Cargo", "--role", "payroll")
    a.run("invites", "Cargo", "--cancel", made["id"][:8])
    assert made["id"] not in {row["id"] for row in a.run("invites", "Cargo")}
    assert "cancelled" in refused(guest, made["ticket"]).said


def test_a_forged_ticket_gets_no_answer(pcs: list[Pc], guest: Pc) -> None:
    """Whoever does not know the secret is no better than a stranger, and cannot even be told so."""
    ticket = parse(pcs[0].invite())
    forged = encode(replace(ticket, secret=token_bytes(SECRET_BYTES)))
    answer = guest.ask("join", "-", "--folder", guest.folder, "--timeout", "4s", given=forged)
    assert answer.exit == 5
    assert "admitted" not in answer.said


def test_the_inviter_is_off(pcs: list[Pc], guest: Pc) -> None:
    a = pcs[0]
    ticket, fingerprint = a.invite(), a.overall()["device"]["fingerprint"]
    a.stop()
    answer = guest.ask("join", "-", "--folder", guest.folder, "--timeout", "3s", given=ticket)
    a.start()
    assert answer.exit == 5
    assert (answer.data["waiting_for"], answer.data["fingerprint"]) == ("inviter", fingerprint)


def test_guesses_get_slower_and_a_few_do_not_end_the_ticket(pcs: list[Pc], guest: Pc) -> None:
    """The guesser knows by which tag the ticket's door opens, yet not the secret: more than anybody should."""
    a = pcs[0]
    made = a.run("invite", "Cargo", "--role", "payroll")
    ticket = parse(made["ticket"])
    answers = [in_namespace(guest, lambda: asyncio.run(guess(guest, ticket))) for _ in range(3)]
    assert any("try again later" in answer or "too many" in answer.lower() for answer in answers), answers
    assert made["id"] in {row["id"] for row in a.run("invites", "Cargo")}, "a few typing errors do not kill it"


def test_an_admin_approves(pcs: list[Pc]) -> None:
    """The last one, since it makes a member of the guest."""
    a, b, c = pcs
    ticket = a.invite("invoicing", "--confirm")
    answer = c.ask("join", "-", "--folder", c.folder, "--timeout", "8s", given=ticket)
    if "too many" in answer.said.lower():  # it is the one who guessed
        until(lambda: c.ask("join", "-", "--folder", c.folder, "--timeout", "2s", given=ticket).exit == 5, "forgiven")
    else:
        assert answer.exit == 5, answer
        assert answer.data["waiting_for"] == "approval"
    assert c.run("mandate", "list") == []
    waiting = [row for row in a.run("devices", "Cargo") if row["state"] == "waiting"]
    assert [row["name"] for row in waiting] == ["c"]
    again = c.begin("join", ticket, "--folder", c.folder, "--timeout", "60s")
    a.run("devices", "Cargo", "--approve", waiting[0]["device"])
    out, said = again.communicate(timeout=90)
    assert again.returncode == 0, (out, said)
    agree(a, b, c)


async def guess(pc: Pc, ticket: Ticket) -> str:
    """Try the ticket with a secret that is wrong, through the right door; returns what was answered."""
    identity = Identity.load_or_create(pc.root / "guesser")
    host, _, port = ticket.addresses[0].rpartition(":")
    tag = period_tag(meeting_secret(ticket.secret), time())
    link = await dial_pairing(host, int(port), tag, ticket.inviter)
    answer = await talk(link, joiner(replace(ticket, secret=token_bytes(SECRET_BYTES)), identity))
    assert isinstance(answer, Failed)
    return str(answer.error)


def in_namespace(pc: Pc, act: Callable[[], T]) -> T:
    """Perform it in a thread of its own on the PC, for an event loop of its own."""
    found: list[T] = []

    def run() -> None:
        with pc.lab.inside(pc.host):
            found.append(act())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]
