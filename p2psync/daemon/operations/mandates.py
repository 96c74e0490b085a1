"""Mandates: create, list, show, rename, share, leave; their rules and the addresses of their members."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from p2psync.core.ids import MandateId, device_text, mandate_text
from p2psync.core.rules import (
    DEFAULT_RULES,
    Role,
    Rule,
    RuleTable,
    parse_restriction,
    parse_role,
    parse_setting,
    part_of,
)
from p2psync.core.statement import NAME_CHARACTERS_MAX
from p2psync.daemon.finding.places import canonical_place
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.recovery import KEY_SETTING
from p2psync.daemon.operations.result import OperationResult
from p2psync.daemon.operations.shapes import find_mandate, find_mandates
from p2psync.daemon.programs import attaching, following
from p2psync.engine.admin import Founding, check_person
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import FolderError, UsageError
from p2psync.net.identity import fresh_key

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

FOLDER_SUFFIX = ".crsync"
ADMINS, ALL = "admins", "all"
"""Who attaches and detaches programs' files. The words are part of the interface."""
NOT_IN_FILE_NAMES = set('<>:"/\\|?*')


async def create(node: Node, given: Arguments) -> object:
    name = checked_name(given.text_or("name", ""))
    folder = node.chosen_folder(given.text_or("folder", ""), name)
    role = parse_role(given.text_or("role", "accounting"))
    rules = _restricted(given.texts("restrict"))
    accounting, allow_cloud = given.text_or("accounting", ""), given.flag("allow_cloud")
    person = given.text_or("person", "").strip()
    given.done()
    check_person(person)
    chart = await _chart(node, accounting, role, allow_cloud) if accounting else None
    identity = node.identity
    recovery_key, recovery, recovery_certificate = fresh_key()
    founding = Founding(name, role, identity.certificate, node.config.name, rules, recovery, recovery_certificate)
    await node.runtime.query(lambda device, _: _refuse_double(device, name))

    def act(device: Device, _: Now) -> MandateId:
        _refuse_double(device, name)
        mandate = device.create(founding)
        device.mandates[mandate].state.put("folder", str(folder))
        device.mandates[mandate].state.put(KEY_SETTING, recovery_key)
        device.admin(mandate).set_person(identity.device, person)
        return mandate

    async with node.folders.prepared(folder, None) as keep_folder:
        mandate = await node.runtime.call(act)
        keep_folder()
    await node.folders.open(mandate, folder)
    made = await node.runtime.query(lambda device, _: described(device.mandates[mandate]))
    if chart is None:
        return made
    wanted = {"mandate": mandate_text(mandate), "files": [str(chart)], "siblings": True, "allow_cloud": allow_cloud}
    linked = await node.operations.call("attach", wanted)
    assert isinstance(linked.data, dict)
    return OperationResult({**made, **linked.data}, linked.exit_code)


async def _chart(node: Node, accounting: str, role: Role, allow_cloud: bool) -> Path:
    """The chart of accounts that a new mandate begins with. Raises UsageError or FolderError."""
    if role is not Role.ACCOUNTING:
        raise UsageError("Who makes a mandate of its accounting file has the role accounting.")

    def look() -> Path:
        chart = attaching.chart_of(accounting)
        attaching.find(str(chart), node.folders.roots(), allow_cloud)
        return chart

    chart = await asyncio.to_thread(look)
    known = await node.runtime.query(lambda *_: node.bridging.attachments.of_file(str(chart)))
    if known is not None:
        raise UsageError("{file} is attached to a mandate already. See: p2psync attach", file=chart)
    return chart


async def list_all(node: Node, given: Arguments) -> object:
    given.done()
    return await node.runtime.query(lambda device, _: [described(m) for m in find_mandates(device, "")])


async def show(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()

    def look(device: Device, _: Now) -> tuple[MandateId, dict[str, object]]:
        mandate = find_mandate(device, named)
        files, size = mandate.state.live_totals()
        counts = {"files": files, "bytes": size}
        follows = not mandate.state.get(following.SETTING)
        return mandate.id, {**described(mandate), **counts, "follows": follows, "rules": shown_rules(mandate)}

    mandate, shown = await node.runtime.query(look)
    with suppress(FolderError):  # what bookings would be checked for is not known while it is not there
        shown["checks"] = sorted(await node.shelf.checks(mandate))
    return shown


async def rename(node: Node, given: Arguments) -> object:
    named, name = given.text("mandate"), checked_name(given.text_or("name", ""))
    given.done()

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        _refuse_double(device, name, mandate)
        device.admin(mandate.id).rename(name)
        return described(mandate)

    return await node.runtime.call(act)


async def share(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()

    def act(device: Device, _: Now) -> MandateId:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).share()
        device.admin(mandate.id).set_hosts(node.config.rendezvous)
        return mandate.id

    mandate = await node.runtime.call(act)
    await node.discovery.renew()
    return await node.runtime.query(lambda device, _: described(device.mandates[mandate]))


async def seen(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        return {"mandate": mandate.name, "seen": device.admin(mandate.id).tick_off()}

    return await node.runtime.call(act)


async def leave(node: Node, given: Arguments) -> object:
    named, wipe = given.text("mandate"), given.flag("wipe")
    given.done()

    def check(device: Device, _: Now) -> tuple[MandateId, str, bool]:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).check_may_leave()
        alone = not set(mandate.authority.members) - {device.keys.device}
        return mandate.id, mandate.name, alone or bool(mandate.peers)

    mandate, name, told = await node.runtime.query(check)
    await node.bridging.forget(mandate)
    folder = await node.folders.close(mandate)

    def act(device: Device, _: Now) -> None:
        device.leave(mandate)
        node.records.forget_mandate(mandate)

    await node.runtime.call(act)
    await node.discovery.renew()
    if folder is not None:
        await node.folders.abandon(folder, wipe)
    return {
        "id": mandate_text(mandate),
        "name": name,
        "folder": str(folder) if folder else None,
        "wiped": wipe,
        "told": told,
        "device": device_text(node.identity.device),
    }


# -- rules ---------------------------------------------------------------------------------------------


async def rules(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()
    return await node.runtime.query(lambda device, _: shown_rules(find_mandate(device, named)))


async def set_rule(node: Node, given: Arguments) -> object:
    named, setting = given.text("mandate"), parse_setting(given.text("setting"))
    given.done()

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).set_rule(setting)
        return shown_rules(mandate)

    return await node.runtime.call(act)


async def set_attach(node: Node, given: Arguments) -> object:
    named, who = given.text("mandate"), given.text("who").strip().lower()
    given.done()
    if who not in (ADMINS, ALL):
        raise UsageError(
            "{text!r} is neither admins nor all. Write admins, so that only they attach files, or all for everybody.",
            text=who,
        )

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).set_attach(who == ADMINS)
        return shown_rules(mandate)

    return await node.runtime.call(act)


# -- addresses -----------------------------------------------------------------------------------------


async def add_peer(node: Node, given: Arguments) -> object:
    return await _change_addresses(node, given, add=True)


async def remove_peer(node: Node, given: Arguments) -> object:
    return await _change_addresses(node, given, add=False)


async def _change_addresses(node: Node, given: Arguments, add: bool) -> object:
    named, address = given.text("mandate"), canonical_place(given.text("address"))
    given.done()

    def act(device: Device, _now: Now) -> object:
        mandate = find_mandate(device, named).id
        if add:
            node.records.add_address(mandate, address)
        else:
            if address not in node.records.addresses(mandate):
                raise UsageError(
                    "{address} is not among the known addresses. See: p2psync peer list MANDATE", address=address
                )
            node.records.remove_address(mandate, address)
        return [{"address": one} for one in node.records.addresses(mandate)]

    result = await node.runtime.call(act)
    node.rescuing.changed()
    await node.discovery.renew()
    return result


async def list_peers(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()

    def look(device: Device, _: Now) -> object:
        return [{"address": one} for one in node.records.addresses(find_mandate(device, named).id)]

    return await node.runtime.query(look)


# -- helpers -------------------------------------------------------------------------------------------


def described(mandate: Mandate) -> dict[str, object]:
    """As `mandate list` shows it."""
    role = mandate.own_role or mandate.state.get("role")
    return {
        "id": mandate_text(mandate.id),
        "name": mandate.name,
        "state": "shared" if mandate.is_shared else "local",
        "role": str(role) if role else None,
        "folder": mandate.state.get("folder"),
        "members": len(mandate.authority.members),
    }


def shown_rules(mandate: Mandate) -> list[dict[str, object]]:
    """In the order in which they are tried."""
    table = mandate.authority.rules
    shown: list[dict[str, object]] = [
        {
            **{"pattern": one.pattern, "class": one.file_class, "mode": one.mode.value, "master": one.master or None},
            "parts": {role.value: part_of(role, _read_by(table, one)).value for role in Role},
        }
        for one in table.rules
    ]
    for restriction in table.restrictions:
        shown.append({"pattern": restriction.pattern, "readers": [role.value for role in restriction.readers]})
    if mandate.authority.attach_admins:
        shown.append({"attach": ADMINS})
    if table.open_fields:
        shown.append({"open_fields": list(table.open_fields)})
    return shown


def _read_by(table: RuleTable, rule: Rule) -> Rule:
    """With its readers, where a restriction is of the same files."""
    readers = next((one.readers for one in table.restrictions if one.pattern == rule.pattern), None)
    return replace(rule, readers=readers)


def checked_name(name: str) -> str:
    """Raises UsageError unless it can be a mandate's name."""
    stripped = name.strip()
    if not stripped.isprintable() or not 0 < len(stripped) <= NAME_CHARACTERS_MAX:
        raise UsageError("A mandate's name has 1 to {limit} characters that can be shown.", limit=NAME_CHARACTERS_MAX)
    return stripped


def folder_name(name: str) -> str:
    """What a mandate's folder is called unless a person says otherwise."""
    return "".join("_" if c in NOT_IN_FILE_NAMES else c for c in name).strip(" .") + FOLDER_SUFFIX


def default_folder(documents: Path, name: str) -> Path:
    return documents / folder_name(name)


def _restricted(texts: list[str]) -> RuleTable:
    table = DEFAULT_RULES
    for text in texts:
        table = table.with_restriction(parse_restriction(text))
    return table


def _refuse_double(device: Device, name: str, itself: Mandate | None = None) -> None:
    if any(m.name == name and m is not itself for m in device.mandates.values()):
        raise UsageError("There is a mandate called {name} already. Choose another name.", name=name)


OPERATIONS = {
    "mandate.create": create,
    "mandate.list": list_all,
    "mandate.show": show,
    "mandate.rename": rename,
    "mandate.leave": leave,
    "share": share,
    "seen": seen,
    "rules": rules,
    "rules.set": set_rule,
    "rules.attach": set_attach,
    "peer.add": add_peer,
    "peer.remove": remove_peer,
    "peer.list": list_peers,
}
