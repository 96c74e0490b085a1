"""The inviter's side: approvals, used and cancelled tickets, wrong guesses, an answer that got lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.ids import DeviceId, MandateId
from p2psync.daemon.operations.result import WAITING
from p2psync.daemon.pairing.inviting import expected
from p2psync.daemon.pairing.joining import Admitted, Quest
from p2psync.errors import TicketCancelled, TicketRefused, TicketUsed, UsageError
from p2psync.pair.guesses import WRONG_PROOFS_MAX
from p2psync.pair.invitation import Claim, Invitation
from p2psync.pair.ticket import TicketId, parse
from tests.daemon.homes import Pc, pcs
from tests.daemon.patience import until


@pytest.mark.asyncio
async def test_a_ticket_works_once(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", "other") as (host, guest, other):
        await host.create()
        ticket = await host.invite("payroll")
        await guest.join(ticket)
        with pytest.raises(TicketUsed):
            await other.join(ticket)
        assert await other.call("mandate.list") == []
        assert not other.folder.exists()
        assert await host.call("invites", mandate="Cargo") == []


@pytest.mark.asyncio
async def test_a_ticket_for_several_works_so_often(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", "other") as (host, guest, other):
        await host.create()
        ticket = await host.invite("payroll", uses=2)
        await guest.join(ticket)
        (shown,) = await host.call("invites", mandate="Cargo")
        assert (shown["uses_left"], shown["role"]) == (1, "payroll")
        await other.join(ticket)


@pytest.mark.asyncio
async def test_a_cancelled_ticket_says_so(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll")
        (shown,) = await host.call("invites", mandate="Cargo")
        await host.call("invites.cancel", mandate="Cargo", id=shown["id"])
        with pytest.raises(TicketCancelled):
            await guest.join(ticket)
        with pytest.raises(UsageError, match="no such open invitation"):
            await host.call("invites.cancel", mandate="Cargo", id=shown["id"])


@pytest.mark.asyncio
async def test_a_newcomer_waits_until_an_admin_approves(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll", confirm=True)
        early = await guest.ask("join", ticket=ticket, folder=str(guest.folder), timeout_s=2)
        assert early.exit_code == WAITING
        assert early.data["waiting_for"] == "approval"  # type: ignore[index]
        assert early.data["own_fingerprint"] in early.data["message"]  # type: ignore[index]
        assert not guest.folder.exists()
        async with asyncio.TaskGroup() as group:
            joining = group.create_task(guest.join(ticket))
            await until(lambda: host.running.inviting._held)
            waiting = [row for row in await host.call("devices", mandate="Cargo") if row["state"] == "waiting"]
            assert [row["name"] for row in waiting] == ["guest"]
            await host.call("devices.approve", mandate="Cargo", device=waiting[0]["device"][:7])
            assert (await joining)["role"] == "payroll"
        await host.in_sync(1)


@pytest.mark.asyncio
async def test_what_was_approved_meanwhile_is_there_when_the_newcomer_comes_back(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll", confirm=True)
        await guest.ask("join", ticket=ticket, folder=str(guest.folder), timeout_s=2)
        await host.call("devices.approve", mandate="Cargo", device="guest")
        await guest.join(ticket)


@pytest.mark.asyncio
async def test_a_declined_newcomer_hears_it(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll", confirm=True)
        async with asyncio.TaskGroup() as group:
            joining = group.create_task(_declined(guest, ticket))
            await until(lambda: host.running.inviting._held)
            await host.call("devices.revoke", mandate="Cargo", device="guest")
            await joining
        with pytest.raises(UsageError, match="There is no device guest"):
            await host.call("devices.approve", mandate="Cargo", device="guest")


async def _declined(guest: Pc, ticket: str) -> None:
    with pytest.raises(TicketRefused, match="declined"):
        await guest.join(ticket)


@pytest.mark.asyncio
async def test_an_answer_that_got_lost_is_given_again_but_not_after_a_revocation(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = parse(await host.invite("payroll"))
        first, second = await quest(guest, ticket).run(20), await quest(guest, ticket).run(20)
        assert isinstance(first, Admitted)
        assert isinstance(second, Admitted)
        assert first.welcome == second.welcome
        await host.call("devices.revoke", mandate="Cargo", device="guest")
        with pytest.raises(TicketRefused):
            await quest(guest, ticket).run(20)


@pytest.mark.asyncio
async def test_who_left_comes_back_by_a_new_ticket_and_finds_its_files_as_they_were(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll")
        await guest.join(ticket)
        guest.save("wages.txt", "of the guest")
        await host.has("wages.txt", "of the guest")
        await guest.call("mandate.leave", mandate="Cargo")

        async def is_gone() -> bool:
            rows = await host.call("devices", mandate="Cargo")
            return bool({row["name"]: row["state"] for row in rows}["guest"] == "left")

        await until(is_gone, "the host knows")
        with pytest.raises(TicketUsed):
            await guest.join(ticket)
        await guest.join(await host.invite("payroll"))
        await host.in_sync(1)
        saved = [row["path"] for row in await host.call("log", mandate="Cargo") if row["kind"] == "file"]
        assert saved == ["wages.txt"], "it is not published twice"
        assert host.files() == guest.files() == {"wages.txt": b"of the guest"}


@pytest.mark.asyncio
async def test_wrong_guesses_are_slowed_down_and_end_the_ticket(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "thief") as (host, thief):
        await host.create()
        ticket = parse(await host.invite("payroll"))
        forged = replace(ticket, secret=bytes(16))
        inviting = host.running.inviting
        for number in range(WRONG_PROOFS_MAX):
            guess = quest(thief, forged)
            guess._sought = quest(thief, ticket)._sought
            with pytest.raises(TicketRefused, match="does not know"):
                await guess.run(20)
            if number == 0:
                with pytest.raises(TicketRefused, match="Too many wrong tickets"):
                    await quest(thief, ticket).run(20)
            inviting._guesses._sources.clear()
        with pytest.raises(TicketCancelled):
            await quest(thief, ticket).run(20)


def quest(pc: Pc, ticket: object) -> Quest:
    node = pc.running
    return Quest(ticket, pc.name, node.identity, node.discovery, node.log)  # type: ignore[arg-type]


def test_those_that_are_good_for_something_are_expected_first_and_old_ones_not_at_all() -> None:
    mandate, other = MandateId(b"m" * 16), MandateId(b"o" * 16)

    def invitation(name: bytes, expires_s: int, **more: Any) -> Invitation:
        return Invitation(TicketId(name), more.pop("mandate", mandate), b"s" * 16, expires_s, **more)

    several = [
        invitation(b"used    ", 900, claims={DeviceId(b"d" * 32): Claim.ADMITTED}),
        invitation(b"soon    ", 200),
        invitation(b"old     ", 100),
        invitation(b"late    ", 300),
        invitation(b"secret  ", 300, mandate=other),
        invitation(b"cancel  ", 800, cancelled=True),
    ]
    found = [one.ticket.strip() for one in expected(several, 100.0, {mandate})]
    assert found == [b"late", b"soon", b"used", b"cancel"]
