"""A host on real sockets: it welcomes, passes on, bears nonsense and floods, and cuts off who does not read."""

from __future__ import annotations

import asyncio
import base64
import socket
from dataclasses import replace
from random import Random
from typing import Any

import aiohttp
import pytest

from p2psync.rendezvous import meeting
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.protocol.envelope import ENVELOPE_BYTES_MAX
from p2psync.rendezvous.protocol.hub import DEFAULTS
from p2psync.rendezvous.protocol.messages import (
    MEET_PATH,
    VERSION,
    Enter,
    Leave,
    Mail,
    Message,
    Post,
    Reason,
    Refused,
    Welcome,
    decode,
    encode,
)
from p2psync.rendezvous.server import Server
from tests.rendezvous.hosting import LOOPBACK, PATIENCE_S, browsing, figure, hosting, stranger_context

T = b"t" * 32
BIG = bytes(ENVELOPE_BYTES_MAX)
UNLIMITED = replace(DEFAULTS, visitor_bytes=Rate(1 << 40, 1 << 40), topic_bytes=Rate(1 << 40, 1 << 40))


class Visitor:
    """A WebSocket without any of a client's manners."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    @classmethod
    async def come(cls, session: aiohttp.ClientSession, server: Server) -> Visitor:
        visitor = cls(await session.ws_connect(f"https://{LOOPBACK}:{server.port}{MEET_PATH}", compress=0))
        assert isinstance(await visitor.hear(), Welcome)
        return visitor

    async def say(self, message: Message) -> None:
        await self.ws.send_bytes(encode(message))

    async def hear(self) -> Message:
        message = await asyncio.wait_for(self.ws.receive(), PATIENCE_S)
        assert message.type is aiohttp.WSMsgType.BINARY, message
        return decode(message.data)

    async def farewell(self) -> Reason | None:
        """Why the host ended the visit, after whatever it still said; None if it did without a word."""
        while True:
            message = await asyncio.wait_for(self.ws.receive(), PATIENCE_S)
            if message.type is not aiohttp.WSMsgType.BINARY:
                return None
            said = decode(message.data)
            if isinstance(said, Refused) and said.topic is None:
                await self.ws.close()
                return said.reason


@pytest.mark.asyncio
async def test_a_visitor_is_told_how_he_is_seen(certificate: Certificate) -> None:
    async with hosting(certificate) as server, browsing() as session:
        ws = await session.ws_connect(f"https://{LOOPBACK}:{server.port}{MEET_PATH}", compress=0)
        welcome = await Visitor(ws).hear()
        assert isinstance(welcome, Welcome)
        assert (welcome.version, welcome.host, welcome.relay) == (VERSION, LOOPBACK, True)
        assert welcome.port == ws.get_extra_info("sockname")[1]


@pytest.mark.asyncio
async def test_mail_is_passed_on(certificate: Certificate) -> None:
    async with hosting(certificate) as server, browsing() as session:
        one, other = await Visitor.come(session, server), await Visitor.come(session, server)
        await one.say(Enter(((T, b"1" * 100),)))
        await other.say(Enter(((T, b"2" * 100),)))
        mail = await one.hear()
        assert isinstance(mail, Mail)
        assert mail.envelope == b"2" * 100
        await one.say(Post(T, mail.sender, b"3" * 100))
        reply = await other.hear()
        assert isinstance(reply, Mail)
        assert reply.envelope == b"3" * 100
        assert (figure(server, "visitors"), figure(server, "topics"), figure(server, "entries")) == (2, 1, 2)


@pytest.mark.parametrize("nonsense", [b"", b"\x00", b"\x93\x01\x02", bytes(60_000), encode(Refused(Reason.IDLE, None))])
@pytest.mark.asyncio
async def test_nonsense_is_answered_by_the_door(certificate: Certificate, nonsense: bytes) -> None:
    async with hosting(certificate) as server, browsing() as session:
        visitor = await Visitor.come(session, server)
        await visitor.ws.send_bytes(nonsense)
        assert await visitor.farewell() is Reason.MALFORMED
        assert figure(server, "dismissed_total") == {"malformed": 1}


@pytest.mark.asyncio
async def test_text_and_what_is_too_long_end_the_visit(certificate: Certificate) -> None:
    async with hosting(certificate) as server, browsing() as session:
        talker = await Visitor.come(session, server)
        await talker.ws.send_str("hello")
        assert await talker.farewell() is None
        boaster = await Visitor.come(session, server)
        await boaster.ws.send_bytes(bytes(70_000))
        assert await boaster.farewell() is None
        await Visitor.come(session, server)


@pytest.mark.asyncio
async def test_noise_from_many_does_no_harm(certificate: Certificate) -> None:
    random = Random(4)
    async with hosting(certificate) as server, browsing() as session:
        good = await Visitor.come(session, server)
        await good.say(Enter(((T, b"1" * 100),)))
        for _ in range(40):
            noisy = await Visitor.come(session, server)
            await noisy.say(Enter(((T, random.randbytes(100)),)))
            raw = bytearray(encode(Post(T, None, random.randbytes(100))))
            raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
            await noisy.ws.send_bytes(bytes(raw))
            await noisy.ws.send_bytes(random.randbytes(random.randrange(200)))
            if isinstance(await good.hear(), Mail):
                await noisy.ws.close()
        await good.say(Leave((T,)))
        assert server.problem is None


@pytest.mark.asyncio
async def test_a_flood_is_refused_then_shown_the_door(certificate: Certificate) -> None:
    limits = replace(DEFAULTS, visitor_bytes=Rate(5000, 0.1), patience=Rate(10, 0.1))
    async with hosting(certificate, hub=limits) as server, browsing() as session:
        flooder = await Visitor.come(session, server)
        await flooder.say(Enter(((T, b"1" * 100),)))
        for _ in range(100):
            await flooder.say(Post(T, None, bytes(1000)))
        assert await flooder.hear() == Refused(Reason.TOO_FAST, T)
        assert await flooder.farewell() is Reason.TOO_FAST


@pytest.mark.asyncio
async def test_who_does_not_read_is_cut_off_and_keeps_nobody_waiting(certificate: Certificate) -> None:
    async with hosting(certificate, hub=UNLIMITED) as server, browsing() as session:
        sender, reader = await Visitor.come(session, server), await Visitor.come(session, server)
        await reader.say(Enter(((T, b"1" * 100),)))
        deaf = await _deaf(server)
        try:
            await sender.say(Enter(((T, b"2" * 100),)))
            assert isinstance(await reader.hear(), Mail)
            posts = 0
            while not figure(server, "dismissed_total") and posts < 5000:
                await sender.say(Post(T, None, BIG))
                posts += 1
                while not isinstance(await reader.hear(), Mail):
                    pass
                assert figure(server, "queued_bytes") <= 2 * meeting.QUEUE_BYTES_MAX
            assert figure(server, "dismissed_total") == {"too_slow": 1}
            while figure(server, "queued_bytes"):
                await asyncio.sleep(0)
        finally:
            deaf.transport.abort()


async def _deaf(server: Server) -> asyncio.StreamWriter:
    """A visitor in the topic that never reads; all by hand, since a library would read for him."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (LOOPBACK, server.port))
    reader, writer = await asyncio.open_connection(sock=sock, ssl=stranger_context(), server_hostname="", limit=4096)
    key = base64.b64encode(bytes(16)).decode()
    writer.write(
        f"GET {MEET_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    enter = encode(Enter(((T, b"3" * 100),)))
    writer.write(bytes([0x82, 0x80 | 126]) + len(enter).to_bytes(2, "big") + bytes(4) + enter)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return writer


@pytest.mark.asyncio
async def test_memory_for_all_is_bounded_too(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "QUEUES_BYTES_MAX", 50)
    async with hosting(certificate) as server, browsing() as session:
        ws = await session.ws_connect(f"https://{LOOPBACK}:{server.port}{MEET_PATH}", compress=0)
        await Visitor(ws).farewell()
        assert figure(server, "dismissed_total") == {"too_slow": 1}


@pytest.mark.asyncio
async def test_who_does_not_go_is_cut_off(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "FAREWELL_S", 0.01)
    async with hosting(certificate) as server, browsing() as session:
        visitor = await Visitor.come(session, server)
        await visitor.ws.send_bytes(b"")
        assert await visitor.hear() == Refused(Reason.MALFORMED, None)
        assert (await asyncio.wait_for(visitor.ws.receive(), PATIENCE_S)).type is not aiohttp.WSMsgType.BINARY


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (replace(DEFAULTS, visitors=0), Reason.HOST_FULL),
        (replace(DEFAULTS, idle_s=0), Reason.IDLE),
    ],
)
@pytest.mark.asyncio
async def test_a_visitor_is_told_why_he_has_to_go(certificate: Certificate, limits: Any, reason: Reason) -> None:
    async with hosting(certificate, hub=limits) as server, browsing() as session:
        visitor = await Visitor.come(session, server)
        server.sweep()
        assert await visitor.farewell() is reason


@pytest.mark.asyncio
async def test_at_the_end_everybody_is_told(certificate: Certificate) -> None:
    async with hosting(certificate) as server, browsing() as session:
        visitors = [await Visitor.come(session, server) for _ in range(3)]
        farewells = asyncio.gather(*(visitor.farewell() for visitor in visitors))
        await server.stop()
        assert await farewells == [Reason.ENDING] * 3
        server.stop = _nothing  # type: ignore[method-assign]


async def _nothing() -> None:
    """Stopped already."""
