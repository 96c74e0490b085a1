"""How a stream begins is read to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import CodecError
from p2psync.rendezvous.protocol.messages import Reason
from p2psync.rendezvous.protocol.streams import (
    JOIN_BYTES,
    PREFIX,
    Join,
    may_be_join,
    parse_invitation,
    parse_join,
    reason_of,
)

JOIN = Join(b"t" * 32, b"s" * 16)


def test_it_arrives_as_it_was_sent() -> None:
    assert parse_join(JOIN.pack()) == JOIN
    assert len(JOIN.pack()) == JOIN_BYTES
    assert parse_invitation(JOIN.invitation()) == JOIN


@given(st.binary(max_size=100))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        parse_join(data)


@pytest.mark.parametrize("data", [JOIN.pack()[:-1], JOIN.pack() + b"x", b"GET / HTTP/1.1\r\n" + JOIN.invitation()])
def test_too_short_too_long_and_http_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        parse_join(data)


def test_a_beginning_is_recognised_as_far_as_it_goes() -> None:
    assert all(may_be_join(JOIN.pack()[:n]) for n in range(JOIN_BYTES + 1))
    assert not may_be_join(b"P")
    assert not may_be_join(PREFIX[:-1] + b"x")
    assert not may_be_join(b"POST / HTTP/1.1\r\n")


def test_answers() -> None:
    assert reason_of(0) is None
    assert reason_of(Reason.RELAY_FULL) is Reason.RELAY_FULL
    with pytest.raises(CodecError):
        reason_of(255)
