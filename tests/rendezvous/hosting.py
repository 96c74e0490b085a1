"""Real hosts and real clients on loopback, for the tests of the shells."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from random import SystemRandom
from typing import Any

import aiohttp

from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.client import Client, Handlers, Status
from p2psync.rendezvous.protocol.acquaintances import Peer
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.envelope import Kind
from p2psync.rendezvous.protocol.lobby import Room
from p2psync.rendezvous.protocol.streams import Join
from p2psync.rendezvous.server import Server, Settings
from p2psync.rendezvous.stream import open_stream
from tests.rendezvous.people import EVERYBODY, ROOM, SECRET, Person

LOOPBACK = "127.0.0.1"
PATIENCE_S = 20.0
ROOMS: Mapping[bytes, Room] = {ROOM: Room((SECRET,), EVERYBODY)}


@contextlib.asynccontextmanager
async def hosting(
    certificate: Certificate, make: Callable[[Settings], Server] = Server, **changes: Any
) -> AsyncIterator[Server]:
    """A host on a free port of loopback."""
    server = make(Settings(**{"certificate": certificate, "host": LOOPBACK, "port": 0, **changes}))
    await server.start()
    try:
        yield server
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await server.stop()


def address_of(server: Server) -> HostAddress:
    return HostAddress(LOOPBACK, server.port, server.settings.certificate.pin)


class Daemon:
    """A client, and what it told."""

    def __init__(self, person: Person, address: HostAddress, **options: Any) -> None:
        self.person = person
        self.heard: list[tuple[Peer, Kind, bytes]] = []
        self.lost: list[Peer] = []
        self.statuses: list[Status] = []
        self._news = asyncio.Event()
        handlers = Handlers(
            found=lambda _peer: self._news.set(),
            lost=lambda peer: self._note(self.lost, peer),
            heard=lambda peer, kind, body: self._note(self.heard, (peer, kind, body)),
            changed=lambda status: self._note(self.statuses, status),
        )
        self.client = Client(address, person.device, person.sign, handlers, SystemRandom(), **options)

    def _note(self, where: list[Any], what: object) -> None:
        where.append(what)
        self._news.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for news until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def meet(self, other: Daemon) -> Peer:
        """The other one, once it is there."""
        await self.until(lambda: self._peer(other))
        peer = self._peer(other)
        assert peer is not None
        return peer

    async def hear(self, count: int = 1) -> list[bytes]:
        """The first so many letters."""
        await self.until(lambda: len(self.heard) >= count)
        return [body for _, _, body in self.heard[:count]]

    def _peer(self, other: Daemon) -> Peer | None:
        return next((peer for peer in self.client.peers if peer.device == other.person.device), None)


@contextlib.asynccontextmanager
async def running(*daemons: Daemon, rooms: Mapping[bytes, Room] = ROOMS) -> AsyncIterator[None]:
    """These run, and want to meet in these rooms."""
    async with asyncio.TaskGroup() as group:
        tasks = []
        for daemon in daemons:
            daemon.client.set_rooms(rooms)
            tasks.append(group.create_task(daemon.client.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def met(*daemons: Daemon) -> None:
    """Until each knows each."""
    for one in daemons:
        for other in daemons:
            if one is not other:
                await one.meet(other)


class Sink(asyncio.Protocol):
    """Collects what comes through a stream, and can wait for it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost: list[Exception | None] = []
        self.transport: asyncio.Transport
        self._news = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)
        self._may_write.set()
        self._news.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    async def write(self, data: bytes) -> None:
        """When there is room for it."""
        await self._may_write.wait()
        self.transport.write(data)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def streaming(server: Server, join: Join, other: Server | None = None) -> AsyncIterator[tuple[Sink, Sink]]:
    """Both ends of a stream through the relay; `other`: the host at which the far end is, if that is another one."""
    near, far = Sink(), Sink()
    transports = await asyncio.gather(
        open_stream(address_of(server), join, lambda: near), open_stream(address_of(other or server), join, lambda: far)
    )
    try:
        yield near, far
    finally:
        for transport in transports:
            transport.abort()
        await near.until(lambda: near.lost)
        await far.until(lambda: far.lost)


def stranger_context() -> ssl.SSLContext:
    """Of a caller that believes anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[aiohttp.ClientSession]:
    """For pages and raw WebSockets."""
    connector = aiohttp.TCPConnector(ssl=stranger_context(), force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


@contextlib.asynccontextmanager
async def calling(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection in TLS on which anything can be said."""
    reader, writer = await asyncio.open_connection(LOOPBACK, server.port, ssl=stranger_context())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def all_figures(server: Server) -> Iterator[tuple[str, Any]]:
    for figure in server.figures():
        yield figure.name.removeprefix("p2psync_rendezvous_"), figure.value


def figure(server: Server, name: str) -> Any:
    """One of the numbers that the host tells about itself."""
    return dict(all_figures(server))[name]
