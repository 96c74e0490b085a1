"""Addresses are told, and what makes no sense on another PC is passed over."""

from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.daemon.finding.whereabouts import ADDRESSES_MAX, pack, unpack
from p2psync.errors import CodecError
from p2psync.net.dialer import Address


def test_what_is_told_is_heard_and_where_the_host_sees_it_comes_first() -> None:
    told = pack(["192.168.1.2:4000", "[2001:db8::1]:4000"], ("45.77.10.101", 5), 4000)
    assert unpack(told) == (
        Address("45.77.10.101", 4000),
        Address("192.168.1.2", 4000),
        Address("2001:db8::1", 4000),
    )
    assert unpack(pack(["45.77.10.1:4000"], ("45.77.10.1", 5), 4000)) == (Address("45.77.10.1", 4000),)
    assert unpack(pack([], ("2001:db8::2", 5), 1)) == (Address("2001:db8::2", 1),)
    assert unpack(pack([], ("45.77.10.1", 5), 0)) == ()


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:80", "[::1]:80", "0.0.0.0:1", "224.0.0.1:1", "fe80::1:1", "[fe80::1]:1", "evil.example:80", ""],
)
def test_what_makes_no_sense_elsewhere_is_passed_over(text: str) -> None:
    assert unpack(msgpack.packb([text, "10.0.0.1:1", 5])) == (Address("10.0.0.1", 1),)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_means_little(body: bytes) -> None:
    with contextlib.suppress(CodecError):
        assert len(unpack(body)) <= ADDRESSES_MAX


def test_too_many_are_refused() -> None:
    with pytest.raises(CodecError):
        unpack(msgpack.packb(["10.0.0.1:1"] * 100))
