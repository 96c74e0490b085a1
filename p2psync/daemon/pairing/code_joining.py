"""The joiner's side of spoken codes: find who announces the number, and be given the ticket for the words."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from secrets import token_bytes

from p2psync.daemon.finding.discovery import Discovery
from p2psync.daemon.finding.wayfinding import Call
from p2psync.daemon.logs import EventLog
from p2psync.daemon.pairing.inviting import HANDSHAKE_S
from p2psync.daemon.pairing.seeking import Seeking, Sought, StillWaiting
from p2psync.errors import LinkError, P2PSyncError, TicketError, TicketRefused
from p2psync.net.dialer import Address
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.tls import dial_pairing
from p2psync.net.trust import nonce_tag
from p2psync.pair.code import Code, meeting_secret
from p2psync.pair.conversation import Failed, Reply
from p2psync.pair.exchange import Answered, Given, Step, Taker
from p2psync.pair.ticket import Ticket
from p2psync.rendezvous.protocol.address import HostAddress

REMEMBERED_MAX = 64


class CodeJoining:
    """What became of the codes that were typed here, as long as the process lives. For the event loop."""

    def __init__(self, identity: Identity, discovery: Discovery, log: EventLog) -> None:
        self._identity = identity
        self._discovery = discovery
        self._log = log
        self._tried: OrderedDict[Code, Ticket | None] = OrderedDict()
        """The ticket that was given for a code, so that the same command can go on; None if there was none."""

    async def ticket_for(
        self, code: Code, timeout_s: float, hosts: tuple[HostAddress, ...] = ()
    ) -> Ticket | StillWaiting:
        """What the code stands for; the inviter is looked for at these meeting hosts too.

        Raises TicketError if it is good for nothing, and says why.
        """
        if code in self._tried:
            return self._known(code)
        return await _Exchange(code, self, self._identity, self._discovery, self._log, hosts).run(timeout_s)

    def spend(self, code: Code) -> bool:
        """From now on, this code was tried; False if it was before."""
        if code in self._tried:
            return False
        self._tried[code] = None
        if len(self._tried) > REMEMBERED_MAX:
            self._tried.popitem(last=False)
        return True

    def given(self, code: Code, ticket: Ticket) -> None:
        """It was good."""
        self._tried[code] = ticket

    def _known(self, code: Code) -> Ticket:
        ticket = self._tried[code]
        if ticket is None:
            raise TicketRefused("This code was tried here before, and each works once. Ask for a new one.")
        return ticket


class _Exchange(Seeking[Ticket]):
    """One attempt with one code: whoever answers first to its number is tried, and nobody else."""

    def __init__(
        self,
        code: Code,
        codes: CodeJoining,
        identity: Identity,
        discovery: Discovery,
        log: EventLog,
        hosts: tuple[HostAddress, ...] = (),
    ) -> None:
        sought = Sought(b"code " + token_bytes(8), meeting_secret(code.number), hosts=hosts)
        super().__init__(sought, discovery, log)
        self._code = code
        self._codes = codes
        self._identity = identity

    async def attempt(self, address: Address, nonce: bytes | None) -> Ticket:
        assert nonce is not None, "a code knows no addresses"
        tag = nonce_tag(self._sought.secret, nonce)
        return await self._exchange(await dial_pairing(*address, tag, None))

    async def attempt_by(self, call: Call) -> Ticket:
        return await self._exchange(await call())

    async def _exchange(self, link: Link) -> Ticket:
        try:
            return await self._talk(link)
        finally:
            await link.close()

    async def _talk(self, link: Link) -> Ticket:
        """Raises TicketError if this was the try, another P2PSyncError if somebody else may be meant."""
        taker = Taker(self._code, self._identity.device, link.remote, token_bytes)
        answer = await _say(link, taker, taker.start())
        if isinstance(answer, Failed):
            raise answer.error
        assert isinstance(answer, Answered)
        if not self._codes.spend(self._code):
            raise LinkError("Somebody else who answers to this number is being tried.")
        self._log.event("code.proved", address=link.address)
        try:
            last = await _say(link, taker, taker.confirm())
        except P2PSyncError:
            raise TicketRefused(
                "The connection broke while the code was checked, which can be done once only. Ask for a new one."
            ) from None
        if isinstance(last, Failed):
            raise last.error if isinstance(last.error, TicketError) else _somebody_else()
        assert isinstance(last, Given)
        self._codes.given(self._code, last.ticket)
        return last.ticket


async def _say(link: Link, taker: Taker, words: list[Step]) -> Step:
    """What follows from the answer to this. Raises LinkError if there is none."""
    for one in words:
        if isinstance(one, Reply):
            await link.send(one.frame)
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            (step,) = taker.receive(await link.receive())
    except TimeoutError:
        raise LinkError("The inviting device does not answer.") from None
    return step


def _somebody_else() -> TicketRefused:
    return TicketRefused(
        "Who answers to this number was not told the words: somebody may take the part of the inviting device. "
        "Ask for a new code."
    )
