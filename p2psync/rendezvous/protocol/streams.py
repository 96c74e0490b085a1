"""How a stream through the relay begins: what a visitor says first, and the one byte that the host answers.

Inside the same TLS as everything else, but without WebSocket frames: after the answer all bytes are the other side's.
"""

from __future__ import annotations

from typing import Final

from p2psync.core.value import value
from p2psync.errors import CodecError
from p2psync.rendezvous.protocol.messages import Reason
from p2psync.rendezvous.protocol.topics import TOPIC_BYTES

PREFIX: Final = b"p2psync relay 1\n"
"""No HTTP request begins so."""
STREAM_BYTES: Final = 16
JOIN_BYTES: Final = len(PREFIX) + TOPIC_BYTES + STREAM_BYTES
INVITATION_BYTES: Final = TOPIC_BYTES + STREAM_BYTES
MET: Final = 0
"""The answer when both sides are there; any other is a `Reason`."""


@value
class Join:
    """Bring me together with whoever says the same."""

    topic: bytes
    """Of the mandate that the stream serves."""
    stream: bytes
    """16 random bytes that one side drew, and told the other in a letter."""

    def invitation(self) -> bytes:
        """The body of that letter."""
        return self.topic + self.stream

    def pack(self) -> bytes:
        """What a visitor says to the host."""
        return PREFIX + self.invitation()


def parse_join(data: bytes) -> Join:
    """Raises CodecError."""
    if not data.startswith(PREFIX):
        raise CodecError("not the beginning of a stream")
    return parse_invitation(data[len(PREFIX) :])


def parse_invitation(body: bytes) -> Join:
    """Raises CodecError."""
    if len(body) != INVITATION_BYTES:
        raise CodecError("no invitation to a stream")
    return Join(body[:TOPIC_BYTES], body[TOPIC_BYTES:])


def may_be_join(head: bytes) -> bool:
    """Whether a connection that begins so may turn out to be a stream's."""
    return head[: len(PREFIX)] == PREFIX[: len(head)]


def reason_of(answer: int) -> Reason | None:
    """Why the host refuses a stream; None if both sides are there. Raises CodecError for an unknown answer."""
    try:
        return None if answer == MET else Reason(answer)
    except ValueError:
        raise CodecError("the meeting host gives an answer that this version does not know") from None
