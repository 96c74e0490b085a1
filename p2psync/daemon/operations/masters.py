"""Master data of another accounting program: import them, change open fields, remove what the master deleted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2psync.books.export import EXPORT_BYTES_MAX, Export, RecordKind, canonical_number
from p2psync.books.master import (
    Difference,
    Key,
    MasterData,
    Sign,
    differences,
    edited,
    imported,
    merged,
    not_listed,
    parse_open_fields,
    records_of,
    removed,
)
from p2psync.books.master_files import format_of, read_export
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.books import findings_rows, named_file
from p2psync.daemon.operations.mandates import shown_rules
from p2psync.daemon.operations.result import DONE, FAILED, OperationResult
from p2psync.daemon.operations.shapes import find_mandate
from p2psync.daemon.programs.mastering import Known
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import CodecError, P2PSyncError, UsageError
from p2psync.fs.reading import open_shared

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

NAMED_MAX = 10
"""Records that a sentence names."""


async def import_export(node: Node, given: Arguments) -> object:
    named, file = given.text("mandate"), Path(given.text("file"))
    written, keep, dry = given.text_or("format", ""), given.flag("keep_missing"), given.flag("dry_run")
    follow = given.flag("follow")
    given.done()
    mandate, name, _ = await named_file(node, named, "")
    export = await asyncio.to_thread(_read, file, written)
    if export.findings:
        return OperationResult(_told(name, file, False, [], [], export), FAILED)
    told: list[tuple[list[Difference], list[Key]]] = []

    def make(known: Known) -> MasterData:
        missing = not_listed(known.data, export.records)
        if missing and not keep:
            raise _drops(file, missing)
        fresh = imported(known.data, export.records, known.device)
        before, after = (records_of(one, known.open_fields) for one in (known.data, merged(known.data, fresh)))
        told.append((differences(before, after), missing))
        return fresh

    if dry:
        await asyncio.to_thread(make, await node.mastering.known(mandate))
    else:
        await node.mastering.state(mandate, make)
        if follow:
            await node.exporting.follow(mandate, str(file), written)
        node.log.event("master.imported", mandate=mandate, file=file, changes=len(told[-1][0]))
    return OperationResult(_told(name, file, not dry, *told[-1], export), DONE)


async def unfollow(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()
    mandate, name, _ = await named_file(node, named, "")
    return {"mandate": name, "file": await node.exporting.forget(mandate)}


async def set_field(node: Node, given: Arguments) -> object:
    named, record, number = given.text("mandate"), given.text("record"), given.text("number")
    field, value = given.text("field"), given.text_or("value", "")
    given.done()
    mandate, name, _ = await named_file(node, named, "")
    key = _key(record, number)
    known = await node.mastering.change(
        mandate, lambda known: edited(known.data, key, field, value, known.device, known.open_fields)
    )
    fields = records_of(known.data, known.open_fields)[key].fields
    return {"mandate": name, "record": key.kind.value, "number": key.number, "fields": dict(fields)}


async def remove(node: Node, given: Arguments) -> object:
    named, record, number = given.text("mandate"), given.text("record"), given.text("number")
    given.done()
    mandate, name, _ = await named_file(node, named, "")
    key = _key(record, number)
    await node.mastering.change(mandate, lambda known: removed(known.data, key, known.device))
    return {"mandate": name, "record": key.kind.value, "number": key.number}


async def open_fields(node: Node, given: Arguments) -> object:
    """Which fields others than the master may change; none if `fields` is empty."""
    named, fields = given.text("mandate"), given.text_or("fields", "")
    given.done()
    wanted = sorted(f"{one.kind}.{one.field}" for one in parse_open_fields(fields))

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).set_open_fields(tuple(wanted))
        return shown_rules(mandate)

    return await node.runtime.call(act)


def _read(file: Path, written: str) -> Export:
    """Raises UsageError if it cannot be read, P2PSyncError if it is no export."""
    try:
        with open_shared(os.path.realpath(file)) as reader:
            data = reader.read(EXPORT_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError("{file} cannot be read: {reason}", file=file, reason=error.strerror or error) from None
    try:
        return read_export(data, format_of(file.name, data, written))
    except CodecError as error:
        raise P2PSyncError("{path} cannot be read: {reason}", path=file, reason=error) from None


def _key(record: str, number: str) -> Key:
    """Raises UsageError."""
    kind = record.strip().lower()
    if kind not in list(RecordKind):
        raise UsageError(
            "There is no kind of record called {text}. Choose one of: {kinds}", text=record, kinds=", ".join(RecordKind)
        )
    return Key(RecordKind(kind), canonical_number(RecordKind(kind), number) or number)


def _drops(file: Path, missing: Sequence[Key]) -> P2PSyncError:
    names = [f"{key.kind} {key.number}" for key in missing[:NAMED_MAX]]
    if len(missing) > NAMED_MAX:
        names.append(f"+{len(missing) - NAMED_MAX}")
    return P2PSyncError(
        "{file} leaves out what the master has not marked as deleted: {records}. Nothing was taken over. Export all "
        "of it, mark what is deleted, or keep what is left out with --keep-missing.",
        file=file,
        records=", ".join(names),
    )


# -- how it looks --------------------------------------------------------------------------------------


def _told(
    mandate: str, file: Path, taken: bool, changes: Sequence[Difference], missing: Sequence[Key], export: Export
) -> dict[str, Any]:
    return {
        "mandate": mandate,
        "file": str(file),
        "records": len(export.records),
        "taken": taken,
        "new": sum(one.sign is Sign.NEW for one in changes),
        "changed": sum(one.sign is Sign.CHANGED for one in changes),
        "deleted": sum(one.sign is Sign.DELETED for one in changes),
        "changes": [_change(one) for one in changes],
        "missing": [{"record": key.kind.value, "number": key.number} for key in missing],
        **findings_rows(export.findings),
    }


def _change(one: Difference) -> dict[str, Any]:
    return {
        "sign": one.sign.value,
        "record": one.key.kind.value,
        "number": one.key.number,
        "fields": {name: {"before": pair[0], "after": pair[1]} for name, pair in one.fields.items()},
    }


OPERATIONS = {
    "chart.import": import_export,
    "chart.unfollow": unfollow,
    "chart.set": set_field,
    "chart.remove": remove,
    "rules.open": open_fields,
}
