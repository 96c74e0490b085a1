"""WebRTC as a way to another device: through the NATs of both sides, as soon as they have told each other how."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Final

from p2psync.core.ways import WEBRTC
from p2psync.errors import CodecError, LinkClosed, LinkError
from p2psync.i18n import _
from p2psync.net.way import MakeProtocol, Signals
from p2psync.net.webrtc.description import Description
from p2psync.net.webrtc.servers import Servers, Turn
from p2psync.system.tasks import Crew

OFFER, ANSWER = "offer", "answer"
OPEN_S: Final = 20.0
HEAD_START_S: Final = 2.0
"""Enough for holes to be punched: then aiortc need not be loaded."""


class WebRtc:
    """A `Way`; the meeting host answers STUN."""

    name = WEBRTC
    letters = frozenset({OFFER, ANSWER})
    head_start_s = HEAD_START_S

    def __init__(self, crew: Crew, turn: Turn | None = None, open_s: float = OPEN_S) -> None:
        """`crew` carries each connection to its end; `turn` passes packets on where they get through no other way."""
        self._crew = crew
        self._turn = turn
        self._open_s = open_s

    async def connect(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        """The side that begins. Raises LinkError."""
        return await self._open(signals, make, True)

    async def answer(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        """The other side. Raises LinkError."""
        return await self._open(signals, make, False)

    async def _open(self, signals: Signals, make: MakeProtocol, initiator: bool) -> asyncio.Transport:
        opened: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()
        task = self._crew.start(self._carry(signals, make, initiator, opened), "webrtc")
        task.add_done_callback(lambda _task: _settle(opened, LinkClosed(_("This device stops."))))
        try:
            async with asyncio.timeout(self._open_s):
                return await opened
        except BaseException as error:
            task.cancel()
            await asyncio.wait([task])
            if isinstance(error, TimeoutError):
                raise LinkError(_("WebRTC found no way within {seconds:g} s.").format(seconds=self._open_s)) from None
            raise

    async def _carry(
        self,
        signals: Signals,
        make: MakeProtocol,
        initiator: bool,
        opened: asyncio.Future[asyncio.Transport],
    ) -> None:
        """One connection from its first packet to its last; its begin, or why there is none, goes into `opened`."""
        try:
            peers = await asyncio.to_thread(_peers)
            async with peers.Peer(initiator, Servers(signals.host, self._turn)) as peer:
                if initiator:
                    signals.send(OFFER, (await peer.describe()).pack())
                kind, body = await signals.receive()
                if kind != (ANSWER if initiator else OFFER):
                    raise CodecError("neither offer nor answer")
                other = Description.parse(body)
                if not initiator:
                    signals.send(ANSWER, (await peer.describe()).pack())
                await peer.connect(other)
                if opened.done():
                    return
                transport = peer.open(make())
                try:
                    opened.set_result(transport)
                    await asyncio.wait([transport.over])
                finally:
                    transport.lost(LinkClosed(_("This device stops.")))
        except LinkError as error:
            _settle(opened, error)
        except CodecError:
            _settle(opened, LinkError(_("The other device speaks of WebRTC in another version. Update both.")))


def _settle(opened: asyncio.Future[asyncio.Transport], error: LinkError) -> None:
    if not opened.done():
        opened.set_exception(error)


def _peers() -> ModuleType:
    """What needs aiortc; to import it takes half a second."""
    from p2psync.net.webrtc import peer

    return peer
