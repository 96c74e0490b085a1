"""A caller is told where he comes from, as aioice and RFC 5769 have it; nothing else gets an answer."""

from __future__ import annotations

import struct

import pytest
from aioice import stun as aioice
from hypothesis import example, given
from hypothesis import strategies as st

from p2psync.rendezvous.protocol.stun import (
    BINDING_ERROR,
    BINDING_SUCCESS,
    DATAGRAM_BYTES_MAX,
    HEADER_BYTES,
    MAGIC,
    Binding,
    answer,
    parse,
)

TRANSACTION = b"t" * 12
PLAIN = struct.pack("!HHI", 1, 0, MAGIC) + TRANSACTION

# RFC 5769, 2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY and FINGERPRINT.
SAMPLE_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf"
)


def request(*attributes: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("!HH", n, len(v)) + v + bytes(-len(v) % 4) for n, v in attributes)
    return struct.pack("!HHI", 1, len(body), MAGIC) + TRANSACTION + body


@pytest.mark.parametrize("host", ["203.0.113.7", "192.0.2.1", "2001:db8:1234:5678:11:2233:4455:6677"])
@pytest.mark.parametrize("port", [1, 32853, 65535])
def test_another_implementation_understands_the_answer(host: str, port: int) -> None:
    binding = parse(bytes(aioice.Message(aioice.Method.BINDING, aioice.Class.REQUEST, TRANSACTION)))
    assert binding == Binding(TRANSACTION)
    got = aioice.parse_message(answer(binding, host, port))
    assert got.message_class is aioice.Class.RESPONSE
    assert got.transaction_id == TRANSACTION
    assert got.attributes["XOR-MAPPED-ADDRESS"] == (host, port)


def test_the_sample_of_the_standard() -> None:
    assert parse(SAMPLE_REQUEST) == Binding(bytes.fromhex("b7e7a701bc34d686fa87dfae"))
    damaged = SAMPLE_REQUEST[:-1] + b"\0"
    assert parse(damaged) is None, "its fingerprint does not fit"


def test_ipv4_that_came_in_ipv6_is_told_as_ipv4() -> None:
    assert answer(Binding(TRANSACTION), "::ffff:192.0.2.1", 9) == answer(Binding(TRANSACTION), "192.0.2.1", 9)
    assert answer(Binding(TRANSACTION), "fe80::1%eth0", 9) == answer(Binding(TRANSACTION), "fe80::1", 9)


def test_what_must_be_understood_and_is_not_is_named() -> None:
    binding = parse(request((0x0003, b"\0\0\0\4"), (0x7FFF, b"abc"), (0x0003, b""), (0x8001, b"may be passed over")))
    assert binding == Binding(TRANSACTION, (0x0003, 0x7FFF))
    got = answer(binding, "192.0.2.1", 9)
    assert struct.unpack_from("!H", got)[0] == BINDING_ERROR
    parsed = aioice.parse_message(got)
    assert parsed.message_class is aioice.Class.ERROR
    assert parsed.attributes["ERROR-CODE"][0] == 420


@given(st.binary(max_size=DATAGRAM_BYTES_MAX + 20))
@example(PLAIN)
@example(SAMPLE_REQUEST)
def test_nothing_makes_it_stumble_and_no_answer_is_long(datagram: bytes) -> None:
    binding = parse(datagram)
    if binding is not None:
        assert len(answer(binding, "2001:db8::1", 9)) <= 2 * HEADER_BYTES + 24


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=6))
def test_any_attributes_get_an_answer_of_bounded_size(attributes: list[tuple[int, bytes]]) -> None:
    binding = parse(request(*attributes))
    if binding is None:
        assert any(number == 0x8028 for number, _ in attributes), "only a wrong fingerprint is a reason"
        return
    got = answer(binding, "2001:db8::1", 9)
    assert len(got) <= 2 * HEADER_BYTES + 40
    assert struct.unpack_from("!H", got)[0] in (BINDING_SUCCESS, BINDING_ERROR)


@pytest.mark.parametrize(
    "datagram",
    [
        PLAIN[:-1],
        PLAIN + b"\0",
        b"\1\1" + PLAIN[2:],
        PLAIN[:4] + b"\0\0\0\0" + PLAIN[8:],
        struct.pack("!HHI", 1, 4, MAGIC) + TRANSACTION + b"\x80\x22\0\5",
        struct.pack("!HHI", 1, 3, MAGIC) + TRANSACTION + b"abc",
        request((0x8022, bytes(600))),
    ],
)
def test_what_is_no_binding_request_gets_no_answer(datagram: bytes) -> None:
    assert parse(datagram) is None
