"""What is plugged in has the shape of a way."""

from __future__ import annotations

import asyncio

import pytest

from p2psync.core.ids import DeviceId
from p2psync.errors import LinkClosed
from p2psync.net.way import MakeProtocol, Signals, Way


class Talk:
    """Signals to oneself."""

    device = DeviceId(b"d" * 32)
    host = ("127.0.0.1", 443)

    def __init__(self) -> None:
        self._letters: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def send(self, kind: str, body: bytes) -> None:
        self._letters.put_nowait((kind, body))

    async def receive(self) -> tuple[str, bytes]:
        return await self._letters.get()

    async def seen_from(self, local_port: int) -> tuple[str, int]:
        return "127.0.0.1", local_port


class Nowhere:
    """A way that leads nowhere."""

    name = "nowhere"
    letters = frozenset({"punch"})
    head_start_s = 0.0

    async def connect(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        signals.send("punch", b"hello")
        return await self.answer(signals, make)

    async def answer(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        assert await signals.receive() == ("punch", b"hello")
        raise LinkClosed("nowhere")


@pytest.mark.asyncio
async def test_a_way_talks_by_its_signals() -> None:
    way: Way = Nowhere()
    with pytest.raises(LinkClosed, match="nowhere"):
        await way.connect(Talk(), asyncio.Protocol)
