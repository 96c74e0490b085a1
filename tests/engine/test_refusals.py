"""What was changed while the right to do so was being taken away counts nowhere, is kept, and is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p2psync.core.ids import DeviceId, content_of, device_text
from p2psync.core.problem import Code, Problem
from p2psync.core.rules import Role, parse_setting
from p2psync.engine.admin import Admin
from tests.engine.village import office

ENFORCED = parse_setting("plan.txt=enforce:accounting")
TAKEN_AWAY: dict[str, Callable[[Admin, DeviceId], None]] = {
    "a rule": lambda admin, _: admin.set_rule(ENFORCED),
    "a role": lambda admin, device: admin.set_role(device, Role.READER),
}


@pytest.mark.parametrize("what", TAKEN_AWAY)
@pytest.mark.parametrize("passed_on", [False, True])
def test_an_edit_made_while_that_was_not_known_counts_nowhere_and_is_told(what: str, passed_on: bool) -> None:
    """`passed_on`: somebody else had it before either heard of the change."""
    village = office("plan.txt", b"as it was")
    laptop = village["laptop"]
    village.part()
    village.act("office", lambda admin: TAKEN_AWAY[what](admin, laptop.id))
    village.save("laptop", "plan.txt", b"changed meanwhile")
    if passed_on:
        village.connect("laptop", "payroll")
        village.settle()
        assert village["payroll"].disk["plan.txt"] == b"changed meanwhile"
    village.meet()
    assert {house.disk["plan.txt"] for house in village.houses.values()} == {b"as it was"}
    assert laptop.versions[content_of(b"changed meanwhile")] == b"changed meanwhile"
    assert laptop.problems == [Problem("plan.txt", Code.EDIT_REFUSED)]
    assert village["office"].problems == [Problem("", Code.BLOCK_REFUSED, device_text(laptop.id))]
    assert village["payroll"].problems == []
    assert laptop.notices.count("edit.refused") == 1


def test_what_was_looked_at_is_not_told_again() -> None:
    village = office("plan.txt", b"as it was")
    village.part()
    village.act("office", lambda admin: admin.set_rule(ENFORCED))
    village.save("laptop", "plan.txt", b"changed meanwhile")
    village.meet()
    for name in ("office", "laptop"):
        village.act(name, lambda admin: admin.tick_off())
        assert village[name].problems == []
    village.act("office", lambda admin: admin.set_role(village["payroll"].id, Role.READER))
    village.save("office", "plan.txt", b"by accounting")
    village.settle()
    assert [house.problems for house in village.houses.values()] == [[], [], []]
    assert village["laptop"].disk["plan.txt"] == b"by accounting"


def test_who_was_removed_is_told_that_alone_and_the_admins_what_came_too_late() -> None:
    village = office("plan.txt", b"as it was")
    laptop = village["laptop"]
    village.part()
    village.act("office", lambda admin: admin.revoke(laptop.id))
    village.save("laptop", "plan.txt", b"changed meanwhile")
    village.connect("laptop", "payroll")
    village.settle()
    village.meet()
    assert village["payroll"].disk["plan.txt"] == village["office"].disk["plan.txt"] == b"as it was"
    assert [problem.code for problem in laptop.problems] == [Code.REMOVED]
    assert Problem("", Code.BLOCK_REFUSED, device_text(laptop.id)) in village["office"].problems
    assert village["payroll"].problems == []
