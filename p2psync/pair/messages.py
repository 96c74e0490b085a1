"""What joiner and inviter say to each other on a pairing link: plain frozen data, one message a frame.

A message is a msgpack array that begins with its kind. The version is the ticket's: a later one may change everything
here. The last three are for a spoken code, which is exchanged for its ticket first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import msgpack

from p2psync.core.ids import DEVICE_ID_BYTES, DeviceId, device_id
from p2psync.core.value import value
from p2psync.errors import InvalidId, RemoteProtocolError
from p2psync.pair.ticket import TICKET_ID_BYTES, TicketId

MESSAGE_BYTES_MAX = 64 * 1024
PAYLOAD_BYTES_MAX = 1 << 20
"""What a newcomer is given: the mandate's name and secret, and the blocks that say who belongs."""
PART_BYTES_MAX = 60 * 1024
"""One Part of the payload."""
CERTIFICATE_BYTES_MAX = 4096
NAME_CHARACTERS_MAX = 100
NONCE_BYTES = 32
MAC_BYTES = 32
SIGNATURE_BYTES = 64
SHARE_BYTES = 33
"""A point of the curve behind a byte that says whose it is."""
TICKET_CHARACTERS_MAX = 1024
"""Of a ticket's line."""


@value
class JoinRequest:
    """The joiner's first message."""

    ticket: TicketId
    device: DeviceId
    certificate: bytes
    """DER; how members will recognise the newcomer."""
    name: str
    """What the newcomer calls itself, for people; may be empty."""
    nonce: bytes


@value
class Challenge:
    """The inviter's answer, whether it knows the ticket or not."""

    nonce: bytes


@value
class Proof:
    """The joiner knows the ticket's secret, and owns the device that it names."""

    mac: bytes
    signature: bytes


@value
class Pending:
    """The proof is right, and an admin has to approve: wait, or come back with the same ticket."""


@value
class Accepted:
    """The joiner is a member; the payload follows in Parts."""

    mac: bytes
    """The inviter knows the secret too, and this is its payload."""
    size: int
    """Bytes of the whole payload, at least one."""


@value
class Part:
    data: bytes
    """The next bytes of the payload, at least one."""


class Refusal(IntEnum):
    """Why a joiner is refused; the numbers are part of the protocol."""

    UNKNOWN = 1
    """No such ticket, or the proof is wrong: never said which."""
    USED = 2
    EXPIRED = 3
    CANCELLED = 4
    TOO_MANY_TRIES = 5
    MANDATE_GONE = 6
    """The inviter has left the mandate, or may no longer admit anybody."""
    DECLINED = 7
    """An admin looked and said no."""
    GUESSED = 8
    """Somebody came without knowing the secret, or with this code's number and other words."""


@value
class Refused:
    reason: Refusal


@value
class Share:
    """What each side of a code's exchange shows of the code; it tells nothing about the words."""

    element: bytes


@value
class Confirm:
    """The joiner was told the words."""

    hidden: bytes
    """Its device id, readable for whoever knows the words."""
    mac: bytes


@value
class Handover:
    """So was the inviter; and this is the ticket that the code stands for."""

    ticket: str
    """Its line."""
    mac: bytes


Message = JoinRequest | Challenge | Proof | Pending | Accepted | Part | Refused | Share | Confirm | Handover


def encode(message: Message) -> bytes:
    """The message as one frame."""
    data: bytes = msgpack.packb(_fields(message), use_bin_type=True)
    assert len(data) <= MESSAGE_BYTES_MAX
    return data


def decode(data: bytes) -> Message:
    """A frame from anybody as a message that keeps every limit. Raises RemoteProtocolError."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise RemoteProtocolError("a pairing message that is too long")
    try:
        fields = msgpack.unpackb(data, use_list=False, strict_map_key=True)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException):
        raise RemoteProtocolError("not a pairing message") from None
    if not isinstance(fields, tuple) or not fields or type(fields[0]) is not int or fields[0] not in _READERS:
        raise RemoteProtocolError("a pairing message of no known kind")
    kind, *rest = fields
    reader, count = _READERS[kind]
    if len(rest) != count:
        raise RemoteProtocolError("a pairing message with missing or superfluous fields")
    return reader(rest)


def readable(name: str) -> str:
    """A name that may be sent: without what cannot be shown, and cut to length."""
    return "".join(c for c in name if c.isprintable()).strip()[:NAME_CHARACTERS_MAX]


def _fields(message: Message) -> list[object]:
    match message:
        case JoinRequest():
            return [1, message.ticket, message.device, message.certificate, message.name, message.nonce]
        case Challenge(nonce):
            return [2, nonce]
        case Proof(mac, signature):
            return [3, mac, signature]
        case Pending():
            return [4]
        case Accepted(mac, size):
            return [5, mac, size]
        case Part(data):
            return [6, data]
        case Refused(reason):
            return [7, reason.value]
        case Share(element):
            return [8, element]
        case Confirm(hidden, mac):
            return [9, hidden, mac]
        case Handover(ticket, mac):
            return [10, ticket, mac]


def _join_request(fields: list[object]) -> JoinRequest:
    ticket, device, certificate, name, nonce = fields
    if not isinstance(name, str) or len(name) > NAME_CHARACTERS_MAX or not all(map(str.isprintable, name)):
        raise RemoteProtocolError("a newcomer with an impossible name")
    try:
        who = device_id(device)
    except InvalidId as error:
        raise RemoteProtocolError(f"a newcomer that is {error}") from None
    return JoinRequest(
        TicketId(_bytes(ticket, TICKET_ID_BYTES, TICKET_ID_BYTES)),
        who,
        _bytes(certificate, 1, CERTIFICATE_BYTES_MAX),
        name,
        _bytes(nonce, NONCE_BYTES, NONCE_BYTES),
    )


def _accepted(fields: list[object]) -> Accepted:
    mac, size = fields
    if type(size) is not int or not 0 < size <= PAYLOAD_BYTES_MAX:
        raise RemoteProtocolError("a payload of impossible size")
    return Accepted(_bytes(mac, MAC_BYTES, MAC_BYTES), size)


def _refused(fields: list[object]) -> Refused:
    if type(fields[0]) is not int or fields[0] not in list(Refusal):
        raise RemoteProtocolError("a refusal for no known reason")
    return Refused(Refusal(fields[0]))


def _handover(fields: list[object]) -> Handover:
    ticket, mac = fields
    if not isinstance(ticket, str) or not ticket.isascii() or not 0 < len(ticket) <= TICKET_CHARACTERS_MAX:
        raise RemoteProtocolError("an impossible ticket for a code")
    return Handover(ticket, _bytes(mac, MAC_BYTES, MAC_BYTES))


def _bytes(raw: object, least: int, most: int) -> bytes:
    if not isinstance(raw, bytes) or not least <= len(raw) <= most:
        raise RemoteProtocolError("a pairing message with a field of the wrong kind or length")
    return raw


_READERS: dict[int, tuple[Callable[[list[object]], Message], int]] = {
    1: (_join_request, 5),
    2: (lambda f: Challenge(_bytes(f[0], NONCE_BYTES, NONCE_BYTES)), 1),
    3: (lambda f: Proof(_bytes(f[0], MAC_BYTES, MAC_BYTES), _bytes(f[1], SIGNATURE_BYTES, SIGNATURE_BYTES)), 2),
    4: (lambda _: Pending(), 0),
    5: (_accepted, 2),
    6: (lambda f: Part(_bytes(f[0], 1, PART_BYTES_MAX)), 1),
    7: (_refused, 1),
    8: (lambda f: Share(_bytes(f[0], SHARE_BYTES, SHARE_BYTES)), 1),
    9: (
        lambda f: Confirm(_bytes(f[0], DEVICE_ID_BYTES, DEVICE_ID_BYTES), _bytes(f[1], MAC_BYTES, MAC_BYTES)),
        2,
    ),
    10: (_handover, 2),
}
"""For each kind, what reads its fields, and how many there are."""
