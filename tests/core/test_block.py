"""A block says who wrote what where, and nothing of it can be changed, moved or replayed unnoticed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

import msgpack
import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.block import (
    CHANGES_MAX,
    CLOCK_MAX,
    FORMAT,
    PAYLOAD_BYTES_MAX,
    SALT_BYTES,
    SEQ_MAX,
    SIGNATURE_BYTES,
    TIME_MS_MAX,
    Block,
    Opening,
    SignedBlock,
    log_id_of,
    parse_block,
    sign_block,
    verify_ed25519,
)
from p2psync.core.change import Change
from p2psync.core.clock import Tip
from p2psync.core.cut import Cut
from p2psync.core.ids import BlockHash, DeviceId, LogId, MandateId
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.core.statement import Admit, Rename, SetCurrent, SetOwner, SetRole, Share, UnknownStatement
from p2psync.errors import CodecError, SignatureInvalid
from tests.core.making import ANNA, BERT, LOG, M, batches, digest, file, first_block, tips

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
DEVICE = DeviceId(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
OTHER = MandateId(b"o" * 16)

BLOCK = Block(
    LOG,
    2,
    digest("before"),
    1_700_000_000_000,
    ((LogId(b"x" * 16), Tip(3, digest("three"))),),
    None,
    (Change(parse("Cargo.crp"), file("chart"), ()),),
)


BEFORE_NOTES = bytes.fromhex(
    "f47255c5717fb6c00b00086ed43df0cdff7648f44c06d0e969856e1a87ac177b"
    "252ef7a34288c5f42dd5354b25fbb12138ee02038e8aaf3aa745ea41bf798c01"
    "9901c4106c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c02c420626262626262626262"
    "6262626262626262626262626262626262626262626262cf0000018bcfe56800"
    "90c0aa73746174656d656e74739192a763757272656e7481a5756e74696caa32"
    "3032352d30362d3330"
)
"""What p2psync signed with KEY for "the books are complete until 2025-06-30" before that could carry a note."""

BEFORE_PERSONS = bytes.fromhex(
    "5ff73ec110b6fac1f0da35adb6e174160f1012ddd86f87073c2d61c85d55cc71"
    "45f5b1eee82a89911f22b55007e0166f202d203ab17c7c5fc882eeda78e1a404"
    "9901c4106c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c02c42018c52a7ed981fbffa1"
    "2fbf611b593c451f6a5700af2206c612b5c3dd2888909bcf0000018bcfe56800"
    "90c0aa73746174656d656e74739392a561646d697486a6646576696365c42062"
    "62626262626262626262626262626262626262626262626262626262626262ab"
    "6365727469666963617465c40463657274a46e616d65a25043a4726f6c65a770"
    "6179726f6c6ca561646d696ec2a67469636b6574c4017492a4726f6c6584a664"
    "6576696365c42062626262626262626262626262626262626262626262626262"
    "62626262626262a4726f6c65a9696e766f6963696e67a561646d696ec2a36375"
    "7492909092a56f776e657282a470617468a5782e656366a6646576696365c420"
    "6262626262626262626262626262626262626262626262626262626262626262"
)
"""What p2psync signed with KEY for three statements about Bert before members' persons could be told."""


def check(mandate: MandateId, raw: bytes) -> SignedBlock:
    """What every receiver does before it believes a block."""
    block = parse_block(mandate, raw)
    block.verify(mandate, DEVICE, verify_ed25519)
    return block


@given(batches, st.lists(st.tuples(st.binary(min_size=16, max_size=16).map(LogId), tips), max_size=3).map(tuple))
def test_a_block_comes_back_as_it_was_signed(changes: tuple[Change, ...], clock: tuple[tuple[LogId, Tip], ...]) -> None:
    for block in (replace(BLOCK, changes=changes, clock=clock), first_block(*changes)):
        signed = sign_block(M, block, KEY.sign)
        assert check(M, signed.raw) == signed
        assert signed.block == block


def test_a_block_is_named_by_what_is_signed() -> None:
    signed = sign_block(M, BLOCK, KEY.sign)
    covered = b"p2psync block\0\x01" + M + LOG + signed.raw[SIGNATURE_BYTES:]
    assert signed.hash == blake3(covered).digest()
    KEY.public_key().verify(signed.raw[:SIGNATURE_BYTES], covered)
    assert parse_block(OTHER, signed.raw).hash != signed.hash


def test_a_flipped_bit_anywhere_is_refused() -> None:
    raw = sign_block(M, BLOCK, KEY.sign).raw
    for at in range(len(raw)):
        for bit in (1, 0x80):
            flipped = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
            with pytest.raises((SignatureInvalid, CodecError)):
                check(M, flipped)


@given(st.data())
def test_a_block_cut_short_or_prolonged_is_refused(data: st.DataObject) -> None:
    raw = sign_block(M, BLOCK, KEY.sign).raw
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(CodecError):
        parse_block(M, raw[:cut])
    with pytest.raises(CodecError):
        parse_block(M, raw + data.draw(st.binary(min_size=1, max_size=9)))


def test_a_block_means_nothing_elsewhere() -> None:
    signed = sign_block(M, BLOCK, KEY.sign)
    with pytest.raises(SignatureInvalid):
        check(OTHER, signed.raw)
    with pytest.raises(SignatureInvalid):
        signed.verify(M, ANNA, verify_ed25519)
    moved = sign_block(M, replace(BLOCK, log=LogId(b"y" * 16)), lambda _: signed.raw[:SIGNATURE_BYTES])
    with pytest.raises(SignatureInvalid):
        check(M, moved.raw)


def test_a_signature_over_the_bare_bytes_is_worth_nothing() -> None:
    payload = sign_block(M, BLOCK, KEY.sign).raw[SIGNATURE_BYTES:]
    with pytest.raises(SignatureInvalid):
        check(M, KEY.sign(payload) + payload)


def test_a_device_id_that_is_no_key_verifies_nothing() -> None:
    assert verify_ed25519(DeviceId(b"short"), b"data", bytes(64)) is False
    assert verify_ed25519(DEVICE, b"data", b"") is False
    assert verify_ed25519(DEVICE, b"data", KEY.sign(b"data")) is True
    assert verify_ed25519(DEVICE, b"date", KEY.sign(b"data")) is False


FIELDS: list[Any] = [
    *(FORMAT, LOG, 2, bytes(32), 1_000, [[b"x" * 16, 3, bytes(32)]], None, "changes"),
    [[], [["a.txt", 0, 0, 0, 0, None, [], []]]],
]
"""format, log, seq, prev, time_ms, clock, opening, kind of the body, body"""


def payload(*others: tuple[int, object]) -> bytes:
    """The bytes of a block that has other fields at these indexes."""
    fields = list(FIELDS)
    for index, value in others:
        fields[index] = value
    return raw_of(fields)


def raw_of(fields: object) -> bytes:
    return bytes(SIGNATURE_BYTES) + bytes(msgpack.packb(fields))


def test_the_fields_that_the_bad_ones_differ_from_are_good() -> None:
    assert parse_block(M, payload()).block.seq == 2
    opened = parse_block(M, payload((2, 1), (3, None), (6, [ANNA, "x" * 100, b"s" * SALT_BYTES]))).block
    assert opened.opening == Opening(ANNA, "x" * 100, b"s" * SALT_BYTES)
    assert parse_block(M, payload((2, SEQ_MAX), (4, TIME_MS_MAX))).block.time_ms == TIME_MS_MAX


WRONG: list[tuple[int, list[Any]]] = [
    (0, [0, FORMAT + 1, "1", None]),
    (1, [b"short", "l" * 16, None]),
    (2, [0, -1, 1, SEQ_MAX + 1, "2", 2.0]),
    (3, [None, b"short", "x" * 32]),
    (4, [-1, TIME_MS_MAX + 1, True, None]),
    (5, [None, {}, [[]], [[b"x" * 16, 3]], [[b"x" * 16, 0, bytes(32)]], [[b"x" * 16, SEQ_MAX + 1, bytes(32)]]]),
    (5, [[[b"x", 3, bytes(32)]], [[b"x" * 16, "3", bytes(32)]], [[b"x" * 16, 3, b""]]]),
    (6, [[ANNA, "", b""], [ANNA], 0]),
    (7, [None, 1, b"changes", "statements"]),
    (8, [None, [], [[], []], [[], [["../a", 0, 0, 0, 0, None, [], []]]]]),
    (8, [[[], [[f"{i}", 0, 0, 0, 0, None, [], []] for i in range(CHANGES_MAX + 1)]]]),
]
WRONG_OPENINGS: list[Any] = [
    *(None, [], [ANNA], [ANNA, ""], [b"short", "", b""], [ANNA, "x" * 101, b""], [ANNA, b"", b""]),
    *([ANNA, "", "salt"], [ANNA, "", bytes(SALT_BYTES + 1)], [ANNA, "", b"", 0]),
]
BAD: list[list[tuple[int, Any]]] = [
    *([(index, one)] for index, wrong in WRONG for one in wrong),
    *([(2, 1), (3, None), (6, one)] for one in WRONG_OPENINGS),
    [(2, True), (3, None), (6, [ANNA, "", b""])],
    [(2, 1), (6, [ANNA, "", b""])],
    [(7, "statements"), (8, [])],
]


@pytest.mark.parametrize("others", BAD, ids=lambda others: repr(others)[:60])
def test_a_block_that_no_honest_device_makes(others: list[tuple[int, object]]) -> None:
    with pytest.raises(CodecError):
        parse_block(M, payload(*others))


@pytest.mark.parametrize("fields", [None, [], FIELDS[:-1], [*FIELDS, 0], {}, "block", 7, tuple(FIELDS[:3])])
def test_bytes_that_are_no_block(fields: object) -> None:
    with pytest.raises(CodecError):
        parse_block(M, raw_of(fields))


def test_a_clock_has_a_limit() -> None:
    names = [[b"x" * 16, 1, b"h" * 32]] * 4_000
    assert len(parse_block(M, payload((5, names))).block.clock) == 4_000
    assert CLOCK_MAX * len(msgpack.packb(names[0])) > PAYLOAD_BYTES_MAX, (
        "the length of a block refuses before the count"
    )


def test_a_block_has_a_limited_length() -> None:
    room = PAYLOAD_BYTES_MAX - len(payload((7, "later"), (8, b""))) + SIGNATURE_BYTES - 3
    longest = payload((7, "later"), (8, bytes(room)))
    assert len(longest) == PAYLOAD_BYTES_MAX + SIGNATURE_BYTES
    assert parse_block(M, longest).block.changes == ()
    with pytest.raises(CodecError, match="length"):
        parse_block(M, payload((7, "later"), (8, bytes(room + 1))))
    for short in (b"", bytes(SIGNATURE_BYTES)):
        with pytest.raises(CodecError, match="length"):
            parse_block(M, short)


def test_a_logs_id_follows_from_its_opening() -> None:
    ids = [
        log_id_of(opening)
        for opening in (
            *(Opening(ANNA, "", b"salt"), Opening(BERT, "", b"salt"), Opening(ANNA, "authority", b"salt")),
            *(Opening(ANNA, "", b"other"), Opening(ANNA, "lt", b"sa"), Opening(ANNA, "", b"")),
        )
    ]
    assert len(set(ids)) == len(ids)
    assert {len(one) for one in ids} == {16}
    assert ids[0] == blake3(b"p2psync log\0" + ANNA + b"\x04salt").digest()[:16]


def test_append_has_to_split_what_does_not_fit() -> None:
    huge = tuple(Change(parse("x" * 250 + "/" + "y" * 250 + f"/{i}"), file("x"), ()) for i in range(CHANGES_MAX))
    with pytest.raises(AssertionError, match="splits"):
        sign_block(M, replace(BLOCK, changes=huge), KEY.sign)


@pytest.mark.parametrize("body", [b"", None, 7, [1, [2]], {"key": {"inner": 1}}])
def test_a_body_of_a_later_kind_has_no_effect_and_is_kept_as_it_is(body: object) -> None:
    raw = payload((7, "later"), (8, body))
    signed = parse_block(M, raw)
    assert (signed.block.changes, signed.block.statements, signed.raw) == ((), (), raw)


def test_statements_travel_in_a_block_of_their_own() -> None:
    signed = sign_block(M, replace(BLOCK, changes=(), statements=(Rename("Cargo"), Share())), KEY.sign)
    assert check(M, signed.raw).block.statements == (Rename("Cargo"), Share())
    later = parse_block(M, payload((7, "statements"), (8, [["melt", {"until": 5}]])))
    assert [str(one) for one in later.block.statements] == [str(UnknownStatement("melt"))]


@given(st.binary(max_size=300))
def test_no_other_bytes_do_more_than_raise(noise: bytes) -> None:
    with pytest.raises(CodecError):
        parse_block(M, bytes(SIGNATURE_BYTES) + noise)


@given(st.data())
def test_no_change_of_a_blocks_bytes_does_more_than_raise(data: st.DataObject) -> None:
    raw = bytearray(sign_block(M, first_block(*data.draw(batches)), KEY.sign).raw)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(SIGNATURE_BYTES, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CodecError):
        parse_block(M, bytes(raw))


@pytest.mark.parametrize("nested", [b"\x91" * 200_000, b"\xdd\x00\x00\xff\xff" * 50_000, b"\x81\xa0" * 100_000])
def test_deep_nesting_is_an_error_like_any_other(nested: bytes) -> None:
    with pytest.raises(CodecError):
        parse_block(M, bytes(SIGNATURE_BYTES) + nested)


def test_hashes_are_those_of_the_bytes_that_came() -> None:
    """msgpack knows several ways to say the same: each is a block of its own, signed or not."""
    raw = payload((4, 100))
    assert raw.count(b"\x64") == 1
    wide = raw.replace(b"\x64", b"\xcc\x64")
    one, two = parse_block(M, raw), parse_block(M, wide)
    assert one.block == two.block
    assert one.hash != two.hash
    assert isinstance(BlockHash(one.hash), bytes)


def test_a_block_that_was_signed_before_there_were_notes_is_read_verified_and_made_the_same_today() -> None:
    signed = check(M, BEFORE_NOTES)
    assert signed.hash.hex() == "42b1d3d310d76668522a7d69b159bcf669f9c26a229bdde9090012c23d83957b"
    assert signed.block.statements == (SetCurrent(date(2025, 6, 30)),)
    assert sign_block(M, signed.block, KEY.sign).raw == BEFORE_NOTES


def test_a_block_that_was_signed_before_there_were_persons_is_read_verified_and_made_the_same_today() -> None:
    signed = check(M, BEFORE_PERSONS)
    assert signed.hash.hex() == "df93eb6f4bafed8123796e498dfe859ac13e1324ac1aaab10ec72e7dd704e38a"
    assert signed.block.statements == (
        Admit(BERT, b"cert", "PC", Role.PAYROLL, False, b"t"),
        SetRole(BERT, Role.INVOICING, False, Cut()),
        SetOwner("x.ecf", BERT),
    )
    assert sign_block(M, signed.block, KEY.sign).raw == BEFORE_PERSONS
