"""`doctor` judges what the daemon knows; what is wrong with a host is told there as `status` tells it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from p2psync.daemon.operations.result import PARTLY_DONE
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.relay import RelaySettings
from tests.daemon.homes import Pc, company, pcs
from tests.daemon.meetings import far_company, meeting_host
from tests.daemon.patience import until
from tests.rendezvous.hosting import LOOPBACK, address_of, hosting

DAY_S = 24 * 3600


@asynccontextmanager
async def visitor(root: Path, host: str) -> AsyncIterator[Pc]:
    """A device that has somebody to meet at a host: whoever comes with its ticket."""
    async with pcs(root, "pc", rendezvous=(host,)) as (pc,):
        await pc.create()
        await pc.invite()
        yield pc


async def host_in_status(pc: Pc) -> Any:
    (host,) = (await pc.call("status"))["rendezvous"]
    return host


async def examined(pc: Pc) -> tuple[list[Any], int]:
    """All findings, and the exit code."""
    result = await pc.ask("doctor")
    assert isinstance(result.data, list)
    return result.data, result.exit_code


async def looked(pc: Pc) -> dict[str, Any]:
    """Findings by their codes."""
    rows, _exit = await examined(pc)
    return {row["code"]: row for row in rows}


async def both_tell(pc: Pc, expected: str, code: str) -> None:
    """The sentence that stands in `status`, and in the finding of this code, has these words."""

    async def is_told() -> bool:
        return bool((await host_in_status(pc))["problem"])

    await until(is_told)
    problem = (await host_in_status(pc))["problem"]
    assert expected in problem
    rows, exit_code = await examined(pc)
    (finding,) = [row for row in rows if row["code"] == code]
    assert finding["facts"]["reason"] == problem
    assert finding["state"] == "error"
    assert exit_code == PARTLY_DONE


# -- what may be wrong with a host -------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_url_that_leads_elsewhere(tmp_path: Path, certificate: Certificate) -> None:
    runner = web.AppRunner(web.Application(), shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain)
    await web.TCPSite(runner, LOOPBACK, 0, ssl_context=context).start()
    try:
        page = f"wss://{LOOPBACK}:{runner.addresses[0][1]}#{_pin(certificate)}"
        async with visitor(tmp_path / "page", page) as pc:
            await both_tell(pc, "is no meeting host of p2psync. Check the address.", "host-trouble")
    finally:
        await runner.cleanup()
    async with visitor(tmp_path / "name", "wss://no-such-host.invalid") as pc:
        await both_tell(pc, "no host named no-such-host.invalid", "host-trouble")


@pytest.mark.asyncio
async def test_a_certificate_that_does_not_match(tmp_path: Path, certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        other = replace(address_of(server), pin=bytes(32))
        async with visitor(tmp_path / "pin", str(other)) as pc:
            await both_tell(pc, "has another key. Ask its operator", "host-trouble")
        unpinned = replace(other, pin=None)
        async with visitor(tmp_path / "authority", str(unpinned)) as pc:
            await both_tell(pc, "is not valid", "host-trouble")


@pytest.mark.asyncio
async def test_a_wrong_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = SimpleNamespace(time_ns=lambda: time.time_ns() - 3 * DAY_S * 10**9)
    monkeypatch.setattr("p2psync.rendezvous.meeting.time", late)
    async with meeting_host(tmp_path) as server, visitor(tmp_path, str(address_of(server))) as pc:
        await both_tell(pc, "by 72 hours. Devices meet only if their clocks are right to a day", "clock-off")
        assert "host-answers" in await looked(pc)


@pytest.mark.asyncio
async def test_a_host_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind((LOOPBACK, 0))
        async with visitor(tmp_path, f"wss://{LOOPBACK}:{unused.getsockname()[1]}") as pc:
            await both_tell(pc, "cannot be reached: Connection refused. It is tried again by itself", "host-trouble")


@pytest.mark.asyncio
async def test_a_host_that_does_not_relay(tmp_path: Path) -> None:
    async with (
        meeting_host(tmp_path, relay=RelaySettings(allowed=False)) as server,
        visitor(tmp_path, str(address_of(server))) as pc,
    ):

        async def is_there() -> bool:
            return bool((await host_in_status(pc))["connected"])

        await until(is_there)
        assert (await host_in_status(pc))["relay"] is False
        rows, _exit = await examined(pc)
        (refused,) = [row for row in rows if row["check"] == "relay"]
        assert (refused["code"], refused["state"]) == ("relay-refused", "warning")
        assert "does not relay. Use another one" in refused["facts"]["reason"]


@pytest.mark.asyncio
async def test_a_member_that_only_a_relay_would_reach(tmp_path: Path) -> None:
    async with meeting_host(tmp_path) as server, far_company(tmp_path, server, "payroll") as (one, two):
        server._relay._settings = RelaySettings(allowed=False)
        one.cut()

        async def told(pc: Pc) -> list[Any]:
            (peer,) = (await pc.status())["peers"]
            return [row["reason"] for row in peer["not_better"] if row["way"] == "relay" and not peer["connected"]]

        async def is_told() -> bool:
            return any("does not relay" in reason for reason in (*await told(one), *await told(two)))

        await until(is_told)
        knows = one if await told(one) else two
        away = (await looked(knows))["member-away"]
        assert away["state"] == "warning"
        assert [row["way"] for row in away["facts"]["not_better"]] == ["relay"]


# -- what is known beside ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_device_that_shares_nothing(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        rows, exit_code = await examined(pc)
        assert exit_code == 0
        codes = [row["code"] for row in rows]
        assert codes == ["daemon-runs", "system-fit", "clock-unknown", "nat-unknown", "host-none", "quiet"]


@pytest.mark.asyncio
async def test_members_folders_and_problems(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        found = await looked(one)
        assert found["member-connected"]["about"] == two.device
        assert found["member-connected"]["facts"]["path"] == "lan"
        assert {"listening-alone", "mdns-off", "folder-sound", "disk-room"} <= found.keys()
        await two.stop()
        one.folder.rename(tmp_path / "elsewhere")

        async def is_gone() -> bool:
            status = await one.status()
            return [p["code"] for p in status["problem_list"]] == ["folder-gone"] and not status["peers"][0][
                "connected"
            ]

        await until(is_gone)
        rows, _exit = await examined(one)
        assert [row["code"] for row in rows if row["check"] == "folder"] == ["folder-problem"], "told once"
        assert [row["code"] for row in rows if row["check"] == "member"] == ["member-away"]
        await asyncio.to_thread((tmp_path / "elsewhere").rename, one.folder)


def _pin(certificate: Certificate) -> str:
    from p2psync.rendezvous.protocol.address import pin_text

    return pin_text(certificate.pin)
