"""The joiner's side of codes: found by its number alone, asked once, and nothing stays behind if it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.daemon.config import LOOPBACK
from p2psync.daemon.operations.result import WAITING
from p2psync.errors import TicketError, TicketMalformed, TicketRefused, UsageError
from p2psync.pair.code import parse
from p2psync.pair.vocabulary import words
from tests.daemon.homes import Pc, pcs

MDNS = {"mdns": True, "mdns_interfaces": (LOOPBACK,)}


def other_words(text: str) -> str:
    """The same number with a second word that is none of it."""
    code = parse(text)
    other = next(word for word in words(1) if word != code.words[1])
    return str(replace(code, words=(code.words[0], other)))


async def invited(host: Pc, role: str = "payroll", **options: object) -> str:
    return await host.invite(role, code=True, **options)


async def nothing_here(pc: Pc) -> bool:
    return await pc.call("mandate.list") == [] and not pc.folder.exists() and pc.running.discovery.port == 0


@pytest.mark.asyncio
async def test_a_code_is_enough_to_join(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host)
        joined = await guest.join(code.upper().replace("-", " "))
        assert (joined["mandate"], joined["role"], joined["already"]) == ("Cargo", "payroll", False)
        host.save("a.txt", "for the guest")
        await guest.has("a.txt", "for the guest")
        assert (await guest.join(code))["already"] is True, "the same command again succeeds"
        assert await host.call("invites", mandate="Cargo") == []


@pytest.mark.asyncio
async def test_one_wrong_guess_and_the_right_words_do_not_help_any_more(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "thief", "guest", **MDNS) as (host, thief, guest):
        await host.create()
        code = await invited(host)
        with pytest.raises(TicketRefused, match="not the words of this code"):
            await thief.join(other_words(code))
        with pytest.raises(TicketRefused, match="tried here before"):
            await thief.join(other_words(code))
        with pytest.raises(TicketRefused, match="was tried with wrong words"):
            await guest.join(code)
        assert await host.call("invites", mandate="Cargo") == []
        assert await nothing_here(thief)
        assert await nothing_here(guest)
        with pytest.raises(TicketRefused, match="Too many wrong codes"):
            await guest.join(await invited(host))
        host.running.code_inviting._guesses._sources.clear()
        await guest.join(await invited(host))


@pytest.mark.asyncio
async def test_a_mistyped_word_asks_nobody(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host)
        with pytest.raises(TicketMalformed, match="Did you mean"):
            await guest.join(code[:-1] + "x")
        await guest.join(code)


@pytest.mark.asyncio
async def test_a_newcomer_by_code_waits_for_approval_and_goes_on(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host, confirm=True)
        early = await guest.ask("join", ticket=code, folder=str(guest.folder), timeout_s=3)
        assert early.exit_code == WAITING
        assert early.data["waiting_for"] == "approval"  # type: ignore[index]
        await host.call("devices.approve", mandate="Cargo", device="guest")
        assert (await guest.join(code))["role"] == "payroll"


@pytest.mark.asyncio
async def test_nobody_with_that_number(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host)
        await host.stop()
        answer = await guest.ask("join", ticket=code, folder=str(guest.folder), timeout_s=0.5)
        assert answer.exit_code == WAITING
        assert isinstance(answer.data, dict)
        assert (answer.data["waiting_for"], answer.data["number"]) == ("inviter", parse(code).number)
        await host.start()
        await guest.join(code)


@pytest.mark.asyncio
async def test_the_inviter_does_not_join_itself(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", **MDNS) as (host,):
        await host.create()
        with pytest.raises(UsageError, match="issued by this device"):
            await host.join(await invited(host))


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_used_costs_no_code(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host)
        guest.folder.write_text("a file")
        with pytest.raises(Exception, match="is a file"):
            await guest.join(code)
        guest.folder.unlink()
        await guest.join(code)


@pytest.mark.asyncio
async def test_without_mdns_a_code_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest") as (host, guest):
        await host.create()
        with pytest.raises(UsageError, match="Make a ticket instead"):
            await invited(host)
        with pytest.raises(UsageError, match="Ask for a ticket instead"):
            await guest.join(f"4217 {words(0)[0]} {words(1)[0]}")


@pytest.mark.asyncio
async def test_whoever_takes_the_inviters_part_gets_one_guess(tmp_path: Path) -> None:
    """He made a code of the same number, with words of his own."""
    async with pcs(tmp_path, "thief", "guest", **MDNS) as (thief, guest):
        await thief.create()
        code = await invited(thief)
        for _ in range(2):
            with pytest.raises(TicketError):
                await guest.join(other_words(code))
        assert await nothing_here(guest)
