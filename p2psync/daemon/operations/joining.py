"""Joining by a ticket, a code or a recovery file; and what each of them says before anything is stored or sent."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from p2psync.core.ids import MandateId, mandate_text
from p2psync.core.rules import Role
from p2psync.daemon.finding.places import host_of, hosts_among
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.mandates import default_folder
from p2psync.daemon.operations.recovery import get_back_in
from p2psync.daemon.operations.result import WAITING, OperationResult
from p2psync.daemon.operations.shapes import find_mandate, time_text
from p2psync.daemon.pairing.joining import Admitted, Quest
from p2psync.daemon.pairing.recovery import RecoveryFile, is_recovery
from p2psync.daemon.pairing.seeking import StillWaiting
from p2psync.engine.admin import check_person
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import UsageError
from p2psync.i18n import _
from p2psync.pair.code import Code, is_code
from p2psync.pair.code import parse as parse_code
from p2psync.pair.fingerprint import device_fingerprint
from p2psync.pair.ticket import Ticket, check_expiry, parse
from p2psync.rendezvous.protocol.address import HostAddress

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

JOIN_TIMEOUT_S = 60.0
NEVER_S = 1e9
UNKNOWN: dict[str, object] = {
    **{"mandate": None, "id": None, "inviter": None, "fingerprint": None, "role": None, "admin": None},
    **{"expires": None, "folder": None, "already": False},
}
"""What something that lets in may say of itself, and does not have to."""


async def show(node: Node, given: Arguments) -> object:
    """Asks nobody, and changes nothing."""
    text = given.text_or("ticket", "")
    given.done()
    if is_recovery(text):
        file = RecoveryFile.parse(text)
        said = {"kind": "recovery", "mandate": file.name, "role": Role.ACCOUNTING.value, "admin": True}
        return await node.runtime.query(lambda device, _: _shown(node, device, file.mandate, said))
    if is_code(text):
        return {**UNKNOWN, "kind": "code", "number": parse_code(text).number}
    ticket = _read(node, text)
    found = await node.runtime.query(lambda device, _: _shown(node, device, ticket.mandate, _said_by(ticket)))
    if not found["already"]:
        check_expiry(ticket, time.time())
    return found


def _said_by(ticket: Ticket) -> dict[str, object]:
    about = ticket.about
    return {
        "kind": "ticket",
        "mandate": about.mandate if about else None,
        "inviter": about.inviter if about else None,
        "fingerprint": device_fingerprint(ticket.inviter),
        "role": about.role.value if about else None,
        "admin": about.admin if about else None,
        "expires": time_text(ticket.expires_s * 1000),
    }


def _shown(node: Node, device: Device, wanted: MandateId, said: dict[str, object]) -> dict[str, object]:
    """With the mandate as this device knows it, or else where its folder would be."""
    known = {**UNKNOWN, **said, "id": mandate_text(wanted)}
    mandate = device.mandates.get(wanted)
    if mandate is not None:
        return {**known, "mandate": mandate.name, "folder": mandate.state.get("folder"), "already": True}
    name = known["mandate"]
    return {**known, "folder": str(_free_folder(node, device, name)) if isinstance(name, str) else None}


def _free_folder(node: Node, device: Device, name: str) -> Path:
    """What the mandate's name suggests, with a number where another mandate lies there."""
    taken = {mandate.state.get("folder") for mandate in device.mandates.values()}
    names = (name if n == 1 else f"{name} {n}" for n in count(1))
    folders = (default_folder(node.config.documents, one) for one in names)
    return next(folder for folder in folders if str(folder) not in taken)


async def join(node: Node, given: Arguments) -> object:
    person = given.text_or("person", "").strip()
    check_person(person)
    told = await _join(node, given)
    if person and isinstance(told, dict):
        await node.runtime.call(lambda device, _: _introduce(device, str(told["id"]), person))
    return told


def _introduce(device: Device, named: str, person: str) -> None:
    """At once, or when the mandate's log has come, which makes this device a member."""
    mandate, own = find_mandate(device, named), device.keys.device
    if own in mandate.authority.members:
        device.admin(mandate.id).set_person(own, person)
    else:
        mandate.state.put("person", person)


async def _join(node: Node, given: Arguments) -> object:
    text = given.text_or("ticket", "")
    folder_text, name = given.text_or("folder", ""), given.text_or("name", node.config.name)
    timeout_s = given.seconds("timeout_s", JOIN_TIMEOUT_S)
    given.done()
    if is_recovery(text):
        folder = node.chosen_folder(folder_text, "")
        return await get_back_in(node, text, folder, name, timeout_s if timeout_s is not None else NEVER_S)
    if is_code(text):
        node.chosen_folder(folder_text, "")  # before the code is spent
    began_s = asyncio.get_running_loop().time()
    patience_s = timeout_s if timeout_s is not None else NEVER_S
    ticket = await _behind_code(node, parse_code(text), patience_s) if is_code(text) else _read(node, text)
    if isinstance(ticket, OperationResult):
        return ticket
    known = await node.runtime.query(lambda device, _: _membership(device, ticket))
    if known is not None:
        return known
    if not is_code(text):  # a code's ticket was taken in time
        check_expiry(ticket, time.time())
    folder = node.chosen_folder(folder_text, "")
    hosts = _hosts(node, ticket)
    quest = Quest(ticket, name, node.identity, node.discovery, node.log, hosts)
    async with node.folders.prepared(folder, ticket.mandate) as keep_folder:
        outcome = await quest.run(patience_s - (asyncio.get_running_loop().time() - began_s))
        if isinstance(outcome, StillWaiting):
            return OperationResult(_still_waiting(node, ticket, outcome), WAITING)
        keep_folder()
        await _enter(node, ticket, outcome, folder)
    return {
        "mandate": outcome.welcome.name,
        "id": mandate_text(ticket.mandate),
        "role": outcome.welcome.role.value,
        "folder": str(folder),
        "fingerprint": device_fingerprint(ticket.inviter),
        "already": False,
    }


def _read(node: Node, text: str) -> Ticket:
    """Raises TicketMalformed if it is none, UsageError if this device issued it."""
    ticket = parse(text)
    if ticket.inviter == node.identity.device:
        raise _own()
    return ticket


async def _behind_code(node: Node, code: Code, timeout_s: float) -> Ticket | OperationResult:
    """The ticket that a code stands for. Raises TicketError if it is good for nothing, UsageError if it is our own."""
    hosts = hosts_among(node.config.rendezvous)
    if not node.discovery.finds_strangers(hosts):
        raise UsageError("A code needs mDNS or a meeting host, and neither is on here. Ask for a ticket instead.")
    codes = await node.runtime.query(lambda *_: node.records.codes().values())
    if any(spoken.code == code for spoken in codes):
        raise _own()
    found = await node.code_joining.ticket_for(code, timeout_s, hosts)
    return OperationResult(_nobody(code, found), WAITING) if isinstance(found, StillWaiting) else found


def _own() -> UsageError:
    return UsageError("This ticket was issued by this device. Use it on the PC that is to join.")


def _nobody(code: Code, outcome: StillWaiting) -> dict[str, object]:
    sentence = _("Nobody who answers to the number {number} was found; the same command goes on from here.")
    return {
        "waiting_for": "inviter",
        "fingerprint": None,
        "number": code.number,
        "reason": outcome.reason or None,
        "message": sentence.format(number=code.number),
    }


async def _enter(node: Node, ticket: Ticket, admitted: Admitted, folder: Path) -> None:
    address = admitted.address
    found = str(address) if address is not None else ""
    host = host_of(ticket.rendezvous) if ticket.rendezvous is not None else None

    def act(device: Device, _: Now) -> None:
        device.join(admitted.welcome)
        device.mandates[ticket.mandate].state.put("folder", str(folder))
        if found in ticket.addresses:
            node.records.add_address(ticket.mandate, found)
        if host is not None:
            node.records.add_address(ticket.mandate, str(host))

    await node.runtime.call(act)
    await node.folders.open(ticket.mandate, folder)
    await node.discovery.renew()


def _hosts(node: Node, ticket: Ticket) -> tuple[HostAddress, ...]:
    """Where the inviter may be met: what the ticket says, and what this device knows. Raises ConfigError."""
    named = (host_of(ticket.rendezvous),) if ticket.rendezvous is not None else ()
    return tuple(dict.fromkeys((*named, *hosts_among(node.config.rendezvous))))


def _membership(device: Device, ticket: Ticket) -> dict[str, object] | None:
    """The same command again, after it succeeded."""
    mandate = device.mandates.get(ticket.mandate)
    if mandate is None:
        return None
    role = mandate.own_role or mandate.state.get("role")
    return {
        "mandate": mandate.name,
        "id": mandate_text(mandate.id),
        "role": str(role),
        "folder": mandate.state.get("folder"),
        "fingerprint": device_fingerprint(ticket.inviter),
        "already": True,
    }


def _still_waiting(node: Node, ticket: Ticket, outcome: StillWaiting) -> dict[str, object]:
    who, own = device_fingerprint(ticket.inviter), device_fingerprint(node.identity.device)
    sentence = (
        _(
            "Still waiting for an admin's approval; the same command goes on from here. Compare by telephone: this PC "
            "has the fingerprint {own}, the inviting one {fingerprint}."
        )
        if outcome.approval
        else _("Still waiting for the inviting device ({fingerprint}); the same command goes on from here.")
    )
    return {
        "waiting_for": "approval" if outcome.approval else "inviter",
        "fingerprint": who,
        "own_fingerprint": own,
        "reason": outcome.reason or None,
        "message": sentence.format(fingerprint=who, own=own),
    }


OPERATIONS = {"join": join, "join.show": show}
