"""Letters between members, and the envelopes in which a host gets to see them.

An envelope is sealed for the holders of the secret: to the host it is noise of some length. Inside, the sender's device
key signs the letter together with the topic and the room, so that neither the host nor another member can alter it,
move it elsewhere, or say it in the sender's name. A letter names the sender's session, drawn anew for each connection,
and its number in there; one to a single member names that member's session too. So an old letter is told from a new
one without any clock: who gets his own session's name back knows that the sender lives now.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import msgpack
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from p2psync.core.block import SIGNATURE_BYTES, Sign, Verify
from p2psync.core.ids import DEVICE_ID_BYTES, DeviceId
from p2psync.core.value import value
from p2psync.errors import CodecError, SignatureInvalid
from p2psync.rendezvous.protocol.topics import sealing_key
from p2psync.wire.shapes import Maybe, OneOf, Raw, Row, Whole

FORMAT: Final = 1
SESSION_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
BODY_BYTES_MAX: Final = 12 * 1024
"""An offer with its candidates takes 1 to 3 KiB."""
ENVELOPE_BYTES_MAX: Final = BODY_BYTES_MAX + 512
ENVELOPE_BYTES_MIN: Final = NONCE_BYTES + TAG_BYTES + SIGNATURE_BYTES
NUMBER_MAX: Final = 1 << 40

_PURPOSE: Final = b"p2psync rendezvous letter\0"


class Kind(IntEnum):
    """What a letter is for; its number is part of the protocol."""

    HELLO = 1
    """To all: I am here."""
    HERE = 2
    """To one: so am I."""
    ADDRESSES = 3
    """Where the sender, or a member that it knows of, may be reached."""
    OFFER = 4
    ANSWER = 5
    CANDIDATES = 6
    """These three as WebRTC has them."""
    PUNCH = 7
    """Connect to me now, I connect to you: TCP hole punching."""
    RELAY = 8
    """Meet me at a stream of this host's relay."""
    REFUSE = 9
    """What you proposed is not wanted here; the body says which and why."""


@value
class Recipient:
    """One member, as he is connected now."""

    device: DeviceId
    session: bytes


@value
class Letter:
    """What one member says to all in a topic, or to one of them."""

    sender: DeviceId
    session: bytes
    """The sender's, 16 random bytes."""
    number: int
    """From 1, rising by one: among the session's letters to all, or among those to this recipient."""
    to: Recipient | None
    """None for all."""
    kind: Kind
    body: bytes = b""
    """At most BODY_BYTES_MAX; what it means depends on the kind."""


@value
class Opened:
    """A letter that some holder of the secret sealed; who wrote it is still to be verified."""

    letter: Letter
    signature: bytes
    signed: bytes
    """The bytes that the signature covers."""

    def verify(self, verify: Verify) -> None:
        """Raises SignatureInvalid unless the sender signed it for this topic and room."""
        if not verify(self.letter.sender, self.signed, self.signature):
            raise SignatureInvalid("a letter is not signed by its sender")


def seal(letter: Letter, room: bytes, topic: bytes, secret: bytes, sign: Sign, nonce: bytes) -> bytes:
    """The envelope of a letter. `room`: id of the mandate or the ticket; `nonce`: 12 random bytes."""
    to = None if letter.to is None else (letter.to.device, letter.to.session)
    fields = (letter.sender, letter.session, letter.number, to, letter.kind, letter.body)
    packed: bytes = msgpack.packb(_LETTER.pack(fields))
    signature = sign(_signed(room, topic, packed))
    return nonce + ChaCha20Poly1305(sealing_key(secret, topic)).encrypt(nonce, signature + packed, topic)


def unseal(envelope: bytes, room: bytes, topic: bytes, secret: bytes) -> Opened:
    """What is in an envelope. Raises CodecError unless a holder of the secret sealed it for this topic."""
    if not ENVELOPE_BYTES_MIN < len(envelope) <= ENVELOPE_BYTES_MAX:
        raise CodecError("an envelope of impossible length")
    nonce, sealed = envelope[:NONCE_BYTES], envelope[NONCE_BYTES:]
    try:
        plain = ChaCha20Poly1305(sealing_key(secret, topic)).decrypt(nonce, sealed, topic)
    except InvalidTag:
        raise CodecError("an envelope that was not sealed for this topic, or was altered") from None
    signature, packed = plain[:SIGNATURE_BYTES], plain[SIGNATURE_BYTES:]
    return Opened(_unpack(packed), signature, _signed(room, topic, packed))


_DEVICE = Raw(DEVICE_ID_BYTES, DEVICE_ID_BYTES)
_SESSION = Raw(SESSION_BYTES, SESSION_BYTES)
_LETTER = Row(
    (_DEVICE, _SESSION, Whole(1, NUMBER_MAX), Maybe(Row((_DEVICE, _SESSION))), OneOf(Kind), Raw(0, BODY_BYTES_MAX))
)


def _signed(room: bytes, topic: bytes, packed: bytes) -> bytes:
    return _PURPOSE + bytes([FORMAT, len(room)]) + room + topic + packed


def _unpack(packed: bytes) -> Letter:
    try:
        fields: Any = msgpack.unpackb(
            packed,
            use_list=False,
            max_str_len=0,
            max_bin_len=BODY_BYTES_MAX,
            max_array_len=8,
            max_map_len=0,
            max_ext_len=0,
        )
        sender, session, number, to, kind, body = _LETTER.unpack(fields)
    except (ValueError, msgpack.UnpackException):
        raise CodecError("a letter that cannot be read") from None
    recipient = None if to is None else Recipient(DeviceId(to[0]), to[1])
    return Letter(DeviceId(sender), session, number, recipient, kind, body)
