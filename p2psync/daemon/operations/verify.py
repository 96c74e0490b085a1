"""`verify`: every byte on this disk against the log, the log's signatures, and the replicas with each other.

What was found last is kept for each mandate, until the next time.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from p2psync.core.ids import DeviceId, MandateId, device_text
from p2psync.core.relpath import RelPath
from p2psync.daemon.disk.verifying import Found, read_folder, read_versions
from p2psync.daemon.operations import log
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import DONE, FAILED, PARTLY_DONE, WAITING, OperationResult
from p2psync.daemon.operations.shapes import find_mandate, time_text
from p2psync.daemon.standing import Standing, Trouble, look, name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import FolderError
from p2psync.system.reason import reason_of

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

CONFIRM_S = 30.0
"""How long it is waited for members in reach to confirm, and for what was damaged to be brought back."""
LAST = "verified"
"""The mandate's setting that holds what was found last, as JSON."""
LISTED_MAX = 500
"""Of each list in what is kept."""
LISTS = ("damaged", "damaged_versions", "changing", "unreadable")


async def verify(node: Node, given: Arguments) -> object:
    named, repair = given.text("mandate"), given.flag("repair")
    timeout_s = given.seconds("timeout_s", None)
    given.done()
    mandate = await node.runtime.query(lambda device, _: find_mandate(device, named).id)
    checked = await log.verify(node, Arguments({"mandate": named}))
    assert isinstance(checked, OperationResult)
    await node.folders.look_through(mandate)
    found = node.verifying[mandate] = Found()
    try:
        await _read(node, mandate, found)
    finally:
        if node.verifying.get(mandate) is found:
            del node.verifying[mandate]
    if repair and found.damaged:
        await node.runtime.call(lambda device, _: device.mend(device.mandates[mandate].id, found.damaged))
    await _settle(node, mandate, CONFIRM_S if timeout_s is None else timeout_s)
    left = {seen.path for seen in found.damaged}
    if repair and left:
        again = await _read(node, mandate, Found(), left)
        mended = await node.runtime.query(lambda device, _: _standing_rightly(device.mandates[mandate], left))
        left -= mended - {seen.path for seen in again.damaged}

    def tell(device: Device, now: Now) -> dict[str, Any]:
        shown = {**_shown(node, device, now, mandate, found, left), "log": checked.data}
        device.mandates[mandate].state.put(LAST, json.dumps(_cut(shown)))
        return shown

    shown = await node.runtime.call(tell)
    return OperationResult(shown, _exit_code(shown))


async def last(node: Node, given: Arguments) -> object:
    """None if nobody asked for it yet."""
    named = given.text("mandate")
    given.done()
    kept = await node.runtime.query(lambda device, _: find_mandate(device, named).state.get(LAST))
    if not isinstance(kept, str):
        return None
    shown = json.loads(kept)
    return OperationResult(shown, _exit_code(shown))


def _cut(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an answer, and of how much it does not tell: a broken disk may have damaged every file."""
    replicas = [{**one, "problems": one["problems"][:LISTED_MAX]} for one in shown["replicas"]]
    long = [*(shown[name] for name in LISTS), *(one["problems"] for one in shown["replicas"])]
    left_out = sum(max(0, len(several) - LISTED_MAX) for several in long)
    return {
        **shown,
        **{name: shown[name][:LISTED_MAX] for name in LISTS},
        **{"replicas": replicas, "left_out": left_out},
    }


async def _read(node: Node, mandate: MandateId, found: Found, only: set[RelPath] | None = None) -> Found:
    """All of the folder and its versions, or some paths. Raises FolderError while the folder is not there."""
    reading, folder, desk = node.folders.reading(mandate), node.folders.folder(mandate), node.folders.desk(mandate)
    if reading is None or folder is None or desk is None:
        raise FolderError("The mandate's folder is not there. See: p2psync status")
    ended = threading.Event()
    rows = reading.all() if only is None else [(path, *row) for path, row in reading.get_many(sorted(only)).items()]
    try:
        await asyncio.to_thread(read_folder, folder, rows, found, ended, node.folders.pacer)
        if only is None:
            await asyncio.to_thread(read_versions, desk.versions, found, ended, node.folders.pacer)
    except OSError as error:  # it went away meanwhile
        raise FolderError("{file} cannot be read: {reason}", file=folder.root, reason=reason_of(error)) from error
    finally:
        ended.set()
    return found


async def _settle(node: Node, mandate: MandateId, timeout_s: float) -> None:
    """Let who is in reach confirm, and what is on its way arrive."""

    def busy(device: Device, _: Now) -> bool:
        standing = look(device.mandates[mandate], device.keys.device, None, None)
        return standing.is_placing or (bool(standing.connected) and not standing.is_done)

    if await node.runtime.query(busy):
        await node.runs.wait(mandate, timeout_s)


def _standing_rightly(mandate: Mandate, paths: set[RelPath]) -> set[RelPath]:
    """Of these, those at which nothing is to be placed any more."""
    return {path for path in paths if not mandate.replica.shown(path).arriving}


# -- what is told --------------------------------------------------------------------------------------


def _shown(
    node: Node, device: Device, now: Now, mandate: MandateId, found: Found, left: set[RelPath]
) -> dict[str, Any]:
    one = device.mandates[mandate]
    standing = look(one, device.keys.device, None, None)
    own_troubles = [t for t in standing.troubles if t.device is None]
    sound = not (left or found.unreadable or own_troubles or standing.is_placing)
    last = node.last_seen(one)
    replicas = [
        _replica(one, device.keys.device, "this", sound, own_troubles, now.wall_ms),
        *(_other(one, other, standing, now.wall_ms, last) for other in sorted(standing.others)),
    ]
    return {
        **{"mandate": one.name, "time": time_text(now.wall_ms), "left_out": 0},
        **{"files": found.files, "bytes": found.bytes, "versions": found.versions},
        "damaged": [{"path": seen.path, "repaired": seen.path not in left} for seen in found.damaged],
        "damaged_versions": [content.hex() for content in found.damaged_versions],
        "changing": list(found.changing),
        "unreadable": [{"path": p.path, "code": p.code.value, "detail": p.detail} for p in found.unreadable],
        "identical": sum(replica["identical"] is True for replica in replicas),
        "replicas": replicas,
    }


def _other(
    mandate: Mandate, other: DeviceId, standing: Standing, now_ms: int, last: Mapping[DeviceId, int]
) -> dict[str, Any]:
    """A member as it has confirmed; None where it was not asked, as it is not connected."""
    troubles = [t for t in standing.troubles if t.device == other]
    if other not in standing.connected:
        return _replica(mandate, other, "off", None, troubles, last.get(other))
    identical = other not in standing.unconfirmed and not troubles
    return _replica(mandate, other, "connected", identical, troubles, now_ms)


def _replica(
    mandate: Mandate,
    device: DeviceId,
    state: str,
    identical: bool | None,
    troubles: Sequence[Trouble],
    seen_ms: int | None,
) -> dict[str, Any]:
    return {
        **{"device": device_text(device), "name": name_of(mandate, device), "state": state, "identical": identical},
        "problems": [{"path": t.path, "code": t.code, "detail": t.detail} for t in troubles],
        "last_seen": time_text(seen_ms) if seen_ms is not None else None,
    }


def _exit_code(shown: Mapping[str, Any]) -> int:
    damaged = any(not one["repaired"] for one in shown["damaged"])
    if damaged or shown["damaged_versions"] or not shown["log"]["ok"]:
        return FAILED
    if any(replica["identical"] is False for replica in shown["replicas"]):
        return PARTLY_DONE
    others = [replica for replica in shown["replicas"] if replica["state"] != "this"]
    return WAITING if others and all(replica["identical"] is None for replica in others) else DONE


OPERATIONS = {"verify": verify, "verify.last": last}
