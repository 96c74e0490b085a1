"""The plug for ways to a device that both sides have to agree on first: through NATs, or through a relay.

A way is one object of the shape `Way`; `daemon.wayfinding.plugged` lists those that there are. It is used so:

* Of two devices that meet at a meeting host the one with the lower DeviceId begins. It calls `connect`, which says the
  other what it needs to know by `signals.send(kind, body)`. The first letter of one of the way's `letters` makes the
  other device call `answer`, whose `signals.receive()` gives that letter first. From then on both talk as they like;
  letters of one attempt never reach the next one, and no way sees another way's.
* Both make a transport to the other side and return it, once it drives the protocol that `make()` gave: like
  `loop.create_connection(make, sock=sock)`, or, for what is no socket, an `asyncio.Transport` of one's own whose maker
  calls `protocol.connection_made(transport)`. The protocol is an `asyncio.BufferedProtocol` (`get_buffer`,
  `buffer_updated`, `eof_received`, `connection_lost`); of the transport it uses `write`, `pause_reading`,
  `resume_reading`, `set_write_buffer_limits` (with `pause_writing` and `resume_writing` in return), `can_write_eof`,
  `is_closing`, `close`, `abort`, and `get_extra_info("peername")`.
* Inside runs TLS with both devices' keys, which proves who is there; the one that began is its client. So a transport
  needs to keep the order of bytes and lose none, but nothing more: it need not be secret, nor to the right device.
* What fails raises LinkError (or OSError), in a sentence for people: `status` shows why this way is not
  used. Whoever called may cancel at any time: then nothing may stay behind, neither socket nor task.

Ways are tried together; each lets better ones (`core.ways.rank`) have its `head_start_s`. Once a link is up, those that
are not better are cancelled, and a worse link is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from p2psync.core.ids import DeviceId

MakeProtocol = Callable[[], asyncio.BaseProtocol]
"""To be called once, when there are both ends."""


class Signals(Protocol):
    """Sealed and signed letters to and from one device, of one attempt on one way, by way of a meeting host."""

    @property
    def device(self) -> DeviceId:
        """The other side."""

    @property
    def host(self) -> tuple[str, int]:
        """Name or IP address and port of the meeting host, which answers STUN there by UDP."""

    def send(self, kind: str, body: bytes) -> None:
        """`kind`: one of the way's `letters`; `body`: at most 12 KiB. Raises LinkClosed if the device is not at the
        host any more.
        """

    async def receive(self) -> tuple[str, bytes]:
        """The next letter: kind and body. Raises LinkClosed if the device is not at the host any more."""

    async def seen_from(self, local_port: int) -> tuple[str, int]:
        """The IP address and TCP port under which the meeting host sees a connection from this local port.

        It is made with SO_REUSEADDR and SO_REUSEPORT, and is closed again. Raises LinkError.
        """


class Way(Protocol):
    """One kind of way."""

    @property
    def name(self) -> str:
        """As `core.ways` names it."""

    @property
    def letters(self) -> frozenset[str]:
        """The kinds of its letters: names of `rendezvous.protocol.envelope.Kind` in lower case, no other way's."""

    @property
    def head_start_s(self) -> float:
        """How long it lets better ways try alone."""

    async def connect(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        """The side that begins. Raises LinkError or OSError."""

    async def answer(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        """The other side. Raises LinkError or OSError."""
