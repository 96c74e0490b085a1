"""How this PC appears to hosts is what they say, and what follows from several of them."""

from __future__ import annotations

import socket

import pytest
from aioice import stun

from p2psync.rendezvous import reflection
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.reflection import Nat, nat_of, reflected
from tests.rendezvous.hosting import LOOPBACK, address_of, hosting

OWN = {"192.168.1.5", "2001:db8::5"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], Nat.BLOCKED),
        ([None, None], Nat.BLOCKED),
        ([("192.168.1.5", 4000), None], Nat.NONE),
        ([("2001:db8::5", 4000)], Nat.NONE),
        ([("198.51.100.1", 4000)], Nat.PLAIN),
        ([("198.51.100.1", 4000), ("198.51.100.1", 4000), None], Nat.PLAIN),
        ([("198.51.100.1", 4000), ("198.51.100.1", 4001)], Nat.SYMMETRIC),
        ([("198.51.100.1", 4000), ("198.51.100.2", 4000)], Nat.SYMMETRIC),
    ],
)
def test_what_stands_in_between(answers: list[tuple[str, int] | None], expected: Nat) -> None:
    assert nat_of(OWN, answers) is expected


@pytest.mark.asyncio
async def test_hosts_are_asked_from_one_port(certificate: Certificate) -> None:
    async with hosting(certificate) as one, hosting(certificate) as other:
        seen = await reflected([address_of(one), address_of(other)])
    assert list(seen) == [address_of(one), address_of(other)]
    assert len(set(seen.values())) == 1
    (place,) = set(seen.values())
    assert place is not None
    assert place[0] == LOOPBACK
    assert nat_of({LOOPBACK}, seen.values()) is Nat.NONE


@pytest.mark.asyncio
async def test_who_does_not_answer_or_has_no_address_is_told_apart(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflection, "ASK_EVERY_S", 0.05)
    nowhere = HostAddress("no-such-host.invalid", 443)
    async with hosting(certificate) as host:
        with socket.socket(type=socket.SOCK_DGRAM) as unheard:
            unheard.bind((LOOPBACK, 0))
            silent = HostAddress(LOOPBACK, unheard.getsockname()[1])
            seen = await reflected([silent, address_of(host), nowhere])
            assert unheard.recv(2048)
    assert seen[address_of(host)] is not None
    assert (seen[silent], seen[nowhere]) == (None, None)
    assert await reflected([nowhere]) == {nowhere: None}


@pytest.mark.asyncio
async def test_noise_is_no_answer() -> None:
    asker = reflection._Asker()
    short = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)
    cut = bytes(short)[:2] + b"\0\x04" + bytes(short)[4:20] + b"\0\x24\0\0"  # PRIORITY, without any
    for noise in (b"", b"x" * 40, bytes(20), cut):
        asker.datagram_received(noise, (LOOPBACK, 9))
    assert await asker.ask({}) == {}
