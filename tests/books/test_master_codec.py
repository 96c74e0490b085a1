"""Master data as bytes: there and back, the same bytes everywhere, and nothing else is taken."""

from __future__ import annotations

from random import Random
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.export import RecordKind
from p2psync.books.master import Key, MasterData, OpenField, edited, imported, merged, removed
from p2psync.books.master_codec import COUNTER_MAX, MASTER_BYTES_MAX, decode, encode
from p2psync.books.synthetic_master import master_records
from p2psync.core.ids import device_id
from p2psync.errors import CodecError

MASTER, OFFICE = device_id(b"m" * 32), device_id(b"o" * 32)
ROW: list[Any] = ["account", "1000", "cash", [1, MASTER, "true"], [2, OFFICE, ""]]


def some(count: int, seed: int) -> MasterData:
    records = master_records(count, Random(seed))
    data = merged(MasterData(), imported(MasterData(), records, MASTER))
    for one in records:
        key = Key(one.kind, one.number)
        if one.fields["deleted-by-master"] == "true":
            data = merged(data, removed(data, key, OFFICE))
        elif one.kind is RecordKind.ACCOUNT and one.fields["cash"] == "true":
            data = merged(data, edited(data, key, "cash", "false", OFFICE, {OpenField(one.kind, "cash")}))
    return data


def packed(*rows: object, version: object = 1) -> bytes:
    data: bytes = msgpack.packb([version, list(rows)])
    return data


@given(st.integers(0, 30), st.integers(0, 2**32))
def test_there_and_back(count: int, seed: int) -> None:
    data = some(count, seed)
    assert decode(encode(data)) == data


def test_the_same_data_are_the_same_bytes() -> None:
    data = some(20, 1)
    shuffled = dict(reversed(list(data.registers.items())))
    assert encode(MasterData(shuffled)) == encode(data)


def test_too_much_is_refused() -> None:
    with pytest.raises(CodecError, match="more than"):
        decode(b"\x92\x01\x90" + bytes(MASTER_BYTES_MAX))


def test_a_row_as_it_must_be_is_taken() -> None:
    assert len(decode(packed(ROW)).registers) == 1


def changed(at: int, value: object) -> list[Any]:
    return [*ROW[:at], value, *ROW[at + 1 :]]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x91" * 2000,
        packed(version=2),
        packed(version=True),
        packed(ROW, ROW),
        packed(ROW, changed(1, "0999")),
        packed(ROW[:4]),
        packed([*ROW, 1]),
        packed("account"),
        packed(changed(0, "vat")),
        packed(changed(0, 1)),
        packed(changed(1, "")),
        packed(changed(1, " 1000")),
        packed(changed(1, "1" * 41)),
        packed(changed(1, 1000)),
        packed(changed(2, "net-days")),
        packed(changed(2, 5)),
        packed([*ROW[:3], None, None]),
        packed(changed(3, [1, MASTER])),
        packed(changed(3, [0, MASTER, "true"])),
        packed(changed(3, [COUNTER_MAX + 1, MASTER, "true"])),
        packed(changed(3, [True, MASTER, "true"])),
        packed(changed(3, [1, b"short", "true"])),
        packed(changed(3, [1, "m" * 32, "true"])),
        packed(changed(3, [1, MASTER, "TRUE"])),
        packed(changed(3, [1, MASTER, "maybe"])),
        packed(changed(3, [1, MASTER, b"true"])),
        packed(["account", "1000", "removed", None, [1, MASTER, ""]]),
        packed({"a": 1}),
        msgpack.packb([1, 5]),
        msgpack.packb({1: 2}),
        packed(ROW) + b"\0",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data)


WHOLE = encode(some(12, 3))


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=6), st.booleans())
def test_damaged_bytes_are_read_or_refused(at: int, new: bytes, cut: bool) -> None:
    data = WHOLE[:at] + new + (b"" if cut else WHOLE[at + len(new) :])
    try:
        assert encode(decode(data)) == data
    except CodecError:
        return


@given(st.binary(max_size=60))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        assert encode(decode(data)) == data
    except CodecError:
        return
