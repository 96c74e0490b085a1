"""One process, one port: its pages, and its beginning and end."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp
import pytest

from p2psync.errors import ConfigError
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.server import Server, Settings
from tests.rendezvous.hosting import LOOPBACK, browsing, hosting


async def get(session: aiohttp.ClientSession, server: Server, path: str, method: str = "GET") -> tuple[int, str]:
    async with session.request(method, f"https://{LOOPBACK}:{server.port}{path}") as response:
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.text()


@pytest.mark.asyncio
async def test_pages(certificate: Certificate) -> None:
    async with hosting(certificate) as server, browsing() as session:
        status, text = await get(session, server, "/")
        assert (status, "All is well" in text) == (200, True)
        status, text = await get(session, server, "/health")
        assert (status, json.loads(text)["status"], json.loads(text)["visitors"]) == (200, "ok", 0)
        status, text = await get(session, server, "/metrics")
        assert status == 200
        assert "p2psync_rendezvous_connections 1\n" in text
        status, text = await get(session, server, "/seen")
        assert json.loads(text)["host"] == LOOPBACK
        assert (await get(session, server, "/nothing"))[0] == 404
        assert (await get(session, server, "/health", "POST"))[0] == 405


@pytest.mark.asyncio
async def test_who_asks_to_meet_without_a_websocket_is_told_so(certificate: Certificate) -> None:
    async with hosting(certificate) as server, browsing() as session:
        async with session.get(f"https://{LOOPBACK}:{server.port}/v1/meet") as response:
            assert response.status == 400
        assert server.problem is None


@pytest.mark.asyncio
async def test_what_breaks_inside_is_seen_outside(certificate: Certificate) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    told: list[str] = []
    async with (
        hosting(certificate, make=lambda settings: Server(settings, told.append)) as server,
        browsing() as session,
    ):
        server.sweep()
        assert told == []
        await server.crew.start(fail(), "something")
        status, text = await get(session, server, "/health")
        assert (status, json.loads(text)["status"]) == (503, "degraded")
        assert "broken" not in text
        server.sweep()
        server.sweep()
        assert told == ["something: ValueError: broken"]


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_told(certificate: Certificate) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken, pytest.raises(ConfigError, match="Cannot listen"):
        await Server(Settings(certificate, LOOPBACK, taken.getsockname()[1])).start()


@pytest.mark.asyncio
async def test_after_the_end_the_port_is_free_and_nothing_runs(certificate: Certificate) -> None:
    before = asyncio.all_tasks()
    async with hosting(certificate) as server:
        port = server.port
    assert asyncio.all_tasks() == before
    async with hosting(certificate, port=port) as again:
        assert again.port == port
