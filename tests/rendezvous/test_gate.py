"""Who may come in: so many, so often, and only who soon shows what for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from p2psync.rendezvous import gate
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.gate import GateLimits
from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.protocol.streams import PREFIX
from p2psync.rendezvous.server import Server
from tests.rendezvous.hosting import LOOPBACK, PATIENCE_S, calling, figure, hosting


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)


async def all_gone(server: Server) -> None:
    await until(lambda: figure(server, "connections") == 0)


async def knock(server: Server, said: bytes = b"") -> bytes:
    """What is answered, without TLS, until it is over."""
    reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
    try:
        writer.write(said)
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.asyncio
async def test_only_so_many_from_one_address(certificate: Certificate) -> None:
    async with hosting(certificate, gate=GateLimits(per_network=2)) as server:
        async with calling(server), calling(server):
            assert await knock(server) == b""
            assert figure(server, "turned_away_total") == 1
        await all_gone(server)
        async with calling(server):
            assert figure(server, "connections") == 1


@pytest.mark.parametrize("limits", [GateLimits(connections=1), GateLimits(arrivals=Rate(1, 0.001))])
@pytest.mark.asyncio
async def test_only_so_many_and_so_often(certificate: Certificate, limits: GateLimits) -> None:
    async with hosting(certificate, gate=limits) as server:
        async with calling(server):
            assert await knock(server) == b""
        assert figure(server, "turned_away_total") == 1


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", PREFIX, bytes(2000), b"\x16\x03\x01\x00\x05hello"])
@pytest.mark.asyncio
async def test_who_speaks_no_tls_is_sent_away(certificate: Certificate, said: bytes) -> None:
    async with hosting(certificate) as server:
        await knock(server, said)
        await all_gone(server)
        assert figure(server, "failed_handshakes_total") == 1
        assert server.problem is None


@pytest.mark.asyncio
async def test_who_says_nothing_is_cut_off(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "HANDSHAKE_S", 0.05)
    async with hosting(certificate) as server:
        assert await knock(server) == b""
        await all_gone(server)


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-", PREFIX[:7], PREFIX + bytes(20)])
@pytest.mark.asyncio
async def test_who_does_not_come_to_the_point_is_cut_off(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(gate, "DECIDE_S", 0.05)
    async with hosting(certificate) as server, calling(server) as (reader, writer):
        writer.write(said)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), PATIENCE_S)
        await all_gone(server)


@pytest.mark.asyncio
async def test_hanging_up_in_the_middle_leaves_nothing(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        for said in (b"", b"\x16", b"\x16\x03\x01\x02\x00"):
            with socket.create_connection((LOOPBACK, server.port)) as sock:
                sock.sendall(said)
                await until(lambda: figure(server, "connections") == 1)
            await all_gone(server)


@pytest.mark.asyncio
async def test_a_page_is_asked_for_in_pieces(certificate: Certificate) -> None:
    async with hosting(certificate) as server, calling(server) as (reader, writer):
        for byte in b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.asyncio
async def test_a_system_without_files_left_is_waited_for(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "NO_ROOM_S", 0.001)
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, iter([OSError(24, "Too many open files")] * 3)

    async def sometimes(sock: socket.socket) -> tuple[socket.socket, object]:
        for failure in failures:
            raise failure
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", sometimes)
    async with hosting(certificate) as server, calling(server):
        assert figure(server, "connections") == 1
