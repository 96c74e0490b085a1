"""What was changed while the right to do so was being taken away counts nowhere, is kept, and is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p2psync.core.ids import DeviceId, content_of, device_text
from p2psync.core.problem import Code, Problem
from p2psync.core.rules import Role, parse_setting
from p2psync.engine.admin import Admin
from tests.engine.village import House, Village

ENFORCED = parse_setting("plan.txt=enforce:accounting")
TAKEN_AWAY: dict[str, Callable[[Admin, DeviceId], None]] = {
    "a rule": lambda admin, _: admin.set_rule(ENFORCED),
    "a role": lambda admin, device: admin.set_role(device, Role.READER),
}


def office() -> Village:
    village = Village("office", "laptop", "payroll")
    village.admit("office", "laptop", Role.INVOICING)
    village.admit("office", "payroll", Role.PAYROLL)
    village.save("office", "plan.txt", b"as it was")
    meet(village)
    return village


def meet(village: Village) -> None:
    part(village)
    for a, b in (("office", "laptop"), ("office", "payroll"), ("laptop", "payroll")):
        village.connect(a, b)
    village.settle(30)


def part(village: Village) -> None:
    village.disconnect()
    village.settle()


def problems(house: House) -> list[Problem]:
    return list(house.m.state.problems())


@pytest.mark.parametrize("what", TAKEN_AWAY)
@pytest.mark.parametrize("passed_on", [False, True])
def test_an_edit_made_while_that_was_not_known_counts_nowhere_and_is_told(what: str, passed_on: bool) -> None:
    """`passed_on`: somebody else had it before either heard of the change."""
    village = office()
    laptop = village["laptop"]
    part(village)
    village.act("office", lambda admin: TAKEN_AWAY[what](admin, laptop.id))
    village.save("laptop", "plan.txt", b"changed meanwhile")
    if passed_on:
        village.connect("laptop", "payroll")
        village.settle()
        assert village["payroll"].disk["plan.txt"] == b"changed meanwhile"
    meet(village)
    assert {house.disk["plan.txt"] for house in village.houses.values()} == {b"as it was"}
    assert laptop.versions[content_of(b"changed meanwhile")] == b"changed meanwhile"
    assert problems(laptop) == [Problem("plan.txt", Code.EDIT_REFUSED)]
    assert problems(village["office"]) == [Problem("", Code.BLOCK_REFUSED, device_text(laptop.id))]
    assert problems(village["payroll"]) == []
    assert laptop.notices.count("edit.refused") == 1


def test_what_was_looked_at_is_not_told_again() -> None:
    village = office()
    part(village)
    village.act("office", lambda admin: admin.set_rule(ENFORCED))
    village.save("laptop", "plan.txt", b"changed meanwhile")
    meet(village)
    for name in ("office", "laptop"):
        village.act(name, lambda admin: admin.tick_off())
        assert problems(village[name]) == []
    village.act("office", lambda admin: admin.set_role(village["payroll"].id, Role.READER))
    village.save("office", "plan.txt", b"by accounting")
    village.settle()
    assert [problems(house) for house in village.houses.values()] == [[], [], []]
    assert village["laptop"].disk["plan.txt"] == b"by accounting"


def test_who_was_removed_is_told_that_alone_and_the_admins_what_came_too_late() -> None:
    village = office()
    laptop = village["laptop"]
    part(village)
    village.act("office", lambda admin: admin.revoke(laptop.id))
    village.save("laptop", "plan.txt", b"changed meanwhile")
    village.connect("laptop", "payroll")
    village.settle()
    meet(village)
    assert village["payroll"].disk["plan.txt"] == village["office"].disk["plan.txt"] == b"as it was"
    assert [problem.code for problem in problems(laptop)] == [Code.REMOVED]
    assert Problem("", Code.BLOCK_REFUSED, device_text(laptop.id)) in problems(village["office"])
    assert problems(village["payroll"]) == []
