"""Runs: look through the folder, exchange, and wait until every member in reach has confirmed.

Files are exchanged all the time; a run is for a person or a script that has to be sure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from p2psync.core.clock import Tips
from p2psync.core.ids import DeviceId, LogId, MandateId, device_text
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable, value
from p2psync.daemon.activity import INTERVAL
from p2psync.daemon.operations.result import DONE, FAILED, PARTLY_DONE, WAITING
from p2psync.daemon.operations.shapes import time_text
from p2psync.daemon.standing import (
    Item,
    Marks,
    Standing,
    Trouble,
    coming,
    is_of,
    look,
    marks_here,
    marks_of_peers,
    missing_steps,
    moved,
    name_of,
    to_place,
)
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError
from p2psync.i18n import _

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

LOOK_MIN_S = 0.02
LOOK_MAX_S = 0.25
CALLS, CALL_AGAIN_S = 3, 1.0
"""So often a run asks members to whose interval the mandate waits, and after so long again."""
NO_FOLDER = frozenset({Code.FOLDER_GONE.value, Code.FOLDER_MARKER_GONE.value})
TOLD = "run_told"
"""The setting of a mandate that says up to where its logs were told of."""
FULL_CUT = "full_run_cut"
"""The setting of a mandate that says behind which path a full run that was cut short goes on."""
NO_REASONS: Mapping[str, Any] = {
    **{"waiting_for": [], "absent": [], "confirmed": [], "problems": [], "missing": [], "message": ""},
    **{"trigger": "manual", "full": False},
}
"""Why not all was moved, of a run that moved all; who confirmed that, and why it ran."""
ALONE_S = 5.0
"""How long a run without a timeout of its own waits for a first member to come into reach."""


class Result(StrEnum):
    """How a run ended. The values are part of the interface."""

    NOTHING_NEW = "nothing-new"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"


@mutable
class Wanted:
    """What a run is asked for."""

    only: str | None = None
    """"master" or "entries": what it waits for and reports; it holds nothing back."""
    full: bool = False
    timeout_s: float | None = None
    """None: until all in reach have confirmed."""
    trigger: str = "manual"
    """Why it runs: "manual", "nightly", "monthly", "interval", or "returned" after a long absence."""


@mutable
class _Run:
    """One mandate's run under way."""

    mandate: MandateId
    wanted: Wanted
    begun_s: float
    started_ms: int
    before: Marks
    """Up to where the logs were told of by the run before."""
    due: frozenset[RelPath]
    """Paths that were still to be placed when it began."""
    lacked: dict[DeviceId, dict[LogId, int]] = field(default_factory=dict)
    """Up to where each member had come when it was first seen in this run."""


@value
class _Current:
    """What the run under way was asked for."""

    wanted: Wanted
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    """A person wants it to end."""


@value
class Ended:
    """How the wait of a run, or of `wait`, came to its end."""

    result: Result
    exit_code: int
    standing: Standing
    message: str = ""


class Runs:
    """The runs of one node: one at a time for each mandate. For the event loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._since: dict[MandateId, int] = {}
        self._under_way: set[int] = set()
        self._current: dict[MandateId, _Current] = {}
        self._queued: dict[MandateId, Wanted] = {}
        """Runs that wait for the end of the one under way."""

    async def sync(self, mandate: MandateId, wanted: Wanted) -> tuple[dict[str, Any], int]:
        """One run; returns what `history` will show of it, and the exit code.

        Raises P2PSyncError if another one is under way.
        """
        since_ms = self._since.get(mandate)
        if since_ms is not None:
            raise P2PSyncError(
                "A run is under way already, since {time}. See how far it is: p2psync status",
                time=f"{datetime.fromtimestamp(since_ms / 1000):%Y-%m-%d %H:%M:%S}",
            )
        self._since[mandate] = time.time_ns() // 1_000_000
        current = self._current[mandate] = _Current(wanted)
        try:
            async with self._node.activity.in_run(mandate):
                shown, exit_code = await self._run(mandate, wanted)
                if exit_code != WAITING:
                    await self._node.activity.exchanged(mandate)
            return shown, exit_code
        finally:
            del self._since[mandate], self._current[mandate]
            current.ended.set()

    async def by_itself(self, mandate: MandateId, wanted: Wanted) -> int | None:
        """A run that nobody waits for: none if one that does as much is under way, else after that.

        Returns its exit code; None if there was none.
        """
        while (current := self._current.get(mandate)) is not None:
            self._queued[mandate] = wanted
            try:
                await current.ended.wait()
            finally:
                self._queued.pop(mandate, None)
            as_much = current.wanted.only is None and (current.wanted.full or not wanted.full)
            if as_much and not current.cancelled.is_set():
                return None
        return (await self.sync(mandate, wanted))[1]

    async def cancel(self, mandate: MandateId) -> bool:
        """End the run under way soon; False if there is none. A full one goes on where it was, the next time."""
        current = self._current.get(mandate)
        if current is None:
            return False
        current.cancelled.set()
        reading = self._node.folders.full_pass(mandate)
        if current.wanted.full and reading is not None:
            reading.wanted = False
        await current.ended.wait()
        return True

    def under_way(self, mandate: MandateId) -> dict[str, Any] | None:
        """The run that goes on, and how much a full one has read; from any thread."""
        current, since_ms = self._current.get(mandate), self._since.get(mandate)
        if current is None or since_ms is None:
            return None
        reading = self._node.folders.full_pass(mandate) if current.wanted.full else None
        read = {"files": reading.files, "bytes": reading.bytes} if reading is not None else None
        wanted = current.wanted
        return {"started": time_text(since_ms), "trigger": wanted.trigger, "full": wanted.full, "read": read}

    def queued(self, mandate: MandateId) -> Wanted | None:
        """The run that waits for the end of the one under way."""
        return self._queued.get(mandate)

    def is_under_way(self, number: int) -> bool:
        """Whether a run goes on; from any thread."""
        return number in self._under_way

    async def wait(self, mandate: MandateId, timeout_s: float | None) -> tuple[dict[str, Any], int]:
        """Until this device, and each connected one, has placed all it knows of."""
        begun_s = asyncio.get_running_loop().time()
        ended = await self._until_done(mandate, None, Wanted(timeout_s=timeout_s), begun_s, None)
        told = await self._node.runtime.query(lambda device, _: _told(device, mandate, ended))
        if ended.exit_code == WAITING and mandate in self._node.activity.rests:
            told |= {"waiting_for": [], "message": _at_rest()}
        return await self._with_last_seen(mandate, told), ended.exit_code

    async def dry(self, mandate: MandateId, only: str | None) -> dict[str, Any]:
        """What a run would move, as far as is known without one."""

        def plan(device: Device, _: Now) -> dict[str, Any]:
            one = _find(device, mandate)
            own = device.keys.device
            unsent = moved(one, own, marks_here(one), marks_of_peers(one), only)
            sent = [item._replace(devices=frozenset()) for item in unsent]
            received = coming(one, (path for path in to_place(one) if is_of(one, path, only)))
            items = [_item(one, item, {}, done=False) for item in (*sent, *received)]
            files, size = one.state.live_totals()
            holds = {"files": files, "bytes": size}
            return {"id": None, "mandate": one.name, "result": "dry-run", "items": items, "holds": holds}

        return await self._node.runtime.query(plan)

    # -- one run ---------------------------------------------------------------------------------------

    async def _run(self, mandate: MandateId, wanted: Wanted) -> tuple[dict[str, Any], int]:
        started_ms = self._since[mandate]
        begun_s = asyncio.get_running_loop().time()
        number = await self._node.runtime.call(lambda *_: self._node.records.begin_run(mandate, started_ms))
        run = await self._node.runtime.query(lambda device, _: _begun(device, mandate, wanted, begun_s, started_ms))
        why = {"trigger": wanted.trigger, "full": wanted.full}
        shown: dict[str, Any] = {"result": Result.FAILED.value, "message": _("It was given up before its end."), **why}
        self._under_way.add(number)
        try:
            ended = await self._exchange(run)
            shown = {**await self._node.runtime.call(lambda device, _: _concluded(device, run, ended)), **why}
        finally:
            self._under_way.discard(number)
            ended_ms = time.time_ns() // 1_000_000
            reasons = {name: shown[name] for name in NO_REASONS if name in shown}
            await self._end(wanted, number, ended_ms, shown["result"], shown.get("items", ()), reasons)
        shown = await self._with_last_seen(mandate, shown)
        return {"id": str(number), **shown, "ended": time_text(ended_ms)}, ended.exit_code

    async def _end(self, wanted: Wanted, number: int, *shown: Any) -> None:
        """Of the runs of a mandate's interval one after the other that found nothing new, the last one is told of."""

        def end(_device: Device, _: Now) -> None:
            self._node.records.end_run(number, *shown)
            if wanted.trigger == INTERVAL:
                self._node.records.forget_repeated(number)

        await self._node.runtime.call(end)

    async def _with_last_seen(self, mandate: MandateId, told: dict[str, Any]) -> dict[str, Any]:
        """What is told, with when those that were not there were seen last."""

        def look_up(device: Device, _: Now) -> dict[str, str]:
            one = device.mandates.get(mandate)
            if one is None:
                return {}
            return {name_of(one, other): time_text(ms) for other, ms in self._node.last_seen(one).items()}

        missed = [*told["waiting_for"], *told["absent"]]
        if not missed:
            return told
        seen = await self._node.runtime.query(look_up)
        searched = {"searched": self._searched()} if not told["confirmed"] else {}
        return {**told, "last_seen": {name: seen.get(name) for name in missed}, **searched}

    def _searched(self) -> dict[str, Any]:
        """Where it was looked for members, when none was found."""
        discovery = self._node.discovery
        hosts = discovery.meeting.statuses()
        return {
            "local_network": self._node.config.mdns and discovery.mdns_problem is None,
            "hosts": [{"url": address.url, "connected": host.connected} for address, host in hosts],
        }

    async def _exchange(self, run: _Run) -> Ended:
        if not self._node.folders.is_open(run.mandate):
            return await self._cut_off(run.mandate, FAILED, _("The mandate's folder is not there. See: p2psync status"))
        if run.mandate in self._node.activity.rests:
            return await self._cut_off(run.mandate, FAILED, _at_rest())
        try:
            async with asyncio.timeout(run.wanted.timeout_s):
                await self._look_through(run)
        except TimeoutError:
            return await self._cut_off(run.mandate, WAITING, _("Looking through the folder took longer than that."))
        goal = await self._node.runtime.query(lambda device, _: dict(_find(device, run.mandate).ledger.tips))
        return await self._until_done(run.mandate, goal, run.wanted, run.begun_s, run)

    async def _look_through(self, run: _Run) -> None:
        """A full look goes on where one before was cut short, and notes where it is itself."""
        if not run.wanted.full:
            await self._node.folders.look_through(run.mandate)
            return
        stored = await self._node.runtime.query(lambda device, _: _find(device, run.mandate).state.get(FULL_CUT))
        whole = False
        try:
            after = RelPath(stored) if isinstance(stored, str) and stored else None
            await self._node.folders.look_through(run.mandate, full=True, after=after)
            whole = not self._current[run.mandate].cancelled.is_set()
        finally:
            reading = self._node.folders.full_pass(run.mandate)
            if reading is not None:
                reading.wanted = False
                cut = "" if whole else reading.reached or stored or ""
                await self._node.runtime.call(lambda device, _: _find(device, run.mandate).state.put(FULL_CUT, cut))

    async def _cut_off(self, mandate: MandateId, exit_code: int, message: str) -> Ended:
        standing = await self._node.runtime.query(
            lambda device, _: look(_find(device, mandate), device.keys.device, None, None)
        )
        return Ended(Result.FAILED, exit_code, standing, message)

    async def _until_done(
        self, mandate: MandateId, goal: Tips | None, wanted: Wanted, begun_s: float, run: _Run | None
    ) -> Ended:
        """Look again and again, first soon, then four times a second."""
        loop = asyncio.get_running_loop()
        rest_s = LOOK_MIN_S
        calls_s = [loop.time() + call * CALL_AGAIN_S for call in range(CALLS)] if run is not None else []
        begun = (run, begun_s)
        while True:
            standing = await self._node.runtime.query(lambda device, _: _look(device, mandate, goal, wanted, begun))
            if run is not None and self._current[mandate].cancelled.is_set():
                return Ended(Result.FAILED, FAILED, standing, _("It was cancelled."))
            if calls_s and calls_s[0] <= loop.time() and standing.others != standing.connected:
                calls_s.pop(0)
                await self._node.runtime.call(lambda device, _: device.call(mandate))
            ended = _ended(standing, loop.time() - begun_s, wanted.timeout_s)
            if ended is not None:
                return ended
            if not self._node.folders.is_open(mandate):
                return await self._cut_off(mandate, FAILED, _("The mandate's folder is not there. See: p2psync status"))
            await asyncio.sleep(rest_s)
            rest_s = min(LOOK_MAX_S, rest_s * 1.5)


def _at_rest() -> str:
    return _("It rests just now. See until when: p2psync status")


def _ended(standing: Standing, waited_s: float, timeout_s: float | None) -> Ended | None:
    """Whether it is over, and how; moved or not is told later."""
    alone = bool(standing.others) and not standing.connected
    if standing.is_removed:
        return Ended(Result.FAILED, FAILED, standing, _("This PC was removed from the mandate. See: p2psync status"))
    if any(trouble.device is None and trouble.code in NO_FOLDER for trouble in standing.troubles):
        return Ended(Result.FAILED, FAILED, standing, _("The mandate's folder is not there. See: p2psync status"))
    if alone and waited_s >= (ALONE_S if timeout_s is None else timeout_s):
        return Ended(Result.FAILED, WAITING, standing)
    if standing.is_done and not alone:
        if standing.troubles:
            return Ended(Result.PARTIAL, PARTLY_DONE, standing)
        return Ended(Result.SUCCESS, DONE, standing)
    if timeout_s is not None and waited_s >= timeout_s:
        return Ended(Result.FAILED, WAITING, standing, _("The time is over, and not everything has arrived."))
    return None


# -- in the engine's thread ----------------------------------------------------------------------------


def _find(device: Device, mandate: MandateId) -> Mandate:
    """Raises P2PSyncError if it was left meanwhile."""
    found = device.mandates.get(mandate)
    if found is None:
        raise P2PSyncError("This device has left the mandate meanwhile.")
    return found


def _begun(device: Device, mandate: MandateId, wanted: Wanted, begun_s: float, started_ms: int) -> _Run:
    one = _find(device, mandate)
    due = frozenset(path for path in to_place(one) if is_of(one, path, wanted.only))
    return _Run(mandate, wanted, begun_s, started_ms, _told_marks(one), due, marks_of_peers(one))


def _told_marks(mandate: Mandate) -> dict[LogId, int]:
    """Files are exchanged between runs too: a run tells of all since the one before, else it would seldom tell any."""
    stored: Any = mandate.state.get(TOLD) or []
    return {LogId(log): seq for log, seq in stored}


def _concluded(device: Device, run: _Run, ended: Ended) -> dict[str, Any]:
    """What is told of a run; the next one tells of what comes after."""
    one = _find(device, run.mandate)
    shown = _shown(device, run, ended)
    if ended.exit_code in (DONE, PARTLY_DONE) and run.wanted.only is None:
        one.state.put(TOLD, [[log, seq] for log, seq in sorted(marks_here(one).items())])
    return shown


def _look(
    device: Device, mandate: MandateId, goal: Tips | None, wanted: Wanted, begun: tuple[_Run | None, float]
) -> Standing:
    """`begun`: the run, and when that or the wait began."""
    one, (run, begun_s) = _find(device, mandate), begun
    if run is not None:
        run.lacked = {**marks_of_peers(one), **run.lacked}
    return look(one, device.keys.device, goal, wanted.only, begun_s)


def _shown(device: Device, run: _Run, ended: Ended) -> dict[str, Any]:
    """What people are told of a run, and what `history` keeps."""
    one = _find(device, run.mandate)
    items = moved(one, device.keys.device, run.before, run.lacked, run.wanted.only)
    known = {item.path for item in items}
    items += coming(one, run.due - known)
    troubles = {t.path: t.code for t in ended.standing.troubles}
    late = frozenset(to_place(one)) if items else frozenset[RelPath]()
    told = _told(device, run.mandate, ended)
    if ended.result is Result.SUCCESS and not items:
        told["result"] = Result.NOTHING_NEW.value
    return {
        **{"mandate": one.name, "started": time_text(run.started_ms)},
        **{**told, "changed": len(items)},
        "items": [
            _item(one, item, troubles, ended.exit_code in (DONE, PARTLY_DONE) if item.sent else item.path not in late)
            for item in items
        ],
    }


def _told(device: Device, mandate: MandateId, ended: Ended) -> dict[str, Any]:
    one = _find(device, mandate)
    standing = ended.standing
    absent = standing.others - standing.connected
    nobody = bool(standing.others) and not standing.connected
    late = ended.exit_code == WAITING
    waiting = (absent if nobody else standing.unconfirmed) if late else frozenset[DeviceId]()
    names = sorted(name_of(one, device_) for device_ in waiting)
    awaited = _("waiting for {devices}").format(devices=", ".join(names)) if names else ""
    return {
        "mandate": one.name,
        "result": ended.result.value,
        "waiting_for": names,
        "absent": sorted(name_of(one, device_) for device_ in absent - waiting),
        "confirmed": sorted(name_of(one, device_) for device_ in standing.connected - standing.unconfirmed),
        "problems": [_trouble(one, trouble) for trouble in standing.troubles],
        "missing": [{"mandate": one.name, "what": step} for step in missing_steps(one)],
        "message": ended.message or awaited,
    }


def _trouble(mandate: Mandate, trouble: Trouble) -> dict[str, Any]:
    device = trouble.device
    return {
        "device": name_of(mandate, device) if device is not None else None,
        "device_id": device_text(device) if device is not None else None,
        "path": trouble.path,
        "code": trouble.code,
        "detail": trouble.detail,
    }


def _item(mandate: Mandate, item: Item, troubles: Mapping[str, str], done: bool) -> dict[str, Any]:
    problem = troubles.get(item.path)
    return {
        "path": item.path,
        "direction": "sent" if item.sent else "received",
        "kind": item.kind,
        "class": mandate.authority.rules.rule_for(item.path).file_class,
        "size": item.size,
        "devices": sorted(name_of(mandate, device) for device in item.devices),
        "state": "problem" if problem is not None else "done" if done else "waiting",
        "problem": problem,
    }
