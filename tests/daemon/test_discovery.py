"""Meeting each other: by mDNS, by known addresses, on the same port as before, and not at all without a reason."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.daemon.config import LOOPBACK, Endpoint
from p2psync.errors import ConfigError
from p2psync.pair.ticket import encode, parse
from tests.daemon.homes import company, pcs
from tests.daemon.patience import until

MDNS = {"mdns": True, "mdns_interfaces": (LOOPBACK,)}


@pytest.mark.asyncio
async def test_devices_find_each_other_by_mdns_from_the_ticket_on(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one", "two", **MDNS) as (one, two):
        await one.create()
        ticket = replace(parse(await one.invite("payroll")), addresses=())
        await two.join(encode(ticket))
        one.save("a.txt", "found by mDNS")
        await two.has("a.txt", "found by mDNS")
        await two.stop()
        one.save("b.txt", "found again")
        await two.start()
        await two.has("b.txt", "found again")
        assert await two.call("peer.list", mandate="Cargo") == []


@pytest.mark.asyncio
async def test_known_addresses_help_where_mdns_does_not(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        (known,) = await two.call("peer.list", mandate="Cargo")
        assert known["address"] == f"127.0.0.1:{one.running.discovery.port}"
        await two.call("peer.remove", mandate="Cargo", address=known["address"])
        await two.stop()
        await two.start()
        one.save("a.txt", "a")
        two_address = f"localhost:{two.running.discovery.port}"
        assert (await one.status())["peers"][0]["connected"] is False
        await one.call("peer.add", mandate="Cargo", address=two_address)
        await two.has("a.txt", "a")


@pytest.mark.asyncio
async def test_the_port_stays_the_same_so_that_addresses_stay_right(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        port = pc.running.discovery.port
        await pc.stop()
        await pc.start()
        assert pc.running.discovery.port == port
        await pc.stop()
        with socket.create_server((LOOPBACK, port)):
            await pc.start()
            assert pc.running.discovery.port not in (0, port)


@pytest.mark.asyncio
async def test_a_chosen_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        async with pcs(tmp_path, "pc", listen=Endpoint(LOOPBACK, port)) as (pc,):
            await pc.call("mandate.create", name="Cargo", folder=str(pc.folder))
            with pytest.raises(ConfigError, match=str(port)):
                await pc.call("share", mandate="Cargo")
            await pc.stop()
            with pytest.raises(ConfigError, match=str(port)):
                await pc.start()
        async with pcs(tmp_path, "other") as (other,):
            await other.create()
            assert other.running.discovery.port > 0


@pytest.mark.asyncio
async def test_the_last_shared_mandate_closes_the_door_behind_it(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        assert pc.running.discovery.port > 0
        await pc.call("mandate.leave", mandate="Cargo")
        assert pc.running.discovery.port == 0


@pytest.mark.asyncio
async def test_a_revoked_device_is_cut_off_at_once_and_not_let_in_again(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await one.call("devices.revoke", mandate="Cargo", device="pc2")
        await until(lambda: not one.running.links._lines)
        await two.stop()
        await two.start()
        log = two.config.home / "p2psync.log"
        await until(lambda: "link.down" in log.read_text().rpartition(" started ")[2])
        assert not one.running.links._lines
        assert two.read("never.txt") is None
