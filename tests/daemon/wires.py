"""Links without a network: two ends in one process, each as slow or as broken as a test wants it."""

from __future__ import annotations

import asyncio

from p2psync.core.ids import DeviceId
from p2psync.errors import LinkClosed, LinkError, RemoteProtocolError

LEFT, RIGHT = DeviceId(b"l" * 32), DeviceId(b"r" * 32)


class WireEnd:
    """One end, as `net.link.Link` describes it."""

    way = "lan"
    local = ""

    def __init__(self, remote: DeviceId, initiator: bool) -> None:
        self.remote = remote
        self.initiator = initiator
        self.address = f"{remote[:1].decode()}.example:1"
        self.other: WireEnd = self
        self.bulk: list[bytes] = []
        """Frames that were sent as bulk."""
        self.held: list[float] = []
        """For how long bulk was to wait, each time."""
        self.readable = asyncio.Event()
        self.readable.set()
        self.closed = False
        self.copes = False
        """Whether it keeps its speed over a distance."""
        self._inbox: asyncio.Queue[bytes | LinkError | RemoteProtocolError] = asyncio.Queue()

    async def send(self, frame: bytes, bulk: bool = False) -> None:
        await self.other.readable.wait()
        if self.closed or self.other.closed:
            raise LinkClosed("closed")
        if bulk:
            self.bulk.append(frame)
        self.other._inbox.put_nowait(frame)

    async def receive(self) -> bytes:
        frame = await self._inbox.get()
        if isinstance(frame, Exception):
            raise frame
        return frame

    def suit_distance(self) -> bool:
        return self.copes

    def hold_bulk(self, seconds: float) -> None:
        self.held.append(seconds)

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.other.fail(LinkClosed("the other side closed"))

    def fail(self, error: LinkError | RemoteProtocolError) -> None:
        """What the next receive raises, after the frames that came before."""
        self._inbox.put_nowait(error)


def wire(towards: DeviceId | None = None) -> tuple[WireEnd, WireEnd]:
    """The dialling end, whose other side is RIGHT, and the one that was dialled; `towards`: whom both name."""
    here, there = WireEnd(towards or RIGHT, True), WireEnd(towards or LEFT, False)
    here.other, there.other = there, here
    return here, there
