"""What lies in a mandate's folder: its bookkeeping files by the PC that they come from, and who lacks which version.

And the folder itself, to be looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2psync.books.companions import role_of
from p2psync.books.completeness import ENTRIES, INDEX, MASTER
from p2psync.core.changelog import Stated
from p2psync.core.ids import DeviceId, MandateId, device_text
from p2psync.core.relpath import RelPath
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.shapes import find_mandate, time_text
from p2psync.daemon.programs import file_manager
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import FolderError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

SHOWN = frozenset({MASTER, INDEX, *ENTRIES, ".crbank", ".ck1", ".fk1", ".sk1"})
"""What bookkeeping programs write, their own archives among them."""


async def holdings(node: Node, given: Arguments) -> object:
    """Raises FolderError while the folder is not there."""
    named = given.text("mandate")
    given.done()
    mandate = await node.runtime.query(lambda device, _: find_mandate(device, named).id)
    reading = node.folders.reading(mandate)
    if reading is None:
        raise FolderError("The mandate's folder is not there. See: p2psync status")
    periods = {one.path: str(one.span) for one in await node.shelf.dated(mandate) if one.span is not None}
    paths = sorted(await asyncio.to_thread(reading.files_with, SHOWN))
    return await node.runtime.query(lambda device, now: _by_device(device, now, mandate, paths, periods))


async def open_folder(node: Node, given: Arguments) -> object:
    """In the file manager of this PC; only ever the mandate's own."""
    named = given.text("mandate")
    given.done()

    def look(device: Device, _: Now) -> tuple[str, str]:
        mandate = find_mandate(device, named)
        return mandate.name, str(mandate.state.get("folder") or "")

    name, folder = await node.runtime.query(look)
    if not folder:
        raise FolderError("The mandate's folder is not there. See: p2psync status")
    await asyncio.to_thread(file_manager.open_folder, Path(folder))
    return {"mandate": name, "folder": folder}


def _by_device(
    device: Device, _now: Now, mandate: MandateId, paths: Sequence[RelPath], periods: Mapping[RelPath, str]
) -> list[dict[str, Any]]:
    """Every member, and former ones whose files are still here; each with what comes from it."""
    one = device.mandates[mandate]
    files: dict[DeviceId, list[dict[str, Any]]] = {member: [] for member in one.authority.members}
    lacking = {member: one.arrears.lacking(member, paths) for member in files if member != device.keys.device}
    for path, heads in one.state.heads(paths).items():
        winner = one.ledger.verdict(path, heads).winner
        if winner is not None:
            missing = [name_of(one, member) for member, several in lacking.items() if path in several]
            row = _file(path, winner, periods.get(path), sorted(missing))
            files.setdefault(_home_of(one, path, winner), []).append(row)
    rows = [_device(one, member, member == device.keys.device, several) for member, several in files.items()]
    return sorted(rows, key=lambda row: (str(row["name"]).casefold(), row["device"]))


def _home_of(mandate: Mandate, path: RelPath, winner: Stated) -> DeviceId:
    """Whose a file is, where that was said; else who saved it last."""
    authority, owner = mandate.authority, None
    if path in authority.owners or path in authority.given:
        owner = authority.owner_of(path, authority.rules.rule_for(path), mandate.ledger.makers_here)
    return owner or winner.author


def _file(path: RelPath, winner: Stated, period: str | None, missing: Sequence[str]) -> dict[str, Any]:
    return {
        **{"path": path, "role": role_of(path) or None, "period": period},
        **{"saved": time_text(winner.time_ms), "size": winner.entry.size, "missing": list(missing)},
    }


def _device(mandate: Mandate, device: DeviceId, is_this: bool, files: list[dict[str, Any]]) -> dict[str, Any]:
    member = mandate.authority.members.get(device)
    return {
        **{"device": device_text(device), "name": name_of(mandate, device), "this": is_this},
        "role": member.role.value if member is not None else None,
        "files": sorted(files, key=lambda one: str(one["path"])),
    }


OPERATIONS = {"mandate.files": holdings, "mandate.open": open_folder}
