"""The inviter's side of spoken codes: who comes with the words is given the ticket, wrong words end the code.

Whoever tries all numbers finds the door of a code, and sees there a certificate that was made for this code alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from secrets import token_bytes

from p2psync.core.ids import DeviceId, MandateId
from p2psync.daemon.logs import EventLog
from p2psync.daemon.pairing.inviting import HANDSHAKE_S, Door, can_admit, cancel_ticket, expected, source_of
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError, UsageError
from p2psync.net.identity import fresh_key
from p2psync.net.link import Link
from p2psync.pair.code import door_of, meeting_secret
from p2psync.pair.conversation import Failed, Refuse, Reply
from p2psync.pair.exchange import Giver, Hand, Proved, State, Step
from p2psync.pair.guesses import Guesses
from p2psync.pair.invitation import Invitation
from p2psync.pair.messages import Refusal
from p2psync.pair.ticket import Ticket, TicketId
from p2psync.store.records import Records, SpokenCode

DOORS_MAX = 16
"""Codes that somebody can come with at a time, used and ended ones among them."""
DOOR_STAYS_S = 3600
"""How long after its end a code is still answered, by why it fails."""


class CodeInviting:
    """Answers those who come by a code's number. For the event loop, but where it is said."""

    def __init__(
        self,
        device: DeviceId,
        runtime: Runtime,
        records: Records,
        tasks: Tasks,
        ticket_of: Callable[[Invitation], Ticket],
        log: EventLog,
    ) -> None:
        """`ticket_of` says where this device is to be found."""
        self._device = device
        self._runtime = runtime
        self._records = records
        self._tasks = tasks
        self._ticket_of = ticket_of
        self._log = log
        self._guesses = Guesses()
        self._keys: dict[bytes, tuple[bytes, DeviceId, bytes]] = {}
        """By door: the key of the certificate that is shown there. A new one after each start does as well."""

    def doors(self, now_s: float, shared: Container[MandateId]) -> list[Door]:
        """Of codes to the mandates that are shared. For the engine's thread."""
        invitations, codes = self._records.invitations(), self._records.codes()
        with_code = [i for i in invitations.values() if i.ticket in codes]
        recent = expected(with_code, now_s - DOOR_STAYS_S, shared)[:DOORS_MAX]
        return [Door(door_of(i.ticket), meeting_secret(codes[i.ticket].code.number), i.mandate) for i in recent]

    def keys(self, doors: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """By id of a door: the private key whose certificate is shown there. For the engine's thread."""
        self._keys = {door: self._keys.get(door) or fresh_key() for door in doors}
        return {door: key for door, (key, _device, _certificate) in self._keys.items()}

    def on_link(self, link: Link, ticket: TicketId) -> None:
        """Somebody came by the number of the code that stands for this ticket."""
        self._tasks.start(self._serve(link, ticket), f"code from {link.address}")

    # -- one link --------------------------------------------------------------------------------------

    async def _serve(self, link: Link, ticket: TicketId) -> None:
        try:
            giver = await self._greet(link, ticket)
            while giver.state is not State.CLOSED:
                async with asyncio.timeout(HANDSHAKE_S):
                    frame = await link.receive()
                await self._answer(link, ticket, giver, giver.receive(frame))
        except (P2PSyncError, TimeoutError) as error:
            self._log.event("code.ended", address=link.address, reason=str(error) or "silence")
        finally:
            await link.close()

    async def _greet(self, link: Link, ticket: TicketId) -> Giver:
        """Before the first word: whether the code is still good for anything."""
        spoken, closed = await self._runtime.query(lambda _, now: self._look_up(ticket, now))
        key = self._keys.get(door_of(ticket))
        if key is None:
            raise UsageError("There is no such open invitation. See: p2psync invites MANDATE")
        _private, shown, _certificate = key
        giver = Giver(spoken.code, self._device, shown, token_bytes)
        if closed is None and self._guesses.wait_s(source_of(link.address), self._now_s()) > 0:
            closed = Refusal.TOO_MANY_TRIES
        if closed is not None:
            await self._answer(link, ticket, giver, giver.decide(Refuse(closed)))
        return giver

    async def _answer(self, link: Link, ticket: TicketId, giver: Giver, outputs: Sequence[Step]) -> None:
        """Perform what the machine asks for, and what follows from that."""
        for output in outputs:
            match output:
                case Reply(frame):
                    await link.send(frame)
                case Proved(right):
                    decision = await self._runtime.call(lambda engine, now: self._judge(engine, now, ticket, right))
                    self._log.event("code.tried", address=link.address, ticket=ticket, right=right)
                    if not right:
                        self._guesses.wrong(source_of(link.address), None, self._now_s())
                    hand = Hand(self._ticket_of(decision)) if isinstance(decision, Invitation) else decision
                    await self._answer(link, ticket, giver, giver.decide(hand))
                case Failed(error):
                    self._log.event("code.failed", address=link.address, reason=error)
                case _:
                    pass

    # -- in the engine's thread ------------------------------------------------------------------------

    def _judge(self, engine: Device, now: Now, ticket: TicketId, right: bool) -> Invitation | Refuse:
        """Whoever came first with wrong words ended the code, for those too who were under way by then."""
        _spoken, closed = self._look_up(ticket, now)
        if closed is not None:
            return Refuse(closed)
        if not right:
            self._records.end_code(ticket)
            with contextlib.suppress(UsageError):
                cancel_ticket(engine, self._records, ticket)
            return Refuse(Refusal.UNKNOWN)
        invitation = self._records.invitations()[ticket]
        if not can_admit(engine, invitation.mandate, ticket):
            return Refuse(Refusal.MANDATE_GONE)
        return invitation

    def _look_up(self, ticket: TicketId, now: Now) -> tuple[SpokenCode, Refusal | None]:
        """The code, and why it is good for nothing any more. Raises UsageError if it was forgotten meanwhile."""
        spoken, invitation = self._records.codes().get(ticket), self._records.invitations().get(ticket)
        if spoken is None or invitation is None:
            raise UsageError("There is no such open invitation. See: p2psync invites MANDATE")
        if spoken.guessed:
            return spoken, Refusal.GUESSED
        if invitation.uses_left == 0:
            return spoken, Refusal.USED
        if invitation.cancelled:
            return spoken, Refusal.CANCELLED
        return spoken, Refusal.EXPIRED if now.wall_ms >= invitation.expires_s * 1000 else None

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
