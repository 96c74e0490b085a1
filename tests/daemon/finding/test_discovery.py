"""Meeting each other: by mDNS, by known addresses, on the same port as before, and not at all without a reason."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.daemon.config import LOOPBACK, Endpoint
from p2psync.daemon.finding import discovery
from p2psync.daemon.finding.port_mapping import PortMapping
from p2psync.errors import ConfigError
from p2psync.net.trust import tag_of
from p2psync.pair.ticket import encode, parse
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until

YEAR_S = 365 * 86_400
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
async def test_who_is_refused_at_a_known_address_is_told_to_look_at_the_clocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        with monkeypatch.context() as patch:
            patch.setattr(discovery, "tag_of", lambda secret, nonce, now_s: tag_of(secret, nonce, now_s + YEAR_S))
            await two.stop()
            await two.start()

            async def is_told() -> bool:
                return [refused["clock"][:2] for refused in (await two.status())["refused"]] == ["20"]

            await until(is_told, "it is refused")
            (refused,) = (await two.status())["refused"]
            assert f"127.0.0.1:{one.running.discovery.port} refused the connection" in refused["reason"]
        one.save("a.txt", "once the clock is right")
        await two.has("a.txt", "once the clock is right")
        assert (await two.status())["refused"] == []


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
async def test_a_revoked_device_is_told_at_once_and_calls_nobody_any_more(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        two.save("a.txt", "before")
        await one.has("a.txt", "before")
        await one.call("devices.revoke", mandate="Cargo", device="pc2")
        await until(lambda: not one.running.links._lines)
        detail = await removal_of(two)
        assert detail.startswith("pc1, ")
        await two.stop()
        two.save("a.txt", "by the removed")
        await two.start()
        assert await removal_of(two) == detail
        await two.running.discovery.renew()
        assert two.running.discovery._dialer.wake_at() is None
        assert (two.read("a.txt"), one.read("a.txt")) == (b"by the removed", b"before")
        assert (await two.status())["in_sync"] is False
        await two.call("mandate.leave", mandate="Cargo")
        await two.join(await one.invite("payroll"))
        await one.in_sync(1)
        assert two.read("a.txt") == b"before", "the mandate's; what was there is set aside"


@pytest.mark.asyncio
async def test_who_was_off_at_its_revocation_is_told_when_it_comes_back(tmp_path: Path) -> None:
    """The others know another secret by then: they look for it by the old one, and it gets in nowhere by that."""
    async with pcs(tmp_path, "one", "two", "three", **MDNS) as (one, two, three):
        await one.create()
        for pc in (two, three):
            await pc.join(await one.invite("payroll"))
        await one.in_sync(2)
        three.save("a.txt", "mine")
        await one.has("a.txt", "mine")
        await three.stop()
        await one.call("devices.revoke", mandate="Cargo", device="three")
        await two.stop()
        await two.start()
        await until(lambda: secrets_of(one) == (1, 1), "two showed that it knows the new secret")
        one.save("b.txt", "not for three")
        await three.start()
        assert (await removal_of(three)).startswith("one, ")
        assert three.files() == {"a.txt": b"mine"}
        await until(lambda: secrets_of(one) == (1, 0), "three showed that it knows")


def secrets_of(pc: Pc) -> tuple[int, int]:
    """How many discovery secrets open a door, and by how many others somebody is looked for."""
    (trust,) = pc.running.discovery._shared.values()
    return len(trust.secrets), len(trust.outdated)


async def removal_of(pc: Pc) -> str:
    """By whom and when this device was removed, once it knows."""
    found: list[str] = []

    async def known() -> bool:
        problems = (await pc.status())["problem_list"]
        found.extend(problem["detail"] for problem in problems if problem["code"] == "removed")
        return bool(found)

    await until(known, f"{pc.name} knows that it was removed")
    return found[0]


@pytest.mark.asyncio
async def test_a_mapped_port_is_told_with_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        found = pc.running.discovery
        port = found.port
        ips = {"192.168.1.5", "10.0.0.1", "10.0.0.2", "10.0.0.3", "2a00::1", "fe80::1"}
        monkeypatch.setattr(discovery, "reachable_at", lambda _listen: ips)
        near = [f"10.0.0.1:{port}", f"10.0.0.2:{port}", f"10.0.0.3:{port}"]
        assert found.own_addresses() == (*near, f"192.168.1.5:{port}")
        found.mapping.address = "45.77.10.9:4711"
        assert found.own_addresses() == (*near, "45.77.10.9:4711")
        ips -= {"10.0.0.2", "10.0.0.3", "192.168.1.5"}
        assert found.own_addresses() == (near[0], "45.77.10.9:4711", f"[2a00::1]:{port}")


@pytest.mark.asyncio
async def test_a_port_is_mapped_where_somebody_is_far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    monkeypatch.setattr(PortMapping, "want", lambda _self, wanted: told.append(wanted))
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        await pc.call("peer.add", mandate=MANDATE, address="192.168.1.9:4711")
        assert set(told) == {False}
        await pc.call("peer.add", mandate=MANDATE, address="45.77.10.9:4711")
        await until(lambda: told[-1], "it is wanted")
