"""Starts a run at the beginning of each interval of a mandate that has one, as soon as a member is in reach.

Where nobody is, the mandate rests no more until somebody comes: what was due then is made up for at once.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from p2psync.core.ids import MandateId
from p2psync.daemon.activity import INTERVAL, LOOK_EVERY
from p2psync.daemon.operations.result import WAITING
from p2psync.daemon.operations.running import Wanted
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node
    from p2psync.daemon.timetable import Clock

AGAIN = timedelta(minutes=1)
"""After this long the next attempt is made where the others went away before all was exchanged."""


class Intervals:
    """Of one node. For the event loop."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._woken = asyncio.Event()
        self._running: set[MandateId] = set()

    def wake(self) -> None:
        """A member came, or an interval began."""
        self._woken.set()

    async def keep(self) -> None:
        """As long as the device runs; what one mandate waits for holds up no other."""
        async with asyncio.TaskGroup() as runs:
            while True:
                self._woken.clear()
                for mandate in await self._ready():
                    self._running.add(mandate)
                    runs.create_task(self._run(mandate), name=f"interval {mandate.hex()[:8]}")
                await self._clock.rest(self._clock.now() + LOOK_EVERY, self._woken)

    async def _ready(self) -> list[MandateId]:
        if not self._node.activity.intervals:
            return []
        due = [mandate for mandate in await self._node.activity.due() if mandate not in self._running]

        def in_reach(device: Device, _: Now) -> list[MandateId]:
            return [one for one in due if one in device.mandates and device.mandates[one].peers]

        return await self._node.runtime.query(in_reach) if due else []

    async def _run(self, mandate: MandateId) -> None:
        try:
            exit_code = await self._node.runs.by_itself(mandate, Wanted(trigger=INTERVAL))
        except P2PSyncError as error:
            self._node.log.event("run.failed", mandate=mandate, reason=error)
            exit_code = WAITING
        if exit_code == WAITING:
            await self._clock.rest(self._clock.now() + AGAIN, asyncio.Event())
        self._running.discard(mandate)
        self.wake()
