"""Servers are named as people write them, and handed on as aiortc wants them."""

from __future__ import annotations

import pytest

from p2psync.errors import ConfigError
from p2psync.net.webrtc.servers import TURN_PORT, Servers, Turn


def test_a_turn_server_is_written_in_one_line() -> None:
    assert Turn.parse("turn:anna:s3c:ret@turn.example.ch") == Turn("turn.example.ch", TURN_PORT, "anna", "s3c:ret")
    assert Turn.parse("turn:a:b@10.0.0.1:99?transport=tcp") == Turn("10.0.0.1", 99, "a", "b", by_tcp=True)
    assert "s3cret" not in repr(Turn.parse("turn:anna:s3cret@turn.example.ch"))


@pytest.mark.parametrize(
    "text", ["", "turn:host", "stun:a:b@host", "turn:a:b@host:0", "turn:a:b@host:65536", "turn:a@h"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="turn:USER:PASSWORD@HOST:PORT"):
        Turn.parse(text)


def test_they_are_handed_on() -> None:
    turn = Turn("t.example", 1, "u", "p")
    assert list(Servers(("s.example", 2), turn).entries()) == [
        ("stun:s.example:2", None, None),
        ("turn:t.example:1?transport=udp", "u", "p"),
    ]
    assert list(Servers(("2001:db8::1", 2)).entries()) == []
    assert list(Servers().entries()) == []
