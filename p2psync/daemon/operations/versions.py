"""Versions: what a file held before, and how to have it back."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2psync.core.ids import DeviceId, MandateId, device_text
from p2psync.core.moment import ms_of
from p2psync.core.relpath import RelPath, parse
from p2psync.core.value import value
from p2psync.daemon.disk.past import CURRENT, Version, at_time, by_name, versions_of
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.shapes import find_mandate, time_text
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import FolderError, NotAllowed, P2PSyncError, UsageError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node


@value
class _Chosen:
    """A version that a person wants back."""

    mandate: MandateId
    path: RelPath
    version: Version
    may_write: bool


async def versions(node: Node, given: Arguments) -> object:
    named, path_text = given.text("mandate"), given.text("path")
    given.done()

    def look(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        path = path_in(mandate, path_text)
        found = versions_of(mandate, path)
        if not found and not mandate.state.is_known([path]):
            raise P2PSyncError(
                "{mandate} never held a file called {path!r}. Names are those inside its folder.",
                mandate=mandate.name,
                path=path,
            )
        return [_shown(mandate, one, device.keys.device) for one in found]

    return await node.runtime.query(look)


async def restore(node: Node, given: Arguments) -> object:
    named, path_text = given.text("mandate"), given.text("path")
    wanted, at, to = given.text_or("version", ""), given.text_or("at", ""), given.text_or("to", "")
    given.done()
    if wanted and at:
        raise UsageError("Name a version or a time, not both.")
    at_ms = _moment_ms(at) if at else None
    chosen = await node.runtime.query(lambda device, _: _choose(device, named, path_text, wanted, at_ms))
    if to:
        return await _restore_into(node, chosen, Path(to))
    if not chosen.may_write:
        await node.runtime.query(
            lambda device, _: device.mandates[chosen.mandate].periods.require_changeable(chosen.path)
        )
        raise NotAllowed(
            "The role of this device may not change {path}. Restore it elsewhere, with --to FILE.", path=chosen.path
        )
    if chosen.version.reason == CURRENT:
        return _told(chosen, str(chosen.path), changed=False)
    return await _restore_here(node, chosen)


async def _restore_into(node: Node, chosen: _Chosen, target: Path) -> object:
    try:
        await node.folders.restore_to(chosen.mandate, chosen.version.content, target)
    except OSError as error:
        raise _unwritten(target, error) from error
    return _told(chosen, str(target), changed=True)


async def _restore_here(node: Node, chosen: _Chosen) -> object:
    try:
        where = await node.folders.restore(chosen.mandate, chosen.version.content, chosen.path, chosen.version.mode)
    except OSError as error:
        raise _unwritten(chosen.path, error) from error
    return _told(chosen, str(where), changed=True)


def _unwritten(target: object, error: OSError) -> FolderError:
    return FolderError("{path} cannot be written: {reason}", path=target, reason=error.strerror or error)


# -- in the engine's thread ----------------------------------------------------------------------------


def path_in(mandate: Mandate, text: str) -> RelPath:
    """A path as people give it: inside the mandate's folder, or absolute and in there. Raises InvalidPath."""
    folder = mandate.state.get("folder")
    if isinstance(folder, str) and Path(text).is_absolute():
        with contextlib.suppress(ValueError):
            return parse(Path(text).relative_to(folder).as_posix())
    return parse(text.removeprefix("./"))


def _choose(device: Device, named: str, path_text: str, wanted: str, at_ms: int | None) -> _Chosen:
    mandate = find_mandate(device, named)
    path = path_in(mandate, path_text)
    several = versions_of(mandate, path)
    version = _wanted(mandate, path, several, wanted, at_ms)
    may_write = mandate.ledger.may_write(path)
    return _Chosen(mandate.id, path, version, may_write)


def _wanted(mandate: Mandate, path: RelPath, several: list[Version], wanted: str, at_ms: int | None) -> Version:
    if wanted:
        return by_name(several, wanted, path)
    if at_ms is not None:
        found = at_time(mandate, path, several, at_ms)
        if found is None:
            raise P2PSyncError(
                "{path} did not stand in this folder on {time}. See: p2psync versions MANDATE FILE",
                path=path,
                time=time_text(at_ms),
            )
        return found
    current = next((one.content for one in several if one.reason == CURRENT), None)
    older = [one for one in several if one.content != current]
    if not older:
        raise P2PSyncError(
            "No other version of {path!r} is kept on this PC. See: p2psync versions {mandate} PATH",
            path=path,
            mandate=mandate.name,
        )
    return older[0]


def _shown(mandate: Mandate, one: Version, own: DeviceId) -> dict[str, Any]:
    """What nobody signed was saved on this PC: it was refused or set aside here, or has not been announced."""
    device = one.device or own
    return {
        "id": one.id,
        "path": one.path,
        "time": time_text(one.saved_ms),
        "kept": time_text(one.kept_ms) if one.kept_ms is not None else None,
        "device": device_text(device),
        "name": name_of(mandate, device),
        "size": one.size,
        "content": one.content.hex(),
        "reason": one.reason,
    }


def _told(chosen: _Chosen, to: str, changed: bool) -> dict[str, Any]:
    version = chosen.version
    return {
        "path": chosen.path,
        "version": version.id,
        "content": version.content.hex(),
        "time": time_text(version.saved_ms),
        "to": to,
        "changed": changed,
    }


def _moment_ms(text: str) -> int:
    """A time in whole seconds means their end: shown times are cut off, and what they show has happened by then."""
    try:
        when = datetime.fromisoformat(text)
        begun_ms = ms_of(when if when.tzinfo else when.replace(tzinfo=UTC))
        time_text(begun_ms)  # at the edges of the calendar a time of one zone is none of another
        return begun_ms if when.microsecond else begun_ms + 999
    except (ValueError, OverflowError):
        raise UsageError("{text!r} is no time. Write it like 2025-06-30T14:00:00Z", text=text) from None


OPERATIONS = {"versions": versions, "restore": restore}
