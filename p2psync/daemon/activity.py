"""When this device rests: a mandate that a person paused, and all of them outside the hours of activity.

Of a mandate at rest nothing is exchanged, placed or delivered, so that a backup sees files that stand still; what is
saved meanwhile is noted, and goes to the others afterwards.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from p2psync.core.ids import MandateId
from p2psync.core.moment import moment_of, ms_of
from p2psync.core.schedule import Window
from p2psync.core.value import value
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import UsageError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node
    from p2psync.daemon.timetable import Clock

PAUSED = "paused_until_ms"
"""The setting of a mandate that says until when it is paused; ENDLESS: until a person resumes it; None: it is not."""
ENDLESS = 0
LOOK_EVERY = timedelta(minutes=1)
"""A clock that is set, or a mandate that is new, is noticed after so long, where there are hours or pauses."""
LOOK_IDLY_EVERY = timedelta(hours=1)
PERSON, HOURS = "person", "hours"
"""Why a mandate rests. The words are part of the interface."""


@value
class Rest:
    """Of one mandate."""

    why: str
    until: datetime | None
    """Aware; None until a person resumes it."""


class Activity:
    """Of one node. For the event loop."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._woken = asyncio.Event()
        self.rests: dict[MandateId, Rest] = {}
        """The mandates at rest; read from any thread."""

    @property
    def held(self) -> frozenset[MandateId]:
        """What a device that is made anew has to know."""
        return frozenset(self.rests)

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

    async def look(self) -> datetime:
        """Let rest what is to rest now, and nothing else; returns when that has to be looked at again."""
        window, now = await self._node.timetable.window(), self._clock.now()
        paused = await self._node.runtime.query(_paused)
        rests = {mandate: rest for mandate in paused if (rest := self._rest(paused[mandate], window, now)) is not None}
        changed, self.rests = rests.keys() != self.rests.keys(), rests
        if changed:
            held = self.held
            await self._node.runtime.call(lambda device, _: device.hold(held))
            self._node.log.event("activity.changed", resting=len(rests), of=len(paused))
            self._node.timetable.wake()
            self._node.bridging.wake()
        self._woken.set()
        ends = [rest.until for rest in rests.values() if rest.until is not None]
        changes = [window.next_change(now, self._clock.zone())] if window is not None else []
        return min([now + (LOOK_EVERY if rests or window is not None else LOOK_IDLY_EVERY), *ends, *changes])

    async def keep(self) -> None:
        """As long as the device runs."""
        while True:
            again = await self.look()
            self._woken.clear()
            await self._clock.rest(again, self._woken)

    def _rest(self, until_ms: int | None, window: Window | None, now: datetime) -> Rest | None:
        if until_ms == ENDLESS:
            return Rest(PERSON, None)
        until = moment_of(until_ms) if until_ms is not None else now
        if until > now:
            return Rest(PERSON, until)
        if window is not None and not window.is_open(now, self._clock.zone()):
            return Rest(HOURS, window.next_opening(now, self._clock.zone()))
        return None


def _paused(device: Device, _now: Now) -> dict[MandateId, int | None]:
    stored: dict[MandateId, Any] = {one.id: one.state.get(PAUSED) for one in device.mandates.values()}
    return {mandate: until_ms if isinstance(until_ms, int) else None for mandate, until_ms in stored.items()}
