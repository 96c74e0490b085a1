"""A member's end of a stream: the members' own TLS runs inside, and whatever the host does to it is noticed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from p2psync.errors import LinkError, PeerRefused
from p2psync.net import stream as net_stream
from p2psync.net.identity import Identity, device_of_certificate
from p2psync.net.link import FramedLink
from p2psync.net.stream import TlsStream
from p2psync.net.trust import client_context, server_context
from p2psync.rendezvous import relay, stream
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.streams import Join
from p2psync.rendezvous.relay import RelaySettings
from p2psync.rendezvous.server import Server
from p2psync.rendezvous.stream import open_stream
from tests.proxying import NAME, proxying
from tests.rendezvous.hosting import LOOPBACK, PATIENCE_S, Sink, address_of, hosting

JOIN = Join(b"t" * 32, b"s" * 16)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members hang up on each other at once."""
    monkeypatch.setattr(net_stream, "LINGER_S", 0.01)


class End:
    """One member's TLS over a stream, as the daemon makes it."""

    def __init__(self, identity: Identity, other: Identity, initiator: bool) -> None:
        loop = asyncio.get_running_loop()
        self.link: asyncio.Future[FramedLink] = loop.create_future()
        self.closed: asyncio.Future[LinkError | None] = loop.create_future()
        trusted = {other.certificate: other.device}
        self._context = (client_context if initiator else server_context)(identity, trusted)
        self._initiator = initiator

    def protocol(self) -> TlsStream:
        return TlsStream(self._context, "tag" if self._initiator else None, self._opened, self._closed)

    def _opened(self, tls: TlsStream) -> FramedLink:
        remote = device_of_certificate(tls.certificate)
        link = FramedLink(tls, remote=remote, initiator=self._initiator, way="relay", address=tls.address)
        self.link.set_result(link)
        return link

    def _closed(self, _stream: TlsStream, error: LinkError | None) -> None:
        self.closed.set_result(error)
        if not self.link.done():
            self.link.cancel()


@contextlib.asynccontextmanager
async def members(server: Server, tmp_path: Path) -> AsyncIterator[tuple[End, End]]:
    alice, bob = (Identity.load_or_create(tmp_path / name) for name in ("alice", "bob"))
    ends = End(alice, bob, True), End(bob, alice, False)
    transports = await asyncio.gather(*(open_stream(address_of(server), JOIN, end.protocol) for end in ends))
    try:
        yield ends
    finally:
        for transport in transports:
            transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            for end in ends:
                await end.closed


@pytest.mark.asyncio
async def test_members_speak_tls_through_it(certificate: Certificate, tmp_path: Path) -> None:
    async with hosting(certificate) as server, members(server, tmp_path) as (near, far):
        async with asyncio.timeout(PATIENCE_S):
            one, other = await near.link, await far.link
            await one.send(b"hello")
            await one.send(b"x" * 200_000, bulk=True)
            assert await other.receive() == b"hello"
            assert len(await other.receive()) == 200_000
            await other.send(b"fine")
            assert await one.receive() == b"fine"
            assert (one.way, one.address) == ("relay", f"{LOOPBACK}:{server.port}")
            await asyncio.gather(one.close(), other.close())


@pytest.mark.parametrize("lie", ["alter", "repeat", "drop", "swap"])
@pytest.mark.asyncio
async def test_what_a_host_does_to_it_ends_it(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """It cannot read what it passes on, and members take nothing from it that the other one did not say."""
    seen: list[bytes] = []
    lies = {"alter": _altered, "repeat": lambda now, _: now + now, "drop": lambda now, _: now[10:], "swap": _swapped}
    to_tell: list[str] = []

    def take(self: relay.Side, piece: bytes, honest: Any = relay.Side.take) -> None:
        seen.append(piece)
        honest(self, lies[to_tell.pop()](piece, seen) if to_tell else piece)

    monkeypatch.setattr(relay.Side, "take", take)
    async with hosting(certificate) as server, members(server, tmp_path) as (near, far):
        async with asyncio.timeout(PATIENCE_S):
            one, other = await near.link, await far.link
            await one.send(b"before the lie")
            assert await other.receive() == b"before the lie"
            to_tell.append(lie)
            await one.send(b"a secret that the host must not see")
            while to_tell:
                await asyncio.sleep(0.001)
            await one.send(b"more")
            heard: list[bytes] = []
            with pytest.raises(LinkError):
                await _listen(other, heard)
    assert heard == [b"a secret that the host must not see", b"more"][: len(heard)]
    assert (lie == "repeat") or heard == []
    assert not any(b"secret" in piece or b"before the lie" in piece for piece in seen)


def _altered(piece: bytes, _seen: list[bytes]) -> bytes:
    return piece[:-1] + bytes([piece[-1] ^ 1])


def _swapped(_piece: bytes, seen: list[bytes]) -> bytes:
    return seen[-2]


async def _listen(link: FramedLink, heard: list[bytes]) -> None:
    while True:
        heard.append(await link.receive())


@pytest.mark.asyncio
async def test_a_host_cannot_be_the_other_member(certificate: Certificate, tmp_path: Path) -> None:
    async with hosting(certificate) as server:
        alice, bob, host = (Identity.load_or_create(tmp_path / name) for name in ("alice", "bob", "host"))
        victim, impostor = End(alice, bob, True), End(host, alice, False)
        transports = await asyncio.gather(
            *(open_stream(address_of(server), JOIN, end.protocol) for end in (victim, impostor))
        )
        async with asyncio.timeout(PATIENCE_S):
            assert isinstance(await victim.closed, PeerRefused)
            for transport in transports:
                transport.abort()
            await impostor.closed


async def refused(address: HostAddress, timeout_s: float = PATIENCE_S) -> str:
    with pytest.raises(LinkError) as caught:
        await open_stream(address, JOIN, Sink, timeout_s)
    return str(caught.value)


@pytest.mark.asyncio
async def test_why_there_is_no_stream(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting(certificate, relay=RelaySettings(allowed=False)) as server:
        address = address_of(server)
        assert "does not relay" in await refused(address)
        assert "another key" in await refused(HostAddress(LOOPBACK, address.port, bytes(32)))
        assert "is not valid" in await refused(HostAddress(LOOPBACK, address.port))
    assert "cannot be reached" in await refused(address)
    assert "no host named" in await refused(HostAddress("no-such-host.invalid", 1, bytes(32)))
    async with hosting(certificate) as server:
        assert "did not answer within 0.05 s" in await refused(address_of(server), 0.05)


@pytest.mark.asyncio
async def test_a_host_that_ends_while_one_waits_is_told(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(refused(address_of(server)))
            while not any(f.name.endswith("relay_streams") and f.value for f in server.figures()):
                await asyncio.sleep(0.001)
            await server.stop()
        assert "ended the connection" in waiting.result()


@pytest.mark.asyncio
async def test_what_is_no_host_is_told(certificate: Certificate) -> None:
    """Something else that speaks TLS answers with a byte that means nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(64)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n")
        await writer.drain()
        with contextlib.suppress(OSError):
            await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(answer, LOOPBACK, 0, ssl=context)
    async with server:
        address = HostAddress(LOOPBACK, server.sockets[0].getsockname()[1], certificate.pin)
        assert "another version" in await refused(address)


def test_a_member_waits_longer_than_a_host() -> None:
    """So that it hears why nobody came."""
    from p2psync.rendezvous.protocol.switchboard import WAIT_S
    from p2psync.rendezvous.server import SWEEP_EVERY_S

    assert stream.OPEN_S >= WAIT_S + SWEEP_EVERY_S


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.asyncio
async def test_a_stream_goes_through_a_proxy(certificate: Certificate, kind: str) -> None:
    async with hosting(certificate) as server, proxying() as middle:
        address, near, far = replace(address_of(server), host=NAME), Sink(), Sink()
        transports = await asyncio.gather(
            open_stream(address, JOIN, lambda: near, proxy=middle.named(kind)),
            open_stream(address_of(server), JOIN, lambda: far),
        )
        await near.write(b"through two others")
        await far.until(lambda: far.data == b"through two others")
        assert middle.asked == [(NAME, server.port)]
        for transport in transports:
            transport.abort()
        middle.answer = b"HTTP/1.1 403 Forbidden\r\n\r\n" if kind == "http" else b"\x05\x02\x00"
        with pytest.raises(LinkError, match=r"lets nobody connect to far\.example"):
            await open_stream(address, JOIN, Sink, proxy=middle.named(kind))
