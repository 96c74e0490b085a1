"""Opens a stream to another member through both NATs, as soon as both sides want it and can tell each other how."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Final, Protocol

from p2psync.errors import CodecError, LinkClosed, LinkError
from p2psync.i18n import _
from p2psync.net.webrtc.description import Description
from p2psync.net.webrtc.servers import Servers
from p2psync.net.webrtc.transport import Incoming
from p2psync.system.tasks import Crew

OPEN_S: Final = 20.0


class Signalling(Protocol):
    """What carries a few sealed messages, of at most 8 KiB, between the two, before there is a connection."""

    async def send(self, message: bytes) -> None:
        """Raises LinkError."""

    async def receive(self) -> bytes:
        """Raises LinkError."""


async def open_stream(
    signalling: Signalling,
    initiator: bool,
    servers: Servers,
    protocol: Callable[[], Incoming],
    crew: Crew,
    timeout_s: float = OPEN_S,
) -> asyncio.Transport:
    """A stream to the member at the other end of `signalling`, who calls this too, with the other `initiator`.

    It drives what `protocol` makes, like any connection; `crew` carries it until its end. Raises LinkError.
    """
    opened: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()
    task = crew.start(_carry(signalling, initiator, servers, protocol, opened), "webrtc")
    task.add_done_callback(lambda _task: opened.done() or opened.set_exception(LinkClosed(_("This device stops."))))
    try:
        async with asyncio.timeout(timeout_s):
            return await opened
    except BaseException as error:
        task.cancel()
        if isinstance(error, TimeoutError):
            raise LinkError(_("WebRTC found no way within {seconds:g} s.").format(seconds=timeout_s)) from None
        raise


async def _carry(
    signalling: Signalling,
    initiator: bool,
    servers: Servers,
    protocol: Callable[[], Incoming],
    opened: asyncio.Future[asyncio.Transport],
) -> None:
    """One connection from its first packet to its last; its begin, or why there is none, goes into `opened`."""
    try:
        peers = await asyncio.to_thread(_peers)
        async with peers.Peer(initiator, servers) as peer:
            await signalling.send((await peer.describe()).pack())
            await peer.connect(Description.parse(await signalling.receive()))
            if opened.done():
                return
            transport = peer.open(protocol())
            try:
                opened.set_result(transport)
                await asyncio.wait([transport.over])
            finally:
                transport.lost(LinkClosed(_("This device stops.")))
    except (LinkError, CodecError) as error:
        if not opened.done():
            opened.set_exception(error if isinstance(error, LinkError) else LinkError(str(error)))


def _peers() -> ModuleType:
    """What needs aiortc; to import it takes half a second."""
    from p2psync.net.webrtc import peer

    return peer
