"""A data channel as a transport: what drives it sees a connection like any other."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from p2psync.errors import RemoteProtocolError
from p2psync.net.webrtc.flow import DATA, END, ROOM, Receiver, Sender

HIGH_WATER_BYTES: Final = 256 * 1024
CHANNEL_BYTES_MAX: Final = 64 * 1024
"""Given to the channel and not sent yet: little, since what is there cannot be dropped at an end."""
CLOSE_S: Final = 5.0
"""How long a close waits for what was written, and for the other side's own end."""


class Channel(Protocol):
    """What carries whole messages, in order, and holds those that the line does not take at once."""

    @property
    def waiting_bytes(self) -> int:
        """Held back."""

    @property
    def idle(self) -> bool:
        """The other side has everything."""

    def send(self, message: bytes) -> None: ...


class ChannelTransport(asyncio.Transport):
    """`over` is done when nothing more will be sent or received; whoever made the channel then ends it."""

    def __init__(
        self, channel: Channel, protocol: asyncio.BaseProtocol, message_bytes: int, peer: tuple[str, int]
    ) -> None:
        super().__init__({"peername": peer})
        self._loop = asyncio.get_running_loop()
        self.over: Final[asyncio.Future[None]] = self._loop.create_future()
        self._channel = channel
        assert isinstance(protocol, asyncio.BufferedProtocol)
        self._protocol = protocol
        self._sender = Sender(message_bytes)
        self._receiver = Receiver()
        self._arrived: deque[bytes] = deque()
        """While reading is paused."""
        self._reading = True
        self._closing = False
        self._end_wanted = False
        self._end_sent = False
        self._end_heard = False
        self._high, self._low = HIGH_WATER_BYTES, HIGH_WATER_BYTES // 4
        self._full = False
        self._timer: asyncio.TimerHandle | None = None
        protocol.connection_made(self)

    # What the channel's owner calls.

    def received(self, message: bytes) -> None:
        """Raises RemoteProtocolError for what is no message."""
        if self.over.done():
            return
        kind, size = message[:1], len(message) - 1
        if kind == DATA and not self._end_heard:
            self._receiver.arrived(size)
            self._arrived.append(message[1:])
            self._deliver()
        elif kind == ROOM:
            self._sender.grant(message[1:])
            self.pump()
        elif kind == END and not size and not self._end_heard:
            self._end_heard = True
            self._deliver()
        else:
            raise RemoteProtocolError("a message that means nothing")

    def pump(self) -> None:
        """The channel may have taken what it held: give it more."""
        while not self._end_sent and self._channel.waiting_bytes < CHANNEL_BYTES_MAX:
            message = self._sender.message()
            if message is None:
                break
            self._channel.send(message)
        if self._end_wanted and not self._end_sent and not self._sender.bytes:
            self._end_sent = True
            self._channel.send(END)
        if self._full and self.get_write_buffer_size() <= self._low:
            self._full = False
            self._protocol.resume_writing()
        self._finish_if_done()

    def lost(self, error: Exception | None) -> None:
        """It is over; the protocol hears of it. After both sides have said that they end, nothing was lost."""
        if self.over.done():
            return
        if self._end_sent and self._end_heard:
            error = None
        self._closing = True
        self.over.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
        self._arrived.clear()
        self._loop.call_soon(self._protocol.connection_lost, error)

    # What the protocol calls.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._end_wanted or self.over.done():
            return
        self._sender.write(bytes(data))
        self.pump()
        if not self._full and self.get_write_buffer_size() > self._high:
            self._full = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self._sender.bytes + self._channel.waiting_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_WATER_BYTES if high is None else high
        self._low = self._high // 4 if low is None else low

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._end_wanted = True
        self.pump()

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._deliver)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """What was written still goes out, for CLOSE_S; nothing more comes in."""
        if self._closing:
            return
        self._closing = True
        self._timer = self._loop.call_later(CLOSE_S, self.lost, None)
        self.write_eof()

    def abort(self) -> None:
        self.lost(None)

    # Inside.

    def _deliver(self) -> None:
        while self._arrived and (self._reading or self._closing):
            data = self._arrived.popleft()
            if not self._closing:
                _feed(self._protocol, data)
            room = self._receiver.taken(len(data))
            if room is not None and not self.over.done():
                self._channel.send(room)
        if self._end_heard and not self._arrived and not self._closing and not self._protocol.eof_received():
            self.close()
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self._closing and self._end_sent and self._end_heard and self._channel.idle:
            self.lost(None)


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        size = min(len(buffer), len(rest))
        buffer[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]
