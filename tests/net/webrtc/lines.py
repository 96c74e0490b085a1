"""A line in memory on which two associations talk, in time that jumps: slow, long and lossy as wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCDtlsTransport, RTCSctpCapabilities

from p2psync.net.webrtc.internals import Association
from p2psync.system.tasks import Crew

MESSAGE_BYTES = 12 * 1160
OVERHEAD_BYTES = 65
"""Of IP, UDP and DTLS."""


@dataclass
class Conditions:
    rate_bytes_s: float = 12.5e6
    delay_s: float = 0.02
    loss: float = 0.0
    queue_s: float = 0.05
    jitter_s: float = 0.0
    """Packets take up to so much longer, and overtake each other."""
    twice: float = 0.0
    """The share of packets that arrive twice."""
    cut: bool = False


@dataclass
class Wire:
    """One side's DTLS, as SCTP sees it."""

    crew: Crew
    conditions: Conditions
    random: Random
    _role: str
    state: str = "connected"
    other: Wire = field(init=False)
    receiver: Any = None
    free_at: float = 0.0
    sent: int = 0
    lost: int = 0

    def _register_data_receiver(self, receiver: Any) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self.receiver = None

    async def _send_data(self, data: bytes) -> None:
        if self.state != "connected":
            raise ConnectionError
        now, line = asyncio.get_running_loop().time(), self.conditions
        self.sent += 1
        waits_s = max(0.0, self.free_at - now)
        if line.cut or waits_s > line.queue_s or self.random.random() < line.loss:
            self.lost += 1
            return
        self.free_at = now + waits_s + (len(data) + OVERHEAD_BYTES) / line.rate_bytes_s
        for _ in range(1 + (self.random.random() < line.twice)):
            at = self.free_at + line.delay_s + self.random.random() * line.jitter_s
            asyncio.get_running_loop().call_at(at, self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        if self.other.receiver is not None:
            self.crew.start(self.other.receiver._handle_data(data), "packet")


class Side:
    """An association with a channel on it."""

    def __init__(self, crew: Crew, conditions: Conditions, random: Random, role: str) -> None:
        self.wire = Wire(crew, conditions, random, role)
        self.idle = 0
        self.association = Association(cast(RTCDtlsTransport, self.wire), crew, self._note_idle)
        self.channel = RTCDataChannel(self.association, RTCDataChannelParameters("test", negotiated=True, id=0))
        self.received: list[bytes] = []
        self.channel.on("message", self.received.append)

    def _note_idle(self) -> None:
        self.idle += 1


async def talk(conditions: Conditions, conversation: Callable[[Side, Side], Any], seed: int = 0) -> tuple[Side, Side]:
    """Two associations are made, hold the conversation, and end."""
    failures: list[Exception] = []
    crew = Crew(lambda _name, error: failures.append(error))
    await crew.open()
    random = Random(seed)
    one, other = (Side(crew, conditions, random, role) for role in ("client", "server"))
    one.wire.other, other.wire.other = other.wire, one.wire
    try:
        for side in (one, other):
            await side.association.start(RTCSctpCapabilities(maxMessageSize=MESSAGE_BYTES), 5000)
        await until(lambda: one.channel.readyState == other.channel.readyState == "open")
        await conversation(one, other)
    finally:
        for side in (one, other):
            await side.association.stop()
        await crew.close()
    assert failures == []
    return one, other


async def until(holds: Callable[[], object], within_s: float = 600.0) -> None:
    """Wait in time that jumps."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)
