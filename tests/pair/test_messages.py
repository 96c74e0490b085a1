"""Pairing messages: what one side writes the other reads; anything else is the other side's fault."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.errors import RemoteProtocolError
from p2psync.pair.messages import (
    MESSAGE_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    PART_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    TICKET_CHARACTERS_MAX,
    Accepted,
    Challenge,
    Confirm,
    Handover,
    JoinRequest,
    Message,
    Part,
    Pending,
    Proof,
    Refusal,
    Refused,
    Share,
    decode,
    encode,
    readable,
)
from p2psync.pair.ticket import TicketId


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        JoinRequest,
        exactly(8).map(TicketId),
        exactly(32).map(DeviceId),
        st.binary(min_size=1, max_size=50),
        st.text(max_size=200).map(readable),
        exactly(32),
    ),
    st.builds(Challenge, exactly(32)),
    st.builds(Proof, exactly(32), exactly(64)),
    st.just(Pending()),
    st.builds(Accepted, exactly(32), st.integers(1, PAYLOAD_BYTES_MAX)),
    st.builds(Part, st.binary(min_size=1, max_size=50)),
    st.builds(Refused, st.sampled_from(Refusal)),
    st.builds(Share, exactly(33)),
    st.builds(Confirm, exactly(32), exactly(32)),
    st.builds(Handover, st.text("P2P1ABC", min_size=1, max_size=50), exactly(32)),
)
LARGEST: list[Message] = [
    JoinRequest(TicketId(bytes(8)), DeviceId(bytes(32)), bytes(4096), "\U0001f600" * NAME_CHARACTERS_MAX, bytes(32)),
    Part(bytes(PART_BYTES_MAX)),
]


@given(MESSAGES)
def test_a_message_survives_the_wire(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", LARGEST, ids=lambda m: type(m).__name__)
def test_the_largest_message_fits_into_a_frame(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=80))
def test_noise_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        message = decode(data)
    except RemoteProtocolError:
        return
    assert decode(encode(message)) == message


@given(MESSAGES, st.data())
def test_a_message_cut_off_is_refused(message: Message, data: st.DataObject) -> None:
    frame = encode(message)
    with pytest.raises(RemoteProtocolError):
        decode(frame[: data.draw(st.integers(0, len(frame) - 1))])


REQUEST = [1, bytes(8), bytes(32), b"cert", "PC", bytes(32)]


@pytest.mark.parametrize(
    "fields",
    [
        None,
        "x",
        1,
        [],
        {},
        {4: 1},
        [0],
        [11],
        [True, bytes(32)],
        ["4"],
        [[4]],
        [4.0],
        [4, 1],
        [2],
        [2, bytes(31)],
        [2, "x" * 32],
        [3, bytes(32), bytes(63)],
        [5, bytes(32), 0],
        [5, bytes(32), PAYLOAD_BYTES_MAX + 1],
        [5, bytes(32), True],
        [5, bytes(32), -1],
        [6, b""],
        [6, bytes(PART_BYTES_MAX + 1)],
        [7, 0],
        [7, 9],
        [7, True],
        [7, "1"],
        [8, bytes(32)],
        [8, bytes(34)],
        [8, "x" * 33],
        [9, bytes(31), bytes(32)],
        [9, bytes(32), bytes(33)],
        [10, "", bytes(32)],
        [10, b"P2P1", bytes(32)],
        [10, "P2P\u00e9", bytes(32)],
        [10, "P" * (TICKET_CHARACTERS_MAX + 1), bytes(32)],
        [10, "P2P1", bytes(31)],
        [*REQUEST, 1],
        [*REQUEST[:1], bytes(7), *REQUEST[2:]],
        [*REQUEST[:2], bytes(31), *REQUEST[3:]],
        [*REQUEST[:3], b"", *REQUEST[4:]],
        [*REQUEST[:3], bytes(4097), *REQUEST[4:]],
        [*REQUEST[:4], b"PC", *REQUEST[5:]],
        [*REQUEST[:4], "\x1b[2J", *REQUEST[5:]],
        [*REQUEST[:4], "\u202egnp.exe", *REQUEST[5:]],
        [*REQUEST[:4], "x" * 101, *REQUEST[5:]],
        [*REQUEST[:5], bytes(33)],
    ],
    ids=lambda fields: repr(fields)[:60],
)
def test_a_message_that_breaks_a_limit_is_refused(fields: object) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(msgpack.packb(fields, use_bin_type=True))


def test_a_frame_that_is_too_long_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(RemoteProtocolError, match="too long"):
        decode(b"\xc1" * (MESSAGE_BYTES_MAX + 1))


def test_a_message_with_something_after_it_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        decode(encode(Pending()) + b"\0")


@pytest.mark.parametrize("depth", [10, 500, 1000, 1020, 1100, 60_000])
def test_lists_within_lists_are_refused_however_deep(depth: int) -> None:
    nested = b"\x91" * depth + b"\xc0"
    for frame in (nested, b"\x92" + nested + nested, b"\x92\x02" + nested, b"\x93\x05" + nested + nested):
        with pytest.raises(RemoteProtocolError):
            decode(frame[:MESSAGE_BYTES_MAX])


def test_text_that_is_no_unicode_is_refused() -> None:
    frame = encode(JoinRequest(TicketId(bytes(8)), DeviceId(bytes(32)), b"c", "PC", bytes(32)))
    with pytest.raises(RemoteProtocolError):
        decode(frame.replace(b"PC", b"\xff\xfe"))


@pytest.mark.parametrize(
    ("name", "sent"),
    [("  PC Büro\n", "PC Büro"), ("a\x1b[31mb\u202ec", "a[31mbc"), ("x" * 150, "x" * 100), ("\n", "")],
)
def test_a_name_is_made_fit_to_be_shown(name: str, sent: str) -> None:
    assert readable(name) == sent
