"""Bookkeeping: the chart of accounts, and what is wrong in bookings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from p2psync.books.crp import Account, Chart, CostCentre, Language, Names, VatCode
from p2psync.books.entries import AMOUNT, DATE, EntryLine
from p2psync.books.export import FIELDS, NAME, Record, RecordKind
from p2psync.books.finding import Finding, Findings
from p2psync.books.master import Key, records_of
from p2psync.books.pending import Difference, Differences
from p2psync.core.ids import MandateId, device_text
from p2psync.core.period import Period
from p2psync.core.relpath import RelPath
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import DONE, PARTLY_DONE, OperationResult
from p2psync.daemon.operations.shapes import find_mandate, time_text
from p2psync.daemon.operations.versions import path_in
from p2psync.daemon.programs.exporting import followed
from p2psync.daemon.programs.mastering import Deletion, open_fields_of
from p2psync.daemon.programs.shelf import ChartFile, Checked, MasterShelf
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.errors import P2PSyncError, UsageError
from p2psync.i18n import said

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

LINES_SHOWN = 200
"""Of each file of bookings that waits."""


async def chart(node: Node, given: Arguments) -> object:
    named, file = given.text("mandate"), given.text_or("file", "")
    given.done()
    mandate, name, path = await named_file(node, named, file)
    charts, master = await node.shelf.charts(mandate), await node.shelf.master(mandate)
    if master is not None and (path == master.path or not (charts or path)):
        told = {"mandate": name, "file": master.path, **await _master(node, mandate), **_others(charts, None)}
        told["followed"] = await node.runtime.query(lambda device, _: (followed(device, mandate) or (None,))[0])
        told |= await node.runtime.query(lambda device, _: _use(device, mandate, master.path))
        deleted = await node.mastering.deletions(mandate)
        rows = await node.runtime.query(lambda device, _: [_deletion(device.mandates[mandate], d) for d in deleted])
        using = [row["content"] for row in told["devices"]]
        return {**told, "deletions": [_confirmed(row, one, using) for row, one in zip(rows, deleted, strict=True)]}
    chosen = _chosen(charts, name, path)
    if not isinstance(chosen.read, Chart):
        raise P2PSyncError(
            "{path} cannot be read: {reason}",
            path=chosen.path,
            reason=chosen.read,
        )
    lacking = await _lacking(node, mandate) if master is not None and path is None else {}
    return {
        **{"mandate": name, "file": chosen.path},
        **{**_chart(chosen.read), **lacking},
        **_others([one for one in charts if one.path != chosen.path], master),
        **await node.runtime.query(lambda device, _: _use(device, mandate, chosen.path)),
    }


async def _master(node: Node, mandate: MandateId) -> dict[str, Any]:
    known = await node.mastering.known(mandate)
    return await asyncio.to_thread(lambda: _chart_of(records_of(known.data, known.open_fields)))


async def _lacking(node: Node, mandate: MandateId) -> dict[str, Any]:
    """Of master data from elsewhere, the lists that no `.crp` has."""
    told = await _master(node, mandate)
    return {name: told[name] for name in ("cost_objects", "payment_terms")}


def _others(charts: Sequence[ChartFile], master: MasterShelf | None) -> dict[str, Any]:
    return {"others": [*(one.path for one in charts), *([master.path] if master is not None else [])]}


def _use(device: Device, mandate: MandateId, path: RelPath) -> dict[str, Any]:
    """Who saved the version that stands, and which one each other member is known to have."""
    one = device.mandates[mandate]
    winner = one.ledger.verdict(path, one.state.heads([path]).get(path, ())).winner
    rows = []
    for member in sorted(one.authority.members.keys() - {device.keys.device}):
        known = next((d for d in one.arrears.deliveries.of_device(member) if d.path == path), None)
        content = known.content if known is not None else None
        if winner is not None and member == winner.author:
            content = winner.entry.content
        stated = one.state.changes(one.state.with_content(path, content)[-1:]) if content is not None else {}
        saved = next((time_text(change.time_ms) for change in stated.values()), None)
        rows.append(
            {
                **{"device": device_text(member), "name": name_of(one, member), "saved": saved},
                "content": content.hex() if content is not None else None,
                "current": winner is not None and content == winner.entry.content,
            }
        )
    if winner is None:
        return {"content": None, "saved": None, "devices": rows}
    content = winner.entry.content
    saved_by = {"device": device_text(winner.author), "name": name_of(one, winner.author)}
    return {
        "content": content.hex() if content is not None else None,
        "saved": {**saved_by, "time": time_text(winner.time_ms)},
        "devices": rows,
    }


def _deletion(mandate: Mandate, one: Deletion) -> dict[str, Any]:
    by = one.stated
    who = {"device": device_text(by.author), "name": name_of(mandate, by.author)} if by is not None else {}
    time = time_text(by.time_ms) if by is not None else None
    return {"record": one.key.kind.value, "number": one.key.number, "time": time, **who}


def _confirmed(row: dict[str, Any], one: Deletion, using: Sequence[str | None]) -> dict[str, Any]:
    known = {content.hex() for content in one.contents}
    return {**row, "confirmed": sum(content in known for content in using)}


async def check(node: Node, given: Arguments) -> object:
    named, file = given.text("mandate"), given.text_or("file", "")
    given.done()
    mandate, name, path = await named_file(node, named, file)
    known = await node.runtime.query(lambda device, _: open_fields_of(device.mandates[mandate].authority))
    rows = [_checked(name, one) for one in await node.shelf.check(mandate, path, known)]
    return OperationResult(rows, PARTLY_DONE if any(row["count"] or row["message"] for row in rows) else DONE)


async def named_file(node: Node, named: str, file: str) -> tuple[MandateId, str, RelPath | None]:
    """The mandate that is meant, what it is called, and the file in it, if one is named."""

    def look(device: Any, _: object) -> tuple[MandateId, str, RelPath | None]:
        mandate = find_mandate(device, named)
        return mandate.id, mandate.name, path_in(mandate, file) if file else None

    return await node.runtime.query(look)


def _chosen(charts: Sequence[ChartFile], mandate: str, path: RelPath | None) -> ChartFile:
    """The one that is named, else that of the latest period."""
    if not charts:
        raise P2PSyncError("There is no chart of accounts (.crp) in the folder of {mandate}.", mandate=mandate)
    if path is None:
        return max(charts, key=_age)
    for one in charts:
        if one.path == path:
            return one
    raise UsageError(
        "{path} is no chart of accounts of {mandate}. Choose one of: {charts}",
        path=path,
        mandate=mandate,
        charts=", ".join(one.path for one in charts),
    )


def _age(one: ChartFile) -> tuple[bool, date, RelPath]:
    """Greater for one that can be read, and for a later period."""
    if not isinstance(one.read, Chart):
        return False, date.min, one.path
    return True, one.read.period.end if one.read.period else date.min, one.path


# -- charts --------------------------------------------------------------------------------------------


def _chart(read: Chart) -> dict[str, Any]:
    return {
        "title": read.title,
        **_period(read.period),
        "languages": [_language(one) for one in read.languages],
        "accounts": [_account(one, read.languages) for one in read.accounts],
        "vat_codes": [_vat_code(one) for one in read.vat_codes],
        "cost_centres": [_centre(one, read.languages) for one in read.cost_centres],
        **{"cost_objects": [], "payment_terms": []},
        **findings_rows(read.findings),
    }


def _period(period: Period | None) -> dict[str, str | None]:
    if period is None:
        return {"period": None, "begin": None, "end": None}
    return {"period": str(period), "begin": period.begin.isoformat(), "end": period.end.isoformat()}


def _language(one: Language) -> dict[str, Any]:
    return {"number": one.number, "name": one.name, "code": one.iso_code}


def _account(one: Account, languages: Sequence[Language]) -> dict[str, Any]:
    return {
        "number": one.number,
        "name": one.name,
        "names": _names(one.names, languages),
        "category": one.category.name.lower() if one.category is not None else None,
        "kind": one.kind.value if one.kind is not None else None,
        "group": one.group,
        "vat_code": one.vat_code,
        "line": one.line,
    }


def _vat_code(one: VatCode) -> dict[str, Any]:
    return {
        "code": one.code,
        "description": one.description,
        "rate_percent": f"{one.rate.normalize():f}" if one.rate is not None else None,
        "account": one.account,
        "line": one.line,
    }


def _centre(one: CostCentre, languages: Sequence[Language]) -> dict[str, Any]:
    return {"number": one.number, "name": one.name, "names": _names(one.names, languages), "line": one.line}


def _names(names: Names, languages: Sequence[Language]) -> dict[str, str]:
    """By the language's code, else by its number."""
    codes = {one.number: one.iso_code for one in languages}
    return {codes.get(number) or str(number): text for number, text in names}


# -- master data of another program ----------------------------------------------------------------------


def _chart_of(records: Mapping[Key, Record]) -> dict[str, Any]:
    """Master data as `chart show` tells of a chart of accounts, with the fields that only they have."""
    languages = sorted(
        {name.partition(".")[2] for one in records.values() for name in one.fields if name.startswith(f"{NAME}.")}
    )
    rows: dict[RecordKind, list[dict[str, Any]]] = {kind: [] for kind in RecordKind}
    for key, record in records.items():
        rows[key.kind].append(_record(record))
    for account in rows[RecordKind.ACCOUNT]:
        account.update(category=_TYPES.get(account["type"]), kind="account", group="", vat_code="")
    return {
        **{"title": "", "period": None, "begin": None, "end": None},
        "languages": [{"number": at, "name": code, "code": code} for at, code in enumerate(languages)],
        "accounts": rows[RecordKind.ACCOUNT],
        "vat_codes": [],
        "cost_centres": rows[RecordKind.COST_CENTRE],
        "cost_objects": rows[RecordKind.COST_OBJECT],
        "payment_terms": rows[RecordKind.PAYMENT_TERM],
        **{"count": 0, "findings": []},
    }


_TYPES = {"A": "assets", "L": "liabilities", "R": "income", "E": "expense", "C": "other"}


def _record(record: Record) -> dict[str, Any]:
    """Every field of its kind, under a name with underscores; "" for what is not stated, flags as such."""
    names = {name.partition(".")[2]: text for name, text in record.fields.items() if name.startswith(f"{NAME}.")}
    flags = ("cash", "blocked", "project", "deleted-by-master")
    fields = {
        one.name.replace("-", "_"): record.fields.get(one.name) == "true"
        if one.name in flags
        else record.fields.get(one.name, "")
        for one in FIELDS[record.kind]
    }
    return {"number": record.number, "name": next(iter(names.values()), ""), "names": names, **fields}


# -- checks --------------------------------------------------------------------------------------------


def _checked(mandate: str, one: Checked) -> dict[str, Any]:
    return {
        "mandate": mandate,
        "file": one.path,
        "checks": sorted(one.checks),
        **findings_rows(one.findings),
        "message": said(one.why) if one.why is not None else "",
    }


def findings_rows(findings: Findings) -> dict[str, Any]:
    """How many, and those that are kept."""
    return {"count": findings.count, "findings": [finding_row(one) for one in findings.items]}


def finding_row(one: Finding) -> dict[str, Any]:
    """Its sentence is said where it is shown."""
    return {"line": one.line, "code": one.trouble.value, "facts": dict(one.facts)}


def lines_row(found: Differences | None) -> dict[str, Any]:
    """The lines that are counted, with how many there are beyond those; None for what has no number."""
    if found is None:
        return {"lines": None, "left_out": 0}
    return {"lines": [_difference_row(one) for one in found.lines], "left_out": found.left_out}


def _difference_row(one: Difference) -> dict[str, Any]:
    """One line of bookings that is new, was changed or removed."""
    change = "new" if one.before is None else "removed" if one.after is None else "changed"
    return {"change": change, "before": _booking(one.before), "after": _booking(one.after)}


def _booking(line: EntryLine | None) -> dict[str, Any] | None:
    """As its program wrote it; a day that can be read is written as in all answers."""
    if line is None:
        return None
    return {
        **{"line": line.line, "date": str(line.date or line.field(DATE)), "debit": line.debit, "credit": line.credit},
        **{"voucher": line.voucher, "text": line.text, "amount": line.field(AMOUNT), "vat_code": line.vat_code},
    }


OPERATIONS = {"chart": chart, "check": check}
