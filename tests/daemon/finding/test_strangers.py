"""By a meeting host a code works as in one network, and neither the host nor who finds the number learns any name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from p2psync.daemon.operations.result import WAITING
from p2psync.errors import TicketRefused
from p2psync.pair.code import meeting_room, meeting_secret, parse
from tests.daemon.homes import Pc, pcs
from tests.daemon.meetings import meeting_host
from tests.daemon.pairing.test_code_joining import invited, nothing_here, other_words
from tests.daemon.patience import until
from tests.rendezvous.hosting import address_of


@asynccontextmanager
async def far_apart(root: Path, *names: str) -> AsyncIterator[list[Pc]]:
    """Devices that share nothing but the address of a host; the first has a mandate."""
    async with meeting_host(root) as server, pcs(root, *names, rendezvous=(str(address_of(server)),)) as several:
        await several[0].create()
        for pc in several:
            pc.running.discovery.own_addresses = tuple  # type: ignore[method-assign]
        yield several


@pytest.mark.asyncio
async def test_a_code_is_enough_to_join_from_afar(tmp_path: Path) -> None:
    async with far_apart(tmp_path, "office", "guest") as (office, guest):
        code = await invited(office)
        joined = await guest.join(code)
        assert (joined["mandate"], joined["role"]) == ("Cargo", "payroll")
        office.save("a.txt", "for the guest")
        await guest.has("a.txt", "for the guest")
        assert guest.running.discovery.strangers._meeting.statuses() == [], "nobody is looked for any more"


@pytest.mark.asyncio
async def test_a_wrong_guess_from_afar_ends_it(tmp_path: Path) -> None:
    async with far_apart(tmp_path, "office", "thief", "guest") as (office, thief, guest):
        code = await invited(office)
        with pytest.raises(TicketRefused, match="not the words of this code"):
            await thief.join(other_words(code))
        with pytest.raises(TicketRefused, match="was tried with wrong words"):
            await guest.join(code)
        assert await nothing_here(guest)


@pytest.mark.asyncio
async def test_the_room_of_a_number_sees_no_name(tmp_path: Path) -> None:
    async with far_apart(tmp_path, "office") as (office,):
        room = meeting_room(meeting_secret(parse(await invited(office)).number))
        discovery = office.running.discovery
        (known,), (open_one,) = discovery.meeting._visits.values(), discovery.strangers._meeting._visits.values()
        assert set(open_one.client._rooms) == {room}
        assert room not in known.client._rooms
        assert open_one.client._lobby._device != known.client._lobby._device == office.running.identity.device


@pytest.mark.asyncio
async def test_a_host_that_is_away_is_named_as_the_reason(tmp_path: Path) -> None:
    async with pcs(tmp_path, "guest", rendezvous=("wss://127.0.0.1:1",)) as (guest,):
        answer = await guest.ask("join", ticket="4217-tamiro-marilu", folder=str(guest.folder), timeout_s=2)
        assert answer.exit_code == WAITING
        assert isinstance(answer.data, dict)
        assert "127.0.0.1:1" in str(answer.data["reason"])
        await until(lambda: not guest.running.discovery.strangers.problems, "the host is left alone")
