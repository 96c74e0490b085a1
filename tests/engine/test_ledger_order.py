"""Heads are a function of blocks and authority: whoever has the same blocks has the same heads, stamps and members.

Several devices save, read one another, admit and revoke, lose their databases and go on from backups; at the
end their blocks are taken in by others, in any order that brings each after those that it names.
"""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.changelog import Stated, stamp
from p2psync.core.changelog import heads as heads_among
from p2psync.core.ids import ChangeId
from p2psync.core.mark import POSTED, UNDONE
from p2psync.core.period import Period
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable, parse_setting
from p2psync.core.statement import Admit, Closed, Freeze, Rename, Revoke, SetCurrent, SetRole, SetRules, Unfreeze
from p2psync.engine.ledger import MissingBlock
from tests.engine.ledgers import RESTRICTED_RULES, TEXTS, Desk, office

PATHS = ["x.txt", "y.crp", "z.ecs", "dir/x.ecf", "x (01-01-2025 ~ 31-12-2025).ecs"]
YEARS = [Period(date(year, 1, 1), date(year, 12, 31)) for year in (2025, 2026)]
NAMES = ["a", "b", "c", "d"]


class Life:
    """What happens to four devices, drawn by hypothesis."""

    def __init__(self, draw: st.DrawFn, rules: RuleTable):
        self._draw = draw
        self._rules = rules
        self.desks = office(*NAMES, rules=rules, admin=True)
        self.clones: list[Desk] = []
        """Devices that went on from a backup beside the one that was backed up."""

    def live(self, steps: int) -> None:
        for _ in range(steps):
            desk = self._one_of(self.desks + self.clones)
            deeds = [self._save, self._save, self._save, self._mark, self._read, self._read, self._state, self._restart]
            self._one_of(deeds)(desk)

    def _one_of(self, things: list[Any]) -> Any:
        return self._draw(st.sampled_from(things))

    def _save(self, desk: Desk) -> None:
        path = self._one_of(PATHS)
        heads = [head.id for head in desk.heads(path)]
        naming = self._draw(st.lists(st.sampled_from(heads), unique=True)) if heads else []
        desk.save(path, self._one_of([*TEXTS[:4], None]), naming=naming)

    def _mark(self, desk: Desk) -> None:
        path = self._one_of(PATHS)
        known = [one.id for one, _ in desk.state.marks([parse(path)]) if self._may_name(desk, one.id, path)]
        naming = self._draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        desk.mark(path, self._one_of([*TEXTS[:4], None]), kind=self._one_of([POSTED, UNDONE, "later"]), naming=naming)

    def _may_name(self, desk: Desk, mark: ChangeId, path: str) -> bool:
        """Whether all who get a mark of this path have that one too."""
        row = desk.state.block(mark.block)
        return row is not None and desk.ledger.file_class(row.log) == desk.ledger.class_of(parse(path))

    def _read(self, desk: Desk) -> None:
        desk.read(self._one_of(self.desks + self.clones))

    def _state(self, desk: Desk) -> None:
        other = self._one_of(self.desks).id
        cut = desk.ledger.cut()
        role, admin = self._one_of(list(Role)), self._draw(st.booleans())
        enforced = self._rules.with_setting(parse_setting("*.crp=enforce"))
        owned = self._rules.with_setting(parse_setting("*.ecf=enforce"))
        once = self._rules.with_setting(parse_setting("x*=once"))
        statements = [
            *(Revoke(other, cut), SetRole(other, role, admin, cut), Admit(other, b"cert", "PC", role, admin, b"")),
            *(Freeze(YEARS[0], (), cut), Unfreeze(YEARS[0]), SetCurrent(date(2025, 6, 30))),
            *(Freeze(YEARS[1], tuple(self._named(desk)), cut), Unfreeze(YEARS[1])),
            *(
                SetRules(enforced, cut),
                SetRules(owned, cut),
                SetRules(once, cut),
                SetRules(self._rules, cut),
                Rename("renamed"),
            ),
        ]
        desk.say(self._one_of(statements))

    def _named(self, desk: Desk) -> list[Closed]:
        path = self._one_of(PATHS[:2])
        return [Closed(parse(path), head.id) for head in desk.heads(path)]

    def _restart(self, desk: Desk) -> None:
        if len(self.clones) < 2:
            self.clones.append(desk.backup(f"backup {len(self.clones)}"))

    def blocks(self) -> list[bytes]:
        """All that anybody wrote, in the order of a device that read everybody in turn."""
        everybody = [*self.desks, *self.clones]
        reader = Desk("reader", self.desks[0].mandate)
        return reader_of(reader, [raw for desk in everybody for raw in desk.blocks()]).blocks()


def reader_of(reader: Desk, blocks: list[bytes]) -> Desk:
    reader.take(blocks)
    return reader


@st.composite
def lives(draw: st.DrawFn) -> list[bytes]:
    life = Life(draw, draw(st.sampled_from([DEFAULT_RULES, RESTRICTED_RULES])))
    life.live(draw(st.integers(1, 25)))
    return life.blocks()


def arrivals(blocks: list[bytes], rng: Random) -> Desk:
    """A device that takes the blocks in one by one, in any order that it can."""
    reader = Desk("late reader", ANYBODY.mandate)
    waiting = list(blocks)
    while waiting:
        rng.shuffle(waiting)
        left = [raw for raw in waiting if not took(reader, raw)]
        assert len(left) < len(waiting), "some blocks name others that are nowhere"
        waiting = left
    return reader


def took(reader: Desk, raw: bytes) -> bool:
    try:
        reader.ledger.join(raw)
    except MissingBlock:
        return False
    return True


ANYBODY = office("a")[0]


@settings(max_examples=100)
@given(lives(), st.randoms(use_true_random=False))
def test_the_same_blocks_in_any_order_give_the_same(blocks: list[bytes], rng: Random) -> None:
    first = reader_of(Desk("first", ANYBODY.mandate), blocks)
    second = arrivals(blocks, rng)
    assert second.outcome() == first.outcome()
    assert second.restarted().outcome() == first.outcome(), "and after a restart"
    turns = [(t.author, t.statement, t.void) for t in first.ledger.constitution.turns]
    assert [(t.author, t.statement, t.void) for t in second.ledger.constitution.turns] == turns


@settings(max_examples=40)
@given(lives())
def test_judging_everything_again_changes_nothing(blocks: list[bytes]) -> None:
    """What was judged block by block, while the others were on their way, is what the whole says."""
    desk = reader_of(Desk("first", ANYBODY.mandate), blocks)
    before = desk.outcome()
    assert desk.ledger.judge_all() == set()
    assert desk.outcome() == before


@settings(max_examples=40)
@given(lives())
def test_heads_and_stamps_are_what_the_changes_say(blocks: list[bytes]) -> None:
    desk = reader_of(Desk("first", ANYBODY.mandate), blocks)
    changes: dict[Any, Stated] = {c.id: c for c in desk.state.all_changes()}
    for change in changes.values():
        assert change.stamp == stamp(changes[i].stamp for i in change.named)
    for path in PATHS:
        of_path = [c for c in changes.values() if c.path == path]
        assert {h.id for h in desk.heads(path)} == heads_among(of_path, desk.state.is_accepted)


# -- authority in the ledger -------------------------------------------------------------------------


def everybody_reads_everybody(*desks: Desk) -> None:
    for _ in range(2):
        for desk in desks:
            desk.read(*(other for other in desks if other is not desk))
    assert all(desk.outcome() == desks[0].outcome() for desk in desks)


def test_two_who_revoke_each_other() -> None:
    a, b, c = office("a", "b", "c", admin=True)
    c.save("x.txt", "before")
    a.read(c)
    b.read(c)
    b.say(Revoke(c.id, b.ledger.cut()))
    c.say(Revoke(b.id, c.ledger.cut()))
    during_b, during_c = b.save("b.txt", "during"), c.save("x.txt", "during")
    everybody_reads_everybody(a, b, c)
    assert set(a.ledger.authority.members) == {a.id, b.id}, "the one who was admitted first is senior"
    assert (a.accepted(during_b), a.accepted(during_c)) == (True, False)
    assert a.texts("x.txt") == {"before"}


def test_what_gives_counts_for_blocks_whose_clock_names_it() -> None:
    a, b = office("a", "b", role=Role.READER)
    early = b.save("x.txt", "one")
    a.say(Admit(b.id, b"cert", "b", Role.INVOICING, False, b""))
    still_early = b.save("x.txt", "two")
    b.read(a)
    late = b.save("y.txt", "three")
    everybody_reads_everybody(a, b)
    assert [a.accepted(i) for i in (early, still_early, late)] == [False, False, True]


def test_what_takes_counts_for_all_outside_its_cut() -> None:
    a, b, c = office("a", "b", "c")
    known = b.save("x.txt", "one")
    a.read(b)
    unknown = b.save("x.txt", "two")
    c.read(b)
    assert c.texts("x.txt") == {"two"}
    a.say(SetRole(b.id, Role.READER, False, a.ledger.cut()))
    later = b.save("y.txt", "three")
    taken = c.read(a)
    assert [path for t in taken for path in t.paths] == ["x.txt"], "only this path is to be looked at again"
    everybody_reads_everybody(a, b, c)
    assert [a.accepted(i) for i in (known, unknown, later)] == [True, False, False]
    assert a.texts("x.txt") == {"one"}


def test_several_cuts_intersect() -> None:
    a, b, c, d = office("a", "b", "c", "d", admin=True)
    first = d.save("x.txt", "one")
    a.read(d)
    second = d.save("y.txt", "two")
    b.read(d)
    a.say(Revoke(d.id, a.ledger.cut()))
    b.say(Revoke(d.id, b.ledger.cut()))
    everybody_reads_everybody(a, b, c, d)
    assert (a.accepted(first), a.accepted(second)) == (True, False)


def test_who_comes_back_is_heard_again_but_not_for_what_it_wrote_meanwhile() -> None:
    a, b = office("a", "b")
    before = b.save("x.txt", "before")
    a.read(b)
    a.say(Revoke(b.id, a.ledger.cut()))
    meanwhile = b.save("x.txt", "during")
    a.admit(b)
    b.read(a)
    after = b.save("y.txt", "after")
    everybody_reads_everybody(a, b)
    assert [a.accepted(i) for i in (before, meanwhile, after)] == [True, False, True]


def test_a_rule_taken_back_lets_nothing_in_that_it_kept_out() -> None:
    a, b = office("a", "b")
    a.say(SetRules(DEFAULT_RULES.with_setting(parse_setting("*.crp=enforce")), a.ledger.cut()))
    b.read(a)
    refused = b.save("x.crp", "mine")
    a.say(SetRules(DEFAULT_RULES, a.ledger.cut()))
    b.read(a)
    accepted = b.save("x.crp", "yours")
    everybody_reads_everybody(a, b)
    assert (a.accepted(accepted), b.accepted(accepted)) == (True, True)
    assert a.accepted(refused) is b.accepted(refused)


def test_what_was_saved_before_a_freeze_was_known_is_set_aside_and_so_is_what_came_after() -> None:
    a, b, c = office("a", "b", "c")
    a.save("y.crp", "one")
    everybody_reads_everybody(a, b, c)
    concurrent = b.save("y.crp", "two")
    dated = b.save(PATHS[-1], "one")
    beside = b.save("x.txt", "two")
    a.say(Freeze(YEARS[0], (Closed(parse("y.crp"), a.heads("y.crp")[0].id),), a.ledger.cut()))
    c.read(b)
    assert c.texts("y.crp") == {"two"}, "nobody here knows of the freeze"
    [taken] = c.read(a)
    assert set(taken.paths) == {"y.crp", PATHS[-1]}
    late = c.save("y.crp", "three")
    everybody_reads_everybody(a, b, c)
    assert [a.accepted(i) for i in (concurrent, dated, beside, late)] == [False, False, True, False]
    assert b.texts("y.crp") == {"one"}


def test_unfreezing_lets_later_changes_in_and_none_that_came_before() -> None:
    a, b = office("a", "b")
    a.save("y.crp", "one")
    b.read(a)
    a.say(Freeze(YEARS[0], (Closed(parse("y.crp"), a.heads("y.crp")[0].id),), a.ledger.cut()))
    during = b.save("y.crp", "two")
    a.say(Unfreeze(YEARS[0]))
    unaware = b.save("y.crp", "three")
    b.read(a)
    aware = b.save("y.crp", "four")
    everybody_reads_everybody(a, b)
    assert [a.accepted(i) for i in (during, unaware, aware)] == [False, False, True]
    assert a.texts("y.crp") == {"four"}


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_cut_at_one_branch_leaves_the_other_out_in_whatever_order_they_come(first: str) -> None:
    a, b, c = office("a", "b", "c")
    b.save("x.txt", "old")
    restored = b.backup()
    for text in ("one", "two"):
        b.save("x.txt", text)
    other = [restored.save("y.txt", "three"), restored.save("y.txt", "four")]
    a.read(b)
    a.say(Revoke(b.id, a.ledger.cut()))
    for desk in (a, restored) if first == "a" else (restored, a):
        c.read(desk)
    assert [c.accepted(i) for i in other] == [False, False]
    assert c.texts("x.txt") == {"two"}
    assert c.heads("y.txt") == []


def test_a_cut_in_a_restricted_log_holds_also_where_its_branch_comes_late() -> None:
    """Statements do not name restricted logs in their clocks, so they may be there before what their cut names."""
    a, b, c = office("a", "b", "c", rules=RESTRICTED_RULES, role=Role.PAYROLL)
    b.save("x.ecs", "old")
    restored = b.backup()
    for text in ("one", "two"):
        b.save("x.ecs", text)
    cut_off = restored.save("y.ecs", "three")
    a.read(b)
    a.say(Revoke(b.id, a.ledger.cut()))
    c.read(restored)
    *_, before_cut, at_cut = b.blocks()
    c.take(raw for raw in a.blocks() if raw not in (before_cut, at_cut))
    assert c.accepted(cut_off), "the cut may lie on this branch, as far as is known"
    c.take([before_cut])
    [taken] = c.take([at_cut])
    assert not c.accepted(cut_off)
    assert taken.paths == ("x.ecs", "y.ecs")
    a.read(restored)
    assert a.outcome() == c.outcome()
