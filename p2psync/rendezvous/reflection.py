"""How this PC appears to meeting hosts by UDP: asks each, from one port, where its packets come from."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, cast

from p2psync.rendezvous.protocol.address import HostAddress

if TYPE_CHECKING:
    from aioice.stun import Message

ASK_EVERY_S: Final = 0.5
ASK_TIMES: Final = 6

Seen = tuple[str, int]
"""IP address and UDP port."""


class Nat(Enum):
    """What stands between this PC and the hosts."""

    NONE = "none"
    PLAIN = "plain"
    """Its address is translated, as far as is seen to the same one for everybody."""
    SYMMETRIC = "symmetric"
    """Each host sees another port: nobody can be told by which one this PC can be called."""
    BLOCKED = "blocked"
    """No answer comes."""


def nat_of(own_ips: Collection[str], answers: Collection[Seen | None]) -> Nat:
    """Judge by what each host saw; None for one that did not answer."""
    seen = {answer for answer in answers if answer is not None}
    if not seen:
        return Nat.BLOCKED
    if all(ip in own_ips for ip, _port in seen):
        return Nat.NONE
    return Nat.PLAIN if len(seen) == 1 else Nat.SYMMETRIC


async def reflected(hosts: Sequence[HostAddress]) -> dict[HostAddress, Seen | None]:
    """Under which address each host sees packets that leave from one and the same port; None if it does not answer.

    All hosts are asked over IPv4 if any has such an address, else over IPv6.
    """
    places = await asyncio.gather(*(_places(host) for host in hosts))
    family = socket.AF_INET if any(socket.AF_INET in place for place in places) else socket.AF_INET6
    targets = {host: place[family] for host, place in zip(hosts, places, strict=True) if family in place}
    answers: dict[HostAddress, Seen | None] = dict.fromkeys(hosts)
    if targets:
        with contextlib.suppress(OSError):
            answers |= await _ask(family, targets)
    return answers


async def _places(host: HostAddress) -> dict[int, tuple[str, int]]:
    """Its first address of each family; none if its name cannot be looked up."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.host, host.port, type=socket.SOCK_DGRAM)
    except OSError:
        return {}
    return {int(family): (str(place[0]), int(place[1])) for family, _, _, _, place in reversed(found)}


async def _ask(family: int, targets: Mapping[HostAddress, tuple[str, int]]) -> dict[HostAddress, Seen | None]:
    """Raises OSError where there is no such network."""
    anywhere = "0.0.0.0" if family == socket.AF_INET else "::"
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(_Asker, local_addr=(anywhere, 0), family=family)
    try:
        return await asker.ask(targets)
    finally:
        transport.close()


@dataclass(slots=True)
class _Question:
    host: HostAddress
    place: tuple[str, int]
    message: Message
    seen: Seen | None = None


@dataclass(slots=True)
class _Asker(asyncio.DatagramProtocol):
    _questions: dict[bytes, _Question] = field(default_factory=dict)
    """By transaction."""
    _all_answered: asyncio.Event = field(default_factory=asyncio.Event)
    _transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    async def ask(self, targets: Mapping[HostAddress, tuple[str, int]]) -> dict[HostAddress, Seen | None]:
        from aioice import stun

        for host, place in targets.items():
            message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            self._questions[message.transaction_id] = _Question(host, place, message)
        for _ in range(ASK_TIMES):
            for question in self._questions.values():
                if question.seen is None and self._transport is not None:
                    self._transport.sendto(bytes(question.message), question.place)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_EVERY_S):
                    await self._all_answered.wait()
                    break
        return {question.host: question.seen for question in self._questions.values()}

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        from aioice import stun

        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error):  # an attribute that is too short is the second
            return
        question = self._questions.get(message.transaction_id)
        seen = message.attributes.get("XOR-MAPPED-ADDRESS")
        if question is not None and seen is not None and message.message_class is stun.Class.RESPONSE:
            question.seen = seen
        if all(question.seen is not None for question in self._questions.values()):
            self._all_answered.set()
