"""Every message comes back from its frame; no bytes that a peer can send do more than raise CodecError."""

from __future__ import annotations

from dataclasses import fields
from random import Random
from typing import Any, get_args

import msgpack
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, ContentId, LogId, MandateId
from p2psync.errors import CodecError, LocalProtocolError
from p2psync.wire.codec import decode, encode
from p2psync.wire.messages import (
    BLOCK_BYTES_MAX,
    BLOCKS_MAX,
    FRAME_BYTES_MAX,
    LANES_MAX,
    LOGS_MAX,
    MANDATES_MAX,
    PUSH_BYTES_MAX,
    PUSH_ITEMS_MAX,
    REQUEST_ITEMS_MAX,
    RESPONSE_DATA_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    UNPLACED_MAX,
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
from p2psync.wire.shapes import INTEGER_MAX

M = MandateId(b"m" * 16)
C = ContentId(b"c" * 32)
NONCE = bytes(16)

mandates = st.binary(min_size=16, max_size=16).map(MandateId)
contents = st.binary(min_size=32, max_size=32).map(ContentId)
numbers = st.integers(0, INTEGER_MAX)
PACKABLE = st.integers(-(1 << 63), (1 << 64) - 1)
"""Integers that msgpack knows."""
texts = st.text(max_size=40)
tip = st.builds(Tip, st.integers(1, 1 << 40), st.binary(min_size=32, max_size=32).map(BlockHash))
tips = st.dictionaries(
    st.binary(min_size=16, max_size=16).map(LogId),
    st.lists(tip, min_size=1, max_size=4, unique=True).map(lambda some: tuple(sorted(some))),
    max_size=5,
)


def pushes(pairs: list[tuple[ContentId, bytes]]) -> st.SearchStrategy[Push]:
    named, data = zip(*pairs, strict=True)
    return st.builds(Push, mandates, st.just(named), st.just(data), texts)


MESSAGES: dict[type, st.SearchStrategy[Any]] = {
    Hello: st.builds(
        Hello,
        st.integers(0, 65535),
        texts,
        texts,
        st.binary(min_size=16, max_size=16),
        st.floats(allow_nan=False, allow_infinity=False),
        st.lists(mandates, max_size=5).map(tuple),
    ),
    Have: st.builds(Have, mandates, tips),
    IndexUpdate: st.builds(IndexUpdate, mandates, st.lists(st.binary(min_size=1, max_size=500), max_size=5).map(tuple)),
    Placed: st.builds(Placed, mandates, tips, numbers, st.lists(st.tuples(texts, texts), max_size=5).map(tuple)),
    Secret: st.builds(Secret, mandates, numbers, st.binary(min_size=16, max_size=64)),
    Request: st.one_of(
        st.builds(
            Request, mandates, numbers, st.just(What.CONTENT), st.lists(contents, min_size=1, max_size=5).map(tuple)
        ),
        st.builds(Request, mandates, numbers, st.sampled_from([What.MANIFEST, What.HOLDING]), st.tuples(contents)),
        st.builds(
            Request,
            mandates,
            numbers,
            st.just(What.CHUNK),
            st.tuples(contents),
            st.lists(st.integers(0, 1_000_000), min_size=1, max_size=5).map(tuple),
        ),
    ),
    Response: st.builds(
        Response,
        mandates,
        numbers,
        numbers,
        st.lists(st.one_of(st.none(), st.binary(max_size=2000)), max_size=5).map(tuple),
        st.booleans(),
    ),
    Ping: st.builds(Ping, numbers),
    Pong: st.builds(Pong, numbers),
    Close: st.builds(Close, st.sampled_from(CloseCode), texts),
    Push: st.lists(st.tuples(contents, st.binary(max_size=2000)), min_size=1, max_size=5).flatmap(pushes),
    Widen: st.builds(
        Widen,
        st.integers(0, LANES_MAX),
        st.integers(0, LANES_MAX),
        st.one_of(st.just(b""), st.binary(min_size=16, max_size=16)),
    ),
    Lane: st.builds(Lane, st.binary(min_size=16, max_size=16)),
    Offer: st.builds(Offer, mandates, contents, numbers, contents, st.binary(max_size=2000), texts),
    Ahead: st.builds(Ahead, mandates, texts, numbers, numbers, st.binary(min_size=1, max_size=2000), texts),
    Credit: st.builds(Credit, mandates, texts, numbers, texts),
}
ANY = st.one_of(*MESSAGES.values())


def test_every_message_has_a_strategy_here() -> None:
    assert set(MESSAGES) == set(get_args(Message))


@given(ANY)
def test_every_message_comes_back(message: Message) -> None:
    back = decode(encode(message))
    assert back == message
    for field in fields(message):
        assert type(getattr(back, field.name)) is type(getattr(message, field.name))


@given(ANY, st.lists(st.one_of(PACKABLE, st.binary(), st.none()), min_size=1, max_size=3))
def test_fields_of_a_later_version_are_passed_over(message: Message, more: list[Any]) -> None:
    assert decode(frame(*plain(message), *more)) == message


@given(ANY)
def test_a_message_that_lacks_a_field_is_refused(message: Message) -> None:
    with pytest.raises(CodecError, match="lacks fields"):
        decode(frame(*plain(message)[:-1]))


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    PACKABLE,
    st.floats(),
    st.text(max_size=9),
    st.binary(max_size=40),
)
TREES = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


@given(st.integers(-1, 12), st.lists(TREES, max_size=7))
def test_msgpack_of_anything_else_is_refused(number: int, values: list[Any]) -> None:
    only_a_codec_error(frame(number, *values))


@given(ANY, st.data())
def test_a_message_with_one_wrong_field_is_refused_or_read_strictly(message: Message, data: st.DataObject) -> None:
    values = plain(message)
    values[data.draw(st.integers(0, len(values) - 1))] = data.draw(TREES)
    only_a_codec_error(frame(*values))


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x93\x08", zstandard.FRAME_HEADER]))
def test_noise_is_refused(noise: bytes, start: bytes) -> None:
    only_a_codec_error(start + noise)


@given(ANY, st.data())
def test_a_damaged_frame_is_refused_or_read_strictly(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    only_a_codec_error(bytes(damaged))
    only_a_codec_error(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


HELLO = Hello(1, "name", "program", NONCE, 1.0, ())
OVER: list[tuple[str, Message]] = [
    ("name", Hello(1, "x" * (TEXT_CHARACTERS_MAX + 1), "", NONCE, 1.0, ())),
    ("program", Hello(1, "", "x" * (TEXT_CHARACTERS_MAX + 1), NONCE, 1.0, ())),
    ("nonce", Hello(1, "", "", NONCE + b"x", 1.0, ())),
    ("version", Hello(-1, "", "", NONCE, 1.0, ())),
    ("time", Hello(1, "", "", NONCE, float("nan"), ())),
    ("mandates", Hello(1, "", "", NONCE, 1.0, (M,) * (MANDATES_MAX + 1))),
    ("mandate", Have(MandateId(b"m"), {})),
    ("logs", Have(M, {LogId(n.to_bytes(16, "big")): (Tip(1, BlockHash(C)),) for n in range(LOGS_MAX + 1)})),
    ("blocks", IndexUpdate(M, (b"b",) * (BLOCKS_MAX + 1))),
    ("block", IndexUpdate(M, (bytes(BLOCK_BYTES_MAX + 1),))),
    ("empty block", IndexUpdate(M, (b"",))),
    ("waiting", Placed(M, {}, -1, ())),
    ("unplaced", Placed(M, {}, 1, (("a", "b"),) * (UNPLACED_MAX + 1))),
    ("path", Placed(M, {}, 1, (("x" * 1025, "b"),))),
    ("code", Placed(M, {}, 1, (("a", "x" * (TEXT_CHARACTERS_MAX + 1)),))),
    ("secret", Secret(M, 1, b"short")),
    ("contents", Request(M, 1, What.CONTENT, (C,) * (REQUEST_ITEMS_MAX + 1))),
    ("no contents", Request(M, 1, What.CONTENT, ())),
    ("two manifests", Request(M, 1, What.MANIFEST, (C, C))),
    ("what there is of two", Request(M, 1, What.HOLDING, (C, C))),
    ("chunks of two", Request(M, 1, What.CHUNK, (C, C), (1,))),
    ("no chunks", Request(M, 1, What.CHUNK, (C,), ())),
    ("chunks of a manifest", Request(M, 1, What.MANIFEST, (C,), (1,))),
    ("chunks", Request(M, 1, What.CHUNK, (C,), (1,) * (REQUEST_ITEMS_MAX + 1))),
    ("no pushed contents", Push(M, (), ())),
    ("pushed contents", Push(M, (C,) * (PUSH_ITEMS_MAX + 1), (b"",) * (PUSH_ITEMS_MAX + 1))),
    ("contents without bytes", Push(M, (C, C), (b"",))),
    ("pushed bytes", Push(M, (C, C), (bytes(PUSH_BYTES_MAX), b"1"))),
    ("chunk", Request(M, 1, What.CHUNK, (C,), (-1,))),
    ("item", Response(M, 1, 0, (bytes(RESPONSE_DATA_BYTES_MAX + 1),), True)),
    ("items together", Response(M, 1, 0, (bytes(RESPONSE_DATA_BYTES_MAX), b"x"), True)),
    ("items", Response(M, 1, 0, (None,) * (REQUEST_ITEMS_MAX + 1), True)),
    ("ping", Ping(1 << 63)),
    ("lanes", Widen(LANES_MAX + 1, 0, b"")),
    ("part of a token", Widen(1, 0, b"t" * 15)),
    ("token", Lane(b"t" * 17)),
    ("reason", Close(CloseCode.GOODBYE, "x" * (TEXT_CHARACTERS_MAX + 1))),
]


@pytest.mark.parametrize("message", [message for _, message in OVER], ids=[name for name, _ in OVER])
def test_each_limit_holds_on_both_ends(message: Message) -> None:
    with pytest.raises(LocalProtocolError, match="cannot be sent"):
        encode(message)
    with pytest.raises(CodecError):
        decode(frame(*plain(message)))


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, "ü" * TEXT_CHARACTERS_MAX, "x" * TEXT_CHARACTERS_MAX, NONCE, 1.0, (M,) * MANDATES_MAX),
        Have(M, {LogId(n.to_bytes(16, "big")): (Tip(1, BlockHash(C)),) for n in range(LOGS_MAX)}),
        IndexUpdate(M, (b"b",) * BLOCKS_MAX),
        IndexUpdate(M, (bytes(BLOCK_BYTES_MAX),) * 3),
        Placed(M, {}, 1, (("x" * 1024, "name-too-long"),) * UNPLACED_MAX),
        Request(M, 1, What.CONTENT, (C,) * REQUEST_ITEMS_MAX),
        Request(M, 1, What.CHUNK, (C,), (1_799_999,) * REQUEST_ITEMS_MAX),
        Response(M, 1, 0, (bytes(RESPONSE_DATA_BYTES_MAX),), True),
        Response(M, 1, 0, (None,) * REQUEST_ITEMS_MAX, False),
    ],
)
def test_what_just_fits_is_sent(message: Message) -> None:
    assert decode(encode(message)) == message


def test_a_message_longer_than_a_frame_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="bytes"):
        encode(IndexUpdate(M, (bytes(BLOCK_BYTES_MAX),) * 4))


def test_text_that_is_no_unicode_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        encode(Close(CloseCode.GOODBYE, "\ud800"))


def test_an_unknown_message_says_what_to_do() -> None:
    with pytest.raises(CodecError, match="update p2psync"):
        decode(frame(99, 1, 2, 3))


@pytest.mark.parametrize(
    "values",
    [5, None, "text", [], [None], [True, 1], [8.0, 1], ["8", 1], {}, {8: 1}, [8, {}], [8, msgpack.Timestamp(1)]],
)
def test_other_msgpack_is_no_message(values: Any) -> None:
    with pytest.raises(CodecError):
        decode(msgpack.packb(values))


def test_a_frame_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(CodecError, match="too long"):
        decode(frame(8, 1, bytes(FRAME_BYTES_MAX)))


def test_nothing_behind_the_message_is_allowed() -> None:
    with pytest.raises(CodecError):
        decode(encode(Ping(1)) + b"\0")
    with pytest.raises(CodecError):
        decode(zstandard.compress(encode(Ping(1))) + b"\0")


def test_a_small_frame_cannot_unpack_to_much() -> None:
    bomb = zstandard.compress(frame(8, 1, bytes(FRAME_BYTES_MAX)))
    assert len(bomb) < 200
    with pytest.raises(CodecError, match="would unpack"):
        decode(bomb)


def test_a_frame_that_hides_its_size_is_refused() -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    with pytest.raises(CodecError):
        decode(compressor.compress(frame(8, 1)))


def test_a_frame_that_understates_its_size_is_refused() -> None:
    packed = bytearray(zstandard.compress(frame(8, 1, bytes(200))))
    assert packed[5] == 205
    packed[5] = 100
    with pytest.raises(CodecError, match="damaged"):
        decode(bytes(packed))


@pytest.mark.parametrize("count", [1, 9_999, LOGS_MAX])
def test_arrays_within_arrays_are_refused(count: int) -> None:
    with pytest.raises(CodecError):
        decode((b"\xdd" + count.to_bytes(4, "big")) * 200_000)


def test_compressed_only_where_it_gains() -> None:
    text = Response(M, 1, 0, (b"05.01.2025\t1100\t3000\tF-001\r\n" * 1000,), True)
    noise = Response(M, 1, 0, (Random(1).randbytes(100_000),), True)
    mixed = Response(M, 1, 0, (Random(1).randbytes(20_000), b"text " * 10_000), True)
    assert len(encode(text)) < 1000
    assert len(encode(mixed)) < 25_000
    assert encode(noise) == frame(*plain(noise))
    assert encode(Ping(1)) == frame(8, 1)
    for message in (text, noise, mixed):
        assert decode(encode(message)) == message


@settings(max_examples=30)
@given(st.integers(0, 40_000), st.integers(0, 40_000))
def test_no_frame_is_longer_than_its_plain_form(noise: int, text: int) -> None:
    message = Response(M, 1, 0, (Random(1).randbytes(noise), b"text" * (text // 4)), True)
    assert len(encode(message)) <= len(frame(*plain(message)))


def only_a_codec_error(received: bytes) -> None:
    """What is read in spite of everything is a message that could be sent on."""
    try:
        message = decode(received)
    except CodecError:
        return
    assert decode(encode(message)) == message


NUMBERS = {kind: number for number, kind in enumerate(MESSAGES, start=1)}


def plain(message: Message) -> list[Any]:
    """What the frame of a message holds, by a straightforward rule of its own."""
    return [NUMBERS[type(message)], *(simple(getattr(message, field.name)) for field in fields(message))]


def simple(value: Any) -> Any:
    if isinstance(value, dict):
        return [[simple(key), simple(value[key])] for key in sorted(value)]
    return [simple(one) for one in value] if isinstance(value, tuple) else value


def frame(*values: Any) -> bytes:
    packed: bytes = msgpack.packb(values)
    return packed
