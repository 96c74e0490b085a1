"""What a ticket, a code and a recovery file say before anything is stored or sent; then joining with them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.errors import TicketExpired, TicketMalformed, UsageError
from p2psync.pair.fingerprint import device_fingerprint
from p2psync.pair.ticket import encode, parse
from tests.daemon.homes import MANDATE, pcs


@pytest.mark.asyncio
async def test_a_ticket_tells_who_invites_to_what_as_what_and_nothing_is_changed(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        await office.create()
        made = await office.call("invite", mandate=MANDATE, role="payroll", admin=True, expires_s=3600)
        shown = await home.call("join.show", ticket=f"# {made['id']}\n{made['ticket'].lower()}\n")
        assert shown == {
            "kind": "ticket",
            "mandate": MANDATE,
            "id": (await office.status())["id"],
            "inviter": "office",
            "fingerprint": device_fingerprint(office.running.identity.device),
            "role": "payroll",
            "admin": True,
            "expires": made["expires"],
            "folder": str(home.config.documents / "Cargo.crsync"),
            "already": False,
        }
        assert await home.call("mandate.list") == []
        assert not home.config.documents.exists()
        (invitation,) = await office.call("invites", mandate=MANDATE)
        assert invitation["uses_left"] == 1, "nobody was asked"


@pytest.mark.asyncio
async def test_a_member_is_told_that_it_is_one_however_old_the_ticket(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        await office.create()
        ticket = await office.invite("payroll")
        await home.join(ticket)
        await office.call("mandate.rename", mandate=MANDATE, name="Cargo AG")
        old = encode(replace(parse(ticket), expires_s=1))
        others = encode(replace(parse(old), inviter=home.running.identity.device))
        shown = await office.call("join.show", ticket=others)
        assert (shown["already"], shown["mandate"]) == (True, "Cargo AG")
        shown = await home.call("join.show", ticket=old)
        assert (shown["already"], shown["folder"]) == (True, str(home.folder))


@pytest.mark.asyncio
async def test_a_ticket_of_former_days_tells_what_it_can(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        await office.create()
        old = encode(replace(parse(await office.invite("payroll")), about=None))
        shown = await home.call("join.show", ticket=old)
        assert [shown[key] for key in ("mandate", "inviter", "role", "admin", "folder")] == [None] * 5
        assert shown["fingerprint"] == device_fingerprint(office.running.identity.device)
        assert (await home.join(old))["role"] == "payroll", "and lets in as ever"


@pytest.mark.asyncio
async def test_what_lets_nobody_in_says_why(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        await office.create()
        ticket = await office.invite("payroll")
        with pytest.raises(TicketExpired, match="expired on"):
            await home.call("join.show", ticket=encode(replace(parse(ticket), expires_s=int(time.time()) - 1)))
        for wrong in ("", "hello", ticket[:-1], "P2P1\ufffd\ufffd"):
            with pytest.raises(TicketMalformed, match="Copy it again"):
                await home.call("join.show", ticket=wrong)
        with pytest.raises(TicketMalformed, match="marilu"):
            await home.call("join.show", ticket="4217 tamiro marilx")
        with pytest.raises(UsageError, match="issued by this device"):
            await office.call("join.show", ticket=ticket)


@pytest.mark.asyncio
async def test_a_code_tells_nothing_and_is_not_spent_without_a_folder(tmp_path: Path) -> None:
    async with pcs(tmp_path, "home") as (home,):
        shown = await home.call("join.show", ticket="4217 Tamiro Marilu")
        assert {key: value for key, value in shown.items() if value} == {"kind": "code", "number": 4217}
        with pytest.raises(UsageError, match="--folder"):
            await home.call("join", ticket="4217 tamiro marilu")


@pytest.mark.asyncio
async def test_a_recovery_file_tells_of_which_mandate_it_makes_an_admin(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        await office.create()
        text = (await office.call("mandate.recovery", mandate=MANDATE))["text"]
        shown = await home.call("join.show", ticket=text)
        assert (shown["kind"], shown["mandate"], shown["admin"]) == ("recovery", MANDATE, True)
        assert (await home.join(text))["role"] == shown["role"]


@pytest.mark.asyncio
async def test_no_folder_is_proposed_in_which_another_mandate_lies(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        await office.create()
        await home.call("mandate.create", name=MANDATE)
        await home.call("mandate.rename", mandate=MANDATE, name="Private")
        shown = await home.call("join.show", ticket=await office.invite("payroll"))
        assert shown["folder"] == str(home.config.documents / "Cargo 2.crsync")
