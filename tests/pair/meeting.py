"""A joiner and an inviter that meet: devices with keys, and a carrier of frames between the two machines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2psync.core.ids import DeviceId, MandateId
from p2psync.errors import InvalidId, TicketCancelled, TicketError, TicketExpired, TicketRefused, TicketUsed
from p2psync.pair.conversation import Failed, Refuse, Reply
from p2psync.pair.handshake import Admit, Decide, Guessed, Hold, Inviter, Joiner, Output
from p2psync.pair.invitation import Claim, Invitation, Verdict, judge
from p2psync.pair.messages import Refusal
from p2psync.pair.ticket import Ticket, TicketId


class Pc:
    """A device with a key; its certificate is its id behind a word."""

    def __init__(self, seed: int) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.device = DeviceId(self.key.public_key().public_bytes_raw())
        self.certificate = b"certificate of " + self.device


def owner_of(certificate: bytes) -> DeviceId:
    if not certificate.startswith(b"certificate of "):
        raise InvalidId("not the certificate of a device")
    return DeviceId(certificate.removeprefix(b"certificate of "))


ISSUER, CLERK, THIEF = Pc(1), Pc(2), Pc(3)
TICKET = Ticket(MandateId(b"m" * 16), TicketId(b"ticketid"), b"s" * 16, ISSUER.device, 1000)
UNKNOWN = Ticket(MandateId(b"m" * 16), TicketId(b"unknown!"), b"s" * 16, ISSUER.device, 1000)
INVITATION = Invitation(TICKET.id, TICKET.mandate, TICKET.secret, TICKET.expires_s)
BUNDLE = b"name, secret, blocks"
NONCES: Iterator[bytes] = (n.to_bytes(32, "big") for n in itertools.count())

ERRORS: dict[Refusal, type[TicketError]] = {
    Refusal.UNKNOWN: TicketRefused,
    Refusal.USED: TicketUsed,
    Refusal.EXPIRED: TicketExpired,
    Refusal.CANCELLED: TicketCancelled,
    Refusal.TOO_MANY_TRIES: TicketRefused,
    Refusal.MANDATE_GONE: TicketRefused,
    Refusal.DECLINED: TicketRefused,
    Refusal.GUESSED: TicketRefused,
}
"""What a joiner is told each refusal by."""


def claimed(invitation: Invitation, device: DeviceId, claim: Claim) -> Invitation:
    """The record to commit before a device is answered, or when an admin has decided about it."""
    return replace(invitation, claims={**invitation.claims, device: claim})


class Issuer:
    """The inviting device: it keeps its invitations, judges and commits as the daemon would."""

    def __init__(self, *invitations: Invitation, payload: bytes = BUNDLE) -> None:
        self.invitations = {one.ticket: one for one in invitations}
        self.payload = payload
        self.guessed: list[TicketId | None] = []

    def meet(self) -> Inviter:
        return Inviter(ISSUER.device, self.invitations, owner_of, next(NONCES))

    def answer(self, inviter: Inviter, request: Decide, now_s: float) -> list[Output]:
        record = self.invitations[request.ticket]
        match judge(record, request.device, now_s):
            case Verdict.HOLD:
                self.invitations[request.ticket] = claimed(record, request.device, Claim.WAITING)
                return inviter.decide(Hold())
            case Verdict():
                self.invitations[request.ticket] = claimed(record, request.device, Claim.ADMITTED)
                return inviter.decide(Admit(self.payload))
            case reason:
                return inviter.decide(Refuse(reason))


def joiner(pc: Pc = CLERK, ticket: Ticket = TICKET, name: str = "Lohnbüro") -> Joiner:
    return Joiner(ticket, pc.device, pc.certificate, name, next(NONCES), pc.key.sign)


def converse(issuer: Issuer, newcomer: Joiner, inviter: Inviter, now_s: float = 0.0) -> list[Output]:
    """Carry frames to and fro until both are silent; all that the joiner was told to do but to send."""
    results: list[Output] = []
    to_inviter = [o.frame for o in newcomer.start() if isinstance(o, Reply)]
    while to_inviter:
        outputs = inviter.receive(to_inviter.pop(0))
        for request in [o for o in outputs if isinstance(o, Decide)]:
            outputs += issuer.answer(inviter, request, now_s)
        issuer.guessed += [o.ticket for o in outputs if isinstance(o, Guessed)]
        results += give(newcomer, outputs, to_inviter)
    return results


def give(newcomer: Joiner, outputs: list[Output], to_inviter: list[bytes] | None = None) -> list[Output]:
    """Hand the inviter's frames to the joiner."""
    results: list[Output] = []
    for frame in [o.frame for o in outputs if isinstance(o, Reply)]:
        for output in newcomer.receive(frame):
            if isinstance(output, Reply):
                assert to_inviter is not None
                to_inviter.append(output.frame)
            else:
                results.append(output)
    return results


def join(issuer: Issuer, newcomer: Joiner | None = None, now_s: float = 0.0) -> list[Output]:
    return converse(issuer, newcomer or joiner(), issuer.meet(), now_s)


def error_of(results: list[Output]) -> Exception:
    (failed,) = results
    assert isinstance(failed, Failed)
    return failed.error


def frame_of(outputs: list[Output]) -> bytes:
    reply = outputs[0]
    assert isinstance(reply, Reply)
    return reply.frame
