"""Every message arrives as it was sent; whatever else arrives is refused, at no cost."""

from __future__ import annotations

import contextlib
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from p2psync.errors import CodecError, LocalProtocolError
from p2psync.rendezvous.protocol.envelope import ENVELOPE_BYTES_MAX, ENVELOPE_BYTES_MIN
from p2psync.rendezvous.protocol.messages import (
    ENTRIES_MAX,
    MESSAGE_BYTES_MAX,
    Enter,
    Gone,
    Leave,
    Mail,
    Message,
    Post,
    Reason,
    Refused,
    Welcome,
    decode,
    encode,
)

TOPICS = st.binary(min_size=32, max_size=32)
HANDLES = st.binary(min_size=8, max_size=8)
ENVELOPES = st.binary(min_size=ENVELOPE_BYTES_MIN, max_size=300)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Enter, st.lists(st.tuples(TOPICS, ENVELOPES), min_size=1, max_size=5).map(tuple)),
    st.builds(Leave, st.lists(TOPICS, min_size=1, max_size=5).map(tuple)),
    st.builds(Post, TOPICS, st.none() | HANDLES, ENVELOPES),
    st.builds(Welcome, st.integers(1, 9), st.text(max_size=45), st.integers(0, 65535), st.integers(0), st.booleans()),
    st.builds(Mail, TOPICS, HANDLES, ENVELOPES),
    st.builds(Gone, TOPICS, HANDLES),
    st.builds(Refused, st.sampled_from(Reason), st.none() | TOPICS),
)
SMALL = Mail(b"t" * 32, b"h" * 8, b"e" * 200)


@given(MESSAGES)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    try:
        data = encode(message)
    except LocalProtocolError:  # a number that no 64 bits hold, a lone surrogate
        return
    assert decode(data) == message


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x90")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xc6\xff\xff\xff\xff")
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data)


@given(MESSAGES.filter(lambda m: not isinstance(m, Welcome)), st.data())
def test_what_is_damaged_is_refused_or_says_something_else(message: Message, data: st.DataObject) -> None:
    raw = bytearray(encode(message))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CodecError):
        assert decode(bytes(raw)) != message


@given(MESSAGES.filter(lambda m: not isinstance(m, Welcome)), st.integers(0, 40))
def test_what_is_cut_off_is_refused(message: Message, missing: int) -> None:
    data = encode(message)
    with pytest.raises(CodecError):
        decode(data[: max(0, len(data) - 1 - missing)])


@pytest.mark.parametrize(
    "fields",
    [
        [99],
        [True, b"t" * 32, b"h" * 8],
        [18, b"t" * 32],
        [18, b"t" * 31, b"h" * 8],
        [18, "t" * 32, b"h" * 8],
        [3, b"t" * 32, b"h" * 7, b"e" * 200],
        [3, b"t" * 32, b"", b"e" * 200],
        [3, b"t" * 32, None, b"e"],
        [3, b"t" * 32, None, b"e" * (ENVELOPE_BYTES_MAX + 1)],
        [1, []],
        [1, [[b"t" * 32, b"e" * 200]] * (ENTRIES_MAX + 1)],
        [2, []],
        [2, b"t" * 32],
        [19, 99, None],
        [19, True, None],
        [16, 1, "h", 1, 1, 1],
        {"a": 1},
    ],
)
def test_fields_have_their_limits(fields: Any) -> None:
    with pytest.raises(CodecError):
        decode(msgpack.packb(fields))


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert decode(msgpack.packb([*msgpack.unpackb(encode(SMALL)), "news", 1])) == SMALL


def test_what_nobody_would_accept_is_not_sent() -> None:
    for message in (Gone(b"t", b"h" * 8), Leave(()), Enter(((b"t" * 32, b"e"),))):
        with pytest.raises(LocalProtocolError):
            encode(message)
    with pytest.raises(LocalProtocolError, match="takes"):
        encode(Enter(((b"t" * 32, b"e" * 1000),) * ENTRIES_MAX))


def test_a_message_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(CodecError, match="too long"):
        decode(bytes(MESSAGE_BYTES_MAX + 1))
