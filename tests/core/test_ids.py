"""Ids are bytes of the right length and nothing else; text of any of them comes back, and a typing error does not."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import (
    EMPTY_CONTENT,
    BlockHash,
    ChangeId,
    DeviceId,
    MandateId,
    block_hash,
    change_text,
    content_id,
    content_of,
    device_id,
    device_text,
    log_id,
    mandate_id,
    mandate_text,
    parse_device,
    parse_mandate,
)
from p2psync.errors import InvalidId

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

devices = st.binary(min_size=32, max_size=32).map(DeviceId)
hashes = st.binary(min_size=32, max_size=32).map(BlockHash)


@pytest.mark.parametrize(
    ("made", "size"), [(device_id, 32), (mandate_id, 16), (log_id, 16), (block_hash, 32), (content_id, 32)]
)
def test_an_id_is_so_many_bytes(made: Callable[[object], bytes], size: int) -> None:
    assert made(bytes(size)) == bytes(size)
    for wrong in (bytes(size - 1), bytes(size + 1), b"", "x" * size, bytearray(size), None, size, [0] * size):
        with pytest.raises(InvalidId, match=f"it must be {size} bytes"):
            made(wrong)


def test_content_ids_are_blake3() -> None:
    assert content_of(b"abc") == blake3(b"abc").digest()
    assert content_of(b"") == EMPTY_CONTENT
    assert content_of(b"abc") != content_of(b"abd")


@given(devices, st.sampled_from([str, str.lower, lambda t: t.replace("-", " "), lambda t: f" {t}\n"]))
def test_a_device_id_is_read_however_it_was_copied(device: DeviceId, copied: Callable[[str], str]) -> None:
    assert parse_device(copied(device_text(device))) == device


def test_a_device_id_is_shown_in_groups() -> None:
    text = device_text(DeviceId(bytes(32)))
    assert [len(group) for group in text.split("-")] == [7] * 8
    check = blake3(b"p2psync device id\0" + bytes(32)).digest()[:3]
    assert base64.b32decode(text.replace("-", "")) == bytes(32) + check


@given(devices, st.integers(0, 55), st.sampled_from(BASE32))
def test_one_wrong_character_is_noticed(device: DeviceId, at: int, character: str) -> None:
    text = device_text(device).replace("-", "")
    wrong = text[:at] + character + text[at + 1 :]
    if wrong == text:
        assert parse_device(wrong) == device
    else:
        with pytest.raises(InvalidId, match="typing error"):
            parse_device(wrong)


@given(devices, st.integers(0, 54))
def test_two_swapped_characters_are_noticed(device: DeviceId, at: int) -> None:
    text = device_text(device).replace("-", "")
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if swapped != text:
        with pytest.raises(InvalidId):
            parse_device(swapped)


@given(st.text(max_size=80) | st.text(BASE32 + "- 018é", max_size=70))
def test_any_other_text_is_no_device_id(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_device(text)


def test_a_device_id_with_something_behind_it_is_none() -> None:
    with pytest.raises(InvalidId):
        parse_device(device_text(DeviceId(bytes(32))) + "AAAAAAAA")


@given(st.binary(min_size=16, max_size=16).map(MandateId))
def test_a_mandate_id_comes_back_from_its_text(mandate: MandateId) -> None:
    assert parse_mandate(mandate_text(mandate)) == mandate
    assert parse_mandate(f" {mandate_text(mandate).upper()}\n") == mandate


@pytest.mark.parametrize("text", ["", "00", "zz" * 16, "00" * 15, "00" * 17, "Cargo"])
def test_what_is_no_mandate_id(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_mandate(text)


@given(hashes, st.integers(0, 499))
def test_the_text_of_a_change_id_is_whole_and_its_short_form_begins_it(block: BlockHash, position: int) -> None:
    change = ChangeId(block, position)
    assert change_text(change) == f"{block.hex()}.{position}"
    assert str(change) == f"{block.hex()[:12]}.{position}"
