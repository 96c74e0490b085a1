"""Which hosts a device visits, in which rooms; and that it is nowhere and knows nothing without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from p2psync.core.ids import DeviceId, MandateId
from p2psync.daemon.meeting import meeting_rooms
from p2psync.net.trust import Trust
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.lobby import Room
from tests.daemon.meetings import far_company, meeting_host
from tests.daemon.patience import until

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
