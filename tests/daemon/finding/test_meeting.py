"""Which hosts a device visits, in which rooms; and that it is nowhere and knows nothing without one."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.ids import DeviceId, MandateId
from p2psync.daemon.finding.meeting import meeting_rooms
from p2psync.net.trust import Trust
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.lobby import Room
from p2psync.rendezvous.relay import RelaySettings
from tests.daemon.homes import pcs
from tests.daemon.meetings import far_company, meeting_host, relayed
from tests.daemon.patience import until
from tests.rendezvous.hosting import address_of

ME, BOB, FORMER = DeviceId(b"A" * 32), DeviceId(b"B" * 32), DeviceId(b"F" * 32)
M, N = MandateId(b"M" * 16), MandateId(b"N" * 16)
HERE, THERE = HostAddress("here.example"), HostAddress("there.example")
WITHOUT = """
import sys
import p2psync.daemon.node
print(sorted(m for m in sys.modules if m.startswith("p2psync.rendezvous") and m.count(".") == 2))
"""


def test_members_and_holders_of_tickets_are_met_at_their_hosts() -> None:
    trust = Trust((b"new", b"old"), {ME: b"", BOB: b""}, {FORMER: b""}, (b"outdated",))
    alone = Trust((b"secret",), {ME: b""})
    rooms = meeting_rooms(ME, [(M, trust, (HERE, THERE)), (N, alone, (HERE,))], [(b"ticket", b"spoken", (THERE,))])
    members = Room((b"new", b"old", b"outdated"), frozenset({BOB, FORMER}))
    assert rooms == {HERE: {M: members}, THERE: {M: members, b"ticket": Room((b"spoken",), None)}}


def test_without_a_host_no_client_is_loaded() -> None:
    loaded = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['p2psync.rendezvous.protocol']"


@pytest.mark.asyncio
async def test_a_host_that_is_away_is_told_of_and_met_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.rendezvous.client.RETRY_MAX_S", 0.2)
    async with meeting_host(tmp_path) as server:
        port = server.port
        async with far_company(tmp_path, server, "payroll") as (one, two):
            await server.stop()

            async def problem() -> str | None:
                (row,) = (await one.call("status"))["rendezvous"]
                return None if row["problem"] is None else str(row["problem"])

            await until(problem, "the host is away")
            assert f"wss://127.0.0.1:{port}" in str(await problem())
            async with meeting_host(tmp_path, port=port):
                one.save("a.txt", "the host is back")
                await two.has("a.txt", "the host is back")
                assert await problem() is None


@pytest.mark.asyncio
async def test_what_is_wrong_with_a_host_is_said_and_what_to_do(tmp_path: Path) -> None:
    """The devices reach each other all the same."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with meeting_host(tmp_path) as server:
        wrong_key = str(replace(address_of(server), pin=bytes(32)))
        named = (wrong_key, f"wss://127.0.0.1:{port}", "wss://no-such-host.invalid")
        async with pcs(tmp_path, "one", rendezvous=named) as (one,), pcs(tmp_path, "two") as (two,):
            await one.create()
            await two.join(await one.invite("payroll"))

            async def problems() -> list[str]:
                return [row["problem"] or "" for row in (await one.call("status"))["rendezvous"]]

            async def are_told() -> bool:
                said = " ".join(await problems())
                return all(part in said for part in ("another key", "cannot be reached", "no host named"))

            await until(are_told, "each host's trouble is told")
            one.save("a.txt", "on the LAN nothing is wrong")
            await two.has("a.txt", "on the LAN nothing is wrong")


@pytest.mark.asyncio
async def test_a_host_that_does_not_relay_is_told_of_at_the_device_that_is_not_reached(tmp_path: Path) -> None:
    async with relayed(), meeting_host(tmp_path, relay=RelaySettings(allowed=False)) as server:
        named = (str(address_of(server)),)
        async with pcs(tmp_path, "one", "two", rendezvous=named) as (one, two):
            await one.create()
            await two.join(await one.invite("payroll"))
            await one.in_sync(1)
            for pc in (one, two):
                await pc.running.discovery._listener.close()
                pc.cut()

            async def reasons() -> dict[str, str]:
                (peer,) = (await one.status())["peers"]
                return {row["way"]: row["reason"] for row in peer["not_better"]}

            async def is_told() -> bool:
                return "does not relay" in (await reasons()).get("relay", "")

            await until(is_told, "the relay's refusal is told")
