"""A channel of messages is a transport like any other: it holds back, it ends in order, and it forgets nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from p2psync.errors import LinkClosed, RemoteProtocolError
from p2psync.net.webrtc.flow import DATA, END, ROOM, WINDOW_BYTES
from p2psync.net.webrtc.transport import CHANNEL_BYTES_MAX, CLOSE_S, HIGH_WATER_BYTES, ChannelTransport
from tests.net.stillness import run_still

MESSAGE_BYTES = 1000


class Sink(asyncio.BufferedProtocol):
    """Collects what comes, in small bites."""

    def __init__(self, keeps_open: bool = False) -> None:
        self.transport: ChannelTransport
        self.data = bytearray()
        self.events: list[str] = []
        self.lost: list[Exception | None] = []
        self._keeps_open = keeps_open
        self._bite = bytearray(300)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, ChannelTransport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._bite

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self._bite[:nbytes]

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self._keeps_open

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Channel:
    """Messages wait until the test lets them go."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.unseen = 0
        """Sent on, and not known to have arrived."""

    @property
    def waiting_bytes(self) -> int:
        return sum(map(len, self.waiting))

    @property
    def idle(self) -> bool:
        return not self.waiting and not self.unseen

    def send(self, message: bytes) -> None:
        assert len(message) <= MESSAGE_BYTES
        self.waiting.append(message)


class Pair:
    """Two ends."""

    def __init__(self, **options: Any) -> None:
        self.channels = Channel(), Channel()
        self.sinks = Sink(**options), Sink(**options)
        self.ends = tuple(
            ChannelTransport(channel, sink, MESSAGE_BYTES, ("10.0.0.1", 7))
            for channel, sink in zip(self.channels, self.sinks, strict=True)
        )

    async def flow(self) -> None:
        """Until nothing is on its way."""
        while any(channel.waiting for channel in self.channels):
            for channel, receiver in zip(self.channels, reversed(self.ends), strict=True):
                if channel.waiting:
                    receiver.received(channel.waiting.popleft())
            for end in self.ends:
                if not end.over.done():
                    end.pump()
            await asyncio.sleep(0)
        await asyncio.sleep(0)


def still(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_still(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@still
async def test_bytes_go_both_ways() -> None:
    pair = Pair()
    (one, other), (sink, other_sink) = pair.ends, pair.sinks
    one.write(b"a" * 2500)
    one.write(bytearray(b"b"))
    other.write(memoryview(b"answer"))
    await pair.flow()
    assert other_sink.data == b"a" * 2500 + b"b"
    assert sink.data == b"answer"
    assert one.get_extra_info("peername") == ("10.0.0.1", 7)
    assert one.get_protocol() is sink


@still
async def test_a_slow_channel_holds_the_writer_back() -> None:
    pair = Pair()
    one, sink = pair.ends[0], pair.sinks[0]
    one.set_write_buffer_limits()
    assert one.get_write_buffer_limits() == (HIGH_WATER_BYTES // 4, HIGH_WATER_BYTES)
    one.write(bytes(HIGH_WATER_BYTES + 1))
    assert sink.events == ["pause"]
    assert pair.channels[0].waiting_bytes <= CHANNEL_BYTES_MAX + MESSAGE_BYTES
    await pair.flow()
    assert sink.events == ["pause", "resume"]
    assert len(pair.sinks[1].data) == HIGH_WATER_BYTES + 1


@still
async def test_a_slow_reader_holds_the_other_side_back() -> None:
    """What is kept for it is bounded, and nothing is lost."""
    pair = Pair()
    one, other = pair.ends
    other.pause_reading()
    assert not other.is_reading()
    one.write(bytes(3 * WINDOW_BYTES))
    await pair.flow()
    assert pair.sinks[1].data == b""
    assert one.get_write_buffer_size() == 2 * WINDOW_BYTES
    assert sum(map(len, other._arrived)) == WINDOW_BYTES
    other.resume_reading()
    await asyncio.sleep(0)
    await pair.flow()
    assert len(pair.sinks[1].data) == 3 * WINDOW_BYTES
    assert other.is_reading()


@still
async def test_a_close_sends_what_was_written_and_ends_both() -> None:
    pair = Pair()
    one, other = pair.ends
    one.write(b"x" * 5000)
    one.close()
    one.close()
    one.write(b"too late")
    assert one.is_closing()
    await pair.flow()
    assert pair.sinks[1].data == b"x" * 5000
    assert pair.sinks[1].events == ["eof"]
    assert one.over.done()
    assert other.over.done()
    assert [sink.lost for sink in pair.sinks] == [[None], [None]]


@still
async def test_an_end_that_has_not_arrived_is_waited_for() -> None:
    pair = Pair()
    one, _other = pair.ends
    pair.channels[0].unseen = 1
    one.close()
    await pair.flow()
    assert not one.over.done()
    pair.channels[0].unseen = 0
    one.pump()
    assert one.over.done()


@still
async def test_whoever_does_not_answer_to_a_close_is_left() -> None:
    pair = Pair()
    pair.ends[0].close()
    await asyncio.sleep(CLOSE_S - 0.1)
    assert not pair.ends[0].over.done()
    await asyncio.sleep(0.2)
    assert pair.sinks[0].lost == [None]


@still
async def test_after_an_end_of_one_side_the_other_may_go_on() -> None:
    pair = Pair(keeps_open=True)
    one, other = pair.ends
    assert one.can_write_eof()
    one.write_eof()
    await pair.flow()
    other.write(b"still here")
    await pair.flow()
    assert pair.sinks[0].data == b"still here"
    other.close()
    await pair.flow()
    one.close()
    await pair.flow()
    assert [sink.lost for sink in pair.sinks] == [[None], [None]]


@still
async def test_an_end_is_told_after_what_came_before_it() -> None:
    pair = Pair()
    one, other = pair.ends
    other.pause_reading()
    one.write(b"first")
    one.close()
    await pair.flow()
    assert pair.sinks[1].events == []
    other.resume_reading()
    await asyncio.sleep(0)
    await pair.flow()
    assert pair.sinks[1].data == b"first"
    assert pair.sinks[1].events == ["eof"]


@still
async def test_a_lost_channel_is_told_once() -> None:
    pair = Pair()
    one = pair.ends[0]
    error = LinkClosed("gone")
    one.lost(error)
    one.lost(LinkClosed("again"))
    one.abort()
    one.write(b"nobody hears")
    one.received(DATA + b"late")
    await asyncio.sleep(0)
    assert pair.sinks[0].lost == [error]
    assert pair.sinks[0].data == b""


@still
async def test_a_channel_that_goes_after_both_have_ended_is_not_lost() -> None:
    pair = Pair()
    one = pair.ends[0]
    pair.channels[0].unseen = 1
    one.close()
    await pair.flow()
    one.lost(LinkClosed("the other side was faster"))
    await asyncio.sleep(0)
    assert pair.sinks[0].lost == [None]


@still
async def test_an_abort_sends_nothing_more() -> None:
    pair = Pair()
    one = pair.ends[0]
    one.abort()
    await asyncio.sleep(0)
    assert pair.sinks[0].lost == [None]
    assert pair.channels[0].idle


@pytest.mark.parametrize("message", [b"", b"\x07", END + b"x", ROOM, ROOM + bytes(8)])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    async def test() -> None:
        with pytest.raises(RemoteProtocolError):
            Pair().ends[0].received(message)

    run_still(test())


@still
async def test_whoever_sends_more_than_there_is_room_for_is_refused() -> None:
    one = Pair().ends[0]
    one.pause_reading()
    for _ in range(WINDOW_BYTES // (1 << 20)):
        one.received(DATA + bytes(1 << 20))
    with pytest.raises(RemoteProtocolError):
        one.received(DATA + b"1")


@still
async def test_whoever_speaks_after_his_end_is_refused() -> None:
    one = Pair(keeps_open=True).ends[0]
    one.received(END)
    with pytest.raises(RemoteProtocolError):
        one.received(DATA + b"1")
