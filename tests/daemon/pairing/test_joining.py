"""The joiner's side: what it says while it waits, what it refuses, and that nothing stays behind."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.daemon.operations.result import WAITING
from p2psync.errors import FolderError, TicketExpired, TicketMalformed, TicketUsed, UsageError
from p2psync.pair.fingerprint import device_fingerprint
from p2psync.pair.ticket import encode, parse
from tests.daemon.homes import pcs
from tests.daemon.meetings import invite_from_afar, meeting_host, relayed
from tests.rendezvous.hosting import address_of


@pytest.mark.asyncio
async def test_the_joiner_says_whom_it_waits_for_and_goes_on_later(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll")
        inviter = device_fingerprint(host.running.identity.device)
        await host.stop()
        result = await guest.ask("join", ticket=ticket, folder=str(guest.folder), timeout_s=0.2)
        assert result.exit_code == WAITING
        assert inviter in str(result.data)
        assert not guest.folder.exists()
        assert await guest.call("mandate.list") == []
        await host.start()
        assert (await guest.join(ticket))["fingerprint"] == inviter


@pytest.mark.asyncio
async def test_the_same_command_again_changes_nothing(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll")
        first, again = await guest.join(ticket), await guest.join(ticket)
        assert (first.pop("already"), again.pop("already")) == (False, True)
        assert first == again


@pytest.mark.asyncio
async def test_tickets_that_cannot_work_each_say_why(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll")
        with pytest.raises(TicketMalformed, match="typing error"):
            await guest.join(ticket[:-3] + "ZZZ")
        with pytest.raises(TicketMalformed, match="no ticket"):
            await guest.join("hello")
        with pytest.raises(TicketExpired, match="expired on"):
            await guest.join(encode(replace(parse(ticket), expires_s=int(time.time()) - 1)))
        with pytest.raises(UsageError, match="issued by this device"):
            await host.join(ticket)
        assert not guest.folder.exists()


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        ticket = await host.invite("payroll")
        guest.folder.write_text("a file")
        with pytest.raises(FolderError, match="is a file"):
            await guest.join(ticket)
        guest.folder.unlink()
        with pytest.raises(FolderError, match="in use by another p2psync"):
            await guest.call("join", ticket=ticket, folder=str(host.folder))
        await guest.join(ticket)


@pytest.mark.asyncio
async def test_what_lay_in_the_folder_is_published_or_set_aside(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        host.save("both.txt", "the mandate's")
        await host.holds(1)
        guest.folder.mkdir()
        guest.save("both.txt", "the guest's own")
        guest.save("mine.txt", "unknown to the mandate")
        await guest.join(await host.invite("payroll"))
        await host.has("mine.txt", "unknown to the mandate")
        await guest.has("both.txt", "the mandate's")
        codes = {(p["path"], p["code"]) for p in (await guest.status())["problem_list"]}
        assert codes == {("both.txt", "set-aside")}


@pytest.mark.asyncio
async def test_what_is_saved_before_the_first_link_counts(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        await guest.join(await host.invite("payroll"))
        await host.stop()
        guest.save("early.txt", "typed at once")
        await host.start()
        await host.has("early.txt", "typed at once")
        await guest.has("early.txt", "typed at once")
        assert (await guest.status())["problem_list"] == []


@pytest.mark.asyncio
async def test_where_the_inviter_cannot_be_reached_a_meeting_host_helps(tmp_path: Path) -> None:
    async with relayed(), meeting_host(tmp_path) as server:
        named = (str(address_of(server)),)
        async with pcs(tmp_path, "office", rendezvous=named) as (office,), pcs(tmp_path, "guest") as (guest,):
            await office.create()
            ticket = await invite_from_afar(office)
            await guest.join(ticket)
            (known,) = await guest.call("peer.list", mandate="Cargo")
            assert (known["address"],) == named, "it is kept for the mandate"
            await office.in_sync(1)
            assert (await office.status())["peers"][0]["path"] == "relay"
            with pytest.raises(TicketUsed):
                async with pcs(tmp_path, "second") as (second,):
                    await second.join(ticket)
