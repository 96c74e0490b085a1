"""Base32: every text is either what `encode` makes, a forgiven confusion of it, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.pair import base32


@given(st.binary(max_size=40))
def test_bytes_survive(raw: bytes) -> None:
    text = base32.encode(raw)
    assert len(text) == -(-len(raw) * 8 // 5)
    assert base32.decode(text) == raw


@given(st.text(base32.ALPHABET, max_size=12))
def test_no_two_texts_mean_the_same_bytes(text: str) -> None:
    raw = base32.decode(text)
    assert raw is None or base32.encode(raw) == text


def test_known_values() -> None:
    assert base32.encode(b"") == ""
    assert base32.encode(b"\x00") == "00"
    assert base32.encode(b"\xff") == "ZW"
    assert base32.encode(bytes(range(5))) == "000G40R4"


def test_letters_that_look_like_digits_mean_them() -> None:
    assert base32.decode("OOIL") == base32.decode("0011")


@pytest.mark.parametrize("text", ["0", "000", "01", "ZZ", "U0", "0 0", "ab"])
def test_what_nobody_encoded_is_refused(text: str) -> None:
    assert base32.decode(text) is None
