"""Accounting periods: closed and opened again, what came too late for them, and how far the books are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from blake3 import blake3

from p2psync.books.closing import Belonging, belonging, known_periods
from p2psync.books.completeness import MASTER, suffix_of
from p2psync.core.changelog import Stated
from p2psync.core.entry import Kind
from p2psync.core.ids import DeviceId, MandateId, device_text
from p2psync.core.period import Period
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.shapes import find_mandate, time_text
from p2psync.daemon.programs.shelf import Dated
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.periods import Freezing
from p2psync.engine.scope import Now
from p2psync.errors import UsageError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

Row = dict[str, Any]


async def period(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()
    mandate = await _mandate(node, named)
    dated = await node.shelf.dated(mandate)
    return await node.runtime.query(lambda device, _: _whole(device.mandates[mandate], dated))


async def preview(node: Node, given: Arguments) -> object:
    named, wanted = given.text("mandate"), given.text("period")
    given.done()
    return (await _plan(node, await _mandate(node, named), wanted)).told


async def freeze(node: Node, given: Arguments) -> object:
    """`seen` is what `preview` told: if the files have changed since then, nothing is frozen."""
    named, wanted, seen = given.text("mandate"), given.text("period"), given.text_or("seen", "")
    given.done()
    mandate = await _mandate(node, named)
    await node.folders.look_through(mandate)  # what was saved a moment ago is part of what is frozen
    plan = await _plan(node, mandate, wanted)
    if seen and seen != plan.told["seen"]:
        raise UsageError("The files of the period were changed meanwhile. Look at them again: p2psync period MANDATE")
    versions = {one.path: one.content for one in plan.files}
    await node.runtime.call(lambda device, _: device.admin(mandate).freeze(plan.period, versions))
    return plan.told


async def unfreeze(node: Node, given: Arguments) -> object:
    named, wanted = given.text("mandate"), given.text("period")
    given.done()
    mandate = await _mandate(node, named)
    frozen = await node.runtime.query(lambda device, _: sorted(device.mandates[mandate].authority.frozen))
    chosen = _chosen(wanted, frozen)
    await node.runtime.call(lambda device, _: device.admin(mandate).unfreeze(chosen))
    return _days(chosen)


async def current(node: Node, given: Arguments) -> object:
    named, text, note = given.text("mandate"), given.text("until"), given.text_or("note", "").strip()
    given.done()
    mandate = await _mandate(node, named)
    try:
        until = date.fromisoformat(text)
    except ValueError:
        raise UsageError("{text!r} is no day. Write one like 2025-06-30.", text=text) from None

    def act(device: Device, _: Now) -> Row | None:
        device.admin(mandate).set_current(until, note)
        return _current(device.mandates[mandate])

    return await node.runtime.call(act)


async def _mandate(node: Node, named: str) -> MandateId:
    return await node.runtime.query(lambda device, _: find_mandate(device, named).id)


# -- which period, which files -------------------------------------------------------------------------


class _Plan(NamedTuple):
    period: Period
    files: Sequence[Dated]
    told: Row


async def _plan(node: Node, mandate: MandateId, wanted: str) -> _Plan:
    dated = await node.shelf.dated(mandate)
    period = _chosen(wanted, known_periods(one.span for one in dated if one.stated))
    return await node.runtime.query(lambda device, _: _planned(device.mandates[mandate], dated, period))


def _planned(mandate: Mandate, dated: Sequence[Dated], period: Period) -> _Plan:
    lying = {one.path: belonging(one.span, period) for one in dated}
    inside = [one for one in dated if lying[one.path] is Belonging.INSIDE]
    secret = {one.path for one in inside if not one.stated and mandate.authority.rules.class_id(one.path) is not None}
    files = [one for one in inside if one.path not in secret]
    across = [one.path for one in dated if lying[one.path] is Belonging.ACROSS]
    seen = blake3(b"".join(one.path.encode() + b"\0" + one.content for one in files)).hexdigest()
    told = {
        **{"mandate": mandate.name, **_days(period), "frozen": period in mandate.authority.frozen},
        "files": [{"path": one.path, "content": one.content.hex()} for one in files],
        "left_out": [
            *({"path": path, "reason": "across"} for path in across),
            *({"path": path, "reason": "restricted"} for path in sorted(secret)),
        ],
        "seen": seen,
    }
    return _Plan(period, files, told)


def _chosen(text: str, known: Sequence[Period]) -> Period:
    """The period that is meant: as it is shown, a calendar year, the year that it ends in, or FIRST..LAST.

    Raises UsageError that lists the known ones.
    """
    wanted = text.strip()
    for one in known:
        if wanted in (str(one), f"{one.begin}..{one.end}"):
            return one
    ending = [one for one in known if wanted == str(one.end.year)]
    if len(ending) == 1:
        return ending[0]
    if not ending and (made := _made(wanted)) is not None:
        return made
    raise UsageError(
        "{text!r} is no accounting period. Write a year like 2025, or 2024-07-01..2025-06-30. Known here: {periods}",
        text=wanted,
        periods=", ".join(map(str, known)) or "-",
    )


def _made(text: str) -> Period | None:
    first, dots, last = (f"{text}-01-01", "..", f"{text}-12-31") if len(text) == 4 else text.partition("..")
    try:
        begin, end = date.fromisoformat(first.strip()), date.fromisoformat(last.strip())
    except ValueError:
        return None
    return Period(begin, end) if dots and begin <= end else None


# -- how it looks in JSON ------------------------------------------------------------------------------


def _whole(mandate: Mandate, dated: Sequence[Dated]) -> Row:
    frozen = {one.period: one for one in mandate.periods.frozen()}
    charts = [one.span for one in dated if suffix_of(one.path) == MASTER]
    known = known_periods([*(charts or [one.span for one in dated if one.stated]), *frozen])
    return {
        "mandate": mandate.name,
        "current_until": _current(mandate),
        "periods": [
            {**_days(one), "files": _within(dated, one), "frozen": _frozen(mandate, frozen.get(one))} for one in known
        ],
        "late": [_late(mandate, one, change) for one, change in mandate.periods.late()],
    }


def _within(dated: Iterable[Dated], period: Period) -> list[str]:
    return [one.path for one in dated if belonging(one.span, period) is Belonging.INSIDE]


def _days(one: Period) -> Row:
    return {"period": str(one), "begin": one.begin.isoformat(), "end": one.end.isoformat()}


def _frozen(mandate: Mandate, one: Freezing | None) -> Row | None:
    if one is None:
        return None
    return {**_who(mandate, one.device, one.time_ms), "files": [file.path for file in one.files]}


def _current(mandate: Mandate) -> Row | None:
    said = mandate.periods.current()
    if said is None:
        return None
    who = _who(mandate, said.device, said.time_ms)
    return {"until": said.until.isoformat(), "note": said.note or None, **who}


def _late(mandate: Mandate, one: Period, change: Stated) -> Row:
    content = change.entry.content
    return {
        **{"period": str(one), "path": change.path, **_who(mandate, change.author, change.time_ms)},
        "content": content.hex() if content is not None else None,
        "kind": "absent" if change.entry.kind is Kind.ABSENT else "file",
    }


def _who(mandate: Mandate, device: DeviceId, time_ms: int) -> Row:
    return {"device": device_text(device), "name": name_of(mandate, device), "time": time_text(time_ms)}


OPERATIONS = {
    "period": period,
    "period.preview": preview,
    "period.freeze": freeze,
    "period.unfreeze": unfreeze,
    "period.current": current,
}
