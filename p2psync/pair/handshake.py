"""Two machines that turn a ticket into a membership, over a link that is encrypted and whose far end the joiner knows.

::

    joiner                                inviter
    JoinRequest(ticket, device, ...)  ->
                                      <-  Challenge(nonce)      the same for a ticket that nobody issued
    Proof(mac, signature)             ->
                                      <-  Refused(UNKNOWN)      the proof is wrong: never said why
                                      <-  Pending               until an admin approves, or the link ends
                                      <-  Accepted(mac), Parts  or Refused(reason)

Each machine is fed whole frames and answers with outputs, to be performed in their order. The inviter's `Decide` is
answered by `decide`, after what `invitation.judge` says of it was committed: so *used* is durable before anybody is
told. A joiner whose answer got lost begins anew with the same ticket and is told the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from hmac import compare_digest

from p2psync.core.block import Sign, verify_ed25519
from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import value
from p2psync.errors import (
    InvalidId,
    LocalProtocolError,
    RemoteProtocolError,
    TicketCancelled,
    TicketError,
    TicketExpired,
    TicketRefused,
    TicketUsed,
    UsageError,
)
from p2psync.pair.conversation import Begin, Failed, Finished, Refuse, Reply, done, heard
from p2psync.pair.invitation import Invitation
from p2psync.pair.messages import (
    NONCE_BYTES,
    PART_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    Accepted,
    Challenge,
    JoinRequest,
    Message,
    Part,
    Pending,
    Proof,
    Refusal,
    Refused,
    decode,
    encode,
    readable,
)
from p2psync.pair.proof import Statement
from p2psync.pair.ticket import SECRET_BYTES, Ticket, TicketId

OwnerOf = Callable[[bytes], DeviceId]
"""A certificate (DER) to the device that it is of; raises InvalidId for any other bytes."""


# -- what the machines ask for --------------------------------------------------------------------------------------


@value
class Decide:
    """To the inviter: this device holds the ticket. Judge, commit, then call `decide`."""

    ticket: TicketId
    mandate: MandateId
    device: DeviceId
    certificate: bytes
    name: str


@value
class Guessed:
    """To the inviter: a wrong proof, to be counted."""

    ticket: TicketId | None
    """None if there is no such ticket."""


@value
class Waiting:
    """To the joiner: an admin has to approve."""


@value
class Joined:
    """To the joiner: admitted. Close the link."""

    payload: bytes


Output = Reply | Decide | Guessed | Waiting | Joined | Finished | Failed


# -- what the inviter decides ---------------------------------------------------------------------------------------


@value
class Admit:
    payload: bytes
    """1 byte to PAYLOAD_BYTES_MAX."""


@value
class Hold:
    """An admin has to approve first."""


Decision = Admit | Hold | Refuse


# -- the transitions ------------------------------------------------------------------------------------------------


class State(Enum):
    START = "start"
    EXPECT_REQUEST = "expect request"
    EXPECT_PROOF = "expect proof"
    DECIDING = "deciding"
    HOLDING = "holding"
    EXPECT_CHALLENGE = "expect challenge"
    EXPECT_ANSWER = "expect answer"
    EXPECT_PART = "expect part"
    CLOSED = "closed"


class WrongProof:
    """A Proof that proves nothing."""


class LastPart:
    """The Part that makes the payload whole."""


INVITER: dict[tuple[State, type], State] = {
    (State.EXPECT_REQUEST, JoinRequest): State.EXPECT_PROOF,
    (State.EXPECT_REQUEST, Refuse): State.CLOSED,
    (State.EXPECT_PROOF, Proof): State.DECIDING,
    (State.EXPECT_PROOF, WrongProof): State.CLOSED,
    (State.DECIDING, Admit): State.CLOSED,
    (State.DECIDING, Hold): State.HOLDING,
    (State.DECIDING, Refuse): State.CLOSED,
    (State.HOLDING, Admit): State.CLOSED,
    (State.HOLDING, Refuse): State.CLOSED,
    # A decision may come after the joiner misbehaved: it stands, and a joiner that comes back will hear it.
    (State.CLOSED, Admit): State.CLOSED,
    (State.CLOSED, Hold): State.CLOSED,
    (State.CLOSED, Refuse): State.CLOSED,
}
JOINER: dict[tuple[State, type], State] = {
    (State.START, Begin): State.EXPECT_CHALLENGE,
    (State.EXPECT_CHALLENGE, Challenge): State.EXPECT_ANSWER,
    (State.EXPECT_CHALLENGE, Refused): State.CLOSED,
    (State.EXPECT_ANSWER, Pending): State.EXPECT_ANSWER,
    (State.EXPECT_ANSWER, Accepted): State.EXPECT_PART,
    (State.EXPECT_ANSWER, Refused): State.CLOSED,
    (State.EXPECT_PART, Part): State.EXPECT_PART,
    (State.EXPECT_PART, LastPart): State.CLOSED,
}


class Inviter:
    """Answers one joiner."""

    def __init__(
        self, device: DeviceId, invitations: Mapping[TicketId, Invitation], owner_of: OwnerOf, nonce: bytes
    ) -> None:
        """`invitations`: all that this device ever issued and still remembers, so that a used or cancelled ticket is
        told from one that nobody issued; they are looked at when needed. `nonce`: 32 fresh random bytes.
        """
        assert len(nonce) == NONCE_BYTES
        self._device = device
        self._invitations = invitations
        self._owner_of = owner_of
        self._nonce = nonce
        self._statement: Statement | None = None
        self.state = State.EXPECT_REQUEST

    def receive(self, frame: bytes) -> list[Output]:
        """What follows from the joiner's next frame; never raises for what it contains.

        Raises LocalProtocolError when this machine is closed.
        """
        if self.state is State.CLOSED:
            raise LocalProtocolError("a frame was given to a pairing that has ended")
        try:
            match decode(frame):
                case JoinRequest() as request:
                    return self._request(request)
                case Proof() as proof:
                    return self._proof(proof)
                case message:
                    raise RemoteProtocolError(f"a joiner sent {type(message).__name__}")
        except RemoteProtocolError as error:
            self.state = State.CLOSED
            return [Failed(error)]

    def decide(self, decision: Decision) -> list[Output]:
        """Tell the joiner, once what was decided is durable; before its request only to turn it away.

        Nothing follows when it is too late. Raises LocalProtocolError when there is nothing to decide.
        """
        was_closed = self.state is State.CLOSED
        self.state = done(INVITER, self.state, type(decision))
        if was_closed:
            return []
        match decision:
            case Admit(payload):
                return [*self._accepted(payload), Finished()]
            case Hold():
                return [Reply(encode(Pending()))]
            case Refuse(reason):
                return [Reply(encode(Refused(reason))), Finished()]

    def _request(self, request: JoinRequest) -> list[Output]:
        self._advance(JoinRequest)
        try:
            owner = self._owner_of(request.certificate)
        except InvalidId as error:
            raise RemoteProtocolError(f"a newcomer that shows {error}") from None
        if owner != request.device or request.device == self._device:
            raise RemoteProtocolError("a newcomer that shows the certificate of another device")
        known = self._invitations.get(request.ticket)
        mandate, secret = (known.mandate, known.secret) if known else (MandateId(bytes(16)), bytes(SECRET_BYTES))
        self._statement = Statement(mandate, secret, self._device, request, self._nonce)
        return [Reply(encode(Challenge(self._nonce)))]

    def _proof(self, proof: Proof) -> list[Output]:
        right = self._is_right(proof)
        self._advance(Proof if right else WrongProof)
        assert self._statement is not None
        request = self._statement.request
        if right:
            mandate = self._statement.mandate
            return [Decide(request.ticket, mandate, request.device, request.certificate, request.name)]
        known = request.ticket if request.ticket in self._invitations else None
        return [Reply(encode(Refused(Refusal.UNKNOWN))), Guessed(known), Finished()]

    def _is_right(self, proof: Proof) -> bool:
        """For an unknown ticket the mac is computed too, under a secret that opens nothing: it takes as long."""
        statement = self._statement
        if statement is None:
            return False
        mac_fits = compare_digest(proof.mac, statement.joiner_mac())
        if not mac_fits or statement.request.ticket not in self._invitations:
            return False
        return verify_ed25519(statement.request.device, statement.to_sign(), proof.signature)

    def _accepted(self, payload: bytes) -> list[Reply]:
        assert self._statement is not None
        assert 0 < len(payload) <= PAYLOAD_BYTES_MAX
        accepted = Accepted(self._statement.inviter_mac(payload), len(payload))
        parts = [Part(payload[at : at + PART_BYTES_MAX]) for at in range(0, len(payload), PART_BYTES_MAX)]
        return [Reply(encode(accepted)), *(Reply(encode(part)) for part in parts)]

    def _advance(self, event: type) -> None:
        self.state = heard(INVITER, self.state, event)


class Joiner:
    """Asks the device that issued a ticket to be admitted."""

    def __init__(
        self, ticket: Ticket, device: DeviceId, certificate: bytes, name: str, nonce: bytes, sign: Sign
    ) -> None:
        """`sign`: by the key of `device`, whose certificate (DER) is given. `name`: for people. `nonce`: 32 fresh
        random bytes. Raises UsageError for a ticket that this very device issued.
        """
        assert len(nonce) == NONCE_BYTES
        if ticket.inviter == device:
            raise UsageError("This ticket was issued by this device. Use it on the PC that is to join.")
        self._ticket = ticket
        self._request = JoinRequest(ticket.id, device, certificate, readable(name), nonce)
        self._sign = sign
        self._statement: Statement | None = None
        self._accepted: Accepted | None = None
        self._payload = bytearray()
        self.state = State.START

    def start(self) -> list[Output]:
        """The first frame. Raises LocalProtocolError the second time."""
        self.state = done(JOINER, self.state, Begin)
        return [Reply(encode(self._request))]

    def receive(self, frame: bytes) -> list[Output]:
        """What follows from the inviter's next frame; never raises for what it contains.

        Raises LocalProtocolError when this machine is closed or was not started.
        """
        if self.state in (State.START, State.CLOSED):
            raise LocalProtocolError(f"a frame was given to a pairing in state {self.state.value!r}")
        try:
            return self._on(decode(frame))
        except RemoteProtocolError as error:
            self.state = State.CLOSED
            return [Failed(error)]

    def _on(self, message: Message) -> list[Output]:
        if isinstance(message, Part):
            return self._part(message)
        self._advance(type(message))
        match message:
            case Challenge(nonce):
                return self._challenge(nonce)
            case Pending():
                return [Waiting()]
            case Refused(reason):
                return [Failed(_refusal_error(reason))]
            case Accepted():
                self._accepted = message
        return []

    def _challenge(self, nonce: bytes) -> list[Output]:
        ticket = self._ticket
        self._statement = Statement(ticket.mandate, ticket.secret, ticket.inviter, self._request, nonce)
        proof = Proof(self._statement.joiner_mac(), self._sign(self._statement.to_sign()))
        return [Reply(encode(proof))]

    def _part(self, part: Part) -> list[Output]:
        missing = 0 if self._accepted is None else self._accepted.size - len(self._payload)
        self._advance(LastPart if len(part.data) >= missing else Part)
        self._payload += part.data
        if self.state is not State.CLOSED:
            return []
        assert self._accepted is not None
        assert self._statement is not None
        payload = bytes(self._payload)
        if len(part.data) > missing or not compare_digest(self._accepted.mac, self._statement.inviter_mac(payload)):
            raise RemoteProtocolError("the inviting device did not prove that it knows the ticket's secret")
        return [Joined(payload)]

    def _advance(self, event: type) -> None:
        self.state = heard(JOINER, self.state, event)


def _refusal_error(reason: Refusal) -> TicketError:
    match reason:
        case Refusal.UNKNOWN:
            return TicketRefused("The inviting device does not know this ticket. Ask for a new one.")
        case Refusal.USED:
            return TicketUsed("This ticket has been used already; each ticket works once. Ask for a new one.")
        case Refusal.EXPIRED:
            return TicketExpired("This ticket has expired. Ask for a new one.")
        case Refusal.CANCELLED:
            return TicketCancelled("This ticket was cancelled by the one who issued it. Ask for a new one.")
        case Refusal.TOO_MANY_TRIES:
            return TicketRefused("Too many wrong tickets were tried from here. Wait ten minutes, then try again.")
        case Refusal.MANDATE_GONE:
            return TicketRefused("The inviting device may no longer admit anybody to this mandate. Ask another admin.")
        case Refusal.DECLINED:
            return TicketRefused("An admin of the mandate declined to admit this device.")
        case Refusal.GUESSED:
            return TicketRefused("Somebody tried to guess this ticket, so it is worthless now. Ask for a new one.")
