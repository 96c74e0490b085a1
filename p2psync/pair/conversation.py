"""What both conversations of pairing have in common: what their machines say and are told, and how they go on.

A machine is a table from (state, event) to state. An event is the type of a frame, or of a step of its own side.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from p2psync.core.value import value
from p2psync.errors import LocalProtocolError, P2PSyncError, RemoteProtocolError
from p2psync.pair.messages import Refusal

S = TypeVar("S", bound=Enum)


@value
class Reply:
    """Send this frame."""

    frame: bytes


@value
class Finished:
    """To the inviter: the joiner has its answer. Close the link."""


@value
class Failed:
    """It came to nothing. Close the link."""

    error: P2PSyncError
    """A TicketError that tells the joiner why it was refused, or RemoteProtocolError."""


@value
class Refuse:
    """What an inviter may always decide."""

    reason: Refusal


class Begin:
    """The joiner's own first step."""


def heard(table: Mapping[tuple[S, type], S], state: S, event: type) -> S:
    """The state after the other side's event. Raises RemoteProtocolError for what may not come now."""
    try:
        return table[state, event]
    except KeyError:
        raise RemoteProtocolError(f"{event.__name__} while pairing is in state {state.value!r}") from None


def done(table: Mapping[tuple[S, type], S], state: S, event: type) -> S:
    """The state after an event of this side. Raises LocalProtocolError for what may not be done now."""
    try:
        return table[state, event]
    except KeyError:
        raise LocalProtocolError(f"{event.__name__} while pairing is in state {state.value!r}") from None
