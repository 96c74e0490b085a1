"""TLS runs over whatever takes bytes; who is refused is told so, and who breaks the rules costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.errors import LinkClosed, LinkError, P2PSyncError, PeerRefused
from p2psync.net.identity import Identity
from p2psync.net.link import FramedLink
from p2psync.net.stream import HANDSHAKE_S, LINGER_S, TlsStream
from p2psync.net.trust import client_context, server_context
from tests.net.devices import device
from tests.net.stillness import run_still


class Pipe(asyncio.Transport):
    """One end of a pipe in memory, with a buffer that the other end empties as fast as it reads."""

    def __init__(self, protocol: TlsStream) -> None:
        super().__init__({"peername": ("10.0.0.1", 7)})
        self.protocol = protocol
        self.other: Pipe
        self.arrived: deque[bytes] = deque()
        self.loop = asyncio.get_running_loop()
        self.sent = bytearray()
        self.reading = True
        self.closing = False
        self.said_eof = False
        self.meddled_at: int | None = None
        self.late_writes = 0
        """Those after the connection broke: a real transport complains of each."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.late_writes += self.closing
        if not self.closing and not self.said_eof:
            self.other.arrived.append(self.meddled(bytes(data)))
            self.sent += data
            self.loop.call_soon(self.other.deliver)

    def meddled(self, data: bytes) -> bytes:
        """What somebody on the way makes of it."""
        at = -1 if self.meddled_at is None else self.meddled_at - len(self.sent)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if 0 <= at < len(data) else data

    def deliver(self) -> None:
        while self.arrived and self.reading and not self.closing:
            data = self.arrived.popleft()
            for start in range(0, len(data), 1000):
                piece = data[start : start + 1000]
                self.protocol.get_buffer(-1)[: len(piece)] = piece
                self.protocol.buffer_updated(len(piece))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.said_eof = True
        self.loop.call_soon(self.other.end)

    def end(self) -> None:
        if not self.closing and not self.protocol.eof_received():
            self.close()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self.loop.call_soon(self.deliver)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self.loop.call_soon(self.other.end)
            self.loop.call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class End:
    """A stream, and what became of it."""

    def __init__(self, context: ssl.SSLContext, name: str | None, *, refuse: bool = False) -> None:
        self.initiator = name is not None
        self.refuse = refuse
        self.link: FramedLink | None = None
        self.closed: list[LinkError | None] = []
        self.stream = TlsStream(context, name, self.opened, lambda _stream, error: self.closed.append(error))
        self.pipe = Pipe(self.stream)

    def opened(self, stream: TlsStream) -> FramedLink:
        if self.refuse:
            raise PeerRefused("not today")
        self.link = FramedLink(
            stream, remote=DeviceId(bytes(32)), initiator=self.initiator, way="lan", address=stream.address
        )
        return self.link

    @property
    def open(self) -> FramedLink:
        assert self.link is not None
        return self.link

    async def receive_error(self) -> P2PSyncError:
        with pytest.raises(LinkError) as caught:
            await self.open.receive()
        return caught.value


@pytest.fixture
def alice(tmp_path: Path) -> Identity:
    return device(tmp_path, "alice")


@pytest.fixture
def bob(tmp_path: Path) -> Identity:
    return device(tmp_path, "bob")


def client(me: Identity, *known: Identity, refuse: bool = False) -> End:
    return End(client_context(me, {k.certificate: k.device for k in known}), "tag", refuse=refuse)


def server(me: Identity, *known: Identity, refuse: bool = False) -> End:
    context = server_context(me, {k.certificate: k.device for k in known})
    context.verify_mode = ssl.CERT_REQUIRED
    return End(context, None, refuse=refuse)


async def connect(one: End, other: End) -> None:
    """Both ends on one pipe, and as far as they get without being asked for more."""
    one.pipe.other, other.pipe.other = other.pipe, one.pipe
    other.stream.connection_made(other.pipe)
    one.stream.connection_made(one.pipe)
    await asyncio.sleep(0.1)


def test_two_members_talk(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice)
        await connect(a, b)
        assert a.stream.certificate == bob.certificate
        assert b.stream.certificate == alice.certificate
        await a.open.send(b"hello")
        await b.open.send(b"and hello")
        await a.open.send(b"x" * 300_000, bulk=True)
        assert await b.open.receive() == b"hello"
        assert await b.open.receive() == b"x" * 300_000
        assert await a.open.receive() == b"and hello"
        await a.open.close()
        assert isinstance(await b.receive_error(), LinkClosed)
        await b.open.close()
        assert (a.closed, b.closed) == ([None], [None])

    run_still(main())


def test_what_is_sent_last_arrives_before_the_end(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice)
        await connect(a, b)
        for number in range(100):
            await a.open.send(b"%d" % number, bulk=number % 2 == 0)
        await a.open.close()
        received = [await b.open.receive() for _ in range(100)]
        assert sorted(received, key=int) == [b"%d" % number for number in range(100)]
        assert isinstance(await b.receive_error(), LinkClosed)

    run_still(main())


def test_the_names_and_words_are_not_readable(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice)
        await connect(a, b)
        await a.open.send(b"a word in confidence")
        await a.open.close()
        for secret in (b"a word in confidence", alice.device, bob.device, alice.device.hex().encode()):
            assert secret not in a.pipe.sent
            assert secret not in b.pipe.sent

    run_still(main())


def test_who_is_no_member_hears_that_he_is_refused(alice: Identity, bob: Identity, tmp_path: Path) -> None:
    """TLS 1.3: the client believes for a moment that it is connected."""

    async def main() -> None:
        a, b = client(alice, bob), server(bob, device(tmp_path, "carol"))
        await connect(a, b)
        error = await a.receive_error()
        assert isinstance(error, PeerRefused)
        assert "does not know this device" in str(error)
        assert b.link is None
        assert isinstance(b.closed[0], PeerRefused)

    run_still(main())


def test_who_meets_somebody_else_sends_nothing(alice: Identity, bob: Identity, tmp_path: Path) -> None:
    async def main() -> None:
        a, b = client(alice, device(tmp_path, "carol")), server(bob, alice)
        await connect(a, b)
        await asyncio.sleep(2 * LINGER_S)
        assert (a.link, b.link) == (None, None)
        assert isinstance(a.closed[0], PeerRefused)
        assert "not a member" in str(a.closed[0])

    run_still(main())


def test_a_link_refused_after_the_handshake_is_closed_at_once(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice, refuse=True)
        await connect(a, b)
        assert isinstance(await a.receive_error(), PeerRefused)
        assert str(b.closed[0]) == "not today"

    run_still(main())


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" * 100, bytes(100_000)])
def test_garbage_gets_an_alert_and_the_end(bob: Identity, garbage: bytes) -> None:
    async def main() -> None:
        b = server(bob)
        b.pipe.other = Pipe(b.stream)
        b.stream.connection_made(b.pipe)
        b.pipe.arrived.append(garbage)
        b.pipe.deliver()
        await asyncio.sleep(2 * LINGER_S)
        assert b.pipe.closing
        assert isinstance(b.closed[0], LinkClosed)
        assert len(b.pipe.sent) <= 7

    run_still(main())


def test_who_says_nothing_is_dropped_in_time(bob: Identity) -> None:
    async def main() -> None:
        b = server(bob)
        b.pipe.other = Pipe(b.stream)
        b.stream.connection_made(b.pipe)
        await asyncio.sleep(HANDSHAKE_S - 1)
        assert not b.pipe.closing
        await asyncio.sleep(2)
        assert b.pipe.closing
        assert "did not finish the handshake" in str(b.closed[0])

    run_still(main())


def test_a_reader_that_pauses_gets_everything_afterwards(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice)
        await connect(a, b)
        for _ in range(40):
            await a.open.send(bytes(100_000), bulk=True)
        await asyncio.sleep(1)
        assert not b.pipe.reading
        assert b.pipe.arrived
        for _ in range(40):
            assert len(await b.open.receive()) == 100_000
        await a.open.close()

    run_still(main())


def test_a_half_closed_connection_does_not_stay(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice)
        await connect(a, b)
        b.pipe.said_eof = True
        assert b.stream.eof_received() is False
        await asyncio.sleep(2 * LINGER_S)
        assert b.pipe.closing
        assert isinstance(await b.receive_error(), LinkClosed)

    run_still(main())


def test_nothing_is_written_into_a_connection_that_broke(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice)
        await connect(a, b)
        b.pipe.abort()
        for _ in range(20):
            await b.open.send(b"before anybody told us")
        await asyncio.sleep(1)
        assert b.pipe.late_writes == 0
        assert isinstance(await b.receive_error(), LinkClosed)

    run_still(main())


def test_who_is_not_admitted_costs_no_handshake(bob: Identity) -> None:
    async def main() -> None:
        b = server(bob)
        b.pipe.other = Pipe(b.stream)
        b.stream._admit = lambda _stream: False
        b.stream.connection_made(b.pipe)
        assert b.pipe.closing
        assert not hasattr(b.stream, "_tls")

    run_still(main())


def test_a_broken_record_ends_the_link(alice: Identity, bob: Identity) -> None:
    async def main() -> None:
        a, b = client(alice, bob), server(bob, alice)
        await connect(a, b)
        await a.open.send(b"hello")
        assert await b.open.receive() == b"hello"
        b.pipe.arrived.append(b"\x17\x03\x03\x00\x20" + bytes(32))
        b.pipe.deliver()
        assert isinstance(await b.receive_error(), LinkClosed)
        await a.open.close()

    run_still(main())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, Identity]:
    return device(tmp_path_factory.mktemp("homes"), "alice"), device(tmp_path_factory.mktemp("homes"), "bob")


@given(meddled_at=st.integers(0, 4000), backwards=st.booleans())
@settings(max_examples=60)
def test_who_meddles_can_end_a_link_but_change_nothing(
    pair: tuple[Identity, Identity], meddled_at: int, backwards: bool
) -> None:
    async def main() -> None:
        a, b = client(pair[0], pair[1]), server(pair[1], pair[0])
        (b if backwards else a).pipe.meddled_at = meddled_at
        await connect(a, b)
        frames = [bytes([number]) * 300 for number in range(10)]
        for one, other in ((a, b), (b, a)):
            if one.link is None or other.link is None:
                continue
            with contextlib.suppress(LinkError):
                for frame in frames:
                    await one.link.send(frame)
                received = [await other.link.receive() for _ in frames]
                assert received == frames
        for end in (a, b):
            end.stream.abort()
        await asyncio.sleep(2 * LINGER_S)
        assert (len(a.closed), len(b.closed)) == (1, 1)

    run_still(main())


@given(data=st.lists(st.binary(min_size=1, max_size=200), min_size=1))
def test_whatever_a_stranger_says_is_answered_by_the_end(pair: tuple[Identity, Identity], data: list[bytes]) -> None:
    async def main() -> None:
        b = server(pair[0])
        b.pipe.other = Pipe(b.stream)
        b.stream.connection_made(b.pipe)
        b.pipe.arrived.extend(data)
        b.pipe.deliver()
        await asyncio.sleep(2 * HANDSHAKE_S)
        assert b.pipe.closing
        assert len(b.closed) == 1
        assert len(b.pipe.sent) <= 7

    run_still(main())
