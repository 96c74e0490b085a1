"""Edits in a folder where files are written once: refused, undone, and no bytes are lost by it."""

from __future__ import annotations

from p2psync.core.problem import Code
from p2psync.core.rules import DEFAULT_RULES, parse_setting
from p2psync.core.statement import SetRules
from p2psync.engine.effects import KeepVersion
from tests.engine.rig import Rig, content, file

ONCE = DEFAULT_RULES.with_setting(parse_setting("iso20022/*=once"))


def test_what_is_written_once_comes_back_and_its_first_version_is_copied() -> None:
    rig = Rig(rules=ONCE)
    path = "iso20022/a.xml"
    rig.sees(path, "one")
    [made] = (head.id for head in rig.desk.heads(path))
    [copy] = [e for e in rig.effects() if isinstance(e, KeepVersion)]
    assert (copy.entry.content, copy.change) == (content("one"), made), "who overwrites it in place spoils no bytes"
    for edit in ("mine", None, "mine"):
        assert rig.sees(path, edit) == []
        assert rig.problems == [(path, Code.EDIT_REFUSED)]
        assert [head.id for head in rig.desk.heads(path)] == [made]
        assert rig.todo() == [path]


def test_a_file_made_where_one_that_is_written_once_is_on_its_way_is_kept_as_a_version() -> None:
    rig = Rig(rules=ONCE)
    theirs = rig.author.save("iso20022/a.xml", "one")
    rig.takes_in()
    assert rig.sees("iso20022/a.xml", "mine") == []
    assert [head.id for head in rig.desk.heads("iso20022/a.xml")] == [theirs]
    rig.effects()
    rig.fetched("one")
    [item] = rig.places()
    assert (item.expect, item.keep_reason) == (file("mine"), "refused")


def test_an_edit_of_a_file_that_an_admin_had_removed_meanwhile_is_refused_before_it_is_announced() -> None:
    rig = Rig(rules=ONCE)
    path = "iso20022/a.xml"
    rig.author.save(path, "one")
    rig.takes_in().shows(path, "one")
    rig.author.say(SetRules(DEFAULT_RULES, rig.author.ledger.cut()))
    rig.author.save(path, None)
    rig.author.say(SetRules(ONCE, rig.author.ledger.cut()))
    rig.takes_in()
    before = rig.desk.outcome()
    assert rig.sees(path, "mine") == []
    assert rig.desk.outcome() == before
    assert rig.problems == [(path, Code.EDIT_REFUSED)]
