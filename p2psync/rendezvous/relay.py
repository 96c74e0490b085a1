"""The host's relay: bytes from one visitor to another, without a look at them.

One piece of each direction is here at a time, waits for its turn (`fairness`), and is handed on; only then is more
read. A side that reads slowly holds back its own other side, and nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Final, Protocol, cast

from p2psync.core.value import value
from p2psync.errors import CodecError
from p2psync.rendezvous.bridge import Bridge
from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.protocol.fairness import Turns
from p2psync.rendezvous.protocol.messages import Reason
from p2psync.rendezvous.protocol.streams import MET, Join, parse_join
from p2psync.rendezvous.protocol.switchboard import DEFAULTS as SWITCHBOARD_DEFAULTS
from p2psync.rendezvous.protocol.switchboard import RelayLimits, Switchboard

WRITE_BUFFER_BYTES: Final = 256 * 1024
IDLE_S: Final = 60.0
"""A link says every few seconds that it is still there; a stream that is silent for so long has none."""
AT_ONCE_BYTES: Final = 512 * 1024
"""Handed on before others get to say that they want a turn too."""
PER_TOPIC: Final = Rate(32 << 20, 16 << 20)
TOGETHER: Final = Rate(256 << 20, 1 << 30)


@value
class RelaySettings:
    allowed: bool = True
    limits: RelayLimits = SWITCHBOARD_DEFAULTS
    per_topic: Rate = PER_TOPIC
    """Bytes of one mandate, both directions of all its streams together."""
    together: Rate = TOGETHER
    """Bytes of all."""


DEFAULTS: Final = RelaySettings()


CHANNEL: Final = b"stream:"
"""Of the bus; topic and name of the stream follow."""


class Exchange(Protocol):
    """What a `Bus` does."""

    def listen(self, channel: bytes, on: bool) -> None: ...

    def say(self, channel: bytes, data: bytes) -> None: ...


class Relay:
    """All streams of one host."""

    def __init__(self, settings: RelaySettings = DEFAULTS, bus: Exchange | None = None) -> None:
        """`bus` reaches the hosts where the other sides of streams may be."""
        self._settings = settings
        self._bus = bus
        self._bridges: dict[bytes, Bridge] = {}
        """By the channel on which other hosts are spoken to."""
        self._loop = asyncio.get_running_loop()
        self._switchboard = Switchboard(settings.limits)
        self._turns = Turns(settings.per_topic, settings.together, self._loop.time())
        self._sides: dict[int, Side | Bridge] = {}
        self._numbers: Iterator[int] = count(1)
        self._timer: asyncio.Handle | None = None
        self.bytes_relayed = 0
        self.refused = 0

    @property
    def streams(self) -> int:
        return self._switchboard.streams

    def side(self, network: str) -> asyncio.Protocol:
        """The protocol for a new connection."""
        return Side(self, next(self._numbers), network)

    def sweep(self) -> None:
        """To be called every few seconds."""
        now = self._loop.time()
        for number in self._switchboard.sweep(now):
            self._sides[number].refuse(Reason.NOBODY_CAME)
        for side in [one for one in self._sides.values() if now - one.active_at >= IDLE_S]:
            side.abort()

    def close(self) -> None:
        """Cut everything off."""
        if self._timer is not None:
            self._timer.cancel()
        for side in list(self._sides.values()):
            side.abort()

    # What a side calls.

    def join(self, side: Side, join: Join) -> None:
        if not self._settings.allowed:
            self.refuse(side, Reason.NO_RELAY)
            return
        met = self._switchboard.join(side.number, join, side.network, self._loop.time())
        if isinstance(met, Reason):
            self.refuse(side, met)
            return
        self._sides[side.number] = side
        if met is None:
            self._look_elsewhere(side, join)
            return
        self._look_no_more(join)
        other = self._sides[met]
        side.meet(other)
        other.meet(side)

    def refuse(self, side: Side, reason: Reason) -> None:
        self.refused += 1
        side.refuse(reason)

    def ask(self, side: Side, topic: bytes, size_bytes: int) -> None:
        """A piece wants to be handed on."""
        self._turns.ask(topic, side.number, size_bytes, self._loop.time())
        self._wake(None)

    def left(self, side: Side | Bridge) -> None:
        if self._sides.pop(side.number, None) is None:
            return
        other = self._switchboard.left(side.number)
        if side.join is not None:
            self._turns.forget(side.join.topic, side.number)
            self._look_no_more(side.join)
        if other is not None and other in self._sides:
            self._sides[other].end()

    def heard(self, channel: bytes, data: bytes) -> None:
        """What another host said of a stream."""
        bridge = self._bridges.get(channel)
        if bridge is None or not bridge.heard(data):
            return
        met = self._switchboard.join(bridge.number, bridge.join, bridge.network, self._loop.time())
        assert met == bridge.near.number
        self._sides[bridge.number] = bridge
        bridge.near.meet(bridge)

    def _look_elsewhere(self, side: Side, join: Join) -> None:
        """The other side may come to another host."""
        if self._bus is None:
            return
        channel = CHANNEL + join.invitation()
        self._bus.listen(channel, True)
        say = partial(self._bus.say, channel)
        self._bridges[channel] = Bridge(next(self._numbers), join, side, say, partial(self._bridge_left, channel))

    def _look_no_more(self, join: Join) -> None:
        bridge = self._bridges.get(CHANNEL + join.invitation())
        if bridge is not None:
            bridge.end()

    def _bridge_left(self, channel: bytes, bridge: Bridge) -> None:
        assert self._bus is not None
        del self._bridges[channel]
        self._bus.listen(channel, False)
        self.left(bridge)

    def _give_turns(self) -> None:
        self._timer = None
        now, given = self._loop.time(), 0
        while given < AT_ONCE_BYTES and (number := self._turns.next(now)) is not None:
            side = self._sides[number]
            assert isinstance(side, Side)
            size = side.hand_on()
            self.bytes_relayed += size
            given += size
        ready_at = self._turns.ready_at(now)
        if ready_at is not None:
            self._wake(ready_at if ready_at > now else None)

    def _wake(self, at: float | None) -> None:
        """Give turns again at this time, or in a moment; what was to happen later gives way to what is sooner."""
        if self._timer is not None and (at is not None or not isinstance(self._timer, asyncio.TimerHandle)):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_soon(self._give_turns) if at is None else self._loop.call_at(at, self._give_turns)


class Side(asyncio.Protocol):
    """One of the two connections of a stream."""

    def __init__(self, relay: Relay, number: int, network: str) -> None:
        self.number = number
        self.network = network
        self.join: Join | None = None
        self.active_at = asyncio.get_running_loop().time()
        self.full = False
        """More than enough is on its way to it."""
        self._relay = relay
        self._transport: asyncio.Transport
        self._other: Side | Bridge | None = None
        self._piece = b""
        """Read, and not handed on yet."""

    # What the relay and the other side call.

    def meet(self, other: Side | Bridge) -> None:
        self._other = other
        self._transport.write(bytes([MET]))

    def hand_on(self) -> int:
        """The piece goes to the other side; returns its size. More is read when the other side can take it."""
        piece, self._piece = self._piece, b""
        assert self._other is not None
        self._other.take(piece)
        if not self._other.full:
            self.go_on()
        return len(piece)

    def take(self, piece: bytes) -> None:
        self.active_at = asyncio.get_running_loop().time()
        if not self._transport.is_closing():
            self._transport.write(piece)

    def refuse(self, reason: Reason) -> None:
        self._transport.write(bytes([reason]))
        self._transport.close()

    def end(self) -> None:
        """The other side has ended: what it wrote goes out, nothing more comes in."""
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        self.active_at = asyncio.get_running_loop().time()
        if self.join is None:
            try:
                self.join = parse_join(data)
            except CodecError:
                self._relay.refuse(self, Reason.MALFORMED)
            else:
                self._relay.join(self, self.join)
        elif self._other is None or self._piece:
            self.abort()
        else:
            self._transport.pause_reading()
            self._piece = data
            self._relay.ask(self, self.join.topic, len(data))

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        if self._other is not None:
            self._other.go_on()

    def go_on(self) -> None:
        """The other side can take more."""
        if not self._piece and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._piece and self._other is not None:
            self._other.take(self._piece)
        self._relay.left(self)
