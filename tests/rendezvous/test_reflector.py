"""STUN over UDP, from a real socket, as WebRTC's own client asks."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aioice import stun

from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.reflector import Reflector
from tests.rendezvous.hosting import LOOPBACK, PATIENCE_S, figure, hosting


def request() -> bytes:
    return bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))


async def ask(sock: socket.socket, data: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, data)
    return await asyncio.wait_for(loop.sock_recv(sock, 2048), PATIENCE_S)


@pytest.mark.asyncio
async def test_a_caller_is_told_where_he_comes_from(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((LOOPBACK, server.port))
            got = stun.parse_message(await ask(sock, request()))
            assert got.attributes["XOR-MAPPED-ADDRESS"] == sock.getsockname()
        assert figure(server, "stun_answers_total") == 1


@pytest.mark.asyncio
async def test_webrtc_finds_its_outer_address_by_it(certificate: Certificate) -> None:
    from aioice import Connection

    async with hosting(certificate) as server:
        connection = Connection(ice_controlling=True, stun_server=(LOOPBACK, server.port), use_ipv6=False)
        try:
            await asyncio.wait_for(connection.gather_candidates(), PATIENCE_S)
        finally:
            await connection.close()
        assert figure(server, "stun_answers_total") >= 1


@pytest.mark.asyncio
async def test_noise_gets_no_answer_and_does_no_harm(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((LOOPBACK, server.port))
            for noise in (b"", b"x", bytes(600), request()[:-1], b"\x00\x01" + bytes(18)):
                sock.send(noise)
            stun.parse_message(await ask(sock, request()))
        assert figure(server, "stun_answers_total") == 1
        assert figure(server, "stun_ignored_total") == 5


class Wire(asyncio.DatagramTransport):
    """Counts what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    def sendto(self, data: object, addr: object = None) -> None:
        self.sent += 1


@pytest.mark.asyncio
async def test_floods_are_answered_so_far_and_no_further() -> None:
    for limits, sources in [((Rate(5, 0.001), Rate(1000, 1)), 1), ((Rate(5, 0.001), Rate(7, 0.001)), 50)]:
        wire = Wire()
        reflector = Reflector(*limits)
        reflector.connection_made(wire)
        for n in range(100):
            reflector.datagram_received(request(), (f"203.0.113.{n % sources}", 9))
        assert wire.sent == (5 if sources == 1 else 7)
