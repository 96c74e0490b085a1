"""Letters to and from one device at a meeting host, of one attempt to go one way: what a `net.way.Way` is given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from p2psync.core.ids import DeviceId
from p2psync.errors import LinkClosed
from p2psync.i18n import _

if TYPE_CHECKING:
    from p2psync.rendezvous.client import Client
    from p2psync.rendezvous.protocol.acquaintances import Peer

ATTEMPT_BYTES = 8
"""In front of each body: letters of an attempt that is over are told from those of the next."""
LETTERS_MAX = 64
"""That wait to be read; more are not worth to be kept of somebody who behaves."""


class Guest(NamedTuple):
    """A device that is at a meeting host now."""

    host: Client
    peer: Peer

    @property
    def room(self) -> bytes:
        """The mandate, or the ticket."""
        return self.peer.room

    @property
    def device(self) -> DeviceId:
        return self.peer.device


class Correspondence:
    """One attempt."""

    def __init__(self, guest: Guest, attempt: bytes) -> None:
        """`attempt`: ATTEMPT_BYTES, random."""
        self.guest = guest
        self.attempt = attempt
        self._letters: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue(LETTERS_MAX)
        self._over = False

    @property
    def device(self) -> DeviceId:
        return self.guest.device

    @property
    def host(self) -> tuple[str, int]:
        return self.guest.host.address.host, self.guest.host.address.port

    def send(self, kind: str, body: bytes) -> None:
        from p2psync.rendezvous.protocol.envelope import Kind

        self.guest.host.write(self.guest.peer, Kind[kind.upper()], self.attempt + body)

    async def receive(self) -> tuple[str, bytes]:
        letter = None if self._over and self._letters.empty() else await self._letters.get()
        if letter is None:
            raise LinkClosed(_("The other device gave this way up, or left the meeting host."))
        return letter

    async def seen_from(self, local_port: int) -> tuple[str, int]:
        return await self.guest.host.seen_from(local_port)

    def put(self, kind: str, body: bytes) -> None:
        """A letter came."""
        if not self._over and not self._letters.full():
            self._letters.put_nowait((kind, body))

    def end(self) -> None:
        """Nothing more will come."""
        if not self._over:
            self._over = True
            if not self._letters.full():
                self._letters.put_nowait(None)
