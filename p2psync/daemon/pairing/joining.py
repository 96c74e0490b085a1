"""The joiner's side of pairing: find the device that issued a ticket, prove to hold it, learn what it welcomes to."""

from __future__ import annotations

import time
from secrets import token_bytes

from p2psync.core.value import value
from p2psync.daemon.finding.discovery import Discovery
from p2psync.daemon.finding.places import addresses_among
from p2psync.daemon.finding.wayfinding import Call
from p2psync.daemon.logs import EventLog
from p2psync.daemon.pairing.seeking import Seeking, Sought
from p2psync.engine.admin import Welcome
from p2psync.errors import LinkError, RemoteProtocolError
from p2psync.net.dialer import Address
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.tls import dial_pairing
from p2psync.net.trust import tag_of
from p2psync.pair.conversation import Failed, Reply
from p2psync.pair.handshake import Joined, Joiner, Output, Waiting
from p2psync.pair.messages import NONCE_BYTES
from p2psync.pair.ticket import Ticket, meeting_secret
from p2psync.rendezvous.protocol.address import HostAddress


@value
class Admitted:
    """The inviter let this device in."""

    welcome: Welcome
    address: Address | None
    """Where it was found; None: by way of a meeting host."""


class Quest(Seeking[Admitted]):
    """One attempt to join, by all ways at once."""

    def __init__(
        self,
        ticket: Ticket,
        name: str,
        identity: Identity,
        discovery: Discovery,
        log: EventLog,
        hosts: tuple[HostAddress, ...] = (),
    ) -> None:
        """`name`: what this device calls itself, for the members. `hosts`: where the inviter may be met."""
        addresses = addresses_among(ticket.addresses)
        sought = Sought(ticket.id, meeting_secret(ticket.secret), ticket.inviter, addresses, hosts)
        super().__init__(sought, discovery, log)
        self._ticket = ticket
        self._name = name
        self._identity = identity

    async def attempt(self, address: Address, nonce: bytes | None) -> Admitted:
        tag = tag_of(self._sought.secret, nonce, time.time())
        inviter, proxies = self._ticket.inviter, self._discovery.proxies
        return await self._pair(await dial_pairing(*address, tag, inviter, proxies=proxies), address)

    async def attempt_by(self, call: Call) -> Admitted:
        return await self._pair(await call(), None)

    async def _pair(self, link: Link, address: Address | None) -> Admitted:
        try:
            return Admitted(await self._talk(link), address)
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
