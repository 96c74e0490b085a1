"""Devices at a host find ways to each other: the relay at once, a plain connection as soon as there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.daemon.finding import whereabouts
from p2psync.net.dialer import Address
from tests.daemon.homes import Pc
from tests.daemon.meetings import far_company, meeting_host
from tests.daemon.patience import until


async def paths(pc: Pc) -> set[str | None]:
    return {peer["path"] for peer in (await pc.status())["peers"]}


@pytest.mark.asyncio
async def test_what_is_saved_comes_through_the_relay(tmp_path: Path) -> None:
    async with meeting_host(tmp_path) as server, far_company(tmp_path, server, "payroll", "invoicing") as several:
        one, *others = several
        assert await paths(one) == {"relay"}
        one.save("a.txt", "from afar")
        for other in others:
            await other.has("a.txt", "from afar")
            other.save(f"{other.name}.txt", "back")
            await one.has(f"{other.name}.txt", "back")


@pytest.mark.asyncio
async def test_a_link_that_breaks_is_there_again(tmp_path: Path) -> None:
    async with meeting_host(tmp_path) as server, far_company(tmp_path, server, "payroll") as (one, two):
        for number in range(3):
            one.cut()
            one.save("a.txt", f"after cut {number}")
            await two.has("a.txt", f"after cut {number}")


@pytest.mark.asyncio
async def test_a_plain_connection_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with meeting_host(tmp_path) as server, far_company(tmp_path, server, "payroll") as (one, two):
        two.save("big", bytes(range(256)) * 40_000)
        here = (Address("127.0.0.1", one.running.discovery.port),)
        monkeypatch.setattr(whereabouts, "unpack", lambda _body: here)
        two.running.discovery.meeting.network_changed()
        await until(lambda: is_direct(one), "one is reached directly")
        await one.has("big", bytes(range(256)) * 40_000)
        await until(lambda: len(one.running.links._lines) == 1, "the relayed one is gone")
        assert await paths(one) == await paths(two) == {"lan"}
        one.save("after.txt", "still in sync")
        await two.has("after.txt", "still in sync")


@pytest.mark.asyncio
async def test_a_port_that_was_mapped_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with meeting_host(tmp_path) as server, far_company(tmp_path, server, "payroll") as (one, two):
        heard: list[Address] = []
        found = two.running.discovery
        monkeypatch.setattr(found.ways._wires, "on_addresses", lambda _who, _where, several: heard.extend(several))
        one.running.discovery.mapping._tell("45.77.10.9:4711")
        await until(lambda: Address("45.77.10.9", 4711) in heard, "two knows of it")


async def is_direct(pc: Pc) -> bool:
    return await paths(pc) == {"lan"}
