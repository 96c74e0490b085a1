"""Somebody who listens to what is announced in a network, and notes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from p2psync.net.dialer import Sighting
from p2psync.net.mdns import Mdns


class Ears:
    """An Mdns, and what it told."""

    def __init__(self, interfaces: tuple[str, ...] | None = ("127.0.0.1",)) -> None:
        self.sightings: asyncio.Queue[Sighting] = asyncio.Queue()
        self.gone: asyncio.Queue[bytes] = asyncio.Queue()
        self.nonces: asyncio.Queue[tuple[bytes, ...]] = asyncio.Queue()
        self.networks: asyncio.Queue[None] = asyncio.Queue()
        self.mdns = Mdns(
            on_sighting=self.sightings.put_nowait,
            on_gone=lambda nonce, name: self.gone.put_nowait(nonce),
            on_nonces=self.nonces.put_nowait,
            on_network=lambda: self.networks.put_nowait(None),
            interfaces=interfaces,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            task = group.create_task(self.mdns.run())
            yield
            task.cancel()
