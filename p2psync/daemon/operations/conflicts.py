"""Conflicts: what was changed in two places at once, and which version shall stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2psync.core.changelog import Stated
from p2psync.core.ids import ChangeId, DeviceId, change_text, device_text
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.shapes import find_mandate, find_mandates, time_text
from p2psync.daemon.standing import name_of
from p2psync.engine.admin import Conflict
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import UsageError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

PREFIX_MIN = 4
MINE = "mine"
THEIRS = "theirs"


async def conflicts(node: Node, given: Arguments) -> object:
    named = given.text_or("mandate", "")
    given.done()

    def look(device: Device, _: Now) -> object:
        return [
            _shown(device, mandate, conflict)
            for mandate in find_mandates(device, named)
            for conflict in device.admin(mandate.id).conflicts()
        ]

    return await node.runtime.query(look)


async def keep(node: Node, given: Arguments) -> object:
    named, path, wanted = given.text("mandate"), given.text("path"), given.text("keep")
    given.done()

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        conflict = _conflict_at(device, mandate, path)
        chosen = chosen_version(mandate, device.keys.device, conflict, wanted)
        device.admin(mandate.id).resolve(conflict.path, chosen)
        return {"mandate": mandate.name, "path": conflict.path, "kept": change_text(chosen)}

    return await node.runtime.call(act)


def chosen_version(mandate: Mandate, own: DeviceId, conflict: Conflict, wanted: str) -> ChangeId:
    """The head that a person means. Raises UsageError that lists the ids where that is not clear."""
    several = (conflict.winner, *conflict.losers)
    word = wanted.strip()
    found = [one for one in several if _is_meant(mandate, own, one, word)]
    if len(found) == 1:
        return found[0].id
    listed = ", ".join(f"{change_text(one.id)[:12]} ({name_of(mandate, one.author)})" for one in several)
    if not found:
        raise UsageError(
            "{text!r} is none of the versions of {path}. Choose one by its id: {versions}",
            text=word,
            path=conflict.path,
            versions=listed,
        )
    raise UsageError(
        "{text!r} may be any of several versions of {path}. Choose one by its id: {versions}",
        text=word,
        path=conflict.path,
        versions=listed,
    )


def _is_meant(mandate: Mandate, own: DeviceId, one: Stated, word: str) -> bool:
    if word.lower() in (MINE, THEIRS):
        return (one.author == own) == (word.lower() == MINE)
    compact = word.replace("-", "").upper()
    by_id = len(word) >= PREFIX_MIN and change_text(one.id).startswith(word.lower())
    by_device = len(compact) >= PREFIX_MIN and device_text(one.author).replace("-", "").startswith(compact)
    return by_id or by_device or name_of(mandate, one.author) == word


def _conflict_at(device: Device, mandate: Mandate, path: str) -> Conflict:
    for conflict in device.admin(mandate.id).conflicts():
        if conflict.path == path:
            return conflict
    raise UsageError(
        "There is no open conflict at {path!r}. See: p2psync conflicts {mandate}", path=path, mandate=mandate.name
    )


def _shown(device: Device, mandate: Mandate, conflict: Conflict) -> dict[str, Any]:
    own = device.keys.device
    return {
        "mandate": mandate.name,
        "path": conflict.path,
        "rule": conflict.mode.value,
        "winner": _version(mandate, own, conflict.winner),
        "losers": [_version(mandate, own, one) for one in conflict.losers],
    }


def _version(mandate: Mandate, own: DeviceId, one: Stated) -> dict[str, Any]:
    entry = one.entry
    return {
        "id": change_text(one.id),
        "device": device_text(one.author),
        "name": name_of(mandate, one.author),
        "mine": one.author == own,
        "time": time_text(one.time_ms),
        "kind": entry.kind.name.lower(),
        "size": entry.size,
        "content": entry.content.hex() if entry.content is not None else None,
    }


OPERATIONS = {"conflicts": conflicts, "conflicts.keep": keep}
