"""Files that lack their end for long: no edits, except where they are refused anyway."""

from __future__ import annotations

import pytest

from p2psync.core.problem import Code
from p2psync.core.rules import DEFAULT_RULES, Role, parse_setting
from p2psync.engine.effects import Notice
from tests.engine.rig import Rig, file

ENFORCED = DEFAULT_RULES.with_setting(parse_setting("*.crp=enforce"))


def test_a_torn_file_that_was_given_up_is_refused_where_only_the_master_may_write_it() -> None:
    rig = Rig(role=Role.PAYROLL, rules=ENFORCED)
    rig.author.save("a.crp", "one")
    rig.takes_in().shows("a.crp", "one")
    assert rig.gives_up("a.crp", "torn") == []
    assert rig.problems == [("a.crp", Code.EDIT_REFUSED)]
    rig.gives_up("a.crp", "torn")
    notices = [e.name for e in rig.effects() if isinstance(e, Notice)]
    assert notices == ["edit.refused"], "once for these bytes"
    rig.fetched("one")
    [item] = rig.places()
    assert (item.expect, item.put, item.keep_reason) == (file("torn"), rig.desk.heads("a.crp")[0].entry, "refused")


@pytest.mark.parametrize("role", [Role.ACCOUNTING, Role.PAYROLL])
def test_a_torn_file_is_nothing_where_it_may_be_written(role: Role) -> None:
    rig = Rig(role=role, rules=ENFORCED if role is Role.ACCOUNTING else DEFAULT_RULES)
    rig.sees("a.ecs", "one")
    before, base = rig.desk.outcome(), rig.base("a.ecs")
    assert rig.gives_up("a.ecs", "torn") == []
    assert (rig.desk.outcome(), rig.base("a.ecs"), rig.problems) == (before, base, [])


def test_a_torn_file_is_no_edit_before_this_device_knows_its_rights() -> None:
    rig = Rig().newcomer()
    assert rig.gives_up("a.crp", "torn") == []
    assert (rig.base("a.crp"), rig.problems) == (None, [])
