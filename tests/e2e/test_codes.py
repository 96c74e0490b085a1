"""Spoken codes end to end: real daemons that share nothing yet find each other by a number, and prove two words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2psync.pair.code import parse
from p2psync.pair.vocabulary import words
from tests.e2e.pc import Pc, agree, until
from tests.lab import requires_lab

pytestmark = requires_lab


def code_of(pc: Pc, *options: object) -> str:
    return str(pc.run("invite", "Cargo", "--role", "payroll", "--code", *options)["ticket"])


def refused(pc: Pc, code: str, lang: str = "en") -> str:
    answer = pc.ask("--lang", lang, "join", code, "--folder", pc.folder, "--timeout", "30s")
    assert answer.exit == 1, answer
    return answer.said


def wrong(code: str) -> str:
    """Words of a code, but not of this one."""
    said = parse(code)
    other = next(word for word in words(0) if word != said.words[0])
    return str(replace(said, words=(other, said.words[1])))


def test_two_pcs_pair_by_a_code_over_the_telephone(pcs: list[Pc], guest: Pc) -> None:
    a, b, _c = pcs
    code = code_of(a)
    number, first, second = code.split("-")
    assert [row["number"] for row in a.run("invites", "Cargo")] == [int(number)]
    heard = f"{number} {first.upper()} {second.capitalize()}"
    joined = b.run("join", heard, "--folder", b.folder)
    assert (joined["mandate"], joined["role"]) == ("Cargo", "payroll")
    assert joined["fingerprint"] == a.overall()["device"]["fingerprint"]
    agree(a, b)
    a.save("a.txt", "from a")
    b.has("a.txt", "from a")
    assert a.run("invites", "Cargo") == []
    assert b.run("join", code, "--folder", b.folder)["mandate"] == "Cargo", "the same command again succeeds"
    assert "used already" in refused(guest, code)


def test_one_wrong_guess_ends_it_for_the_right_words_too(pcs: list[Pc], guest: Pc) -> None:
    a, b, _c = pcs
    code = code_of(a)
    assert "not the words of this code" in refused(b, wrong(code))
    assert "tried here before" in refused(b, wrong(code))
    assert "was tried with wrong words" in refused(guest, code)
    assert a.run("invites", "Cargo") == []


def test_mistyped_words_cost_nothing(pcs: list[Pc], guest: Pc) -> None:
    a = pcs[0]
    code = code_of(a)
    number, first, second = code.split("-")
    for mistyped in (f"{number}-{first[:-1]}x-{second}", f"{number}-{first}-{second[1:]}"):
        assert "Did you mean" in refused(guest, mistyped)
    assert "four digits and two words" in refused(guest, f"{number}-{first}")
    assert "letter by letter" in refused(guest, f"{number}-{first}-xylophonist")
    assert [row["number"] for row in a.run("invites", "Cargo")] == [int(number)]
    a.run("invites", "Cargo", "--cancel", a.run("invites", "Cargo")[0]["id"])


def test_expired(pcs: list[Pc], guest: Pc) -> None:
    code = code_of(pcs[0], "--expires", "1s")
    until(lambda: pcs[0].run("invites", "Cargo") == [], "it is over")
    assert "expired" in refused(guest, code)


def test_cancelled(pcs: list[Pc], guest: Pc) -> None:
    a = pcs[0]
    made = a.run("invite", "Cargo", "--role", "payroll", "--code")
    a.run("invites", "Cargo", "--cancel", made["id"][:8])
    assert "cancelled" in refused(guest, made["code"])


@pytest.mark.parametrize(("lang", "said"), [("fr", "annulé"), ("de", "zurückgezogen"), ("it", "annullato")])
def test_in_the_users_language(pcs: list[Pc], guest: Pc, lang: str, said: str) -> None:
    a = pcs[0]
    made = a.run("invite", "Cargo", "--role", "payroll", "--code")
    a.run("invites", "Cargo", "--cancel", made["id"])
    assert said in refused(guest, made["code"], lang)


def test_nobody_answers_to_the_number(pcs: list[Pc], guest: Pc) -> None:
    a = pcs[0]
    code = code_of(a)
    a.stop()
    answer = guest.ask("join", code, "--folder", guest.folder, "--timeout", "2s")
    a.start()
    assert answer.exit == 5
    assert (answer.data["waiting_for"], answer.data["number"]) == ("inviter", parse(code).number)


def test_an_admin_approves(pcs: list[Pc]) -> None:
    """The last one, since it makes a member of the guest."""
    a, _b, c = pcs
    code = code_of(a, "--confirm")
    answer = c.ask("join", code, "--folder", c.folder, "--timeout", "8s")
    assert (answer.exit, answer.data["waiting_for"]) == (5, "approval")
    assert c.run("mandate", "list") == []
    (waiting,) = [row for row in a.run("devices", "Cargo") if row["state"] == "waiting"]
    again = c.begin("join", code, "--folder", c.folder, "--timeout", "60s")
    a.run("devices", "Cargo", "--approve", waiting["device"])
    out, said = again.communicate(timeout=90)
    assert again.returncode == 0, (out, said)
    agree(a, c)
