"""STUN over UDP, on the same port number: tells each caller which address and port it came from."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from p2psync.rendezvous.protocol.buckets import Bucket, Buckets, Rate
from p2psync.rendezvous.protocol.networks import network_of
from p2psync.rendezvous.protocol.stun import answer, parse

PER_NETWORK: Final = Rate(100, 10)
"""Answers; senders' addresses can be forged, so this also bounds what somebody else is sent."""
TOGETHER: Final = Rate(20_000, 10_000)
NETWORKS_MAX: Final = 50_000


class Reflector(asyncio.DatagramProtocol):
    def __init__(self, per_network: Rate = PER_NETWORK, together: Rate = TOGETHER) -> None:
        self._loop = asyncio.get_running_loop()
        self._per_network: Buckets[str] = Buckets(per_network, NETWORKS_MAX)
        self._together = Bucket(together, self._loop.time())
        self._transport: asyncio.DatagramTransport
        self.answered = 0
        self.ignored = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        binding, now = parse(data), self._loop.time()
        allowed = binding is not None and self._per_network.take(network_of(addr[0]), 1, now)
        if binding is None or not allowed or not self._together.take(1, now):
            self.ignored += 1
            return
        self.answered += 1
        self._transport.sendto(answer(binding, addr[0], addr[1]), addr)
