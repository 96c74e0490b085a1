"""Letters of one attempt: in order, bounded, and with an end."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.core.ids import DeviceId
from p2psync.daemon.finding.correspondence import ATTEMPT_BYTES, LETTERS_MAX, Correspondence, Guest
from p2psync.errors import LinkClosed
from p2psync.rendezvous.protocol.acquaintances import Peer
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.envelope import Kind

BOB = Peer(b"room", DeviceId(b"B" * 32), b"session")
ATTEMPT = bytes(ATTEMPT_BYTES)


class Host:
    """Takes letters."""

    address = HostAddress("meet.example", 8443)

    def __init__(self) -> None:
        self.written: list[tuple[Peer, Kind, bytes]] = []

    def write(self, peer: Peer, kind: Kind, body: bytes) -> None:
        self.written.append((peer, kind, body))


def begun() -> tuple[Any, Correspondence]:
    host: Any = Host()
    return host, Correspondence(Guest(host, BOB), ATTEMPT)


@pytest.mark.asyncio
async def test_letters_go_to_one_device_with_their_attempt() -> None:
    host, letters = begun()
    letters.send("punch", b"now")
    assert host.written == [(BOB, Kind.PUNCH, ATTEMPT + b"now")]
    assert (letters.device, letters.host) == (BOB.device, ("meet.example", 8443))


@pytest.mark.asyncio
async def test_what_came_is_read_in_order_and_then_the_end() -> None:
    _host, letters = begun()
    letters.put("offer", b"1")
    letters.put("candidates", b"2")
    letters.end()
    letters.put("candidates", b"too late")
    assert [await letters.receive(), await letters.receive()] == [("offer", b"1"), ("candidates", b"2")]
    for _ in range(2):
        with pytest.raises(LinkClosed):
            await letters.receive()


@pytest.mark.asyncio
async def test_who_writes_without_end_is_not_listened_to_without_end() -> None:
    _host, letters = begun()
    for number in range(2 * LETTERS_MAX):
        letters.put("candidates", bytes([number]))
    letters.end()
    read = [(await letters.receive())[1] for _ in range(LETTERS_MAX)]
    assert read == [bytes([number]) for number in range(LETTERS_MAX)]
    with pytest.raises(LinkClosed):
        await letters.receive()
