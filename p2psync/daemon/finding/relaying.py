"""The last of the ways: a stream through the relay of the meeting host at which both devices are."""

from __future__ import annotations

import asyncio

from p2psync.core.ways import RELAY
from p2psync.daemon.finding.correspondence import Correspondence
from p2psync.net.way import MakeProtocol, Signals

LETTER = "relay"


class Relay:
    """Both join a stream whose name the one that begins has drawn."""

    name = RELAY
    letters = frozenset({LETTER})
    head_start_s = 0.3

    async def connect(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        assert isinstance(signals, Correspondence)
        join = signals.guest.host.stream_with(signals.guest.peer)
        signals.send(LETTER, join.invitation())
        return await signals.guest.host.open_stream(join, make)

    async def answer(self, signals: Signals, make: MakeProtocol) -> asyncio.Transport:
        assert isinstance(signals, Correspondence)
        _kind, invitation = await signals.receive()
        join = signals.guest.host.invited_to(signals.guest.peer, invitation)
        return await signals.guest.host.open_stream(join, make)
