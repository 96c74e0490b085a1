"""The host's signalling: a WebSocket for each visitor, and the hub that tells what goes to whom.

What is to be sent waits in a bounded queue of its visitor's. Who does not read what he is sent is cut off, so that
nobody's slowness costs memory or keeps others waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from aiohttp import WSMsgType, web

from p2psync.errors import CodecError
from p2psync.rendezvous.gate import Door
from p2psync.rendezvous.protocol.hub import Deliver, Dismiss, Effect, Hub, Listen, Share
from p2psync.rendezvous.protocol.messages import (
    MESSAGE_BYTES_MAX,
    VERSION,
    Gone,
    Mail,
    Message,
    Reason,
    Refused,
    Welcome,
    decode,
    encode,
)
from p2psync.rendezvous.protocol.networks import plain_host
from p2psync.system.tasks import Crew

QUEUE_BYTES_MAX: Final = 256 * 1024
"""Waiting for one visitor."""
QUEUES_BYTES_MAX: Final = 128 << 20
"""Waiting for all together."""
FRAME_OVERHEAD_BYTES: Final = 128
SEND_S: Final = 20.0
"""How long one message may take to get out."""
SILENCE_S: Final = 90.0
"""A visitor that says nothing for so long is asked; daemons ask the host more often than that."""
FAREWELL_S: Final = 1.0
"""Who was told to go has so long to do so; hanging up on him at once might lose what he was told."""


@dataclass(slots=True)
class Counters:
    """What happened since the start."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    visits: int = 0
    dismissed: dict[Reason, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Visitor:
    number: int
    socket: web.WebSocketResponse
    transport: asyncio.Transport
    queue: deque[bytes] = field(default_factory=deque)
    queued_bytes: int = 0
    sending: bool = False
    dismissed: Reason | None = None
    cut_off: asyncio.TimerHandle | None = None


class Meeting:
    """All visitors of one host."""

    def __init__(
        self,
        hub: Hub,
        crew: Crew,
        relays: bool,
        share: Callable[[Share], None] = lambda _share: None,
        listen: Callable[[Listen], None] = lambda _listen: None,
    ) -> None:
        """`relays`: what visitors are told about the relay. `share` and `listen` reach the other hosts."""
        self._hub = hub
        self._crew = crew
        self._relays = relays
        self._share = share
        self._listen = listen
        self._loop = asyncio.get_running_loop()
        self._visitors: dict[int, _Visitor] = {}
        self._numbers: Iterator[int] = count(1)
        self._queued_bytes = 0
        self._fewer = asyncio.Event()
        self.counters = Counters()

    @property
    def queued_bytes(self) -> int:
        """Waiting for all visitors together."""
        return self._queued_bytes

    async def visit(self, request: web.BaseRequest) -> web.StreamResponse:
        """One visitor from beginning to end."""
        socket = web.WebSocketResponse(
            heartbeat=SILENCE_S,
            compress=False,
            max_msg_size=MESSAGE_BYTES_MAX,
            writer_limit=MESSAGE_BYTES_MAX,
            timeout=FAREWELL_S,
            decode_text=False,
        )
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        visitor = _Visitor(next(self._numbers), socket, transport)
        self.counters.visits += 1
        self._visitors[visitor.number] = visitor
        try:
            await self._welcome(visitor)
        finally:
            del self._visitors[visitor.number]
            self._forget(visitor)
            self.perform(self._hub.left(visitor.number, self._loop.time()))
        return socket

    def shared(self, message: Mail | Gone, to: bytes | None) -> None:
        """What another host shares."""
        self.perform(self._hub.shared(message, to, self._loop.time()))

    def sweep(self) -> None:
        """To be called every few seconds."""
        self.perform(self._hub.sweep(self._loop.time()))

    async def close(self) -> None:
        """Show everybody the door: he finds the host again when it is back."""
        for visitor in list(self._visitors.values()):
            self._dismiss(visitor, Reason.ENDING)
        while self._visitors:
            self._fewer.clear()
            await self._fewer.wait()

    def perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Deliver(to, message):
                    self._deliver(to, message)
                case Dismiss(number, reason):
                    if number in self._visitors:
                        self._dismiss(self._visitors[number], reason)
                case Share():
                    self._share(effect)
                case Listen():
                    self._listen(effect)

    # -- one visitor -----------------------------------------------------------------------------------

    async def _welcome(self, visitor: _Visitor) -> None:
        door = visitor.transport.get_protocol()
        if isinstance(door, Door):
            door.stay()
        host, port = (visitor.transport.get_extra_info("peername") or ("", 0))[:2]
        welcome = Welcome(VERSION, plain_host(host), port, time.time_ns() // 1_000_000, self._relays)
        self._queue(visitor, encode(welcome))
        reason = self._hub.arrived(visitor.number, self._loop.time())
        if reason is not None:
            self._dismiss(visitor, reason)
        await self._listen_to(visitor)

    async def _listen_to(self, visitor: _Visitor) -> None:
        while True:
            message = await visitor.socket.receive()
            if message.type is not WSMsgType.BINARY:
                return
            if visitor.dismissed is not None:
                continue
            self.counters.messages_in += 1
            self.counters.bytes_in += len(message.data)
            try:
                said = decode(message.data)
            except CodecError:
                self._dismiss(visitor, Reason.MALFORMED)
                continue
            self.perform(self._hub.received(visitor.number, said, self._loop.time()))

    def _deliver(self, to: Iterable[int], message: Message) -> None:
        data = encode(message)
        for number in to:
            visitor = self._visitors.get(number)
            if visitor is not None and visitor.dismissed is None:
                self._queue(visitor, data)

    def _queue(self, visitor: _Visitor, data: bytes) -> None:
        size = len(data) + FRAME_OVERHEAD_BYTES
        if visitor.queued_bytes + size > QUEUE_BYTES_MAX or self._queued_bytes + size > QUEUES_BYTES_MAX:
            self._dismiss(visitor, Reason.TOO_SLOW)
        else:
            self._put(visitor, data)

    def _put(self, visitor: _Visitor, data: bytes) -> None:
        visitor.queue.append(data)
        visitor.queued_bytes += len(data) + FRAME_OVERHEAD_BYTES
        self._queued_bytes += len(data) + FRAME_OVERHEAD_BYTES
        if not visitor.sending:
            visitor.sending = True
            self._crew.start(self._send(visitor), "sending")

    def _dismiss(self, visitor: _Visitor, reason: Reason) -> None:
        """What waits for it still goes out, if it reads; then it is told why."""
        if visitor.dismissed is not None:
            return
        visitor.dismissed = reason
        self.counters.dismissed[reason] = self.counters.dismissed.get(reason, 0) + 1
        if reason is Reason.TOO_SLOW:
            visitor.transport.abort()
            return
        visitor.cut_off = self._loop.call_later(FAREWELL_S, visitor.transport.abort)
        self._put(visitor, encode(Refused(reason, None)))

    async def _send(self, visitor: _Visitor) -> None:
        """Everything that waits."""
        try:
            async with asyncio.timeout(SEND_S) as patience:
                while visitor.queue:
                    data = visitor.queue.popleft()
                    self._account(visitor, data)
                    await visitor.socket.send_bytes(data)
                    patience.reschedule(self._loop.time() + SEND_S)
        except (OSError, TimeoutError, RuntimeError):
            visitor.transport.abort()
        finally:
            visitor.sending = False

    def _account(self, visitor: _Visitor, data: bytes) -> None:
        size = len(data) + FRAME_OVERHEAD_BYTES
        visitor.queued_bytes -= size
        self._queued_bytes -= size
        self.counters.messages_out += 1
        self.counters.bytes_out += len(data)

    def _forget(self, visitor: _Visitor) -> None:
        if visitor.cut_off is not None:
            visitor.cut_off.cancel()
        visitor.dismissed = visitor.dismissed or Reason.ENDING
        self._queued_bytes -= visitor.queued_bytes
        visitor.queued_bytes = 0
        visitor.queue.clear()
        self._fewer.set()
