"""The address of a host as people write it and pass it on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import ConfigError
from p2psync.rendezvous.protocol.address import HostAddress, parse_address, pin_text

PIN = bytes(range(32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wss://meet.example.com", HostAddress("meet.example.com")),
        ("  https://Meet.Example.com/ ", HostAddress("meet.example.com")),
        ("meet.example.com", HostAddress("meet.example.com")),
        ("meet.example.com:8443", HostAddress("meet.example.com", 8443)),
        ("wss://203.0.113.7:443", HostAddress("203.0.113.7")),
        ("wss://[2001:db8::1]:9443", HostAddress("2001:db8::1", 9443)),
        (f"wss://meet:1#{pin_text(PIN)}", HostAddress("meet", 1, PIN)),
        (f"wss://meet:1#{pin_text(PIN).lower()}", HostAddress("meet", 1, PIN)),
    ],
)
def test_what_is_understood(text: str, expected: HostAddress) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wss://",
        "ws://meet.example.com",
        "http://meet.example.com",
        "wss://meet.example.com/path",
        "wss://meet.example.com?x=1",
        "wss://user@meet.example.com",
        "wss://meet example",
        "wss://meet:port",
        "wss://meet:99999",
        "wss://[::1",
        "wss://meet#short",
        "wss://meet#" + "U" * 52,
        "x" * 400,
    ],
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(ConfigError, match="meeting host"):
        parse_address(text)


@given(
    st.sampled_from(["meet.example.com", "203.0.113.7", "2001:db8::1"]),
    st.integers(1, 65535),
    st.none() | st.binary(min_size=32, max_size=32),
)
def test_what_is_passed_on_is_understood(host: str, port: int, pin: bytes | None) -> None:
    address = HostAddress(host, port, pin)
    assert parse_address(str(address)) == address
    assert parse_address(address.url, pin) == address


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ConfigError:
        return
    assert parse_address(str(address)) == address
