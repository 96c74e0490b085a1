"""Where only a file's owner may change it: who made it does, or who it was given to, and nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from p2psync.core.changelog import Stated
from p2psync.core.ids import ChangeId
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, parse_setting
from p2psync.core.statement import Give, Revoke, SetOwner, SetRole, SetRules
from p2psync.sim.state import MemoryMandateState
from tests.engine.ledgers import Desk, office

OWNED = DEFAULT_RULES.with_setting(parse_setting("*.ecf=enforce"))
PATH = parse("x.ecf")


def three() -> tuple[Desk, Desk, Desk]:
    """Accounting, and two that write invoices; the first of these made a file that all have."""
    a, b, c = office("a", "b", "c", rules=OWNED)
    b.save("x.ecf", "one")
    for desk in (a, c):
        desk.read(b)
    return a, b, c


def told(desk: Desk, *others: Desk) -> None:
    for other in others:
        other.read(desk)


def test_only_who_made_a_file_may_change_it() -> None:
    a, b, c = three()
    assert [desk.ledger.may_write(PATH) for desk in (a, b, c)] == [False, True, False]
    foreign = [desk.save("x.ecf", "mine") for desk in (a, c)]
    own = b.save("x.ecf", "two")
    told(a, b, c)
    told(b, a, c)
    told(c, a, b)
    for desk in (a, b, c):
        assert [desk.accepted(change) for change in (*foreign, own)] == [False, False, True]
        assert desk.texts("x.ecf") == {"two"}


def test_who_may_own_may_make_another_file() -> None:
    a, b, c = three()
    other = parse("y.ecf")
    assert [desk.ledger.may_write(other) for desk in (a, b, c)] == [False, True, True]


def test_a_removed_file_stays_its_makers() -> None:
    a, b, c = three()
    b.save("x.ecf", None)
    told(b, a, c)
    assert [desk.ledger.may_write(PATH) for desk in (a, b, c)] == [False, True, False]
    assert not c.accepted(c.save("x.ecf", "mine"))
    assert b.accepted(b.save("x.ecf", "again"))


def test_two_that_make_it_at_the_same_time_agree_whose_it_is() -> None:
    a, b, c = office("a", "b", "c", rules=OWNED)
    made = {desk: desk.save("x.ecf", desk_text) for desk, desk_text in ((b, "one"), (c, "two"))}
    told(b, a, c)
    told(c, a, b)
    owner, other = sorted((b, c), key=lambda desk: desk.id)
    for desk in (a, b, c):
        winner = desk.ledger.verdict(PATH, desk.heads("x.ecf")).winner
        assert winner is not None
        assert winner.id == made[owner]
        assert desk.ledger.may_write(PATH) == (desk is owner)
    settled = owner.save("x.ecf", "three")
    refused = other.save("x.ecf", "mine", naming=made.values())
    told(owner, a, other)
    told(other, a, owner)
    for desk in (a, b, c):
        assert (desk.accepted(settled), desk.accepted(refused)) == (True, False)
        assert desk.texts("x.ecf") == {"three"}


def test_whom_it_was_given_to_may_change_it_and_its_maker_no_more() -> None:
    a, b, c = three()
    a.say(SetOwner("x.ecf", c.id))
    told(a, b, c)
    assert [desk.ledger.may_write(PATH) for desk in (a, b, c)] == [False, False, True]
    assert c.accepted(c.save("x.ecf", "two"))
    assert not b.accepted(b.save("x.ecf", "mine"))


def test_its_maker_gives_it_to_another_and_all_judge_alike() -> None:
    a, b, c = three()
    b.say(Give("x.ecf", c.id))
    told(b, a, c)
    late = b.save("x.ecf", "mine")
    own = c.save("x.ecf", "two", naming=[head.id for head in b.heads("x.ecf") if head.id != late])
    told(b, a, c)
    told(c, a, b)
    a.say(Revoke(b.id, a.ledger.cut()))
    told(a, c)
    for desk in (a, b, c, a.restarted(), c.restarted()):
        assert (desk.accepted(late), desk.accepted(own)) == (False, True)
        assert desk.texts("x.ecf") == {"two"}
    assert [desk.ledger.may_write(PATH) for desk in (a, c)] == [False, True]


def test_what_was_never_ones_own_goes_nowhere() -> None:
    a, b, c = three()
    a.say(Give("x.ecf", c.id))
    c.say(Give("x.ecf", b.id))
    told(a, b, c)
    told(c, a, b)
    assert [desk.ledger.may_write(PATH) for desk in (a, b, c)] == [False, True, False]


@pytest.mark.parametrize("mode", ["enforce", "prefer"])
def test_of_its_makers_and_an_admins_word_at_the_same_time_the_admins_counts(mode: str) -> None:
    rules = DEFAULT_RULES.with_setting(parse_setting(f"*.ecf={mode}"))
    a, b, c, d = desks = office("a", "b", "c", "d", rules=rules)
    b.save("x.ecf", "one")
    told(b, a, c, d)
    a.say(SetOwner("x.ecf", d.id))
    b.say(Give("x.ecf", c.id))
    made = {c: c.save("x.ecf", "of c"), d: d.save("x.ecf", "of d")}
    for one in desks:
        for other in desks:
            other.read(one)
    changes = {desk: desk.save("x.ecf", f"{desk.name} again") for desk in (c, d)}
    told(d, a, b, c)
    told(c, a, b, d)
    for desk in desks:
        winner = desk.ledger.verdict(PATH, desk.heads("x.ecf")).winner
        assert winner is not None
        assert winner.id == changes[d]
        assert desk.accepted(changes[c]) == desk.accepted(made[c]) == (mode == "prefer")


def test_in_a_conflict_the_version_of_whom_it_was_given_to_wins() -> None:
    a, b, c, d = desks = office("a", "b", "c", "d")
    b.save("x.ecf", "one")
    told(b, a, c, d)
    b.say(Give("x.ecf", c.id))
    told(b, a, c, d)
    for desk in (c, b, d):
        desk.save("x.ecf", desk.name)
    b.save("x.ecf", "saved more often")
    for one in (b, c, d):
        told(one, *desks)
    for desk in desks:
        winner = desk.ledger.verdict(PATH, desk.heads("x.ecf")).winner
        assert winner is not None
        assert winner.author == c.id


def test_an_orphan_falls_to_accounting() -> None:
    for given in (False, True):
        a, b, c = three()
        if given:
            a.say(SetOwner("x.ecf", b.id))
        a.say(Revoke(b.id, a.ledger.cut()))
        told(a, c)
        assert [desk.ledger.may_write(PATH) for desk in (a, c)] == [True, False]
        assert a.accepted(a.save("x.ecf", "two"))


def test_who_may_own_no_more_has_left_an_orphan() -> None:
    a, b, c = three()
    a.say(SetRole(b.id, Role.READER, False, a.ledger.cut()))
    told(a, b, c)
    assert [desk.ledger.may_write(PATH) for desk in (a, b, c)] == [True, False, False]


def test_a_history_from_before_the_rule_tells_whose_it_is() -> None:
    a, b, c = office("a", "b", "c")
    b.save("x.ecf", "one")
    for desk in (c, b, a):
        for other in (a, b, c):
            desk.read(other)
        desk.save("x.ecf", "two")
    told(a, b, c)
    a.say(SetRules(OWNED, a.ledger.cut()))
    told(a, b, c)
    again = [desk.restarted() for desk in (a, b, c)]
    assert [desk.ledger.may_write(PATH) for desk in again] == [False, True, False]


def test_a_long_history_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _, b, _ = three()
    for number in range(50):
        b.save("x.ecf", "one" if number % 2 else "two")
    again = b.restarted()
    asked: list[ChangeId] = []
    look_up = MemoryMandateState.changes

    def counted(state: MemoryMandateState, ids: Iterable[ChangeId]) -> Mapping[ChangeId, Stated]:
        many = list(ids)
        asked.extend(many)
        return look_up(state, many)

    monkeypatch.setattr(MemoryMandateState, "changes", counted)
    assert again.ledger.may_write(PATH)
    assert len(asked) == 51
    newest = again.save("x.ecf", "three")
    asked.clear()
    assert again.ledger.may_write(PATH)
    assert asked == [newest]
