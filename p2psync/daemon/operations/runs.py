"""Runs: `sync`, `wait`, and `history`; when p2psync works, and how much of the line and of a processor it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from p2psync.core.ids import MandateId
from p2psync.core.moment import ms_of
from p2psync.core.rate import OFF, parse_rate, parse_share
from p2psync.core.schedule import Run as Due
from p2psync.core.schedule import parse_interval
from p2psync.daemon.limits import Limits, set_limits
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import DONE, FAILED, PARTLY_DONE, WAITING, OperationResult
from p2psync.daemon.operations.running import NO_REASONS, Result, Wanted
from p2psync.daemon.operations.shapes import find_mandate, find_mandates, time_text
from p2psync.daemon.standing import ONLY
from p2psync.daemon.timetable import NEVER, Texts, described
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError, UsageError
from p2psync.i18n import _
from p2psync.store.records import Run

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

SEVERITY = (FAILED, WAITING, PARTLY_DONE, DONE)
"""Of several mandates the worst counts."""
WORST = (Result.FAILED, Result.PARTIAL, Result.SUCCESS, Result.NOTHING_NEW)
HISTORY_MAX = 200
NUMBER_DIGITS = 18
"""A run has no more."""
UNDER_WAY = "running"

Told = tuple[dict[str, Any], int]


async def sync(node: Node, given: Arguments) -> object:
    named, only = given.text_or("mandate", ""), given.text_or("only", "")
    full, dry_run = given.flag("full"), given.flag("dry_run")
    timeout_s = given.seconds("timeout_s", None)
    given.done()
    if only and only not in ONLY:
        raise UsageError("only must be one of {names}", names=", ".join(sorted(ONLY)))
    mandates = await _ids(node, named)
    if dry_run:
        plans = [await node.runs.dry(mandate, only or None) for mandate in mandates]
        items = [{**i, "mandate": p["mandate"]} for p in plans for i in p["items"]]
        return {"result": "dry-run", "items": items, "reads": _reads(plans) if full else None}
    wanted = Wanted(only or None, full, timeout_s)
    return _together(await _all(node.runs.sync(mandate, wanted) for mandate in mandates))


def _reads(plans: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What a full run would read again."""
    return {name: sum(plan["holds"][name] for plan in plans) for name in ("files", "bytes")}


async def cancel(node: Node, given: Arguments) -> object:
    """Which mandates had a run under way."""
    named = given.text_or("mandate", "")
    given.done()
    known = await node.runtime.query(lambda device, _: [(m.id, m.name) for m in find_mandates(device, named)])
    return [{"mandate": name} for mandate, name in known if await node.runs.cancel(mandate)]


async def wait(node: Node, given: Arguments) -> object:
    named, timeout_s = given.text_or("mandate", ""), given.seconds("timeout_s", None)
    given.done()
    mandates = await _ids(node, named)
    return _together(await _all(node.runs.wait(mandate, timeout_s) for mandate in mandates))


async def history(node: Node, given: Arguments) -> object:
    named, number, failed = given.text_or("mandate", ""), given.text_or("run", ""), given.flag("failed")
    given.done()
    if number and not number.isdecimal():
        raise UsageError("{number} is no run. See: p2psync history", number=number)

    def look(device: Device, _now: Now) -> list[dict[str, Any]]:
        mandates = {m.id: m.name for m in find_mandates(device, named)}
        if number:
            one = node.records.run(int(number)) if len(number) <= NUMBER_DIGITS else None
            runs: Sequence[Run] = [one] if one is not None and one.mandate in mandates else []
        else:
            runs = node.records.runs(list(mandates), HISTORY_MAX) if mandates else ()
        return [past(run, mandates[run.mandate], node.runs.is_under_way(run.number)) for run in runs]

    rows = await node.runtime.query(look)
    if number and not rows:
        raise UsageError("There is no run {number}. See: p2psync history", number=number)
    return [row for row in rows if not failed or row["result"] in (Result.FAILED, Result.PARTIAL)]


def past(run: Run, mandate: str, under_way: bool) -> dict[str, Any]:
    """As the run told when it ended; one that was cut off by the end of the program failed."""
    result = run.result or (UNDER_WAY if under_way else Result.FAILED.value)
    reasons = {**NO_REASONS, **run.reasons}
    if run.result is None and not under_way:
        reasons["message"] = _("p2psync ended before this run did.")
    return {
        "id": str(run.number),
        "mandate": mandate,
        "started": time_text(run.started_ms),
        "ended": time_text(run.ended_ms) if run.ended_ms is not None else None,
        "result": result,
        "changed": len(run.items),
        "items": run.items,
        **reasons,
    }


async def _ids(node: Node, named: str) -> list[MandateId]:
    def look(device: Device, _now: Now) -> list[MandateId]:
        return [find_mandate(device, named).id] if named else [m.id for m in find_mandates(device, "")]

    found = await node.runtime.query(look)
    if not found:
        raise P2PSyncError("There is no mandate yet. Make one with: p2psync mandate create NAME --folder DIR")
    return found


async def _all(calls: Any) -> list[Told]:
    """Side by side: one mandate whose members are off holds up no other."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


def _together(told: Sequence[Told]) -> OperationResult:
    """One answer; of several mandates their parts too."""
    exit_code = min((code for _, code in told), key=SEVERITY.index)
    if len(told) == 1:
        return OperationResult(told[0][0], exit_code)
    runs = [data for data, _ in told]
    result = min((Result(run["result"]) for run in runs), key=WORST.index)
    return OperationResult(
        {
            "id": ",".join(run["id"] for run in runs if run.get("id")) or None,
            "result": result.value,
            "runs": runs,
            "items": [{**item, "mandate": run["mandate"]} for run in runs for item in run.get("items", ())],
            "waiting_for": sorted({name for run in runs for name in run["waiting_for"]}),
            "absent": sorted({name for run in runs for name in run["absent"]}),
            "confirmed": sorted({name for run in runs for name in run.get("confirmed", ())}),
            "changed": sum(run.get("changed", 0) for run in runs),
            "last_seen": {name: seen for run in runs for name, seen in run.get("last_seen", {}).items()},
            "problems": [{**problem, "mandate": run["mandate"]} for run in runs for problem in run["problems"]],
            "missing": [step for run in runs for step in run.get("missing", ())],
            "message": " ".join(run["message"] for run in runs if run["message"]),
        },
        exit_code,
    )


async def schedule(node: Node, given: Arguments) -> object:
    named = given.text_or("mandate", "")
    given.done()
    return await _schedule(node, named)


async def schedule_set(node: Node, given: Arguments) -> object:
    """The interval is of the mandate that is named, or of all that there are; the rest is of this PC."""
    named, every = given.text_or("mandate", ""), given.text_or("interval", "")
    incremental, full, active = (given.text_or(name, "") for name in ("incremental", "full", "active"))
    given.done()
    if named and (incremental or full or active):
        raise UsageError("Only the interval is of one mandate: plans and hours hold for all. Leave the mandate out.")
    interval = parse_interval(every) if every else None
    timed = await _ids(node, named) if every else []
    texts = await node.timetable.texts()
    if incremental or full or active:
        wanted = Texts(incremental or texts.incremental, full or texts.full, active or texts.active)
        await node.timetable.put(wanted)
    if every:
        await node.activity.exchange_every(timed, interval)
    await node.activity.look()
    return await _schedule(node, named)


async def pause(node: Node, given: Arguments) -> object:
    """Which mandates rest now; `until`: RFC 3339."""
    named, text = given.text_or("mandate", ""), given.text_or("until", "")
    given.done()
    until = _moment(text) if text else None
    for mandate in (mandates := await _ids(node, named)):
        await node.activity.pause(mandate, until)
    return await _resting(node, mandates)


async def resume(node: Node, given: Arguments) -> object:
    """Which mandates rest all the same, as it is outside of the hours of activity."""
    named = given.text_or("mandate", "")
    given.done()
    for mandate in (mandates := await _ids(node, named)):
        await node.activity.resume(mandate)
    return await _resting(node, mandates)


async def limit(node: Node, given: Arguments) -> object:
    given.done()
    return asdict(node.bandwidth.limits)


async def limit_set(node: Node, given: Arguments) -> object:
    before = node.bandwidth.limits
    up, down = given.text_or("up", str(before.up or OFF)), given.text_or("down", str(before.down or OFF))
    cpu = given.text_or("cpu", str(before.cpu or OFF))
    given.done()
    limits = Limits(parse_rate(up), parse_rate(down), parse_share(cpu))
    await set_limits(node, limits)
    return asdict(limits)


def _moment(text: str) -> datetime:
    """In UTC."""
    try:
        until = datetime.fromisoformat(text)
        if until.tzinfo is not None:
            return until.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError("{text!r} is no time. Write one like 2025-06-30T14:00:00Z.", text=text)


async def _resting(node: Node, several: Sequence[MandateId]) -> list[dict[str, Any]]:
    names = await node.runtime.query(lambda device, _: {m.id: m.name for m in device.mandates.values()})
    rests = node.activity.rests
    return [
        {
            **{"mandate": names[one], "why": rest.why if rest is not None else None},
            "until": time_text(ms_of(rest.until)) if rest is not None and rest.until is not None else None,
        }
        for one in several
        for rest in [rests.get(one)]
        if one in names
    ]


async def _schedule(node: Node, named: str) -> dict[str, Any]:
    texts, coming = await node.timetable.texts(), await node.timetable.coming()

    def told(device: Device, _: Now) -> list[dict[str, Any]]:
        return [
            {"mandate": m.name, "full": described(plans.full), "next": _next(run), **_exchange(node, m.id)}
            for m in find_mandates(device, named)
            if m.id in coming
            for plans, run in [coming[m.id]]
        ]

    return {**asdict(texts), "mandates": await node.runtime.query(told)}


def _exchange(node: Node, mandate: MandateId) -> dict[str, str | None]:
    """The interval, and when the next exchange is; None where one is due, or comes with each change."""
    interval, rest = node.activity.intervals.get(mandate), node.activity.rests.get(mandate)
    until = rest.until if rest is not None and interval is not None else None
    every = str(interval) if interval is not None else NEVER
    return {"interval": every, "exchange": time_text(ms_of(until)) if until is not None else None}


def _next(run: Due | None) -> dict[str, str] | None:
    return None if run is None else {"at": time_text(ms_of(run.at)), "kind": run.kind.value}


OPERATIONS = {
    "sync": sync,
    "sync.cancel": cancel,
    "wait": wait,
    "history": history,
    "schedule": schedule,
    "schedule.set": schedule_set,
    "pause": pause,
    "resume": resume,
    "limit": limit,
    "limit.set": limit_set,
}
