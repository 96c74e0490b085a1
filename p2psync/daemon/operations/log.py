"""The signed log: shown, verified from its first entry to its last, and exported."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from p2psync.core.block import AUTHORITY, SIGNATURE_BYTES, Block, SignedBlock, parse_block, verify_ed25519
from p2psync.core.ids import ChangeId, DeviceId, LogId, MandateId, change_text, device_text
from p2psync.core.mark import RECEIVED
from p2psync.core.statement import SetAttach, UnknownStatement
from p2psync.core.value import value
from p2psync.daemon.disk.past import history_of
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import DONE, FAILED, OperationResult
from p2psync.daemon.operations.shapes import find_mandate, time_text
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.engine.state import BlockRow
from p2psync.errors import CodecError, SignatureInvalid

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

SLICE_BLOCKS = 64
"""Blocks read in one turn of the engine's thread."""


@value
class _Index:
    """Which blocks there are, in the order in which this device took them in."""

    mandate: MandateId
    rows: tuple[BlockRow, ...]
    authors: Mapping[LogId, DeviceId]
    names: Mapping[DeviceId, str]
    classes: Mapping[LogId, str]


async def log(node: Node, given: Arguments) -> object:
    index = await _index(node, given)
    shown: list[tuple[int, dict[str, Any]]] = []
    async for row, raw in _blocks(node, index):
        block = _parsed(index.mandate, raw)
        shown += [(block.time_ms if block is not None else 0, line) for line in _lines(index, row, block)]
    # To the millisecond, which what is shown is not; and the same on all PCs.
    shown.sort(key=lambda pair: (pair[0], *(pair[1][name] for name in ("device", "log", "seq", "path"))))
    lines = [line for _, line in shown]
    refused = await node.runtime.query(lambda device, _: _refused(device, index, lines))
    return [{**line, "accepted": line["id"] not in refused} for line in lines]


async def verify(node: Node, given: Arguments) -> object:
    index = await _index(node, given)
    checked = 0
    known: dict[bytes, BlockRow] = {}
    async for row, raw in _blocks(node, index):
        reason = await asyncio.to_thread(_fault, index, row, raw, known)
        if reason is not None:
            author = index.authors[row.log]
            bad = {
                **{"device": device_text(author), "name": index.names.get(author), "log": row.log.hex()},
                **{"seq": row.seq, "block": row.hash.hex(), "reason": reason},
            }
            return OperationResult(
                {"ok": False, "blocks": len(index.rows), "verified": checked, "first_bad": bad}, FAILED
            )
        known[row.hash] = row
        checked += 1
    devices = len({index.authors[row.log] for row in index.rows})
    return OperationResult({"ok": True, "blocks": checked, "devices": devices, "first_bad": None}, DONE)


async def export(node: Node, given: Arguments) -> object:
    index = await _index(node, given)
    return [_exported(index, row, raw) async for row, raw in _blocks(node, index)]


# -- reading -------------------------------------------------------------------------------------------


async def _index(node: Node, given: Arguments) -> _Index:
    named = given.text("mandate")
    given.done()
    return await node.runtime.query(lambda device, _: _indexed(find_mandate(device, named)))


def _indexed(mandate: Mandate) -> _Index:
    logs = mandate.state.logs()
    rows = [row for log in logs for row in mandate.state.blocks_of(log.log, 0)]
    authors = {log.log: log.device for log in logs}
    names = {device: name_of(mandate, device) for device in set(authors.values())}
    ordered = tuple(sorted(rows, key=lambda row: row.intake))
    return _Index(mandate.id, ordered, authors, names, {log.log: log.file_class for log in logs})


async def _blocks(node: Node, index: _Index) -> AsyncIterator[tuple[BlockRow, bytes]]:
    """All blocks, a slice at a time, so that the engine goes on with its work in between."""
    for start in range(0, len(index.rows), SLICE_BLOCKS):
        some = index.rows[start : start + SLICE_BLOCKS]
        for row, raw in zip(some, await node.runtime.query(_reader(index.mandate, some)), strict=True):
            yield row, raw


def _reader(mandate: MandateId, rows: Sequence[BlockRow]) -> Any:
    def read(device: Device, _: Now) -> Sequence[bytes]:
        return device.mandates[mandate].state.raw_blocks([row.intake for row in rows])

    return read


# -- one block -----------------------------------------------------------------------------------------


def _lines(index: _Index, row: BlockRow, block: Block | None) -> Iterator[dict[str, Any]]:
    """What a block says; None for one that this version cannot read."""
    author = index.authors[row.log]
    common: dict[str, Any] = {
        "device": device_text(author),
        "name": index.names.get(author),
        "seq": row.seq,
        "log": row.log.hex(),
        "time": time_text(block.time_ms) if block is not None else None,
    }
    if block is None:
        yield {**common, "time": "", "path": "", "kind": "unreadable", "content": None, "id": row.hash.hex()}
        return
    for position, change in enumerate(block.changes):
        content = change.entry.content.hex() if change.entry.content is not None else None
        what = {"path": change.path, "kind": change.entry.kind.name.lower(), "content": content}
        yield {**common, **what, "size": change.entry.size, "id": change_text(ChangeId(row.hash, position))}
    for position, mark in enumerate(block.marks):
        content = mark.content.hex() if mark.content is not None else None
        what = {"path": mark.path, "kind": mark.kind, "content": content}
        yield {**common, **what, "size": 0, "id": change_text(ChangeId(row.hash, position))}
    for statement in block.statements:
        kind = statement.kind if isinstance(statement, UnknownStatement) else statement.KIND
        yield {**common, "path": "", "kind": kind, "content": None, "about": _about(statement), "id": row.hash.hex()}


def _about(statement: Any) -> str:
    """Whom or what a statement of authority is about, for people."""
    parts = [getattr(statement, "name", ""), getattr(statement, "path", "")]
    device: DeviceId | None = getattr(statement, "device", None)
    parts += [device_text(device)[:7]] if device is not None else []
    role = getattr(statement, "role", None)
    days = getattr(statement, "period", None) or getattr(statement, "until", None)
    parts += [str(one) for one in (role, days) if one is not None]
    parts += [getattr(statement, "note", ""), getattr(statement, "person", "")]
    parts += [("admins" if statement.admins else "all") if isinstance(statement, SetAttach) else ""]
    return " ".join(part for part in parts if part)


def _parsed(mandate: MandateId, raw: bytes) -> Block | None:
    try:
        return parse_block(mandate, raw).block
    except CodecError:
        return None


def _refused(device: Device, index: _Index, lines: Sequence[Mapping[str, Any]]) -> set[str]:
    """The ids of changes and marks that count nowhere: their author had not the right."""
    mandate = device.mandates[index.mandate]
    marks = {change_text(one.id): accepted for one, accepted in mandate.state.marks()}
    refused = {mark for mark, accepted in marks.items() if not accepted}
    lines = [line for line in lines if line["kind"] != RECEIVED]
    if not mandate.state.refused_count():
        return refused
    paths = {line["path"] for line in lines if line["path"]}
    accepted = {change_text(one.id) for path in paths for one in history_of(mandate, path)}
    return refused | {line["id"] for line in lines if line["path"]} - accepted - marks.keys()


def _fault(index: _Index, row: BlockRow, raw: bytes, known: Mapping[bytes, BlockRow]) -> str | None:
    """Why an entry is bad, None if it is whole: its form, its hash, its signature, and what it follows."""
    try:
        signed: SignedBlock = parse_block(index.mandate, raw)
        if signed.hash != row.hash:
            return "its bytes were changed: they are not those of its hash"
        signed.verify(index.mandate, index.authors[row.log], verify_ed25519)
    except (CodecError, SignatureInvalid) as error:
        return str(error)
    block = signed.block
    if (block.log, block.seq) != (row.log, row.seq):
        return "it stands in the wrong place of the log"
    if block.opening is not None and block.opening.device != index.authors[row.log]:
        return "it opens a log of another device"
    before = known.get(block.prev) if block.prev is not None else None
    if block.prev is not None and (before is None or before.log != block.log or before.seq != block.seq - 1):
        return "the entry before it is missing, or is not the one that it names"
    if any(tip.hash not in known for _log, tip in block.clock):
        return "it names an entry that is not here"
    return None


def _exported(index: _Index, row: BlockRow, raw: bytes) -> dict[str, Any]:
    """A block as one line: for people its changes, for machines the very bytes that were signed."""
    return {
        "block": row.hash.hex(),
        "log": row.log.hex(),
        "class": index.classes[row.log] or "ordinary",
        "device": device_text(index.authors[row.log]),
        "seq": row.seq,
        "previous": row.prev.hex() if row.prev is not None else None,
        "signature": raw[:SIGNATURE_BYTES].hex(),
        "payload": base64.b64encode(raw[SIGNATURE_BYTES:]).decode(),
        "is_authority": index.classes[row.log] == AUTHORITY,
        "entries": list(_lines(index, row, _parsed(index.mandate, raw))),
    }


OPERATIONS = {"log": log, "log.verify": verify, "log.export": export}
