"""Every way in which a host can fail is a sentence that names it, and says what to do."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from p2psync.rendezvous import words
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.messages import Reason

HOST = HostAddress("meet.example.com", 8443)


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal(reason: Reason) -> None:
    text = str(words.refusal(HOST, reason))
    assert "wss://meet.example.com:8443" in text
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused"),
        (socket.gaierror(-2, "Name or service not known"), "no host named meet.example.com"),
        (ssl.SSLError(1, "wrong version number"), "no meeting host"),
        (ssl.SSLCertVerificationError("expired"), "clock right"),
        (OSError("odd"), "odd"),
    ],
)
def test_a_host_that_is_not_reached(error: OSError, expected: str) -> None:
    assert expected in str(words.described(HOST, error))


def test_others() -> None:
    assert "another key" in str(words.wrong_key(HOST))
    assert "no meeting host" in str(words.no_host(HOST))
    assert "Update" in str(words.other_version(HOST))
    assert "by 30 hours" in words.wrong_clock(HOST, -30 * 3600.0)
