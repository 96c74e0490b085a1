"""Devices that listen, those who dial them, and a crowd of strangers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from p2psync.errors import LinkClosed, PeerRefused
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.tls import Listener, dial
from p2psync.net.trust import Trust, TrustTable, period_tag
from tests.net.devices import MANDATE, SECRET, trust

NONCE = b"n" * 16
"""What alice announces."""


class Node:
    """A device that listens, and what came in."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.table = TrustTable(identity)
        self.links: asyncio.Queue[Link] = asyncio.Queue()
        self.pairings: asyncio.Queue[tuple[Link, bytes]] = asyncio.Queue()
        self.listener = Listener(
            self.table, self.links.put_nowait, lambda link, key: self.pairings.put_nowait((link, key))
        )

    async def dial(self, other: Node, known: Trust, host: str = "127.0.0.1", tag: bytes | None = None) -> Link:
        tag = period_tag(SECRET, time.time()) if tag is None else tag
        return await dial(host, other.listener.port, tag, known, self.identity)


def admit(node: Node, *others: Node) -> Trust:
    known = trust(node.identity, *(other.identity for other in others))
    node.table.update({MANDATE: known})
    return known


async def refused(link: Link) -> PeerRefused:
    """The other side lets no frame come; it may even close before ours is sent."""
    with contextlib.suppress(LinkClosed):
        await link.send(b"hello?")
    with pytest.raises(PeerRefused) as caught:
        async with asyncio.timeout(30):
            await link.receive()
    await link.close()
    return caught.value


class Crowd:
    """Connections that say nothing, and which of them the listener closed."""

    def __init__(self, node: Node) -> None:
        self.port = node.listener.port
        self.closed: asyncio.Queue[int] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def stand(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
        self.closed.put_nowait(number)

    @contextlib.asynccontextmanager
    async def of(self, size: int, turned_away: int) -> AsyncIterator[Crowd]:
        """So many come, and so many have to go; the others stay until the end of the block, but for `fewer`."""
        async with asyncio.TaskGroup() as group:
            for number in range(size):
                group.create_task(self.stand(number))
            for _ in range(turned_away):
                await self.closed.get()
            yield self
            assert self.closed.empty()
            for writer in self.writers:
                writer.close()

    async def fewer(self, count: int = 1) -> None:
        """Wait until so many more had to go."""
        for _ in range(count):
            await self.closed.get()
