"""When this device rests: what a person paused, all outside the hours of activity, and what waits for its interval.

Of a mandate at rest nothing is exchanged, placed or delivered, so that a backup sees files that stand still; what is
saved meanwhile is noted, and goes to the others afterwards. Between two intervals it is only not exchanged; a run does
that at any time, and so does a member who asks for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from p2psync.core.ids import MandateId
from p2psync.core.moment import moment_of, ms_of
from p2psync.core.schedule import Interval, Window, parse_interval
from p2psync.core.value import value
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError, UsageError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node
    from p2psync.daemon.timetable import Clock

PAUSED = "paused_until_ms"
"""The setting of a mandate that says until when it is paused; ENDLESS: until a person resumes it; None: it is not."""
EVERY = "exchange_every"
"""The setting of a mandate that says its interval; None: each change is exchanged at once."""
EXCHANGED = "exchanged_ms"
"""The setting of a mandate that says when its last exchange ended; None: one is due."""
ENDLESS = 0
LOOK_EVERY = timedelta(minutes=1)
"""A clock that is set, or a mandate that is new, is noticed after so long, where there are hours or pauses."""
LOOK_IDLY_EVERY = timedelta(hours=1)
PERSON, HOURS, INTERVAL = "person", "hours", "interval"
"""Why a mandate rests. The words are part of the interface."""


@value
class Rest:
    """Of one mandate."""

    why: str
    until: datetime | None
    """Aware; None until a person resumes it."""


@value
class _Stored:
    """What was stored of one mandate."""

    paused_ms: int | None
    interval: Interval | None
    exchanged_ms: int | None

    def is_due(self, now: datetime, zone: tzinfo) -> bool:
        """Whether its interval began since the last exchange; also where a clock was set back over that."""
        if self.interval is None or self.exchanged_ms is None:
            return True
        return not self.interval.begun(now, zone) <= moment_of(self.exchanged_ms) <= now


class Activity:
    """Of one node. For the event loop."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._woken = asyncio.Event()
        self.rests: dict[MandateId, Rest] = {}
        """The mandates at rest; read from any thread."""
        self.intervals: dict[MandateId, Interval] = {}
        """Of those that have one; read from any thread."""
        self._in_runs: Counter[MandateId] = Counter()

    @property
    def held(self) -> frozenset[MandateId]:
        """What a device that is made anew has to know."""
        return frozenset(mandate for mandate, rest in self.rests.items() if rest.why != INTERVAL)

    @property
    def silent(self) -> frozenset[MandateId]:
        """This, too: those of which only nothing is exchanged."""
        return frozenset(self.rests) - self.held

    async def pause(self, mandate: MandateId, until: datetime | None) -> None:
        """Let a mandate rest, until then or until it is resumed. Raises UsageError for a time that is over."""
        if until is not None and until <= self._clock.now():
            raise UsageError("That time is over: give one to come, or none.")
        until_ms = ENDLESS if until is None else ms_of(until)
        await self._node.runtime.call(lambda device, _: device.mandates[mandate].state.put(PAUSED, until_ms))
        await self.look()

    async def resume(self, mandate: MandateId) -> None:
        """End a pause; outside the hours of activity it rests all the same."""
        await self._node.runtime.call(lambda device, _: device.mandates[mandate].state.put(PAUSED, None))
        await self.look()

    # -- intervals -------------------------------------------------------------------------------------

    async def exchange_every(self, mandates: Iterable[MandateId], interval: Interval | None) -> None:
        """Exchange at the beginning of each interval, the next one first; None: each change at once."""
        text, now_ms = str(interval) if interval is not None else None, ms_of(self._clock.now())

        def put(device: Device, _: Now) -> None:
            for mandate in mandates:
                device.mandates[mandate].state.put(EVERY, text)
                device.mandates[mandate].state.put(EXCHANGED, now_ms)

        await self._node.runtime.call(put)
        await self.look()

    async def called(self, mandate: MandateId) -> None:
        """A member wants to exchange now."""
        await self._note_exchange(mandate, None)
        await self.look()

    async def exchanged(self, mandate: MandateId) -> None:
        """A run has ended: the next exchange is at the beginning of the next interval, if it has any."""
        if mandate in self.intervals and mandate not in self.rests:
            await self._note_exchange(mandate, ms_of(self._clock.now()))

    async def due(self) -> list[MandateId]:
        """The mandates that do not rest and whose interval began since their last exchange."""
        stored, now = await self._node.runtime.query(_stored), self._clock.now()
        zone, resting = self._clock.zone(), self.rests
        timed = (mandate for mandate, one in stored.items() if one.interval is not None and one.is_due(now, zone))
        return [mandate for mandate in timed if mandate not in resting]

    @asynccontextmanager
    async def in_run(self, mandate: MandateId) -> AsyncIterator[None]:
        """As long as a run goes on no interval keeps it from exchanging."""
        self._in_runs[mandate] += 1
        try:
            if mandate in self.intervals:
                await self.look()
            yield
        finally:
            self._in_runs[mandate] -= 1
            if mandate in self.intervals:
                with suppress(P2PSyncError):  # when this device stops, nothing is exchanged any more
                    await self.look()

    async def _note_exchange(self, mandate: MandateId, time_ms: int | None) -> None:
        def put(device: Device, _: Now) -> None:
            if mandate in device.mandates:
                device.mandates[mandate].state.put(EXCHANGED, time_ms)

        await self._node.runtime.call(put)

    # -- what rests ------------------------------------------------------------------------------------

    async def look(self) -> datetime:
        """Let rest what is to rest now, and nothing else; returns when that has to be looked at again."""
        window = await self._node.timetable.window()
        stored = await self._node.runtime.query(_stored)
        now, before = self._clock.now(), (self.held, self.silent)
        rests = {mandate: rest for mandate, one in stored.items() if (rest := self._rest(mandate, one, window, now))}
        self.rests = rests
        self.intervals = {mandate: one.interval for mandate, one in stored.items() if one.interval is not None}
        held, silent = self.held, self.silent
        if (held, silent) != before:
            await self._node.runtime.call(lambda device, _: device.hold(held, silent))
            self._node.log.event("activity.changed", resting=len(rests), of=len(stored))
            self._node.timetable.wake()
            self._node.intervals.wake()
            self._node.bridging.wake()
        self._woken.set()
        ends = [rest.until for rest in rests.values() if rest.until is not None]
        changes = [window.next_change(now, self._clock.zone())] if window is not None else []
        is_timed = bool(rests or self.intervals) or window is not None
        return min([now + (LOOK_EVERY if is_timed else LOOK_IDLY_EVERY), *ends, *changes])

    async def keep(self) -> None:
        """As long as the device runs."""
        while True:
            again = await self.look()
            self._woken.clear()
            await self._clock.rest(again, self._woken)

    def _rest(self, mandate: MandateId, one: _Stored, window: Window | None, now: datetime) -> Rest | None:
        if one.paused_ms == ENDLESS:
            return Rest(PERSON, None)
        until, zone = moment_of(one.paused_ms) if one.paused_ms is not None else now, self._clock.zone()
        if until > now:
            return Rest(PERSON, until)
        if window is not None and not window.is_open(now, zone):
            return Rest(HOURS, window.next_opening(now, zone))
        if one.interval is None or self._in_runs[mandate] or one.is_due(now, zone):
            return None
        begin = one.interval.next_begin(now, zone)
        return Rest(INTERVAL, window.next_opening(begin, zone) if window is not None else begin)


def _stored(device: Device, _now: Now) -> dict[MandateId, _Stored]:
    return {
        one.id: _Stored(_number(one, PAUSED), _interval(one), _number(one, EXCHANGED))
        for one in device.mandates.values()
    }


def _number(mandate: Mandate, name: str) -> int | None:
    found: Any = mandate.state.get(name)
    return found if isinstance(found, int) else None


def _interval(mandate: Mandate) -> Interval | None:
    found: Any = mandate.state.get(EVERY)
    return parse_interval(found) if isinstance(found, str) else None
