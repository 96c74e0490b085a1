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
from functools import partial
from typing import Final, cast

from p2psync.core.value import value
from p2psync.rendezvous.protocol.buckets import Buckets, Rate
from p2psync.rendezvous.protocol.networks import network_of
from p2psync.rendezvous.protocol.streams import JOIN_BYTES, may_be_join
from p2psync.rendezvous.tls import TlsConnection, read_buffer

HANDSHAKE_S: Final = 10.0
DECIDE_S: Final = 10.0
"""How long a visitor may take to show what he came for, and a page to be read."""
NO_ROOM_S: Final = 0.2
"""Before the next try where the system has no more files."""
ARRIVALS: Final = Rate(512, 16)


@value
class GateLimits:
    connections: int = 24_000
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
        self._buffer = read_buffer()
        self._per_network: Counter[str] = Counter()
        self._arrivals: Buckets[str] = Buckets(limits.arrivals, limits.networks)
        self._open: set[TlsConnection] = set()
        self.turned_away = 0
        self.failed_handshakes = 0

    @property
    def connections(self) -> int:
        return len(self._open)

    async def run(self, sockets: Iterable[socket.socket]) -> None:
        """Until cancelled; then everybody is cut off."""
        try:
            async with asyncio.TaskGroup() as group:
                for sock in sockets:
                    group.create_task(self._accept(sock), name="rendezvous gate")
        finally:
            for connection in list(self._open):
                connection.abort()

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                visitor, address = await loop.sock_accept(sock)
            except OSError:
                await asyncio.sleep(NO_ROOM_S)
                continue
            network = network_of(str(address[0]))
            if not self._admits(network, loop.time()):
                self.turned_away += 1
                visitor.close()
                continue
            await self._let_in(visitor, network)

    async def _let_in(self, visitor: socket.socket, network: str) -> None:
        door = Door(self._http, partial(self._relay, network))
        connection = TlsConnection(self._context, door, self._buffer, HANDSHAKE_S, partial(self._lost, network))
        self._open.add(connection)
        self._per_network[network] += 1
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, visitor)
        except BaseException:
            visitor.close()
            raise

    def _admits(self, network: str, now: float) -> bool:
        full = len(self._open) >= self._limits.connections
        crowded = network in self._per_network and self._per_network[network] >= self._limits.per_network
        return not full and not crowded and self._arrivals.take(network, 1, now)

    def _lost(self, network: str, connection: TlsConnection) -> None:
        self._open.discard(connection)
        self.failed_handshakes += not connection.opened
        self._per_network[network] -= 1
        if not self._per_network[network]:
            del self._per_network[network]


class Door(asyncio.Protocol):
    """One connection: becomes what its first bytes ask for."""

    def __init__(self, http: Callable[[], asyncio.Protocol], relay: Callable[[], asyncio.Protocol]) -> None:
        self._http = http
        self._relay = relay
        self._head = b""
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None

    def stay(self) -> None:
        """The visitor came for something that lasts."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
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
