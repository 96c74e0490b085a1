"""Programs' own files: attach and detach them, see what waits to be delivered, deliver it; whose a file is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2psync.books.completeness import ENTRIES, suffix_of
from p2psync.books.gate import Hold
from p2psync.books.pending import State
from p2psync.core.ids import MandateId, device_text
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import parse_role
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.books import LINES_SHOWN, finding_row, lines_row
from p2psync.daemon.operations.result import DONE, PARTLY_DONE, WAITING, OperationResult
from p2psync.daemon.operations.shapes import find_device, find_mandate, find_mandates, time_text
from p2psync.daemon.operations.versions import path_in
from p2psync.daemon.programs import attaching, following, lineage
from p2psync.daemon.programs.attaching import MINE, THEIRS, Found, Wanted, is_held
from p2psync.daemon.programs.bridging import NOT_DELIVERED, Standing
from p2psync.daemon.programs.delivering import Key
from p2psync.daemon.standing import name_of
from p2psync.engine.bridge import Act, Attachment, Mode
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import FolderError, P2PSyncError, UsageError
from p2psync.findings import sentence
from p2psync.i18n import Worded, _, ngettext, said
from p2psync.remedies import described

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

FINDINGS_SAID = 3
"""Of those that hold a file, in one sentence; --json and `check` have more."""
MASTER_EXPORT = "master-export"
"""No role, but what people may call one."""
STATES = {
    Act.NOTHING: "current",
    Act.AGREE: "current",
    Act.WAIT: "busy",
    Act.PUBLISH: "publishing",
    Act.REFUSE: "refused",
    Act.DELIVER: "delivering",
    Act.OFFER: "waiting",
    Act.BUSY: "open",
    Act.HELD: "held",
    Act.GONE: "gone",
    Act.REMOVED: "removed",
    Act.RETURNED: "returned",
    Act.COLLIDES: "collides",
}
"""How an attached file stands, by what is to be done about it. The words are part of the interface."""


async def attach(node: Node, given: Arguments) -> object:
    named, files = given.text("mandate"), given.texts("files")
    allow_cloud, siblings = given.flag("allow_cloud"), given.flag("siblings")
    wanted = replace(_wanted(given), again=siblings)
    given.done()
    if not files:
        raise UsageError("Name the files to attach.")
    mandate, names = await node.runtime.query(lambda device, _: (_to_attach_to(device, named), _mandates(device)))
    attached: list[Attachment] = []
    refused: list[tuple[str, P2PSyncError]] = []
    proposed: list[str] = []
    missing: list[str] = []
    twins: list[dict[str, str]] = []
    waiting = list(files)
    while waiting:
        text = waiting.pop(0)
        try:
            found = await _found(node, text, allow_cloud)
            chart = await lineage.require_one(node.shelf, mandate, names[mandate], found.path, found.file)
            attached.append(await _attach_one(node, mandate, found, wanted))
        except P2PSyncError as error:
            refused.append((text, error))
            continue
        if chart is not None:
            others = {other: name for other, name in names.items() if other != mandate}
            twins += [{"file": text, "mandate": name} for name in await lineage.twins(node.shelf, others, chart)]
        beside, absent = await _proposals(node, mandate, found.file)
        proposed += [one for one in beside if one not in proposed]
        missing += [one for one in absent if one not in missing]
        waiting += [one for one in beside if siblings and one not in waiting]
    if refused and not attached:
        raise refused[0][1]
    linked = {one.file for one in attached}
    answer = {
        "attached": [_linked(one) for one in attached],
        "refused": [{"file": text, "reason": Worded(partial(said, error))} for text, error in refused],
        "proposed": [one for one in proposed if one not in linked],
        "missing": missing,
        "twins": twins,
    }
    return OperationResult(answer, PARTLY_DONE if refused else DONE)


def _to_attach_to(device: Device, named: str) -> MandateId:
    mandate = find_mandate(device, named).id
    device.admin(mandate).require_attach()
    return mandate


def _mandates(device: Device) -> dict[MandateId, str]:
    return {one.id: one.name for one in device.mandates.values()}


def _wanted(given: Arguments) -> Wanted:
    role, use = given.text_or("role", ""), given.text_or("use", "")
    if use not in ("", MINE, THEIRS):
        raise UsageError("--use takes mine or theirs, not {text!r}.", text=use)
    if role == MASTER_EXPORT:
        raise UsageError(
            "What another accounting program exports is not attached, but taken over: "
            "p2psync chart import MANDATE FILE --follow"
        )
    ask, checked = given.flag("ask"), given.flag("checked")
    if ask and checked:
        raise UsageError("--ask and --checked cannot both be: choose one.")
    mode = Mode.ASK if ask else Mode.CHECKED if checked else Mode.AUTO
    return Wanted(mode, parse_role(role).value if role else "", use)


async def _found(node: Node, text: str, allow_cloud: bool) -> Found:
    """Raises UsageError, FolderError or InvalidPath with the reason why it cannot be attached."""
    try:
        return await asyncio.to_thread(attaching.find, text, node.folders.roots(), allow_cloud)
    except OSError as error:
        raise UsageError("{file} cannot be read: {reason}", file=text, reason=error.strerror or error) from None


async def _attach_one(node: Node, mandate: MandateId, found: Found, wanted: Wanted) -> Attachment:
    if wanted.use == THEIRS and found.is_there:
        await node.bridging.keep(mandate, found.path, found.file, found.entry)

    def link(device: Device, _: Now) -> Attachment:
        made = attaching.link(node.bridging.attachments, device.mandates[mandate], found, wanted, _mandates(device))
        node.bridging.attachments.put(made)
        device.mandates[mandate].state.clear_problems([made.path], [Code.NAMED_OTHERWISE])
        return made

    made = await node.bridging.attach(link)
    node.log.event("bridge.attached", mandate=mandate, path=made.path, file=made.file)
    return made


async def _proposals(node: Node, mandate: MandateId, file: Path) -> tuple[list[str], list[str]]:
    """What may be attached, too, as it lies beside a file or the mandate has it; and what is nowhere yet."""
    known = await node.runtime.query(lambda *_: [one.file for one in node.bridging.attachments.all()])
    beside = await asyncio.to_thread(attaching.proposals, file, known)

    def held(device: Device, _: Now) -> list[str]:
        return [one for one in beside.absent if is_held(device.mandates[mandate], parse(Path(one).name))]

    coming = await node.runtime.query(held)
    return sorted([*beside.present, *coming]), [one for one in beside.absent if one not in coming]


async def detach(node: Node, given: Arguments) -> object:
    text, named = given.text("file"), given.text_or("mandate", "")
    given.done()

    def look(device: Device, _: Now) -> Attachment:
        found = _attached(node, device, named, text)
        if found.mandate in device.mandates:
            device.admin(found.mandate).require_attach()
        return found

    known = await node.runtime.query(look)
    await node.bridging.detach((known.mandate, known.path))
    node.log.event("bridge.detached", mandate=known.mandate, path=known.path, file=known.file)
    return _linked(known)


async def follow(node: Node, given: Arguments) -> object:
    named, off = given.text("mandate"), given.flag("off")
    given.done()

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        mandate.state.put(following.SETTING, off)
        return {"mandate": mandate.name, "follows": not off}

    told = await node.runtime.call(act)
    node.bridging.wake()
    return told


async def attached(node: Node, given: Arguments) -> object:
    named = given.text_or("mandate", "")
    given.done()
    return await _rows(node, named, lambda standing: True)


async def inbox(node: Node, given: Arguments) -> object:
    named, lines = given.text_or("mandate", ""), given.flag("lines")
    given.done()
    rows = await _rows(node, named, lambda standing: standing.act in NOT_DELIVERED)
    found = {(one.attached.file, one.attached.path): one for one in node.bridging.standings().values()}
    answer = []
    for row in rows:
        standing = found.get((row["file"], row["path"]))
        counts = await _bookings(node, standing)
        more = await _lines(node, standing if counts["new"] is not None else None) if lines else {}
        answer.append({**row, **counts, **more})
    return answer


async def _lines(node: Node, standing: Standing | None) -> dict[str, object]:
    found = None
    if standing is not None:
        attached = standing.attached
        with suppress(FolderError):
            found = await node.shelf.differences(attached.mandate, attached.agreed, standing.shown.content, LINES_SHOWN)
    return lines_row(found)


async def _bookings(node: Node, standing: Standing | None) -> dict[str, int | None]:
    """What a delivery would change in the program's file; None for what holds no bookings, or cannot be compared."""
    found = None
    if standing is not None and suffix_of(standing.attached.path) in ENTRIES:
        with suppress(FolderError):
            compared = await node.shelf.compare(
                standing.attached.mandate, standing.attached.agreed, standing.shown.content
            )
            found = compared.total if compared.state is not State.UNCOUNTED else None
    return {name: getattr(found, name) if found is not None else None for name in ("new", "changed", "removed")}


async def deliver(node: Node, given: Arguments) -> object:
    named, text, anyway = given.text("mandate"), given.text_or("file", ""), given.flag("anyway")
    given.done()

    def keys(device: Device, _: Now) -> list[Key]:
        mandate = find_mandate(device, named)
        if text:
            one = _attached(node, device, named, text)
            return [(one.mandate, one.path)]
        return [(one.mandate, one.path) for one in node.bridging.attachments.all() if one.mandate == mandate.id]

    results = await node.bridging.deliver(await node.runtime.query(keys), anyway=anyway)
    rows = [_told(key, standing, delivered, named) for key, (standing, delivered) in results.items()]
    held = [row for row in rows if row["result"] == "held"]
    if not held:
        return rows
    return OperationResult(rows, PARTLY_DONE if any(row["result"] == "delivered" for row in rows) else WAITING)


async def migrate(node: Node, given: Arguments) -> object:
    text, to, named = given.text("file"), given.text("to"), given.text_or("mandate", "")
    given.done()

    def act(device: Device, _: Now) -> object:
        mandate, path = _owned(node, device, named, text)
        members = [(one.device, one.name) for one in mandate.authority.members.values()]
        chosen = find_device(members, to)
        device.admin(mandate.id).set_owner(path, chosen)
        name = name_of(mandate, chosen)
        return {"mandate": mandate.name, "path": path, "device": device_text(chosen), "name": name}

    return await node.runtime.call(act)


# -- in the engine's thread ----------------------------------------------------------------------------


def _attached(node: Node, device: Device, named: str, text: str) -> Attachment:
    """By where it lies, or by its name in the folder of the mandate that is named. Raises UsageError."""
    known = node.bridging.attachments.of_file(os.path.realpath(Path(text).expanduser()))
    if known is None:
        wanted = {mandate.id for mandate in find_mandates(device, named)}
        several = [one for one in node.bridging.attachments.all() if one.mandate in wanted and text in _names(one)]
        known = several[0] if len(several) == 1 else None
    if known is None or (named and known.mandate != find_mandate(device, named).id):
        raise UsageError("{file} is not attached. See: p2psync attach", file=text)
    return known


def _names(one: Attachment) -> tuple[str, str]:
    return one.path, one.file


def _owned(node: Node, device: Device, named: str, text: str) -> tuple[Mandate, RelPath]:
    """The file of a mandate that a person means: an attached one, or a path in the folder of the mandate."""
    if not named:
        one = _attached(node, device, "", text)
        return device.mandates[one.mandate], one.path
    mandate = find_mandate(device, named)
    known = node.bridging.attachments.of_file(os.path.realpath(Path(text).expanduser()))
    path = known.path if known is not None and known.mandate == mandate.id else path_in(mandate, text)
    if not mandate.state.is_known([path]):
        raise P2PSyncError(
            "{mandate} never held a file called {path!r}. Names are those inside its folder.",
            mandate=mandate.name,
            path=path,
        )
    return mandate, path


async def _rows(node: Node, named: str, wanted: Callable[[Standing], bool]) -> list[dict[str, Any]]:
    def look(device: Device, _: Now) -> list[dict[str, Any]]:
        mandates = {mandate.id: mandate for mandate in find_mandates(device, named)}
        return [
            _row(mandates[key[0]], standing)
            for key, standing in node.bridging.standings().items()
            if key[0] in mandates and wanted(standing)
        ]

    return await node.runtime.query(look)


def _row(mandate: Mandate, standing: Standing) -> dict[str, Any]:
    one, heads = standing.attached, mandate.state.heads([standing.attached.path])
    winner = mandate.ledger.verdict(one.path, heads.get(one.path, ())).winner
    content = standing.shown.content
    return {
        "mandate": mandate.name,
        "path": one.path,
        "file": one.file,
        "mode": one.mode.value,
        "role": one.role,
        "follows": not mandate.state.get(following.SETTING),
        "state": STATES[standing.act],
        "reason": Worded(partial(reason, standing, mandate.name)),
        "findings": [finding_row(one) for one in standing.hold.findings.items] if standing.hold is not None else [],
        "received": time_text(winner.time_ms) if winner is not None else None,
        "from": name_of(mandate, winner.author) if winner is not None else None,
        "size": standing.shown.size if content is not None else None,
        "content": content.hex() if content is not None else None,
        "published": time_text(one.published_ms) if one.published_ms is not None else None,
        "delivered": time_text(one.delivered_ms) if one.delivered_ms is not None else None,
    }


# -- words ---------------------------------------------------------------------------------------------


def reason(standing: Standing, mandate: str) -> str:
    """Why the mandate's version is not in the program's file; "" if it is, or is about to be."""
    typed = mandate if mandate.isalnum() else f'"{mandate}"'
    if standing.problem is not None and standing.problem.code is Code.FOLDER_GONE:
        return _("{folder} is not there; p2psync goes on when it comes back").format(folder=standing.problem.detail)
    if standing.problem is not None:
        return " ".join(described(replace(standing.problem, path=standing.attached.file), typed))
    if standing.act is Act.HELD and standing.hold is not None:
        return held_for(standing.hold)
    text = {
        Act.WAIT: _("it is being written, or is still on its way"),
        Act.OFFER: _("it waits for your word: p2psync deliver {mandate}"),
        Act.BUSY: _("a program has the file open; it is delivered once that is closed"),
        Act.GONE: _("the program's file was removed; p2psync deliver {mandate} puts it back"),
        Act.REMOVED: _("it was removed from the mandate; the program's file was left as it is"),
        Act.RETURNED: _(
            "the program's file is an older version, as out of a backup: p2psync deliver {mandate} brings the "
            "mandate's version, saving it in the program publishes the older one"
        ),
        Act.COLLIDES: _("the mandate has another file of this name: detach it and attach it again with --use"),
        Act.REFUSE: _("this device may not change it: your version is kept aside"),
    }.get(standing.act, "")
    return text.format(mandate=typed)


def held_for(hold: Hold) -> str:
    """Why bookings are held, the first things that are wrong in them."""
    if hold.why is not None:
        return _("held: {reason}").format(reason=said(hold.why))
    rows = [finding_row(one) for one in hold.findings.items[:FINDINGS_SAID]]
    told = [sentence(row["code"], row["line"], row["facts"]) for row in rows]
    more = hold.findings.count - len(told)
    if more:
        told.append(ngettext("and {n} more", "and {n} more", more).format(n=more))
    return _("held: {reason}").format(reason=" ".join(told))


def _told(key: Key, standing: Standing, delivered: bool, mandate: str) -> dict[str, Any]:
    one = standing.attached
    current = standing.problem is None and standing.act in (Act.NOTHING, Act.AGREE, Act.PUBLISH)
    result = "delivered" if delivered else "current" if current else "held"
    return {
        "path": key[1],
        "file": one.file,
        "result": result,
        "state": STATES[standing.act],
        "reason": Worded(partial(reason, standing, mandate)) if result == "held" else "",
    }


def _linked(one: Attachment) -> dict[str, Any]:
    return {"file": one.file, "path": one.path, "mode": one.mode.value, "role": one.role}


OPERATIONS = {
    "attach": attach,
    "attach.follow": follow,
    "attached": attached,
    "detach": detach,
    "inbox": inbox,
    "deliver": deliver,
    "migrate": migrate,
}
