"""A socket gets what the system offers, and nobody notices where it offers nothing."""

from __future__ import annotations

import socket

import pytest

from p2psync.net import tcp
from p2psync.net.tcp import UNSENT_BYTES_MAX, keep_queue_short, offers, suit_distance


@pytest.mark.parametrize(
    ("available", "allowed", "expected"),
    [
        ("reno cubic bbr\n", "reno cubic bbr\n", True),
        ("reno cubic bbr\n", "reno cubic\n", False),
        ("reno cubic\n", "reno cubic bbr\n", False),
        ("reno cubic bbr2\n", "reno cubic bbr2\n", False),
        ("", "", False),
    ],
)
def test_only_what_is_there_and_allowed_is_chosen(available: str, allowed: str, expected: bool) -> None:
    assert offers(available, allowed) is expected


@pytest.mark.skipif(not hasattr(socket, "TCP_CONGESTION"), reason="this system has no such choice")
def test_the_choice_is_what_the_system_offers() -> None:
    with socket.socket() as sock:
        before = _congestion(sock)
        chosen = suit_distance(sock)
        assert _congestion(sock) == (tcp.STEADY if chosen else before)


def test_without_an_offer_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "_OFFERED", ())
    monkeypatch.setattr(tcp, "offers", lambda: False)
    with socket.socket() as sock:
        assert not suit_distance(sock)
    assert not suit_distance(None)


def test_a_refusal_or_a_closed_socket_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "offers", lambda available, allowed: True)
    monkeypatch.setattr(tcp, "STEADY", "none such")
    with socket.socket() as sock:
        assert not suit_distance(sock)
    assert not suit_distance(sock)
    keep_queue_short(sock)
    keep_queue_short(None)


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="this system has no such choice")
def test_the_kernel_holds_little() -> None:
    with socket.socket() as sock:
        keep_queue_short(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT_BYTES_MAX


def _congestion(sock: socket.socket) -> str:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
