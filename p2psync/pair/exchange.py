"""Two machines that exchange a spoken code for the ticket it stands for, over a link whose far end nobody knows yet.

::

    joiner                                inviter
    Share(element)                    ->
                                      <-  Refused(reason)       the code has expired, was used, cancelled, or guessed at
                                      <-  Share(element)
    Confirm(hidden id, mac)           ->
                                      <-  Refused(UNKNOWN)      the words are wrong: the code is worthless from now on
                                      <-  Handover(ticket, mac)

The two elements are SPAKE2's: from them both sides get the same key if they were told the same words, and an onlooker
nothing. Each side proves the key by an HMAC over both device ids, both elements, and the key of the certificate that
the link shows, so that somebody in between, who has to show a certificate of his own, is noticed.

**A guess can be tried once.** The inviter says nothing that depends on the words before the joiner has proved them;
whether a proof is right is decided in one transaction with what follows, and a wrong one ends the code, also for those
who are under way. The joiner, who proves first, thereby gives whoever answers one guess too: it proves to one only,
and does not come again with the same code.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum
from typing import Any

from p2psync.core.ids import DEVICE_ID_BYTES, DeviceId
from p2psync.core.value import value
from p2psync.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    TicketCancelled,
    TicketError,
    TicketExpired,
    TicketMalformed,
    TicketRefused,
    TicketUsed,
)
from p2psync.pair.code import Code
from p2psync.pair.conversation import Begin, Failed, Finished, Refuse, Reply, done, heard
from p2psync.pair.messages import Confirm, Handover, Message, Refusal, Refused, Share, decode, encode
from p2psync.pair.ticket import Ticket
from p2psync.pair.ticket import encode as encode_ticket
from p2psync.pair.ticket import parse as parse_ticket

Draw = Callable[[int], bytes]
"""So many random bytes that nobody can foresee."""

JOINER_SIDE = b"p2psync code 1 joiner"
INVITER_SIDE = b"p2psync code 1 inviter"
JOINER = b"p2psync code 1 joiner's proof\0"
INVITER = b"p2psync code 1 inviter's proof\0"
HIDING = b"p2psync code 1 hidden id\0"


@value
class Proved:
    """To the inviter: somebody came with words. Judge, commit, then call `decide`."""

    right: bool
    """False: the code is to be ended."""
    device: DeviceId | None
    """Who it is; None if the words are wrong."""


@value
class Answered:
    """To the joiner: the inviter, or somebody who takes its part, is there. `confirm` spends the one try."""


@value
class Given:
    """To the joiner: both sides were told the same words. Close the link."""

    ticket: Ticket = field(repr=False)


@value
class Hand:
    """What the inviter may decide, beside `Refuse`."""

    ticket: Ticket = field(repr=False)


Step = Reply | Finished | Failed | Proved | Answered | Given


class State(Enum):
    START = "start"
    EXPECT_SHARE = "expect share"
    EXPECT_CONFIRM = "expect confirm"
    DECIDING = "deciding"
    ANSWERED = "answered"
    EXPECT_HANDOVER = "expect handover"
    CLOSED = "closed"


class Prove:
    """The joiner's own second step."""


GIVER: Mapping[tuple[State, type], State] = {
    (State.EXPECT_SHARE, Share): State.EXPECT_CONFIRM,
    (State.EXPECT_SHARE, Refuse): State.CLOSED,
    (State.EXPECT_CONFIRM, Confirm): State.DECIDING,
    (State.DECIDING, Hand): State.CLOSED,
    (State.DECIDING, Refuse): State.CLOSED,
}
TAKER: Mapping[tuple[State, type], State] = {
    (State.START, Begin): State.EXPECT_SHARE,
    (State.EXPECT_SHARE, Share): State.ANSWERED,
    (State.EXPECT_SHARE, Refused): State.CLOSED,
    (State.ANSWERED, Prove): State.EXPECT_HANDOVER,
    (State.EXPECT_HANDOVER, Handover): State.CLOSED,
    (State.EXPECT_HANDOVER, Refused): State.CLOSED,
}


class Giver:
    """The inviter's side of one exchange."""

    def __init__(self, code: Code, device: DeviceId, shown: DeviceId, draw: Draw) -> None:
        """`shown`: whose certificate the link shows to the joiner."""
        self._device = device
        self._shown = shown
        self._side: Any = _inviter_side(code, draw)
        self._shares = b""
        self._key = b""
        self._joiner: DeviceId | None = None
        self.state = State.EXPECT_SHARE

    def receive(self, frame: bytes) -> list[Step]:
        """What follows from the joiner's next frame; never raises for what it contains.

        Raises LocalProtocolError when this machine is closed or has to `decide`.
        """
        if self.state in (State.CLOSED, State.DECIDING):
            raise LocalProtocolError("a frame was given to an exchange that expects none")
        try:
            message = decode(frame)
            self.state = heard(GIVER, self.state, type(message))
            match message:
                case Share(element):
                    return self._share(element)
                case Confirm():
                    return [self._judge(message)]
            raise RemoteProtocolError(f"a joiner sent {type(message).__name__}")
        except RemoteProtocolError as error:
            self.state = State.CLOSED
            return [Failed(error)]

    def decide(self, decision: Hand | Refuse) -> list[Step]:
        """Answer, once what was decided is durable; before anything came only to turn the joiner away.

        Raises LocalProtocolError when there is nothing to decide.
        """
        self.state = done(GIVER, self.state, type(decision))
        if isinstance(decision, Refuse):
            return [Reply(encode(Refused(decision.reason))), Finished()]
        assert self._joiner is not None, "a ticket is handed to nobody who did not prove the words"
        line = encode_ticket(decision.ticket)
        mac = _mac(self._key, INVITER, self._shown, self._joiner, self._shares, self._device + line.encode("ascii"))
        return [Reply(encode(Handover(line, mac))), Finished()]

    def _share(self, element: bytes) -> list[Step]:
        own = self._side.start()
        self._shares = element + own
        self._key = _agree(self._side, element)
        return [Reply(encode(Share(own)))]

    def _judge(self, confirm: Confirm) -> Proved:
        device = _hide(self._key, self._shares, confirm.hidden)
        right = hmac.compare_digest(confirm.mac, _mac(self._key, JOINER, self._shown, device, self._shares))
        self._joiner = device if right else None
        return Proved(right, self._joiner)


class Taker:
    """The joiner's side of one exchange."""

    def __init__(self, code: Code, device: DeviceId, shown: DeviceId, draw: Draw) -> None:
        """`shown`: whose certificate the link showed."""
        self._device = device
        self._shown = shown
        self._side: Any = _joiner_side(code, draw)
        self._own = b""
        self._shares = b""
        self._key = b""
        self.state = State.START

    def start(self) -> list[Step]:
        """The first frame. Raises LocalProtocolError the second time."""
        self.state = done(TAKER, self.state, Begin)
        self._own = self._side.start()
        return [Reply(encode(Share(self._own)))]

    def confirm(self) -> list[Step]:
        """Prove the words, once in the life of a code. Raises LocalProtocolError unless the other side is there."""
        self.state = done(TAKER, self.state, Prove)
        hidden = _hide(self._key, self._shares, self._device)
        mac = _mac(self._key, JOINER, self._shown, self._device, self._shares)
        return [Reply(encode(Confirm(hidden, mac)))]

    def receive(self, frame: bytes) -> list[Step]:
        """What follows from the inviter's next frame; never raises for what it contains.

        Raises LocalProtocolError when this machine is closed or expects no frame.
        """
        if self.state in (State.START, State.ANSWERED, State.CLOSED):
            raise LocalProtocolError(f"a frame was given to an exchange in state {self.state.value!r}")
        try:
            return [self._on(decode(frame))]
        except RemoteProtocolError as error:
            self.state = State.CLOSED
            return [Failed(error)]

    def _on(self, message: Message) -> Step:
        self.state = heard(TAKER, self.state, type(message))
        match message:
            case Share(element):
                self._shares = self._own + element
                self._key = _agree(self._side, element)
                return Answered()
            case Handover():
                return Given(self._ticket(message))
            case Refused(reason):
                return Failed(_refusal_error(reason))
        raise RemoteProtocolError(f"an inviter sent {type(message).__name__}")

    def _ticket(self, handover: Handover) -> Ticket:
        try:
            ticket = parse_ticket(handover.ticket)
        except TicketMalformed:
            raise RemoteProtocolError("an inviting device that gives no ticket for a code") from None
        rest = ticket.inviter + handover.ticket.encode("ascii")
        mac = _mac(self._key, INVITER, self._shown, self._device, self._shares, rest)
        if not hmac.compare_digest(handover.mac, mac):
            raise RemoteProtocolError("an inviting device that was not told the words of the code")
        return ticket


def _refusal_error(reason: Refusal) -> TicketError:
    match reason:
        case Refusal.UNKNOWN:
            return TicketRefused("These are not the words of this code, so it is worthless now. Ask for a new one.")
        case Refusal.GUESSED:
            return TicketRefused("This code was tried with wrong words, so it is worthless now. Ask for a new one.")
        case Refusal.USED:
            return TicketUsed("This code has been used already; each code works once. Ask for a new one.")
        case Refusal.EXPIRED:
            return TicketExpired("This code has expired. Ask for a new one.")
        case Refusal.CANCELLED:
            return TicketCancelled("This code was cancelled by the one who made it. Ask for a new one.")
        case Refusal.TOO_MANY_TRIES:
            return TicketRefused("Too many wrong codes were tried from here. Wait ten minutes, then try again.")
        case Refusal.MANDATE_GONE | Refusal.DECLINED:
            return TicketRefused("The inviting device may no longer admit anybody to this mandate. Ask another admin.")


def _joiner_side(code: Code, draw: Draw) -> Any:
    from spake2 import SPAKE2_A

    return SPAKE2_A(code.password, JOINER_SIDE, INVITER_SIDE, entropy_f=draw)


def _inviter_side(code: Code, draw: Draw) -> Any:
    from spake2 import SPAKE2_B

    return SPAKE2_B(code.password, JOINER_SIDE, INVITER_SIDE, entropy_f=draw)


def _agree(side: Any, element: bytes) -> bytes:
    """The key that follows from both elements. Raises RemoteProtocolError for what is none, and for our own."""
    try:
        return bytes(side.finish(element))
    except Exception as error:  # the library says it in many ways, plain Exception among them
        raise RemoteProtocolError(f"an exchange with an impossible element ({type(error).__name__})") from None


def _hide(key: bytes, shares: bytes, device: bytes) -> DeviceId:
    """A device id as noise to those without the key, or back. It is sent once under a key: what follows proves it."""
    noise = hmac.digest(key, HIDING + shares, "sha256")
    assert len(device) == DEVICE_ID_BYTES
    return DeviceId(bytes(a ^ b for a, b in zip(device, noise, strict=True)))


def _mac(key: bytes, purpose: bytes, shown: DeviceId, joiner: DeviceId, shares: bytes, rest: bytes = b"") -> bytes:
    """All fields but the last are of fixed length."""
    return hmac.digest(key, purpose + shown + joiner + shares + rest, "sha256")
