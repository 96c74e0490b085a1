"""What may be said when on a link: one table from (state, message type) to state.

A link begins with a Hello of each side; the one that dialled speaks first, for its link may be a lane of another one,
which has no state of its own. Everything else follows; Close ends it. A Hello may be said again when the mandates
that it lists change. A pair that is not in the table is an error of whoever sent the message.
"""

from __future__ import annotations

from enum import Enum, auto

from p2psync.errors import LocalProtocolError, RemoteProtocolError
from p2psync.wire.messages import (
    Ahead,
    Close,
    Credit,
    Have,
    Hello,
    IndexUpdate,
    Message,
    Offer,
    Ping,
    Placed,
    Pong,
    Push,
    Request,
    Response,
    Secret,
    Widen,
)


class State(Enum):
    AWAIT_HELLO = auto()
    OPEN = auto()
    CLOSED = auto()


TABLE: dict[tuple[State, type[Message]], State] = {
    (State.AWAIT_HELLO, Hello): State.OPEN,
    (State.AWAIT_HELLO, Close): State.CLOSED,
    (State.OPEN, Hello): State.OPEN,
    (State.OPEN, Have): State.OPEN,
    (State.OPEN, IndexUpdate): State.OPEN,
    (State.OPEN, Placed): State.OPEN,
    (State.OPEN, Secret): State.OPEN,
    (State.OPEN, Request): State.OPEN,
    (State.OPEN, Response): State.OPEN,
    (State.OPEN, Push): State.OPEN,
    (State.OPEN, Offer): State.OPEN,
    (State.OPEN, Ahead): State.OPEN,
    (State.OPEN, Credit): State.OPEN,
    (State.OPEN, Ping): State.OPEN,
    (State.OPEN, Pong): State.OPEN,
    (State.OPEN, Widen): State.OPEN,
    (State.OPEN, Close): State.CLOSED,
}


class Conversation:
    """Both directions of one link, each with its own state."""

    def __init__(self) -> None:
        self.ours = State.AWAIT_HELLO
        self.theirs = State.AWAIT_HELLO

    def sent(self, message: Message) -> None:
        """Raises LocalProtocolError if we may not say this now."""
        after = TABLE.get((self.ours, type(message)))
        if after is None:
            raise LocalProtocolError(f"{type(message).__name__} was said in state {self.ours.name}")
        self.ours = after

    def received(self, message: Message) -> None:
        """Raises RemoteProtocolError if they may not say this now."""
        after = TABLE.get((self.theirs, type(message)))
        if after is None:
            raise RemoteProtocolError(f"{type(message).__name__} came in state {self.theirs.name}")
        self.theirs = after

    @property
    def is_open(self) -> bool:
        return self.ours == State.OPEN and self.theirs == State.OPEN
