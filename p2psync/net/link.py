"""Links: ordered frames to and from one other device, whatever carries the bytes.

`Link` is what everything above sees. `FramedLink` makes one out of a `Carrier` (TLS over TCP, a data channel, a
relay): it cuts the byte stream into frames, lets control frames overtake bulk, holds both sides back where the other
is slow, and notices within 10 s when the other side is gone without a word.

On the wire a frame is its length in four bytes, big-endian, and its bytes. Length zero says only "still here".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from p2psync.core.ids import DEVICE_ID_BYTES, DeviceId
from p2psync.errors import LinkClosed, LinkError, LocalProtocolError, PeerRefused, ProtocolError, RemoteProtocolError
from p2psync.i18n import _
from p2psync.wire.messages import FRAME_BYTES_MAX

UNKNOWN_DEVICE: Final = DeviceId(bytes(DEVICE_ID_BYTES))
"""`remote` of a link whose other side has not said yet who it is: pairing."""

LENGTH_BYTES: Final = 4
LINK_FRAME_BYTES_MAX: Final = FRAME_BYTES_MAX + 64
"""A message of the largest size with what its codec puts in front of it."""
FRAME_OVERHEAD_BYTES: Final = 128
"""What an empty frame counts for in a queue, so that many tiny ones are bounded too."""
INBOX_BYTES_MAX: Final = 1 << 20
"""Received and not asked for yet: from here on nothing more is read."""
CONTROL_BYTES_MAX: Final = 1 << 20
BULK_BYTES_MAX: Final = 256 * 1024
"""Queued to be sent: from here on `send` waits. Little for bulk: what is queued here delays nobody, what the carrier
took delays every control frame."""
CONTROL_BATCH_BYTES_MAX: Final = 64 * 1024
KEEPALIVE_S: Final = 2.0
"""A side that sent nothing for so long says that it is still here."""
SILENCE_MAX_S: Final = 8.0
"""A side that hears nothing for so long, while it is listening, counts the other as gone."""
CLOSE_S: Final = 2.0
"""How long a close waits for frames that are on their way out."""

_STILL_HERE = bytes(LENGTH_BYTES)


class Link(Protocol):
    """Whole frames in order, both ways, to an authenticated device."""

    @property
    def remote(self) -> DeviceId:
        """Who is on the other side, proven; UNKNOWN_DEVICE for an inbound pairing link."""

    @property
    def initiator(self) -> bool:
        """True if this side dialled."""

    @property
    def way(self) -> str:
        """How it goes there, as `status` shows it: "lan", "direct", "webrtc", "relay"."""

    @property
    def address(self) -> str:
        """The other end, for people: HOST:PORT."""

    @property
    def local(self) -> str:
        """The IP address of this end; "" if there is none to tell."""

    async def send(self, frame: bytes, bulk: bool = False) -> None:
        """Queue a frame of 1 to LINK_FRAME_BYTES_MAX bytes; wait first while too much is queued already.

        Control frames keep their order, and so do bulk frames, but a control frame overtakes bulk. Raises LinkClosed
        once the link is closed, for whatever reason (`receive` tells it); LocalProtocolError for a wrong size.
        """

    async def receive(self) -> bytes:
        """The next frame; for one reader at a time.

        Frames that had arrived whole are still given out after the end. Then raises LinkClosed; PeerRefused if this
        side dialled and the other hung up before its first frame; RemoteProtocolError if it broke the framing.
        """

    def suit_distance(self) -> bool:
        """The other side turned out to be far away. True if one connection keeps its speed there though packets get
        lost.
        """

    def hold_bulk(self, seconds: float) -> None:
        """For so long bulk frames wait: what is about to be said shall find the line free."""

    async def close(self) -> None:
        """Send what is queued, for at most CLOSE_S, then close. Can be called again, and after the end."""


class Carrier(Protocol):
    """Ordered, secure bytes to the other device, as a `FramedLink` drives them.

    It calls the link's `feed`, `pause_writing`, `resume_writing` and, once, at the end, `lost`.
    """

    def write(self, *chunks: bytes) -> None:
        """Take these bytes, however slow the other side is; calls `pause_writing` when it holds too many."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def finish(self) -> None:
        """Send what was written, then close."""

    def abort(self) -> None:
        """Close at once."""


class FramedLink:
    """A `Link` over a `Carrier`."""

    def __init__(
        self,
        carrier: Carrier,
        *,
        remote: DeviceId,
        initiator: bool,
        way: str,
        address: str,
        local: str = "",
        on_distance: Callable[[], bool] = lambda: False,
    ) -> None:
        """`on_distance` does what `suit_distance` says."""
        self.remote: Final = remote
        self.initiator: Final = initiator
        self.way: Final = way
        self.address: Final = address
        self.local: Final = local
        self._carrier = carrier
        self._on_distance = on_distance
        self._loop = asyncio.get_running_loop()
        self._control = _Outbox(CONTROL_BYTES_MAX)
        self._bulk = _Outbox(BULK_BYTES_MAX)
        self._writing_paused = False
        self._held: asyncio.TimerHandle | None = None
        """Ends the moment in which bulk waits."""
        self._assembler = FrameAssembler()
        self._inbox: deque[bytes] = deque()
        self._inbox_bytes = 0
        self._reading_paused = False
        self._arrived = asyncio.Event()
        self._heard_a_frame = False
        self._closing = False
        self._end: LinkError | ProtocolError | None = None
        self._drained = asyncio.Event()
        self._gone = asyncio.Event()
        self._heard_at = self._sent_at = self._loop.time()
        self._timer = self._loop.call_at(self._heard_at + KEEPALIVE_S, self._tick)

    async def send(self, frame: bytes, bulk: bool = False) -> None:
        if not 0 < len(frame) <= LINK_FRAME_BYTES_MAX:
            raise LocalProtocolError(f"a frame of {len(frame)} bytes cannot be sent")
        outbox = self._bulk if bulk else self._control
        while not self._closing and self._end is None and outbox.full():
            await outbox.wait()
        if self._closing or self._end is not None:
            raise LinkClosed(_("The connection to {address} is closed").format(address=self.address))
        outbox.put(frame)
        self._pump()

    async def receive(self) -> bytes:
        while not self._inbox:
            if self._end is not None:
                raise type(self._end)(*self._end.args)
            self._arrived.clear()
            await self._arrived.wait()
        frame = self._inbox.popleft()
        self._inbox_bytes -= len(frame) + FRAME_OVERHEAD_BYTES
        if self._reading_paused and self._inbox_bytes < INBOX_BYTES_MAX // 2:
            self._resume_reading()
        return frame

    def suit_distance(self) -> bool:
        return self._end is None and self._on_distance()

    def hold_bulk(self, seconds: float) -> None:
        if self._end is None:
            self._let_bulk_go()
            self._held = self._loop.call_later(seconds, self._resume_bulk)

    def _resume_bulk(self) -> None:
        self._let_bulk_go()
        self._pump()

    def _let_bulk_go(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    async def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._control.wake()
            self._bulk.wake()
        try:
            async with asyncio.timeout(CLOSE_S):
                if self._end is None and (self._control or self._bulk):
                    self._drained.clear()
                    await self._drained.wait()
                self._carrier.finish()
                await self._gone.wait()
        except TimeoutError:
            pass
        finally:
            self._carrier.abort()
            self._finish(LinkClosed(_("The connection to {address} is closed").format(address=self.address)))

    def feed(self, data: bytes) -> None:
        """Bytes arrived. For the carrier."""
        self._heard_at = self._loop.time()
        if self._end is not None:
            return
        try:
            frames = self._assembler.feed(data)
        except RemoteProtocolError as error:
            self._finish(error)
            self._carrier.abort()
            return
        for frame in frames:
            self._inbox.append(frame)
            self._inbox_bytes += len(frame) + FRAME_OVERHEAD_BYTES
        if frames:
            self._heard_a_frame = True
            self._arrived.set()
        if self._inbox_bytes >= INBOX_BYTES_MAX and not self._reading_paused:
            self._reading_paused = True
            self._carrier.pause_reading()

    def pause_writing(self) -> None:
        """The carrier holds enough. For the carrier."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The carrier has room again. For the carrier."""
        self._writing_paused = False
        self._pump()

    def lost(self, error: LinkError | None) -> None:
        """The carrier is closed; `error` tells why, if it was no ordinary end. For the carrier, once."""
        if error is None and self.initiator and not self._heard_a_frame and not self._closing:
            error = PeerRefused(
                _("The device at {address} hung up at once: it may not know this device (any more)").format(
                    address=self.address
                )
            )
        if error is None:
            error = LinkClosed(_("The device at {address} closed the connection").format(address=self.address))
        self._finish(error)
        self._gone.set()

    def _pump(self) -> None:
        """Hand over what is queued, control first, until the carrier has enough."""
        while not self._writing_paused and self._end is None:
            if self._control:
                self._write(self._control.take_batch(CONTROL_BATCH_BYTES_MAX))
            elif self._bulk and self._held is not None:
                return
            elif self._bulk:
                frame = self._bulk.take()
                self._write(len(frame).to_bytes(LENGTH_BYTES, "big"), frame)
            else:
                self._drained.set()
                return

    def _write(self, *chunks: bytes) -> None:
        self._sent_at = self._loop.time()
        self._carrier.write(*chunks)

    def _resume_reading(self) -> None:
        self._reading_paused = False
        self._heard_at = self._loop.time()
        self._carrier.resume_reading()

    def _tick(self) -> None:
        """One timer a link: say that this side is here, and judge whether the other is.

        While this side does not read it cannot judge. While the carrier is full it need not speak: the other side
        has bytes on their way, or does not read and cannot judge either.
        """
        now = self._loop.time()
        if not self._reading_paused and now >= self._heard_at + SILENCE_MAX_S:
            self._finish(
                LinkClosed(
                    _("The device at {address} was not heard of for {seconds} s").format(
                        address=self.address, seconds=round(SILENCE_MAX_S)
                    )
                )
            )
            self._carrier.abort()
            return
        if now >= self._sent_at + KEEPALIVE_S:
            if self._writing_paused:
                self._sent_at = now
            else:
                self._write(_STILL_HERE)
        wake_at = self._sent_at + KEEPALIVE_S
        if not self._reading_paused:
            wake_at = min(wake_at, self._heard_at + SILENCE_MAX_S)
        self._timer = self._loop.call_at(wake_at, self._tick)

    def _finish(self, error: LinkError | ProtocolError) -> None:
        """The first reason stays."""
        if self._end is not None:
            return
        self._end = error
        self._timer.cancel()
        self._let_bulk_go()
        self._control.drop()
        self._bulk.drop()
        self._drained.set()
        self._arrived.set()


class FrameAssembler:
    """Cuts a byte stream into frames; holds at most one frame and what arrived with it."""

    def __init__(self) -> None:
        self._length = b""
        """A part of one that is cut in two."""
        self._parts: list[memoryview] = []
        """Of the frame that is on its way; put together once it is whole, for a big one comes in many."""
        self._missing = 0
        """Bytes of it."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, without empty ones. Raises RemoteProtocolError for a length too large."""
        frames: list[bytes] = []
        start = 0
        if self._missing:
            start = min(self._missing, len(data))
            self._parts.append(memoryview(data)[:start])
            self._missing -= start
            if self._missing:
                return frames
            frames.append(b"".join(self._parts))
            self._parts.clear()
        elif self._length:
            data = self._length + data
        while len(data) - start >= LENGTH_BYTES:
            body = start + LENGTH_BYTES
            length = int.from_bytes(data[start:body], "big")
            if length > LINK_FRAME_BYTES_MAX:
                raise RemoteProtocolError(f"a frame of {length} bytes is longer than the protocol allows")
            start = body + length
            if start > len(data):
                self._parts.append(memoryview(data)[body:])
                self._missing = start - len(data)
            elif length:
                frames.append(data[body:start])
        self._length = data[start:]
        return frames


class _Outbox:
    """Frames waiting to be sent, and those who wait to add to them."""

    def __init__(self, bytes_max: int) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._bytes_max = bytes_max
        self._room = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._frames)

    def full(self) -> bool:
        return self._bytes >= self._bytes_max

    async def wait(self) -> None:
        """Until something was taken out, or `wake`."""
        self._room.clear()
        await self._room.wait()

    def put(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._bytes += len(frame) + FRAME_OVERHEAD_BYTES

    def take(self) -> bytes:
        frame = self._frames.popleft()
        self._bytes -= len(frame) + FRAME_OVERHEAD_BYTES
        if not self.full():
            self._room.set()
        return frame

    def take_batch(self, bytes_max: int) -> bytes:
        """Several frames as they go on the wire: at least one, and more while they stay below `bytes_max`."""
        parts: list[bytes] = []
        size = 0
        while self._frames and (not parts or size + len(self._frames[0]) < bytes_max):
            frame = self.take()
            parts += (len(frame).to_bytes(LENGTH_BYTES, "big"), frame)
            size += len(frame) + LENGTH_BYTES
        return b"".join(parts)

    def drop(self) -> None:
        self._frames.clear()
        self._bytes = 0
        self.wake()

    def wake(self) -> None:
        self._room.set()
