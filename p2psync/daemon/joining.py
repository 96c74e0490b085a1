"""The joiner's side of pairing: find the device that issued a ticket, prove to hold it, learn what it welcomes to."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from secrets import token_bytes

from p2psync.daemon.discovery import Discovery
from p2psync.daemon.logs import EventLog
from p2psync.engine.admin import Welcome
from p2psync.errors import LinkError, P2PSyncError, RemoteProtocolError, TicketError
from p2psync.i18n import said
from p2psync.net.dialer import Address, Sighting
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.tls import dial_pairing
from p2psync.net.trust import nonce_tag, period_tag
from p2psync.pair.handshake import Failed, Joined, Joiner, Output, Reply, Waiting
from p2psync.pair.messages import NONCE_BYTES
from p2psync.pair.ticket import Ticket, meeting_secret

RETRY_MIN_S = 0.5
RETRY_MAX_S = 8.0
ADDRESSES_TRIED_MAX = 64
"""Of those that are announced: somebody may repeat the inviter's announcement with addresses of his own."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The inviter let this device in."""

    welcome: Welcome
    address: Address
    """Where it was found."""


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """The time is over, and the same ticket may be tried again."""

    approval: bool
    """True if the inviter was found and an admin has to approve; else it was not found, or refused to talk."""
    reason: str
    """What went wrong last; may be empty."""


class Quest:
    """One attempt to join, by all ways at once."""

    def __init__(self, ticket: Ticket, name: str, identity: Identity, discovery: Discovery, log: EventLog) -> None:
        """`name`: what this device calls itself, for the members."""
        self._ticket = ticket
        self._name = name
        self._identity = identity
        self._discovery = discovery
        self._log = log
        self._secret = meeting_secret(ticket.secret)
        self._held = False
        self._reason = ""

    async def run(self, timeout_s: float) -> Admitted | StillWaiting:
        """Raises TicketError when the inviter refuses, and says why."""
        sightings: asyncio.Queue[Sighting] = asyncio.Queue()
        self._discovery.seek(self._ticket.id, self._secret, sightings.put_nowait)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._first(sightings)
        except TimeoutError:
            return StillWaiting(self._held, self._reason)
        finally:
            self._discovery.stop_seeking(self._ticket.id)

    async def _first(self, sightings: asyncio.Queue[Sighting]) -> Admitted:
        """The first answer that is final, of all addresses in parallel."""
        answer: asyncio.Future[Admitted | TicketError] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._try_often(parse_address(text), None, answer)) for text in self._ticket.addresses
            ]
            try:
                known: set[tuple[Address, bytes]] = set()
                tasks.append(group.create_task(self._follow(group, sightings, known, tasks, answer)))
                outcome = await answer
            finally:
                for task in tasks:
                    task.cancel()
        if isinstance(outcome, TicketError):
            raise outcome
        return outcome

    async def _follow(
        self,
        group: asyncio.TaskGroup,
        sightings: asyncio.Queue[Sighting],
        known: set[tuple[Address, bytes]],
        tasks: list[asyncio.Task[None]],
        answer: asyncio.Future[Admitted | TicketError],
    ) -> None:
        """Try what is seen by mDNS."""
        while True:
            sighting = await sightings.get()
            for address in sighting.addresses:
                if (address, sighting.nonce) not in known and len(known) < ADDRESSES_TRIED_MAX:
                    known.add((address, sighting.nonce))
                    tasks.append(group.create_task(self._try_often(address, sighting.nonce, answer)))

    async def _try_often(
        self, address: Address, nonce: bytes | None, answer: asyncio.Future[Admitted | TicketError]
    ) -> None:
        rest_s = RETRY_MIN_S
        while not answer.done():
            try:
                welcome = await self._try(address, nonce)
            except TicketError as error:
                if not answer.done():
                    answer.set_result(error)
            except (P2PSyncError, OSError) as error:
                self._reason = said(error) if isinstance(error, P2PSyncError) else str(error)
                self._log.event("join.failed", address=f"{address.host}:{address.port}", reason=error)
                await asyncio.sleep(rest_s)
                rest_s = min(2 * rest_s, RETRY_MAX_S)
            else:
                if not answer.done():
                    answer.set_result(Admitted(welcome, address))

    async def _try(self, address: Address, nonce: bytes | None) -> Welcome:
        tag = period_tag(self._secret, time.time()) if nonce is None else nonce_tag(self._secret, nonce)
        link = await dial_pairing(address.host, address.port, tag, self._ticket.inviter)
        try:
            return await self._talk(link)
        finally:
            await link.close()

    async def _talk(self, link: Link) -> Welcome:
        """Raises TicketError if the inviter refuses, another P2PSyncError if it may be tried again."""
        identity = self._identity
        nonce = token_bytes(NONCE_BYTES)
        joiner = Joiner(self._ticket, identity.device, identity.certificate, self._name, nonce, identity.sign)
        outputs: list[Output] = joiner.start()
        while True:
            for output in outputs:
                match output:
                    case Reply(frame):
                        await link.send(frame)
                    case Waiting():
                        self._held = True
                        self._log.event("join.held", address=link.address)
                    case Failed(error):
                        raise error
                    case Joined(payload):
                        return self._welcome(payload)
                    case _:
                        raise LinkError("The pairing went astray; it is tried again.")
            outputs = joiner.receive(await link.receive())

    def _welcome(self, payload: bytes) -> Welcome:
        welcome = Welcome.unpack(payload)
        if welcome.mandate != self._ticket.mandate or self._ticket.inviter not in dict(welcome.members):
            raise RemoteProtocolError("The inviting device welcomes to another mandate than its ticket.")
        return welcome


def parse_address(text: str) -> Address:
    """A ticket's `host:port`."""
    host, _, port = text.rpartition(":")
    return Address(host.strip("[]"), int(port))
