"""Members: invitations, and what each device may do."""

from __future__ import annotations

from dataclasses import replace
from secrets import randbelow, token_bytes
from typing import TYPE_CHECKING

from p2psync.core.authority import Member
from p2psync.core.ids import DeviceId, MandateId, device_text
from p2psync.core.rules import Role, parse_role
from p2psync.core.statement import Admit
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.shapes import find_device, find_mandate, time_text
from p2psync.daemon.operations.status import shown_path
from p2psync.daemon.pairing.inviting import cancel_ticket
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import UsageError
from p2psync.pair.code import Code, draw
from p2psync.pair.fingerprint import device_fingerprint
from p2psync.pair.invitation import USES_MAX, Invitation
from p2psync.pair.ticket import (
    EXPIRY_S_MAX,
    SECRET_BYTES,
    TICKET_ID_BYTES,
    About,
    TicketId,
    about,
    encode,
)
from p2psync.store.records import SpokenCode

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

EXPIRES_S = 24 * 3600
EXPIRES_S_MAX = 366 * 24 * 3600
CODE_EXPIRES_S = 600
CODE_EXPIRES_S_MAX = 24 * 3600
NUMBERS_KEPT_APART = 1000
"""Codes made here: as long as there are fewer, a number is not given again."""


# -- invitations ---------------------------------------------------------------------------------------


async def invite(node: Node, given: Arguments) -> object:
    named, role, admin = given.text("mandate"), parse_role(given.text("role")), given.flag("admin")
    by_code = given.flag("code")
    expires_s = given.number("expires_s", CODE_EXPIRES_S if by_code else EXPIRES_S, 1, EXPIRES_S_MAX)
    uses, confirm = given.number("uses", 1, 1, USES_MAX), given.flag("confirm")
    given.done()
    if by_code:
        await _check_code(node, named, expires_s, uses)
    ticket_id, secret = TicketId(token_bytes(TICKET_ID_BYTES)), token_bytes(SECRET_BYTES)

    def act(device: Device, now: Now) -> tuple[Invitation, About, Code | None]:
        mandate = find_mandate(device, named)
        until_s = min(now.wall_ms // 1000 + expires_s, EXPIRY_S_MAX)
        device.admin(mandate.id).issue(ticket_id, role, admin, uses, until_s)
        invitation = Invitation(ticket_id, mandate.id, secret, until_s, uses, confirm)
        node.records.add_invitation(invitation, role, admin)
        said = about(mandate.name, node.config.name, role, admin)
        return invitation, said, _add_code(node, ticket_id) if by_code else None

    invitation, said, code = await node.runtime.call(act)
    await node.discovery.renew()
    return {
        "id": ticket_id.hex(),
        "ticket": encode(replace(node.ticket_of(invitation), about=said)) if code is None else str(code),
        "code": None if code is None else str(code),
        "expires": time_text(invitation.expires_s * 1000),
    }


async def _check_code(node: Node, named: str, expires_s: int, uses: int) -> None:
    """Raises UsageError for what a code cannot be."""
    if uses != 1 or expires_s > CODE_EXPIRES_S_MAX:
        raise UsageError("A code lets in one device, within a day. Make a ticket for more.")
    mandate = await node.runtime.query(lambda device, _: find_mandate(device, named).id)
    if not node.discovery.finds_strangers(node.discovery.hosts(mandate)):
        raise UsageError("A code needs mDNS or a meeting host, and neither is on here. Make a ticket instead.")


def _add_code(node: Node, ticket: TicketId) -> Code:
    taken = {spoken.code.number for spoken in node.records.codes().values()}
    code = draw(randbelow, taken if len(taken) < NUMBERS_KEPT_APART else ())
    node.records.add_code(ticket, code)
    return code


async def invites(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()

    def look(device: Device, now: Now) -> object:
        mandate = find_mandate(device, named)
        open_ones = [i for i in node.records.invitations().values() if i.mandate == mandate.id and _is_open(i, now)]
        codes = node.records.codes()
        in_order = sorted(open_ones, key=lambda i: (i.expires_s, i.ticket))
        return [_shown(mandate, i, codes.get(i.ticket)) for i in in_order]

    return await node.runtime.query(look)


async def cancel(node: Node, given: Arguments) -> object:
    named, wanted = given.text("mandate"), given.text("id").strip().lower()
    given.done()

    def act(device: Device, now: Now) -> object:
        mandate = find_mandate(device, named)
        found = [
            i.ticket
            for i in node.records.invitations().values()
            if i.mandate == mandate.id and _is_open(i, now) and i.ticket.hex().startswith(wanted)
        ]
        if len(found) != 1:
            raise UsageError("There is no such open invitation. See: p2psync invites MANDATE")
        cancel_ticket(device, node.records, found[0])
        return {"id": found[0].hex(), "cancelled": True}

    return await node.runtime.call(act)


def _is_open(invitation: Invitation, now: Now) -> bool:
    return not invitation.cancelled and invitation.uses_left > 0 and now.wall_ms < invitation.expires_s * 1000


def _shown(mandate: Mandate, invitation: Invitation, spoken: SpokenCode | None) -> dict[str, object]:
    issue = mandate.authority.issued.get(invitation.ticket)
    return {
        "id": invitation.ticket.hex(),
        "role": issue.role.value if issue else None,
        "admin": issue.admin if issue else False,
        "expires": time_text(invitation.expires_s * 1000),
        "uses_left": invitation.uses_left,
        "confirm": invitation.confirm,
        "number": None if spoken is None else spoken.code.number,
    }


# -- devices -------------------------------------------------------------------------------------------


async def devices(node: Node, given: Arguments) -> object:
    named = given.text("mandate")
    given.done()
    return await node.runtime.query(lambda device, now: _all_devices(node, device, now, find_mandate(device, named)))


def _all_devices(node: Node, device: Device, now: Now, mandate: Mandate) -> list[dict[str, object]]:
    seen = node.last_seen(mandate)
    rows = [_member_row(node, device, now, mandate, m, seen) for m in mandate.authority.members.values()]
    rows += [
        _row(w.newcomer.device, w.newcomer.name, "", None, False, "waiting", w.asked_ms)
        for w in node.records.newcomers(mandate.id)
    ]
    rows += [
        _row(m.device, m.name, m.person, m.role, m.admin, _parted(mandate, m), seen.get(m.device))
        for m in mandate.authority.former.values()
    ]
    return sorted(rows, key=lambda row: (str(row["state"]), str(row["name"]).casefold(), str(row["device"])))


def _parted(mandate: Mandate, member: Member) -> str:
    return "left" if member.device in mandate.authority.left else "revoked"


def _member_row(
    node: Node, device: Device, now: Now, mandate: Mandate, member: Member, seen: dict[DeviceId, int]
) -> dict[str, object]:
    itself = member.device == device.keys.device
    links = [(link, way) for link, way in device.links_to(member.device) if link in mandate.peers]
    last_ms = now.wall_ms if itself or links else seen.get(member.device)
    row = _row(member.device, member.name, member.person, member.role, member.admin, "member", last_ms)
    return {
        **row,
        "admitted": _admission(mandate, member.device),
        "path": shown_path(links[0][1]) if links else None,
        "primary": mandate.authority.primary == member.device,
        "this_device": itself,
    }


def _admission(mandate: Mandate, device: DeviceId) -> dict[str, object] | None:
    """Who let a member in, and when, the last time; None of whoever made the mandate."""
    admissions = mandate.ledger.constitution.stated(Admit)
    found = [(by, ms) for statement, by, ms in admissions if statement.device == device]
    return {"name": name_of(mandate, found[-1][0]), "time": time_text(found[-1][1])} if found else None


def _row(
    device: DeviceId, name: str, person: str, role: Role | None, admin: bool, state: str, last_ms: int | None
) -> dict[str, object]:
    return {
        "device": device_text(device),
        "name": name,
        "person": person or None,
        "role": role.value if role else None,
        "admin": admin,
        "state": state,
        "last_seen": time_text(last_ms) if last_ms is not None else None,
        "fingerprint": device_fingerprint(device),
    }


async def revoke(node: Node, given: Arguments) -> object:
    """Of a newcomer that waits: declines it."""
    named, who = given.text("mandate"), given.text("device")
    given.done()

    def act(device: Device, _: Now) -> tuple[MandateId, DeviceId, bool]:
        mandate = find_mandate(device, named)
        one = find_device([*_members(mandate), *_waiting(node, mandate)], who)
        is_member = one in mandate.authority.members
        if is_member:
            device.admin(mandate.id).revoke(one)
        return mandate.id, one, is_member

    mandate_id, one, was_member = await node.runtime.call(act)
    if not was_member:
        await node.inviting.decline(mandate_id, one)
    await node.discovery.renew()
    return await node.runtime.query(lambda device, now: _all_devices(node, device, now, device.mandates[mandate_id]))


async def approve(node: Node, given: Arguments) -> object:
    named, who = given.text("mandate"), given.text("device")
    given.done()

    def look(device: Device, _: Now) -> tuple[MandateId, DeviceId]:
        mandate = find_mandate(device, named)
        return mandate.id, find_device(_waiting(node, mandate), who)

    mandate_id, newcomer = await node.runtime.query(look)
    await node.inviting.approve(mandate_id, newcomer)
    await node.discovery.renew()
    return await node.runtime.query(lambda device, now: _all_devices(node, device, now, device.mandates[mandate_id]))


async def set_role(node: Node, given: Arguments) -> object:
    named, who = given.text("mandate"), given.text("device")
    role, admin = _role_and_right(given.text("role"))
    given.done()

    def act(device: Device, now: Now) -> object:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).set_role(find_device(_members(mandate), who), role, admin)
        return _all_devices(node, device, now, mandate)

    return await node.runtime.call(act)


def _role_and_right(text: str) -> tuple[Role, bool | None]:
    """`payroll`, `payroll+admin` or `payroll-admin`; without a sign, the right stays as it is."""
    for sign, admin in (("+admin", True), ("-admin", False)):
        if text.strip().lower().endswith(sign):
            return parse_role(text.strip()[: -len(sign)]), admin
    return parse_role(text), None


async def set_primary(node: Node, given: Arguments) -> object:
    named, who = given.text("mandate"), given.text("device")
    given.done()

    def act(device: Device, now: Now) -> object:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).set_primary(find_device(_members(mandate), who))
        return _all_devices(node, device, now, mandate)

    return await node.runtime.call(act)


async def set_person(node: Node, given: Arguments) -> object:
    named, who, person = given.text("mandate"), given.text("device"), given.text_or("person", "").strip()
    given.done()

    def act(device: Device, now: Now) -> object:
        mandate = find_mandate(device, named)
        device.admin(mandate.id).set_person(find_device(_members(mandate), who), person)
        return _all_devices(node, device, now, mandate)

    return await node.runtime.call(act)


def _members(mandate: Mandate) -> list[tuple[DeviceId, str]]:
    return [(m.device, m.name) for m in mandate.authority.members.values()]


def _waiting(node: Node, mandate: Mandate) -> list[tuple[DeviceId, str]]:
    return [(w.newcomer.device, w.newcomer.name) for w in node.records.newcomers(mandate.id)]


OPERATIONS = {
    "invite": invite,
    "invites": invites,
    "invites.cancel": cancel,
    "devices": devices,
    "devices.revoke": revoke,
    "devices.approve": approve,
    "devices.role": set_role,
    "devices.primary": set_primary,
    "devices.person": set_person,
}
