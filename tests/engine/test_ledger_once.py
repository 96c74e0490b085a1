"""Where files are written once: first versions count, nothing that would take the place of a file does."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.ids import ChangeId
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, parse_setting
from p2psync.core.statement import SetRules
from tests.engine.ledgers import TEXTS, Desk, office

ONCE = DEFAULT_RULES.with_setting(parse_setting("iso20022/*=once"))
FILE = "iso20022/camt.053.xml"
PATH = parse(FILE)


def all_read_all(*desks: Desk) -> None:
    for desk in desks:
        desk.read(*(other for other in desks if other is not desk))


def test_what_is_there_nobody_changes_or_removes() -> None:
    desks = a, b, _ = office("a", "b", "c", rules=ONCE, admin=True)
    assert all(desk.ledger.may_write(PATH) for desk in desks)
    made = b.save(FILE, "one")
    all_read_all(*desks)
    assert not any(desk.ledger.may_write(PATH) for desk in desks), "neither who made it nor an admin"
    refused = [desk.save(FILE, text) for desk in (a, b) for text in ("mine", None)]
    all_read_all(*desks)
    for desk in desks:
        assert [desk.accepted(change) for change in (made, *refused)] == [True, False, False, False, False]
        assert desk.texts(FILE) == {"one"}


def test_what_follows_a_refused_change_is_refused_too() -> None:
    a, b = office("a", "b", rules=ONCE)
    made = a.save(FILE, "one")
    b.read(a)
    edit = b.save(FILE, "two", naming=(made,))
    again = b.save(FILE, "three", naming=(edit,))
    a.read(b)
    assert [a.accepted(change) for change in (edit, again)] == [False, False]


def test_of_two_made_at_the_same_time_the_same_one_stands_everywhere() -> None:
    desks = a, b, _ = office("a", "b", "c", rules=ONCE)
    made = {desk.id: desk.save(FILE, text) for desk, text in ((a, "one"), (b, "two"))}
    all_read_all(*desks)
    settled = a.save(FILE, "one", naming=made.values())
    all_read_all(*desks)
    for desk in desks:
        verdict = desk.ledger.verdict(PATH, desk.heads(FILE))
        assert verdict.winner is not None
        assert verdict.winner.id == made[max(made)]
        assert [loser.id for loser in verdict.losers] == [made[min(made)]]
        assert not desk.accepted(settled), "to choose the other one would be to replace what stands"


def test_a_name_is_free_again_once_an_admin_had_it_removed() -> None:
    a, b = office("a", "b", rules=ONCE)
    wrong = b.save(FILE, "one")
    a.read(b)
    a.say(SetRules(DEFAULT_RULES, a.ledger.cut()))
    gone = a.save(FILE, None)
    a.say(SetRules(ONCE, a.ledger.cut()))
    b.read(a)
    assert b.ledger.may_write(PATH)
    right = b.save(FILE, "two")
    a.read(b)
    for desk in (a, b):
        assert [desk.accepted(change) for change in (wrong, gone, right)] == [True, True, True]
        assert desk.texts(FILE) == {"two"}
        assert not desk.ledger.may_write(PATH)


def test_what_was_edited_before_the_rule_stays_and_what_did_not_know_of_it_is_set_aside() -> None:
    a, b = office("a", "b")
    b.save(FILE, "one")
    known = b.save(FILE, "two")
    a.read(b)
    a.say(SetRules(ONCE, a.ledger.cut()))
    unknowing, new = b.save(FILE, "three"), b.save("iso20022/another", "four")
    all_read_all(a, b)
    for desk in (a, b):
        assert [desk.accepted(change) for change in (known, unknowing, new)] == [True, False, True]
        assert desk.texts(FILE) == {"two"}


@st.composite
def lives(draw: st.DrawFn, *further: str) -> tuple[list[Desk], list[ChangeId]]:
    """Three that save and read one another, and what they made; with the deed "rules" they turn the rule on and off."""
    deeds = ["save", "save", "save", "read", "read", *further]
    desks = office("a", "b", "c", rules=ONCE, admin=True)
    made: list[ChangeId] = []
    for _ in range(draw(st.integers(1, 15))):
        desk = draw(st.sampled_from(desks))
        match draw(st.sampled_from(deeds)):
            case "save":
                heads = [head.id for head in desk.heads(FILE)]
                naming = draw(st.lists(st.sampled_from(heads), unique=True)) if heads else []
                made.append(desk.save(FILE, draw(st.sampled_from([*TEXTS[:3], None])), naming=naming))
            case "read":
                desk.read(draw(st.sampled_from(desks)))
            case _:
                desk.say(SetRules(draw(st.sampled_from([ONCE, DEFAULT_RULES])), desk.ledger.cut()))
    return desks, made


@settings(max_examples=60, deadline=None)
@given(lives("rules"), st.randoms(use_true_random=False))
def test_the_same_blocks_in_any_order_give_the_same_heads_and_refusals(
    life: tuple[list[Desk], list[ChangeId]], rng: Random
) -> None:
    desks, made = life
    blocks = [raw for desk in desks for raw in desk.blocks()]
    seen = []
    for number in range(3):
        rng.shuffle(blocks)
        reader = Desk(f"reader {number}", desks[0].mandate)
        reader.take(blocks)
        heads = {head.id for head in reader.heads(FILE)}
        winner = reader.ledger.verdict(PATH, reader.heads(FILE)).winner
        seen.append((heads, [reader.accepted(change) for change in made], winner and winner.id))
        refused = {change.id for change in reader.state.refused(100)}
        assert refused == {change for change in made if not reader.accepted(change)}
    assert seen[0] == seen[1] == seen[2]


@settings(max_examples=60, deadline=None)
@given(lives())
def test_under_the_rule_alone_no_first_version_ever_stops_standing(life: tuple[list[Desk], list[ChangeId]]) -> None:
    desks, made = life
    reader = Desk("reader", desks[0].mandate)
    reader.take(raw for desk in desks for raw in desk.blocks())
    changes = reader.state.changes(made)
    first = {change for change in made if changes[change].entry.content is not None and not changes[change].named}
    assert first <= {head.id for head in reader.heads(FILE)}
