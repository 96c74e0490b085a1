"""What a host and its visitors say to each other, as WebSocket messages; one table says what each field may hold.

A message is a msgpack array of its number and its fields. Fields behind those known here are passed over, so that a
later version can add some.
"""

from __future__ import annotations

from dataclasses import fields
from enum import IntEnum
from typing import Any, Final

import msgpack

from p2psync.core.value import value
from p2psync.errors import CodecError, LocalProtocolError
from p2psync.rendezvous.protocol.envelope import ENVELOPE_BYTES_MAX, ENVELOPE_BYTES_MIN
from p2psync.rendezvous.protocol.topics import TOPIC_BYTES
from p2psync.wire.shapes import Flag, Many, Maybe, OneOf, Raw, Row, Shape, Text, Whole, unpack_array

VERSION: Final = 1
MEET_PATH: Final = "/v1/meet"
HANDLE_BYTES: Final = 8
ENTRIES_MAX: Final = 128
"""Topics in one message."""
MESSAGE_BYTES_MAX: Final = 64 * 1024
HOST_CHARACTERS_MAX: Final = 64


class Reason(IntEnum):
    """Why a host refuses something; its number is part of the protocol."""

    TOO_FAST = 1
    """More than its limits allow; a little later it may go."""
    TOO_MANY_TOPICS = 2
    """Of this visitor."""
    TOPIC_FULL = 3
    """As many members are there as may be."""
    HOST_FULL = 4
    NO_RELAY = 5
    """This host relays nothing."""
    RELAY_FULL = 6
    """So many streams, of this mandate or from this address, and no more."""
    NOBODY_CAME = 7
    """The other side of a stream did not come in time."""
    MALFORMED = 8
    """What was sent is no message."""
    TOO_SLOW = 9
    """Does not read what it is sent."""
    IDLE = 10
    """Is in no topic."""
    ENDING = 11
    """The host is being stopped, or restarted."""
    NOT_THERE = 12
    """The visitor is not in the topic that it speaks of."""


# What a visitor says.


@value
class Enter:
    """Let me into these topics, and pass an envelope to all who are there already."""

    entries: tuple[tuple[bytes, bytes], ...]
    """(topic, envelope)"""


@value
class Leave:
    topics: tuple[bytes, ...]


@value
class Post:
    topic: bytes
    to: bytes | None
    """A handle; None for all others in the topic."""
    envelope: bytes


# What a host says.


@value
class Welcome:
    version: int
    host: str
    """The visitor's IP address as the host sees it."""
    port: int
    """The same of its port."""
    time_ms: int
    """The host's wall clock, milliseconds since 1970; for people, nothing is judged by it."""
    relay: bool
    """Whether this host relays."""


@value
class Mail:
    topic: bytes
    sender: bytes
    """A handle; random, and good until `Gone` says otherwise."""
    envelope: bytes


@value
class Gone:
    """Nobody answers to this handle any more."""

    topic: bytes
    handle: bytes


@value
class Refused:
    reason: Reason
    topic: bytes | None
    """None: the visit is over; the visitor hangs up, or is cut off."""


Message = Enter | Leave | Post | Welcome | Mail | Gone | Refused


def encode(message: Message) -> bytes:
    """Raises LocalProtocolError for a message that no receiver would accept."""
    number, shapes = _NUMBERS[type(message)], _SHAPES[type(message)]
    try:
        packed: bytes = msgpack.packb([number, *(shape.pack(getattr(message, name)) for name, shape in shapes)])
    except ValueError as error:
        raise LocalProtocolError(f"{type(message).__name__} cannot be sent: {error}") from None
    if len(packed) > MESSAGE_BYTES_MAX:
        raise LocalProtocolError(f"{type(message).__name__} cannot be sent: it takes {len(packed)} bytes")
    return packed


def decode(data: bytes) -> Message:
    """Raises CodecError for bytes that are no message, or one over its limits."""
    values = _array(data)
    made = _BY_NUMBER.get(values[0]) if values and type(values[0]) is int else None
    if made is None:
        raise CodecError("a message of an unknown kind")
    shapes = _SHAPES[made]
    if len(values) <= len(shapes):
        raise CodecError(f"{made.__name__} lacks fields")
    try:
        message: Message = made(*(shape.unpack(v) for (_, shape), v in zip(shapes, values[1:], strict=False)))
    except ValueError as error:
        raise CodecError(f"{made.__name__} cannot be read: {error}") from None
    return message


_TOPIC = Raw(TOPIC_BYTES, TOPIC_BYTES)
_HANDLE = Raw(HANDLE_BYTES, HANDLE_BYTES)
_ENVELOPE = Raw(ENVELOPE_BYTES_MIN, ENVELOPE_BYTES_MAX)
_LAYOUTS: tuple[tuple[int, type[Any], tuple[Shape, ...]], ...] = (
    (1, Enter, (Many(Row((_TOPIC, _ENVELOPE)), ENTRIES_MAX, 1),)),
    (2, Leave, (Many(_TOPIC, ENTRIES_MAX, 1),)),
    (3, Post, (_TOPIC, Maybe(_HANDLE), _ENVELOPE)),
    (16, Welcome, (Whole(1, 0xFFFF), Text(HOST_CHARACTERS_MAX), Whole(0, 0xFFFF), Whole(), Flag())),
    (17, Mail, (_TOPIC, _HANDLE, _ENVELOPE)),
    (18, Gone, (_TOPIC, _HANDLE)),
    (19, Refused, (OneOf(Reason), Maybe(_TOPIC))),
)
_NUMBERS = {made: number for number, made, _ in _LAYOUTS}
_BY_NUMBER = {number: made for number, made, _ in _LAYOUTS}
_SHAPES = {
    made: tuple(zip((field.name for field in fields(made)), shapes, strict=True)) for _, made, shapes in _LAYOUTS
}


def _array(data: bytes) -> tuple[Any, ...]:
    if len(data) > MESSAGE_BYTES_MAX:
        raise CodecError("a message that is too long")
    bounds = {"text_bytes_max": 4 * HOST_CHARACTERS_MAX, "bytes_max": ENVELOPE_BYTES_MAX, "items_max": ENTRIES_MAX}
    try:
        return unpack_array(data, **bounds)
    except ValueError as error:
        raise CodecError(f"a message that {error}") from None
