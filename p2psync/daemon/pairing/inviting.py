"""The inviter's side of pairing: newcomers' links, wrong guesses, approvals, and what is committed before an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import field
from secrets import token_bytes

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import value
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.admin import Newcomer
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError, UsageError
from p2psync.net.identity import device_of_certificate
from p2psync.net.link import Link
from p2psync.pair.conversation import Failed, Finished, Refuse, Reply
from p2psync.pair.guesses import Guesses
from p2psync.pair.handshake import Admit, Decide, Decision, Guessed, Hold, Inviter, Output, State
from p2psync.pair.invitation import Claim, Invitation, Verdict, judge
from p2psync.pair.messages import NONCE_BYTES, Refusal
from p2psync.pair.ticket import TicketId, meeting_secret
from p2psync.store.records import Records, WaitingNewcomer

HANDSHAKE_S = 30.0
"""How long a newcomer may take for its next word."""
DOORS_MAX = 64
"""Tickets that a newcomer can come with at a time, used and cancelled ones among them: those hear why they fail."""
DOOR_STAYS_S = 7 * 24 * 3600
"""How long after its end a ticket is still answered."""
HOLD_S = 600.0
"""How long a newcomer that waits for approval is held on its link; it comes back by itself."""


@value
class Door:
    """By which somebody may come who is no member yet."""

    id: bytes
    """The ticket's, or what stands for the code's."""
    secret: bytes = field(repr=False)
    """By which inviter and joiner meet there."""
    mandate: MandateId


class Inviting:
    """Answers newcomers. All methods are for the event loop."""

    def __init__(self, device: DeviceId, runtime: Runtime, records: Records, tasks: Tasks, log: EventLog) -> None:
        self._device = device
        self._runtime = runtime
        self._records = records
        self._tasks = tasks
        self._log = log
        self._guesses = Guesses()
        self._held: dict[tuple[MandateId, DeviceId], asyncio.Future[Decision]] = {}

    def doors(self, now_s: float, shared: Container[MandateId]) -> list[Door]:
        """Of tickets to the mandates that are shared. For the engine's thread."""
        recent = expected(self._records.invitations().values(), now_s - DOOR_STAYS_S, shared)
        return [Door(i.ticket, meeting_secret(i.secret), i.mandate) for i in recent[:DOORS_MAX]]

    def on_link(self, link: Link, ticket: bytes) -> None:
        """A newcomer's link; `ticket` is the id by whose tag it came."""
        self._tasks.start(self._serve(link), f"pairing with {link.address}")

    async def approve(self, mandate: MandateId, device: DeviceId) -> None:
        """Admit a newcomer that waits. Raises UsageError if it does not."""
        decision = await self._runtime.call(lambda engine, now: self._approve(engine, now, mandate, device))
        self._log.event("newcomer.approved", mandate=mandate, device=device)
        self._tell(mandate, device, decision)

    async def decline(self, mandate: MandateId, device: DeviceId) -> None:
        """Turn away a newcomer that waits; its ticket stays used. Raises UsageError if it does not wait."""
        await self._runtime.call(lambda engine, now: self._decline(now, mandate, device))
        self._log.event("newcomer.declined", mandate=mandate, device=device)
        self._tell(mandate, device, Refuse(Refusal.DECLINED))

    def _tell(self, mandate: MandateId, device: DeviceId, decision: Decision) -> None:
        held = self._held.get((mandate, device))
        if held is not None and not held.done():
            held.set_result(decision)

    # -- one link --------------------------------------------------------------------------------------

    async def _serve(self, link: Link) -> None:
        source = source_of(link.address)
        try:
            invitations = await self._runtime.query(lambda *_: self._records.invitations())
            inviter = Inviter(self._device, invitations, device_of_certificate, token_bytes(NONCE_BYTES))
            outputs: Sequence[Output] = ()
            if self._guesses.wait_s(source, self._now_s()) > 0:
                outputs = inviter.decide(Refuse(Refusal.TOO_MANY_TRIES))
            await self._answer(link, source, inviter, outputs)
            while inviter.state is not State.CLOSED:
                async with asyncio.timeout(HANDSHAKE_S):
                    frame = await link.receive()
                await self._answer(link, source, inviter, inviter.receive(frame))
        except (P2PSyncError, TimeoutError) as error:
            self._log.event("pairing.ended", address=link.address, reason=str(error) or "silence")
        finally:
            await link.close()

    async def _answer(self, link: Link, source: str, inviter: Inviter, outputs: Sequence[Output]) -> None:
        """Perform what the machine asks for, and what follows from that."""
        waiting = list(outputs)
        while waiting:
            output = waiting.pop(0)
            match output:
                case Reply(frame):
                    await link.send(frame)
                case Guessed(ticket):
                    await self._count_guess(source, ticket)
                case Decide():
                    decision = await self._decide(output)
                    waiting += inviter.decide(decision)
                    if isinstance(decision, Hold):
                        await self._answer(link, source, inviter, waiting)
                        waiting = inviter.decide(await self._hold(output))
                case Failed(error):
                    self._log.event("pairing.failed", address=link.address, reason=error)
                case Finished():
                    self._log.event("pairing.finished", address=link.address)
                case _:
                    pass

    async def _hold(self, decide: Decide) -> Decision:
        """Wait for an admin. Raises TimeoutError when that takes too long for one link."""
        key = decide.mandate, decide.device
        held: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._held[key] = held
        self._log.event("newcomer.waits", mandate=decide.mandate, device=decide.device, name=decide.name)
        try:
            async with asyncio.timeout(HOLD_S):
                return await held
        finally:
            if self._held.get(key) is held:
                del self._held[key]

    async def _count_guess(self, source: str, ticket: TicketId | None) -> None:
        self._log.event("pairing.wrong_proof", address=source)
        if self._guesses.wrong(source, ticket, self._now_s()) and ticket is not None:
            self._log.event("ticket.cancelled", ticket=ticket, reason="too many wrong proofs")
            with contextlib.suppress(UsageError):
                await self._runtime.call(lambda engine, _: cancel_ticket(engine, self._records, ticket))

    # -- in the engine's thread ------------------------------------------------------------------------

    async def _decide(self, decide: Decide) -> Decision:
        decision = await self._runtime.call(lambda engine, now: self._judge(engine, now, decide))
        self._log.event(
            "pairing.decided", mandate=decide.mandate, device=decide.device, decision=type(decision).__name__
        )
        return decision

    def _judge(self, engine: Device, now: Now, decide: Decide) -> Decision:
        invitation = self._records.invitations().get(decide.ticket)
        if invitation is None:
            return Refuse(Refusal.UNKNOWN)
        verdict = judge(invitation, decide.device, now.wall_ms / 1000)
        if isinstance(verdict, Refusal):
            return Refuse(verdict)
        if not can_admit(engine, decide.mandate, decide.ticket):
            return Refuse(Refusal.MANDATE_GONE)
        newcomer = Newcomer(decide.device, decide.certificate, decide.name, decide.ticket)
        if verdict is Verdict.HOLD:
            self._records.hold_newcomer(WaitingNewcomer(decide.mandate, newcomer, now.wall_ms))
            self._records.put_claim(decide.ticket, decide.device, Claim.WAITING, now.wall_ms)
            return Hold()
        authority = engine.mandates[decide.mandate].authority
        if verdict is Verdict.ADMIT_AGAIN and decide.device in authority.former:
            return Refuse(Refusal.USED if decide.device in authority.left else Refusal.DECLINED)
        return self._admit(engine, now, decide.mandate, newcomer)

    def _approve(self, engine: Device, now: Now, mandate: MandateId, device: DeviceId) -> Decision:
        return self._admit(engine, now, mandate, self._waiting(mandate, device))

    def _decline(self, now: Now, mandate: MandateId, device: DeviceId) -> None:
        newcomer = self._waiting(mandate, device)
        self._records.put_claim(TicketId(newcomer.ticket), device, Claim.DECLINED, now.wall_ms)
        self._records.drop_newcomer(mandate, device)

    def _waiting(self, mandate: MandateId, device: DeviceId) -> Newcomer:
        for waiting in self._records.newcomers(mandate):
            if waiting.newcomer.device == device:
                return waiting.newcomer
        raise UsageError("This device does not wait for an approval. See: p2psync devices MANDATE")

    def _admit(self, engine: Device, now: Now, mandate: MandateId, newcomer: Newcomer) -> Decision:
        """Make it a member, and the ticket used, in one transaction."""
        welcome = engine.admin(mandate).admit(newcomer)
        self._records.put_claim(TicketId(newcomer.ticket), newcomer.device, Claim.ADMITTED, now.wall_ms)
        self._records.drop_newcomer(mandate, newcomer.device)
        return Admit(welcome.pack())

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def expected(invitations: Iterable[Invitation], since_s: float, shared: Container[MandateId]) -> list[Invitation]:
    """Those that did not end before, and whose mandate is shared: first those that are good for something."""
    recent = [i for i in invitations if i.expires_s > since_s and i.mandate in shared]
    return sorted(recent, key=lambda i: (i.cancelled or i.uses_left == 0, -i.expires_s))


def cancel_ticket(engine: Device, records: Records, ticket: TicketId) -> None:
    """Let nobody join with it any more. Raises UsageError if there is no such open ticket here."""
    invitation = records.invitations().get(ticket)
    if invitation is None:
        raise UsageError("There is no such open invitation. See: p2psync invites MANDATE")
    if invitation.mandate in engine.mandates:
        engine.admin(invitation.mandate).cancel(ticket)
    records.cancel_invitation(ticket)


def can_admit(engine: Device, mandate: MandateId, ticket: bytes) -> bool:
    """Whether this device may still let in who comes with the ticket."""
    known = engine.mandates.get(mandate)
    return known is not None and known.authority.is_admin(engine.keys.device) and ticket in known.authority.issued


def source_of(address: str) -> str:
    """The source that a link's address names."""
    return address.rpartition(":")[0].strip("[]")
