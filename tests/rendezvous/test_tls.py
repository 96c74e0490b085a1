"""The host's own TLS: a protocol inside sees a transport like any other, and thousands of them share one buffer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator

import pytest

from p2psync.rendezvous.certificate import Certificate, context_of
from p2psync.rendezvous.tls import TlsConnection, TlsTransport, read_buffer
from tests.rendezvous.hosting import LOOPBACK, PATIENCE_S, Sink, stranger_context


class Host:
    """Listens, and makes a `Sink` for each connection."""

    def __init__(self) -> None:
        self.sinks: list[Sink] = []
        self.lost: list[TlsConnection] = []
        self.port = 0
        self._news = asyncio.Event()

    def ended(self, connection: TlsConnection) -> None:
        self.lost.append(connection)
        self._news.set()

    async def sink(self) -> Sink:
        """The one that was made last, once its handshake is done."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.sinks or not hasattr(self.sinks[-1], "transport"):
                await asyncio.sleep(0.001)
        return self.sinks[-1]

    async def until_lost(self, count: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.lost) < count:
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def listening(certificate: Certificate, handshake_s: float = PATIENCE_S) -> AsyncIterator[Host]:
    host, context, buffer = Host(), context_of(certificate), read_buffer()

    def connection() -> TlsConnection:
        host.sinks.append(Sink())
        return TlsConnection(context, host.sinks[-1], buffer, handshake_s, host.ended)

    server = await asyncio.get_running_loop().create_server(connection, LOOPBACK, 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for sink in host.sinks:
            if hasattr(sink, "transport"):
                sink.transport.abort()
        await host.until_lost(len(host.sinks))


@contextlib.asynccontextmanager
async def caller(host: Host) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(LOOPBACK, host.port, ssl=stranger_context())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@pytest.mark.asyncio
async def test_bytes_both_ways(certificate: Certificate) -> None:
    data = os.urandom(1_000_000)
    async with listening(certificate) as host, caller(host) as (reader, writer):
        writer.write(data)
        sink = await host.sink()
        await sink.until(lambda: len(sink.data) == len(data))
        assert sink.data == data
        for at in range(0, len(data), 50_000):
            await sink.write(data[at : at + 50_000])
        assert await asyncio.wait_for(reader.readexactly(len(data)), PATIENCE_S) == data


@pytest.mark.asyncio
async def test_connections_do_not_mix_though_they_share_a_buffer(certificate: Certificate) -> None:
    async with listening(certificate) as host, contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(caller(host)) for _ in range(10)]
        for number, (_, writer) in enumerate(callers):
            writer.write(bytes([number]) * 30_000)
        for sink in host.sinks:
            await sink.until(lambda sink=sink: len(sink.data) == 30_000)  # type: ignore[misc]
        assert sorted(bytes(sink.data) for sink in host.sinks) == [bytes([n]) * 30_000 for n in range(10)]


@pytest.mark.asyncio
async def test_who_pauses_reading_gets_nothing_more_and_loses_nothing(certificate: Certificate) -> None:
    async with listening(certificate) as host, caller(host) as (_, writer):
        sink = await host.sink()
        sink.transport.pause_reading()
        sink.transport.pause_reading()
        assert not sink.transport.is_reading()
        writer.write(b"x" * 3_000_000)
        await asyncio.sleep(0.05)
        assert len(sink.data) == 0
        sink.transport.resume_reading()
        sink.transport.resume_reading()
        await sink.until(lambda: len(sink.data) == 3_000_000)


@pytest.mark.asyncio
async def test_pausing_in_the_middle_of_what_is_at_hand(certificate: Certificate) -> None:
    """What OpenSSL holds already waits too, and comes when reading goes on though the network says nothing."""
    async with listening(certificate) as host, caller(host) as (_, writer):
        sink = await host.sink()
        received = sink.data_received

        def once(data: bytes) -> None:
            sink.transport.pause_reading()
            received(data)

        sink.data_received = once  # type: ignore[method-assign]
        writer.write(b"x" * 1_000_000)
        while len(sink.data) < 1_000_000:
            before = len(sink.data)
            await sink.until(lambda before=before: len(sink.data) > before)  # type: ignore[misc]
            sink.transport.resume_reading()


@pytest.mark.asyncio
async def test_a_slow_reader_pauses_the_writer(certificate: Certificate) -> None:
    async with listening(certificate) as host, caller(host) as (reader, _):
        sink = await host.sink()
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                async with asyncio.timeout(0.2):
                    await sink.write(bytes(65_536))
                sent += 65_536
        assert sent < 64 << 20
        assert sink.transport.get_write_buffer_size() > 0
        await asyncio.wait_for(reader.readexactly(sent), PATIENCE_S)


@pytest.mark.asyncio
async def test_closing_sends_what_was_written_first(certificate: Certificate) -> None:
    async with listening(certificate) as host, caller(host) as (reader, _):
        sink = await host.sink()
        sink.transport.write(b"x" * 500_000)
        sink.transport.close()
        sink.transport.close()
        sink.transport.write(b"too late")
        assert sink.transport.is_closing()
        assert len(await asyncio.wait_for(reader.read(600_000), PATIENCE_S)) > 0
        while await asyncio.wait_for(reader.read(600_000), PATIENCE_S):
            pass
        await sink.until(lambda: sink.lost)
        assert sink.lost == [None]


@pytest.mark.parametrize("how", ["politely", "at once"])
@pytest.mark.asyncio
async def test_the_other_side_hangs_up(certificate: Certificate, how: str) -> None:
    async with listening(certificate) as host, caller(host) as (_, writer):
        writer.write(b"last words")
        sink = await host.sink()
        await sink.until(lambda: sink.data)
        if how == "politely":
            writer.close()
        else:
            writer.transport.abort()
        await sink.until(lambda: sink.lost)
        assert sink.data == b"last words"
        await host.until_lost()
        assert host.lost[0].opened


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
@pytest.mark.asyncio
async def test_without_a_handshake_there_is_nobody_inside(certificate: Certificate, said: bytes) -> None:
    async with listening(certificate, handshake_s=0.05) as host:
        reader, writer = await asyncio.open_connection(LOOPBACK, host.port)
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), PATIENCE_S)
        await host.until_lost()
        assert not host.lost[0].opened
        assert not hasattr(host.sinks[0], "transport")
        writer.transport.abort()


@pytest.mark.asyncio
async def test_old_tls_is_refused_with_an_alert(certificate: Certificate) -> None:
    context = stranger_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(certificate) as host:
        with pytest.raises(ssl.SSLError, match=r"(?i)alert|version"):
            await asyncio.open_connection(LOOPBACK, host.port, ssl=context)
        await host.until_lost()


@pytest.mark.asyncio
async def test_damage_on_the_way_ends_the_connection(certificate: Certificate) -> None:
    async with listening(certificate) as host, caller(host) as (_, writer):
        sink = await host.sink()
        raw: socket.socket = writer.get_extra_info("socket")
        os.write(raw.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))
        await sink.until(lambda: sink.lost)
        assert sink.data == b""


@pytest.mark.asyncio
async def test_what_a_protocol_may_ask_about_its_transport(certificate: Certificate) -> None:
    async with listening(certificate) as host, caller(host):
        transport = (await host.sink()).transport
        assert isinstance(transport, TlsTransport)
        assert transport.get_extra_info("peername")[0] == LOOPBACK
        assert isinstance(transport.get_extra_info("ssl_object"), ssl.SSLObject)
        assert isinstance(transport.get_extra_info("sslcontext"), ssl.SSLContext)
        assert transport.get_extra_info("nothing", 7) == 7
        assert not transport.can_write_eof()
        other = Sink()
        transport.set_protocol(other)
        assert transport.get_protocol() is other
