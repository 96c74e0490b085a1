"""Who belongs is a function of the set of authority blocks: no order of arrival, no clock on the wall."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from blake3 import blake3

from p2psync.core.authority import RANK_CREATOR, RANK_RECOVERY, RANK_STRANGER, Authority, Member, mandate_id_of
from p2psync.core.clock import Tip
from p2psync.core.cut import Cut
from p2psync.core.ids import ChangeId, DeviceId, LogId
from p2psync.core.period import Period
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, parse_setting
from p2psync.core.statement import (
    CancelIssue,
    Closed,
    Freeze,
    Genesis,
    Issue,
    Leave,
    Rename,
    Revoke,
    SetAttach,
    SetCurrent,
    SetHosts,
    SetOwner,
    SetPerson,
    SetPrimary,
    SetRole,
    SetRules,
    SetSecret,
    Share,
    Unfreeze,
    UnknownStatement,
)
from tests.core.court import RECOVERY, SALT, SECRET_FILES, STRANGER, Court, admit, genesis, revoke
from tests.core.making import ANNA, BERT, CARL, DORA, digest

YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))
CHANGE = ChangeId(digest("c"), 0)

# -- the beginning -----------------------------------------------------------------------------------


def test_a_mandates_id_binds_its_creator() -> None:
    assert mandate_id_of(SALT, ANNA) == blake3(b"p2psync mandate\0" + ANNA + SALT).digest()[:16]
    assert len({mandate_id_of(SALT, ANNA), mandate_id_of(SALT, BERT), mandate_id_of(b"t" * 16, ANNA)}) == 3


def test_the_creator_is_admin_and_primary() -> None:
    court = Court(genesis())
    assert court.now.members == {ANNA: Member(ANNA, b"cert", "PC", Role.ACCOUNTING, True, RANK_CREATOR)}
    assert (court.now.name, court.now.primary, court.now.recovery, court.now.shared) == ("Cargo", ANNA, RECOVERY, False)
    assert court.now.is_founded
    assert Court(genesis(role=Role.PAYROLL)).now.primary is None


def test_nothing_counts_before_the_genesis() -> None:
    court = Court()
    assert not court.now.is_founded
    court.say("early", ANNA, admit(ANNA, admin=True), Rename("mine"), SetPrimary(ANNA))
    assert court.now == Authority()
    assert court.void == ["Admit", "Rename", "SetPrimary"]


@pytest.mark.parametrize(
    ("author", "statement", "seq"),
    [
        (BERT, genesis(), 1),
        (ANNA, genesis(salt=b"t" * 16), 1),
        (BERT, genesis(salt=b"t" * 16), 1),
        (ANNA, genesis(), 2),
    ],
)
def test_a_genesis_that_does_not_fit_the_mandates_id_is_void(author: DeviceId, statement: Genesis, seq: int) -> None:
    court = Court()
    court.say("false", author, statement, seq=seq)
    assert (court.now, court.void) == (Authority(), ["Genesis"])
    court.say("true", ANNA, genesis(name="true"))
    assert court.now.name == "true"


def test_a_second_genesis_is_void() -> None:
    court = Court(genesis(name="first"))
    court.say("admit", ANNA, admit(BERT), after="genesis")
    court.say("second", ANNA, genesis(name="second"), after="admit")
    assert (court.now.name, court.members, court.void) == ("first", {ANNA, BERT}, ["Genesis"])


def test_a_second_genesis_is_void_even_when_nobody_is_left() -> None:
    """A creator whose PC was stolen is revoked by the recovery key; that PC cannot begin anew."""
    court = Court(genesis())
    court.say("revoke", RECOVERY, revoke(ANNA), after="genesis")
    court.say("again", ANNA, genesis(name="mine again"), after="revoke")
    assert (court.members, court.now.name, court.void) == (set(), "Cargo", ["Genesis"])


def test_of_two_beginnings_by_the_creator_one_counts_on_every_device() -> None:
    outcomes = set()
    for order in (("one", "two"), ("two", "one")):
        court = Court()
        for name in order:
            court.say(name, ANNA, genesis(name=name))
        outcomes.add((court.now.name, tuple(court.void)))
    assert len(outcomes) == 1


# -- what statements mean ----------------------------------------------------------------------------


def test_each_statement_changes_its_own_thing() -> None:
    court = Court(genesis())
    issue = Issue(b"t", Role.PAYROLL, False, 1, 5)
    steps: list[tuple[Any, Authority]] = []
    table: list[tuple[Any, dict[str, Any]]]
    expected = court.now
    rules = DEFAULT_RULES.with_setting(parse_setting("*.crp=enforce"))
    bert = Member(BERT, b"cert b", "PC", Role.INVOICING, False, 2)
    table = [
        (Rename("New"), {"name": "New"}),
        (Share(), {"shared": True}),
        (issue, {"issued": {b"t": issue}}),
        (
            admit(BERT, ticket=b"t"),
            {"members": {**expected.members, BERT: bert}, "next_rank": 3, "admitted_by_ticket": {b"t": (BERT,)}},
        ),
        (
            SetRole(BERT, Role.READER, True, Cut()),
            {"members": {**expected.members, BERT: replace(bert, role=Role.READER, admin=True)}},
        ),
        (SetRules(rules, Cut()), {"rules": rules}),
        (SetOwner("x.ecf", BERT), {"owners": {"x.ecf": BERT}}),
        (SetPrimary(BERT), {"primary": BERT}),
        (SetAttach(True), {"attach_admins": True}),
        (SetAttach(False), {"attach_admins": False}),
        (SetSecret(3, b"three"), {"secret_number": 3, "secret_digest": b"three"}),
        (SetSecret(3, b"another"), {}),
        (SetSecret(2, b"older"), {}),
        (CancelIssue(b"t"), {"issued": {}}),
        (Freeze(YEAR, (Closed(parse("Ä.crp"), CHANGE),), Cut()), {"frozen": {YEAR: {"ä.crp"}}}),
        (Freeze(YEAR, (Closed(parse("b.ecf"), CHANGE),), Cut()), {"frozen": {YEAR: {"ä.crp", "b.ecf"}}}),
        (Unfreeze(YEAR), {"frozen": {}}),
        (SetCurrent(date(2025, 6, 30)), {"current_until": date(2025, 6, 30)}),
        (SetCurrent(date(2025, 5, 31), "sent"), {"current_until": date(2025, 5, 31), "current_note": "sent"}),
        (SetCurrent(date(2025, 7, 31)), {"current_until": date(2025, 7, 31), "current_note": ""}),
        (SetHosts(("wss://meet.example",)), {"hosts": ("wss://meet.example",)}),
        (SetHosts(()), {"hosts": ()}),
        (SetRole(STRANGER, Role.READER, True, Cut()), {}),
        (revoke(STRANGER), {}),
    ]
    for statement, changes in table:
        expected = replace(expected, **changes)
        steps.append((statement, expected))
    for number, (statement, after) in enumerate(steps):
        court.say(f"{number}", ANNA, statement, after=f"{number - 1}" if number else "genesis")
        assert court.now == after, statement
    assert court.void == []


def test_who_was_revoked_is_remembered_with_its_rank() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), admit(CARL), after="genesis")
    court.say("2", ANNA, revoke(BERT), after="1")
    assert court.members == {ANNA, CARL}
    assert set(court.now.former) == {BERT}
    court.say("3", ANNA, admit(BERT, Role.PAYROLL), admit(DORA), after="2")
    assert court.now.former == {}
    assert [court.now.rank(d) for d in (ANNA, BERT, CARL, DORA)] == [1, 2, 3, 4]
    assert court.now.members[BERT].role == Role.PAYROLL


def test_a_member_leaves_by_its_own_word_and_nobody_elses() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), after="genesis")
    court.say("2", BERT, Leave(), after="1")
    assert court.members == {ANNA}
    assert set(court.now.former) == court.now.left == {BERT}
    court.say("3", BERT, Leave(), after="2")
    court.say("4", STRANGER, Leave(), after="2")
    assert court.void == ["Leave", "Leave"]


@pytest.mark.parametrize("leaves", [True, False])
def test_the_secret_is_stale_until_one_is_made_that_who_went_does_not_know(leaves: bool) -> None:
    court = Court(genesis())
    court.say("1", ANNA, SetSecret(2, b"two"), admit(BERT), admit(CARL), after="genesis")
    assert not court.now.secret_is_stale
    court.say("2", BERT if leaves else ANNA, Leave() if leaves else revoke(BERT), after="1")
    assert court.now.secret_is_stale
    court.say("3", ANNA, SetSecret(2, b"another"), after="2")
    assert court.now.secret_is_stale, "an older one, or one of another admin that counts less"
    court.say("4", ANNA, SetSecret(3, b"three"), after="3")
    assert not court.now.secret_is_stale
    court.say("5", ANNA, revoke(BERT), SetSecret(4, b"four"), revoke(BERT), after="4")
    assert not court.now.secret_is_stale, "he is no member any more"


def test_a_removal_is_told_by_the_blocks_up_to_it() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), admit(CARL, admin=True), after="genesis")
    court.say("2", ANNA, Rename("before"), after="1")
    court.say("unread", CARL, Rename("at the same time"), after="1")
    court.say("3", ANNA, revoke(BERT), after="2")
    court.say("4", ANNA, Rename("after"), after="3 unread")
    court.say("5", CARL, revoke(BERT), after="4")
    removal = court.constitution.removal_of(BERT)
    assert removal is not None
    assert removal.by == ANNA
    assert removal.blocks == tuple(map(digest, ("genesis", "1", "2", "3")))
    assert court.constitution.removal_of(ANNA) is None
    assert court.constitution.removal_of(STRANGER) is None


def test_who_was_removed_came_back_and_left_was_removed_by_itself() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), after="genesis")
    court.say("2", ANNA, revoke(BERT), after="1")
    court.say("3", ANNA, admit(BERT), after="2")
    assert court.constitution.removal_of(BERT) is None
    court.say("4", BERT, Leave(), after="3")
    removal = court.constitution.removal_of(BERT)
    assert removal is not None
    assert (removal.by, removal.blocks[-1]) == (BERT, digest("4"))


def test_one_ticket_may_bring_several() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT, ticket=b"t"), admit(CARL, ticket=b"t"), admit(DORA), after="genesis")
    assert court.now.admitted_by_ticket == {b"t": (BERT, CARL)}


# -- who may say what --------------------------------------------------------------------------------


@pytest.mark.parametrize("author", [BERT, CARL, STRANGER])
@pytest.mark.parametrize(
    "statement",
    [
        *(admit(STRANGER, admin=True), revoke(ANNA), SetRole(CARL, Role.ACCOUNTING, True, Cut()), Share()),
        *(SetRules(SECRET_FILES, Cut()), SetOwner("x", CARL), SetPrimary(CARL), Rename("mine"), SetSecret(9, b"x")),
        *(Issue(b"t", Role.PAYROLL, True, 1, 1), CancelIssue(b"t"), genesis(), SetAttach(True), SetPerson(ANNA, "me")),
    ],
    ids=lambda s: type(s).__name__,
)
def test_only_admins_are_heard(author: DeviceId, statement: Any) -> None:
    """Bert was an admin until he was revoked, Carl is a member."""
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT, admin=True), admit(CARL), after="genesis")
    court.say("2", ANNA, revoke(BERT), after="1")
    before = court.now
    court.say("3", author, statement, after="2")
    assert court.now == before
    assert court.void == [type(statement).__name__]


def test_a_void_statement_stays_void() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), after="genesis")
    court.say("2", BERT, Rename("mine"), after="1")
    court.say("3", ANNA, SetRole(BERT, Role.PAYROLL, True, Cut()), after="2")
    assert court.now.name == "Cargo"
    court.say("4", BERT, Rename("ours"), after="3")
    assert court.now.name == "ours"
    assert court.void == ["Rename"]


def test_rights_change_within_a_block() -> None:
    court = Court(genesis())
    court.say(
        "1", ANNA, admit(BERT, admin=True), SetRole(ANNA, Role.READER, False, Cut()), Rename("late"), after="genesis"
    )
    assert court.now.name == "Cargo"
    assert court.void == ["Rename"]
    court.say("2", BERT, Rename("Bert's"), after="1")
    assert court.now.name == "Bert's"


def test_of_two_who_revoke_each_other_the_senior_stays() -> None:
    for order in (("a", "b"), ("b", "a")):
        court = Court(genesis())
        court.say("1", ANNA, admit(BERT, admin=True), admit(CARL, admin=True), after="genesis")
        for name in order:
            if name == "a":
                court.say("a", BERT, revoke(CARL), after="1")
            else:
                court.say("b", CARL, revoke(BERT), after="1")
        assert court.members == {ANNA, BERT}
        assert court.void == ["Revoke"]


def test_a_senior_who_had_read_a_juniors_word_comes_after_it() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT, admin=True), admit(CARL, admin=True), after="genesis")
    court.say("2", CARL, revoke(BERT), after="1")
    court.say("3", BERT, revoke(CARL), after="2")
    assert court.members == {ANNA, CARL}


def test_seniority_goes_recovery_key_creator_then_admission() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT, admin=True), admit(CARL, admin=True), after="genesis")
    assert [court.now.rank(d) for d in (RECOVERY, ANNA, BERT, CARL, STRANGER)] == [
        *(RANK_RECOVERY, RANK_CREATOR, 2, 3, RANK_STRANGER)
    ]
    for name, author in (("c", CARL), ("b", BERT), ("a", ANNA), ("r", RECOVERY)):
        court.say(name, author, Rename(name), after="1")
    assert [t.statement.name for t in court.constitution.turns[-4:]] == ["r", "a", "b", "c"]
    assert court.now.name == "c", "what is said last stands"


def test_the_recovery_key_is_senior_to_the_creator() -> None:
    for order in (("r", "a"), ("a", "r")):
        court = Court(genesis())
        for name in order:
            if name == "r":
                court.say("r", RECOVERY, admit(BERT, admin=True), revoke(ANNA), after="genesis")
            else:
                court.say("a", ANNA, admit(STRANGER, admin=True), after="genesis")
        assert court.members == {BERT}
        assert court.void == ["Admit"]


def test_equals_speak_in_the_order_of_their_blocks_hashes() -> None:
    """One admin's log may have forked: both branches have the same author."""
    names = ["one", "two", "three", "four"]
    for order in (names, names[::-1]):
        court = Court(genesis())
        for name in order:
            court.say(name, ANNA, Rename(name), after="genesis")
        assert [t.statement.name for t in court.constitution.turns[1:]] == sorted(names, key=digest)


def test_an_unknown_statement_by_an_admin_stops_the_mandate() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), after="genesis")
    court.say("2", BERT, UnknownStatement("coup"), after="1")
    assert court.constitution.unknown is None, "by others it has no effect"
    court.say("3", ANNA, UnknownStatement("melt"), Rename("New"), after="1")
    assert court.constitution.unknown == "melt"
    assert court.now.name == "New"
    assert court.void == ["UnknownStatement", "UnknownStatement"]


def test_an_unknown_statement_of_one_revoked_at_the_same_time_stops_nothing() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT, admin=True), after="genesis")
    court.say("2", BERT, UnknownStatement("melt"), after="1")
    assert court.constitution.unknown == "melt"
    assert court.say("3", ANNA, revoke(BERT), after="1")
    assert court.constitution.unknown is None


def test_whom_somebody_tried_to_admit_is_no_stranger() -> None:
    """Its blocks are about, since some had accepted them; they do not count, but have to be taken in."""
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT, admin=True), after="genesis")
    court.say("2", BERT, admit(CARL), after="1")
    court.say("3", ANNA, revoke(BERT), after="1")
    assert court.members == {ANNA}
    named = [court.constitution.has_named(d) for d in (ANNA, BERT, CARL, RECOVERY, DORA)]
    assert named == [True, True, True, True, False]


def test_what_was_said_is_told_with_who_said_it_and_when() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT, Role.ACCOUNTING), admit(CARL), after="genesis")
    court.say("2", BERT, SetCurrent(date(2025, 6, 30)), Freeze(YEAR, (), Cut()), after="1")
    court.say("3", CARL, SetCurrent(date(2025, 7, 31)), after="2")
    assert court.void == ["Freeze", "SetCurrent"], "accounting says how far the books are, an admin freezes"
    assert list(court.constitution.stated(SetCurrent, Freeze)) == [(SetCurrent(date(2025, 6, 30)), BERT, 0)]


# -- how blocks are judged ---------------------------------------------------------------------------


def test_what_gives_counts_for_who_had_read_it() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), after="genesis")
    court.say("2", ANNA, admit(CARL), Rename("New"), after="1")
    assert set(court.seen_from("").members) == set()
    assert set(court.seen_from("genesis").members) == {ANNA}
    assert set(court.seen_from("1").members) == {ANNA, BERT}
    assert court.seen_from("1", outside=True).name == "Cargo"
    assert court.seen_from("2") == court.now


@pytest.mark.parametrize(
    ("statement", "is_taken"),
    [
        (revoke(BERT), lambda a: BERT not in a.members),
        (SetRole(BERT, Role.READER, False, Cut()), lambda a: a.members[BERT].role == Role.READER),
        (SetRules(SECRET_FILES, Cut()), lambda a: a.rules == SECRET_FILES),
        (Freeze(YEAR, (), Cut()), lambda a: YEAR in a.frozen),
    ],
    ids=["revoke", "role", "rules", "freeze"],
)
def test_what_takes_counts_for_all_outside_its_cut(statement: Any, is_taken: Any) -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), after="genesis")
    court.say("2", ANNA, statement, after="1")
    assert not is_taken(court.seen_from("1"))
    assert is_taken(court.seen_from("1", outside=True))
    assert is_taken(court.seen_from("2")), "who had read it is bound by it, wherever its block lies"


def test_what_takes_counts_also_for_who_had_read_something_else() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), admit(CARL, admin=True), after="genesis")
    court.say("2", ANNA, revoke(BERT), after="1")
    court.say("3", CARL, Rename("New"), after="1")
    assert [type(t.statement) for t in court.constitution.turns[-2:]] == [Revoke, Rename]
    assert BERT in court.seen_from("3").members
    assert BERT not in court.seen_from("3", outside=True).members
    assert court.seen_from("3", outside=True).name == "New"


def test_several_cuts_intersect() -> None:
    tips = [Tip(1, digest("t1")), Tip(2, digest("t2"))]
    cuts = [Cut({LogId(b"l" * 16): (tip,)}) for tip in tips]
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), admit(CARL), after="genesis")
    court.say("2", ANNA, revoke(BERT, cuts[0]), after="1")
    court.say("3", ANNA, SetRole(CARL, Role.READER, False, cuts[1]), after="1")
    view = court.constitution.view([digest("1")])
    for outside in ([], [cuts[0]], [cuts[1]], cuts):
        state = court.constitution.at(view, lambda cut, outside=outside: cut in outside)  # type: ignore[misc]
        assert (BERT in state.members) == (cuts[0] not in outside)
        assert (state.members[CARL].role == Role.READER) == (cuts[1] in outside)
    assert court.constitution.cuts == cuts or court.constitution.cuts == cuts[::-1]


def test_a_void_statement_takes_nothing() -> None:
    court = Court(genesis())
    court.say("1", ANNA, admit(BERT), admit(CARL), after="genesis")
    court.say("2", BERT, revoke(CARL), after="1")
    assert CARL in court.seen_from("1", outside=True).members
    assert court.constitution.cuts == []


def test_it_is_told_when_older_blocks_may_be_judged_otherwise() -> None:
    court = Court(genesis())
    assert court.say("1", ANNA, admit(BERT, admin=True), admit(CARL, admin=True), after="genesis") is False
    assert court.say("2", ANNA, Rename("x"), SetPrimary(BERT), SetSecret(1, b""), after="1") is False
    assert court.say("3", CARL, revoke(BERT), after="1") is True
    assert court.say("4", BERT, revoke(CARL), after="1") is True, "the senior is heard first: the other is void now"
    assert court.say("5", CARL, Rename("y"), after="1") is False, "void, and after all others"
    assert court.say("6", ANNA, Rename("z"), after="3 4") is True, "it comes before others, which may matter"
    assert court.say("7", STRANGER, revoke(ANNA), after="2 3 4 5 6") is False


def test_the_fewest_names_for_a_view() -> None:
    court = Court(genesis())
    court.say("1", ANNA, Rename("1"), after="genesis")
    court.say("2", ANNA, Rename("2"), after="1")
    court.say("side", ANNA, Rename("side"), after="genesis")
    maximal = court.constitution.maximal
    assert maximal([]) == ()
    assert maximal([digest("1")]) == (digest("1"),)
    assert maximal([digest("1"), digest("genesis")]) == (digest("1"),)
    assert maximal(map(digest, ("genesis", "1", "2", "side"))) == tuple(sorted([digest("2"), digest("side")]))
    view = court.constitution.view
    assert view(map(digest, ("genesis", "1", "2", "side"))) == view([digest("2"), digest("side")])


def test_a_constitution_knows_its_blocks() -> None:
    court = Court(genesis())
    assert digest("genesis") in court.constitution
    assert digest("other") not in court.constitution
