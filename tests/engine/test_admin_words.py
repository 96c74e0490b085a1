"""What a member says without being an admin: whose its files are, and who works there; and what admins keep to them."""

from __future__ import annotations

import pytest

from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable, parse_restriction
from p2psync.engine.admin import Admin
from p2psync.errors import NotAllowed, P2PSyncError, UsageError
from tests.engine.village import Village

WAGES = parse("Wages.ecs")


def company(rules: RuleTable = DEFAULT_RULES) -> Village:
    """An office, two PCs with wages, one with invoices; the first of the wages' has made a file."""
    village = Village("office", "wages", "spare", "invoices", rules=rules)
    roles = {"wages": Role.PAYROLL, "spare": Role.PAYROLL, "invoices": Role.INVOICING}
    for name, role in roles.items():
        village.admit("office", name, role)
    village.meet()
    village.save("wages", WAGES, b"one")
    village.settle(30)
    return village


def refusal(village: Village, name: str, to: str, path: str = WAGES) -> P2PSyncError:
    def deed(admin: Admin) -> None:
        with pytest.raises(P2PSyncError) as refused:
            admin.set_owner(parse(path), village[to].id)
        assert village[name].m.authority == village["office"].m.authority
        told.append(refused.value)

    told: list[P2PSyncError] = []
    village.act(name, deed)
    return told[0]


def test_who_made_a_file_gives_it_to_another_of_its_role_and_all_know() -> None:
    village = company()
    village.act("wages", lambda admin: admin.set_owner(WAGES, village["spare"].id))
    village.settle(30)
    for name in ("office", "wages", "spare", "invoices"):
        given = village[name].m.authority.given
        assert given == {WAGES: {village["wages"].id: village["spare"].id}}
    refused = refusal(village, "wages", "spare")
    assert "belongs to spare: only from there, or by an admin" in str(refused)
    village.act("spare", lambda admin: admin.set_owner(WAGES, village["wages"].id))
    village.act("office", lambda admin: admin.set_owner(WAGES, village["invoices"].id))
    village.settle(30)
    assert village["wages"].m.authority.owners == {WAGES: village["invoices"].id}


def test_whoever_may_not_give_a_file_away_is_told_whom_to_ask() -> None:
    village = company()
    village.act("office", lambda admin: admin.set_person(village["office"].id, "Anna Müller"))
    village.save("invoices", "notes.txt", b"one")
    village.settle(30)
    told = {
        "not its own": refusal(village, "spare", "spare"),
        "not of that role": refusal(village, "wages", "invoices"),
        "itself": refusal(village, "wages", "wages"),
        "nobody's": refusal(village, "invoices", "spare", "notes.txt"),
        "never made": refusal(village, "wages", "spare", "New.ecs"),
    }
    texts = {about: str(error) for about, error in told.items()}
    assert texts.pop("itself") == "Wages.ecs belongs to this device already."
    assert all("office (Anna Müller)" in text for text in texts.values())
    assert "belongs to wages" in texts["not its own"]
    assert (
        "whose role is invoicing: it may belong to a device whose role is one of payroll" in texts["not of that role"]
    )
    assert "only an admin may name one" in texts["nobody's"]
    assert "does not belong to this device" in texts["never made"]
    assert {about for about, error in told.items() if not isinstance(error, NotAllowed)} == {"itself"}


def test_a_restricted_file_is_named_by_nobody() -> None:
    village = company(DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=payroll")))
    refused = refusal(village, "wages", "spare")
    assert isinstance(refused, UsageError)
    assert "would read it" in str(refused)


def test_who_works_where_is_told_to_all() -> None:
    village = company()
    village.act("wages", lambda admin: admin.set_person(village["wages"].id, "Berta"))
    village.act("office", lambda admin: admin.set_person(village["spare"].id, "Carl"))
    village.settle(30)
    members = village["invoices"].m.authority.members.values()
    assert sorted(m.title for m in members) == ["invoices", "office", "spare (Carl)", "wages (Berta)"]


def test_who_said_before_joining_who_works_there_is_introduced_once() -> None:
    village = Village("office", "wages")
    guest = village.admit("office", "wages", Role.PAYROLL)
    guest.m.state.put("person", "Berta")
    village.meet()
    assert village["office"].m.authority.members[guest.id].person == "Berta"
    assert guest.m.state.get("person") == "", "it is said once, also if this device joins again"
    village.act("office", lambda admin: admin.set_person(guest.id, "Carla"))
    village.meet()
    assert [h.m.authority.members[guest.id].person for h in (village["office"], guest)] == ["Carla", "Carla"]


def test_where_only_admins_attach_others_are_told_whom_to_ask() -> None:
    village = company()
    village["wages"].admin.require_attach()
    village.act("office", lambda admin: admin.set_attach(True))
    village.settle(30)
    village["office"].admin.require_attach()
    with pytest.raises(NotAllowed, match=r"Ask office: .* --role DEVICE=ROLE\+admin\).* rules Cargo --attach all"):
        village["wages"].admin.require_attach()
    village.act("office", lambda admin: admin.revoke(village["spare"].id))
    village.settle(30)
    assert village["spare"].m.is_removed
    village["spare"].admin.require_attach()
    village.act("office", lambda admin: admin.set_attach(False))
    village.settle(30)
    village["wages"].admin.require_attach()
