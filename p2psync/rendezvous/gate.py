"""The host's gate: who may connect at all, how often, and what a connection turns out to be for.

A visitor is counted from the moment he is accepted, before TLS costs anything. Whoever then says nothing, or not
enough, within seconds is cut off.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, cast

from p2psync.rendezvous.protocol.buckets import Buckets, Rate
from p2psync.rendezvous.protocol.networks import network_of
from p2psync.rendezvous.protocol.streams import JOIN_BYTES, may_be_join

HANDSHAKE_S: Final = 10.0
DECIDE_S: Final = 10.0
"""How long a visitor may take to show what he came for, and a page to be read."""
SHUTDOWN_S: Final = 1.0
WRITE_BUFFER_BYTES: Final = 64 * 1024
NO_ROOM_S: Final = 0.2
"""Before the next try where the system has no more files."""
ARRIVALS: Final = Rate(512, 16)


@dataclass(frozen=True, slots=True)
class GateLimits:
    connections: int = 24_000
    handshakes: int = 256
    """At once."""
    per_network: int = 512
    """From one IPv4 address or one IPv6 /64."""
    arrivals: Rate = ARRIVALS
    """New connections of these."""
    networks: int = 100_000
    """Remembered."""


DEFAULTS: Final = GateLimits()


class Gate:
    """Accepts connections on sockets that listen already."""

    def __init__(
        self,
        context: ssl.SSLContext,
        http: Callable[[], asyncio.Protocol],
        relay: Callable[[str], asyncio.Protocol],
        limits: GateLimits = DEFAULTS,
    ) -> None:
        """`http` makes the protocol for a connection that speaks HTTP; `relay` for one to the relay, from a network."""
        self._context = context
        self._http = http
        self._relay = relay
        self._limits = limits
        self._per_network: Counter[str] = Counter()
        self._arrivals: Buckets[str] = Buckets(limits.arrivals, limits.networks)
        self._handshakes = 0
        self._doors: set[Door] = set()
        self.connections = 0
        self.turned_away = 0
        self.failed_handshakes = 0

    async def run(self, sockets: Iterable[socket.socket]) -> None:
        """Until cancelled; then everybody is cut off."""
        try:
            async with asyncio.TaskGroup() as group:
                for sock in sockets:
                    group.create_task(self._accept(sock, group), name="rendezvous gate")
        finally:
            for door in list(self._doors):
                door.abort()

    async def _accept(self, sock: socket.socket, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                visitor, address = await loop.sock_accept(sock)
            except OSError:
                await asyncio.sleep(NO_ROOM_S)
                continue
            network = network_of(str(address[0]))
            if self._admits(network, loop.time()):
                self._count(network, 1)
                group.create_task(self._shake(visitor, network), name="rendezvous handshake")
            else:
                self.turned_away += 1
                visitor.close()

    def _admits(self, network: str, now: float) -> bool:
        room = (
            self.connections < self._limits.connections
            and self._handshakes < self._limits.handshakes
            and self._per_network[network] < self._limits.per_network
        )
        return room and self._arrivals.take(network, 1, now)

    def _count(self, network: str, change: int) -> None:
        self.connections += change
        self._per_network[network] += change
        if not self._per_network[network]:
            del self._per_network[network]

    async def _shake(self, visitor: socket.socket, network: str) -> None:
        door = Door(self._http, lambda: self._relay(network), lambda door: self._closed(door, network))
        self._handshakes += 1
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: door,
                visitor,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
            self._doors.add(door)
        except (OSError, TimeoutError):
            self.failed_handshakes += 1
        finally:
            self._handshakes -= 1
            if door not in self._doors:
                self._count(network, -1)

    def _closed(self, door: Door, network: str) -> None:
        if door in self._doors:
            self._doors.discard(door)
            self._count(network, -1)


class Door(asyncio.Protocol):
    """One connection: becomes what its first bytes ask for."""

    def __init__(
        self,
        http: Callable[[], asyncio.Protocol],
        relay: Callable[[], asyncio.Protocol],
        on_closed: Callable[[Door], None],
    ) -> None:
        self._http = http
        self._relay = relay
        self._on_closed = on_closed
        self._head = b""
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None

    def stay(self) -> None:
        """The visitor came for something that lasts."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._deadline = asyncio.get_running_loop().call_later(DECIDE_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)
            return
        self._head += data
        relay = may_be_join(self._head)
        if relay and len(self._head) < JOIN_BYTES:
            return
        head, self._head = self._head, b""
        if relay:
            self.stay()
        self._inner = self._relay() if relay else self._http()
        self._inner.connection_made(self._transport)
        self._inner.data_received(head)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stay()
        if self._inner is not None:
            self._inner.connection_lost(exc)
        self._on_closed(self)
