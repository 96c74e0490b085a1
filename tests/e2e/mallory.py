"""A member that keeps to no rule: it was admitted like anybody, and says whatever a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from p2psync.core.block import Block, sign_block, verify_ed25519
from p2psync.core.change import Change
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import ContentId, content_of
from p2psync.core.relpath import RelPath
from p2psync.engine.admin import Welcome
from p2psync.engine.device import Device
from p2psync.engine.effects import Send
from p2psync.engine.events import LinkDown, LinkUp, Received
from p2psync.engine.ledger import Keys, Ledger
from p2psync.engine.scope import Now
from p2psync.errors import LinkError, P2PSyncError
from p2psync.net.identity import Identity
from p2psync.net.link import FramedLink, Link
from p2psync.net.tls import dial, dial_pairing
from p2psync.net.trust import Trust, period_tag
from p2psync.pair.conversation import Failed, Reply
from p2psync.pair.handshake import Joined, Joiner
from p2psync.pair.messages import NONCE_BYTES
from p2psync.pair.ticket import Ticket, meeting_secret
from p2psync.sim.state import MemoryDeviceState, MemoryMandateState
from p2psync.wire.codec import decode, encode
from p2psync.wire.messages import Close, Hello, IndexUpdate, Message

LINK = 1
PATIENCE_S = 60.0
"""Met only where something is broken."""


class Mallory:
    """Made by `admitted`; connected within its `async with` block."""

    def __init__(self, identity: Identity, welcome: Welcome, port: int) -> None:
        self.identity = identity
        self.mandate = welcome.mandate
        self._port = port
        self._secret = max(welcome.secrets)[1]
        self._trust = Trust((self._secret,), dict(welcome.members))
        self._state = MemoryDeviceState()
        keys = Keys(identity.device, identity.sign, verify_ed25519)
        self._device = Device(keys, self._state, Random(identity.device), "mallory", "p2psync")
        self._device.join(welcome)
        self._link: Link
        self.said: list[Message] = []
        """What the other side said, but for what made this device a member that knows the log."""

    @classmethod
    async def admitted(cls, home: Path, ticket: Ticket) -> Mallory:
        """Join with a ticket of a PC on this machine."""
        identity = Identity.load_or_create(home)
        host, _, port = ticket.addresses[0].rpartition(":")
        link = await dial_pairing(
            host, int(port), period_tag(meeting_secret(ticket.secret), time.time()), ticket.inviter
        )
        answer = await talk(link, joiner(ticket, identity))
        assert isinstance(answer, Joined), answer
        return cls(identity, Welcome.unpack(answer.payload), int(port))

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(PATIENCE_S):
            await self._take_in(Received(LINK, decode(await self._let_in())))
            while not self._knows_the_log():
                await self._take_in(Received(LINK, decode(await self._link.receive())))
        return self

    async def _let_in(self) -> bytes:
        """The door may open a moment after the admission, and others may be pushing: it is tried again."""
        while True:
            with contextlib.suppress(LinkError):
                self._link = await self.call()
                try:
                    await self._take_in(LinkUp(LINK, self._link.remote, True, "lan"))
                    return await self._link.receive()
                except LinkError:
                    await self._take_in(LinkDown(LINK, "refused"))
                    await self._link.close()
            await asyncio.sleep(0.05)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.close()

    async def call(self) -> Link:
        """A fresh link, on which nothing was said."""
        tag = period_tag(self._secret, time.time())
        return await dial("127.0.0.1", self._port, tag, self._trust, self.identity)

    def _knows_the_log(self) -> bool:
        peer = self._device.mandates[self.mandate].peers.get(LINK)
        return peer is not None and peer.has_caught_us_up() and self.ledger.authority.is_founded

    async def _take_in(self, event: LinkUp | LinkDown | Received) -> None:
        for effect in self._device.handle(event, now()):
            if isinstance(effect, Send):
                await self._link.send(encode(effect.message))

    # -- what it makes -------------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        return self._device.mandates[self.mandate].ledger

    @property
    def log(self) -> MemoryMandateState:
        """The rows of the mandate as this device knows them."""
        return self._state.mandate(self.mandate)

    def hello(self) -> Hello:
        return Hello(1, "mallory", "p2psync", os.urandom(16), time.time(), (self.mandate,))

    def blocks(self, changes: Sequence[Change], file_class: str = "") -> list[bytes]:
        """These changes as an honest member would write them into its log."""
        taken = self.ledger.append(changes, file_class, now().wall_ms)
        return list(self.log.raw_blocks([one.row.intake for one in taken]))

    def update(self, changes: Sequence[Change]) -> IndexUpdate:
        return IndexUpdate(self.mandate, tuple(self.blocks(changes)))

    def signed(self, block: Block) -> bytes:
        """Any block, with this device's signature."""
        return sign_block(self.mandate, block, self.identity.sign).raw

    # -- what it does --------------------------------------------------------------------------------------------------

    async def say(self, *messages: Message | bytes) -> None:
        for message in messages:
            await self._link.send(message if isinstance(message, bytes) else encode(message))

    async def write(self, data: bytes) -> None:
        """Bytes that need be no frames."""
        assert isinstance(self._link, FramedLink)
        self._link._carrier.write(data)

    async def hear(self, kind: type[Message]) -> Message:
        """The next message of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.said.append(decode(await self._link.receive()))
                if isinstance(self.said[-1], kind):
                    return self.said[-1]

    async def until_lost(self) -> str:
        """Read until the link is gone; returns what the other side gave as its reason, if anything."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    self.said.append(decode(await self._link.receive()))
                except P2PSyncError:
                    return next((m.reason for m in reversed(self.said) if isinstance(m, Close)), "")

    async def go_on(self, frames: Iterable[Message | bytes]) -> str:
        """Say all this, or as much as it can until it loses its link; returns what it is told at the end."""
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(self._say_all(frames))
            return await self.until_lost()

    async def _say_all(self, frames: Iterable[Message | bytes]) -> None:
        with contextlib.suppress(P2PSyncError):
            for frame in frames:
                await self.say(frame)
                await asyncio.sleep(0)


def now() -> Now:
    return Now(time.monotonic(), time.time_ns() // 1_000_000)


ORDINARY = b"by mallory"
"""What its files hold if a test does not care."""


def a_file(path: str, data: bytes = ORDINARY, size: int | None = None) -> Change:
    """A new file; the size may be a lie."""
    entry = Entry(Kind.FILE, len(data) if size is None else size, 1, 0, content_of(data))
    return Change(RelPath(path), entry, ())


def nowhere() -> ContentId:
    """A content that nobody has."""
    return ContentId(os.urandom(32))


def joiner(ticket: Ticket, identity: Identity) -> Joiner:
    return Joiner(ticket, identity.device, identity.certificate, "guesser", os.urandom(NONCE_BYTES), identity.sign)


async def talk(link: Link, machine: Joiner) -> Joined | Failed:
    """Go through a pairing; returns how it ended. Closes the link."""
    try:
        outputs = list(machine.start())
        while True:
            for output in outputs:
                if isinstance(output, Reply):
                    await link.send(output.frame)
                elif isinstance(output, Joined | Failed):
                    return output
            outputs = list(machine.receive(await link.receive()))
    finally:
        await link.close()
