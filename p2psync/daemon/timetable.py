"""Starts runs by themselves: nightly ones, a full one each month on a day of its own, and after a long absence.

What is due at the same time is one run, a full one if any of it is; a run that is under way and does as much counts.
What was missed while this PC was off is made up for once it is on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Protocol

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.moment import moment_of, ms_of
from p2psync.core.rate import WHOLE
from p2psync.core.schedule import (
    Kind,
    Plan,
    Run,
    Schedule,
    Window,
    missed_run,
    next_run,
    own_day,
    parse_plan,
    parse_window,
)
from p2psync.core.value import value
from p2psync.daemon.operations.running import Wanted
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

SETTING = "schedule"
"""A device's plans as they were written."""
DONE_UNTIL = "scheduled_until_ms"
"""The setting of a mandate that says up to when its runs were started."""
INCREMENTAL, FULL = "02:00", "monthly 03:00"
"""What holds until somebody says otherwise."""
NEVER = "off"
ALWAYS = "always"
LOOK_EVERY = timedelta(hours=1)
"""A clock that is set, or a PC that slept, is noticed after so long."""
TIMEOUT_S = 3600.0
"""A run that nobody waits for gives up then; later where reading is limited to a share of a processor."""
ABSENT = timedelta(days=30)
"""With whom there was no contact for so long, everything is compared."""
NIGHTLY, MONTHLY, RETURNED = "nightly", "monthly", "returned"
"""Why a run was started."""


class Clock(Protocol):
    """The wall clock; a virtual one in tests."""

    def now(self) -> datetime:
        """Aware."""

    def zone(self) -> tzinfo:
        """That plans are written in."""

    async def rest(self, until: datetime, woken: asyncio.Event) -> None:
        """Until then, or until the event is set."""


class WallClock:
    """This PC's."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    def zone(self) -> tzinfo:
        """As it is now: it is asked again each time."""
        return self.now().astimezone().tzinfo or UTC

    async def rest(self, until: datetime, woken: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (until - self.now()).total_seconds())):
                await woken.wait()


@value
class Texts:
    """Plans as people write them; NEVER for none."""

    incremental: str = INCREMENTAL
    full: str = FULL
    active: str = ALWAYS
    """The hours in which anything is exchanged; ALWAYS for the whole day."""

    def schedule(self, own: int) -> Schedule:
        """Raises UsageError that says what a plan looks like."""
        return Schedule(_plan(self.incremental, own), _plan(self.full, own))

    def window(self) -> Window | None:
        """None for the whole day. Raises UsageError that says what a part of a day looks like."""
        return None if self.active.strip().lower() == ALWAYS else parse_window(self.active)


def _plan(text: str, own: int) -> Plan | None:
    return None if text.strip().lower() == NEVER else parse_plan(text, own)


class Timetable:
    """Of one node, for all its mandates. For the event loop."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._woken = asyncio.Event()
        self._asked: dict[MandateId, Wanted] = {}
        """Runs that wait for their turn: one for each mandate."""

    # -- people ----------------------------------------------------------------------------------------

    async def texts(self) -> Texts:
        stored: Any = await self._node.runtime.query(lambda *_: self._node.records.setting(SETTING))
        return Texts(**stored) if isinstance(stored, dict) else Texts()

    async def put(self, texts: Texts) -> None:
        """Raises UsageError for what is no plan, or no part of a day."""
        texts.schedule(1)
        texts.window()
        await self._node.runtime.call(lambda *_: self._node.records.put_setting(SETTING, asdict(texts)))
        self.wake()

    async def window(self) -> Window | None:
        """The hours of activity; None for the whole day."""
        return (await self.texts()).window()

    def wake(self) -> None:
        """Something else is due now than was."""
        self._woken.set()

    async def coming(self) -> Mapping[MandateId, tuple[Schedule, Run | None]]:
        """The plans of each mandate, and the run that is due next."""
        texts, now, zone = await self.texts(), self._clock.now(), self._clock.zone()
        several = await self._node.runtime.query(lambda device, _: list(device.mandates))
        plans = {mandate: texts.schedule(self._own_day(mandate)) for mandate in several}
        window = texts.window()

        def within(run: Run | None) -> Run | None:
            """What is due outside of the hours of activity starts when they begin."""
            return run if run is None or window is None else replace(run, at=window.next_opening(run.at, zone))

        return {mandate: (plan, within(next_run(plan, now, zone))) for mandate, plan in plans.items()}

    def queued(self, mandate: MandateId) -> Wanted | None:
        """The run that was started by itself and waits for its turn."""
        return self._asked.get(mandate) or self._node.runs.queued(mandate)

    # -- runs ------------------------------------------------------------------------------------------

    def met(self, mandate: MandateId, device: DeviceId, seen_ms: int | None) -> None:
        """A member is connected; `seen_ms`: when it was so last, wall clock in milliseconds, None if never."""
        if seen_ms is None or self._clock.now() - moment_of(seen_ms) < ABSENT:
            return
        self._node.log.event("run.returned", mandate=mandate, device=device)
        self._ask(mandate, Wanted(full=True, timeout_s=TIMEOUT_S, trigger=RETURNED))

    async def keep(self) -> None:
        """As long as the device runs."""
        while True:
            self._woken.clear()
            for mandate, run in (await self._due()).items():
                slower = WHOLE / (self._node.bandwidth.limits.cpu or WHOLE)
                self._ask(mandate, Wanted(timeout_s=TIMEOUT_S * slower, **planned(run)))
            await self._run_all()
            coming = [run.at for _, run in (await self.coming()).values() if run is not None]
            await self._clock.rest(min([self._clock.now() + LOOK_EVERY, *coming]), self._woken)

    def _ask(self, mandate: MandateId, wanted: Wanted) -> None:
        waiting = self._asked.get(mandate)
        if waiting is None or (wanted.full and not waiting.full):
            self._asked[mandate] = wanted
        self._woken.set()

    async def _run_all(self) -> None:
        """One after the other: nobody waits for them."""
        while self._asked:
            mandate = next(iter(self._asked))
            wanted = self._asked.pop(mandate)
            try:
                await self._node.runs.by_itself(mandate, wanted)
            except P2PSyncError as error:
                self._node.log.event("run.failed", mandate=mandate, reason=error)

    async def _due(self) -> Mapping[MandateId, Run]:
        """What is due now, by mandate; noted as started."""
        texts, now, zone = await self.texts(), self._clock.now(), self._clock.zone()
        now_ms = ms_of(now)

        def look(device: Device, _: Now) -> dict[MandateId, Run]:
            found = {}
            for mandate, one in device.mandates.items():
                if one.is_held:
                    continue
                until_ms: Any = one.state.get(DONE_UNTIL)
                one.state.put(DONE_UNTIL, now_ms)
                if isinstance(until_ms, int):
                    since = moment_of(until_ms)
                    run = missed_run(texts.schedule(self._own_day(mandate)), since, now, zone)
                    found.update({mandate: run} if run is not None else {})
            return found

        return await self._node.runtime.call(look)

    def _own_day(self, mandate: MandateId) -> int:
        return own_day(mandate + self._node.identity.device)


def planned(run: Run) -> dict[str, Any]:
    """`full` and `trigger` of a run that the plan asks for."""
    full = run.kind is Kind.FULL
    return {"full": full, "trigger": MONTHLY if full else NIGHTLY}


def described(plan: Plan | None) -> str:
    """As people write it."""
    return NEVER if plan is None else str(plan)
