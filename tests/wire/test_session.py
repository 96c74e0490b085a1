"""The whole table: each pair of a state and a message is allowed, or an error of whoever said it."""

from __future__ import annotations

from typing import get_args

import pytest

from p2psync.core.ids import ContentId, MandateId
from p2psync.errors import LocalProtocolError, RemoteProtocolError
from p2psync.wire.messages import (
    Ahead,
    Close,
    CloseCode,
    Credit,
    Have,
    Hello,
    IndexUpdate,
    Lane,
    Message,
    Offer,
    Ping,
    Placed,
    Pong,
    Push,
    Request,
    Response,
    Secret,
    What,
    Widen,
)
from p2psync.wire.session import TABLE, Conversation, State

M = MandateId(b"m" * 16)
HELLO = Hello(1, "PC", "p2psync", bytes(16), 0.0, (M,))
CLOSE = Close(CloseCode.GOODBYE, "")
MESSAGES: list[Message] = [
    *(HELLO, Have(M, {}), IndexUpdate(M, (b"block",)), Placed(M, {}, 0, ()), Secret(M, 1, bytes(16))),
    *(
        Request(M, 1, What.CONTENT, ()),
        Response(M, 1, 0, (), True),
        Push(M, (), ()),
        Offer(M, ContentId(bytes(32)), 1, ContentId(bytes(32)), b""),
        Ahead(M, "a", 1, 0, b"a"),
        Credit(M, "a", 1),
        Ping(1),
        Pong(1),
        CLOSE,
        Widen(1, 0, b""),
    ),
]
NOTHING_YET: dict[type[Message], State] = {Hello: State.OPEN, Close: State.CLOSED}


def after(state: State, message: Message) -> State | None:
    """What the protocol says in words: a Hello first, then anything until a Close; None for an error."""
    if state is State.AWAIT_HELLO:
        return NOTHING_YET.get(type(message))
    if state is State.OPEN:
        return State.CLOSED if isinstance(message, Close) else State.OPEN
    return None


def in_state(state: State) -> Conversation:
    conversation = Conversation()
    conversation.ours = conversation.theirs = state
    return conversation


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("state", State)
def test_every_pair(state: State, message: Message) -> None:
    expected = after(state, message)
    said, heard = in_state(state), in_state(state)
    if expected is None:
        with pytest.raises(LocalProtocolError, match=f"{type(message).__name__} .* {state.name}"):
            said.sent(message)
        with pytest.raises(RemoteProtocolError, match=f"{type(message).__name__} .* {state.name}"):
            heard.received(message)
        expected = state
    else:
        said.sent(message)
        heard.received(message)
    assert (said.ours, said.theirs) == (expected, state), "the other direction has a state of its own"
    assert (heard.ours, heard.theirs) == (state, expected)


def test_the_table_knows_every_message_and_state() -> None:
    """A Lane is never said in a conversation: it makes a link part of another one's."""
    said = set(get_args(Message)) - {Lane}
    assert {type(message) for message in MESSAGES} == said == {message for _, message in TABLE}
    assert {state for state, _ in TABLE} == set(State) - {State.CLOSED}


def test_a_link_is_open_when_both_said_hello() -> None:
    for first, second in (("sent", "received"), ("received", "sent")):
        conversation = Conversation()
        assert not conversation.is_open
        getattr(conversation, first)(HELLO)
        assert not conversation.is_open
        getattr(conversation, second)(HELLO)
        assert conversation.is_open
        getattr(conversation, first)(HELLO)
        assert conversation.is_open, "a Hello is said again when mandates come or go"
        getattr(conversation, second)(CLOSE)
        assert not conversation.is_open
