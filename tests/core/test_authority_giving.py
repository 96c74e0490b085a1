"""What members may say without being admins: who they are, and that a file of theirs is another's from now on."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core import authority
from p2psync.core.cut import Cut
from p2psync.core.ids import DeviceId
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import DEFAULT_RULES, Role
from p2psync.core.statement import Give, SetOwner, SetPerson, SetRole
from tests.core.court import RECOVERY, SECRET_FILES, STRANGER, Court, admit, genesis, revoke
from tests.core.making import ANNA, BERT, CARL, DORA

PATH = parse("x.ecf")
EMIL = DeviceId(b"e" * 32)


def court() -> Court:
    """Anna's accounting; Bert, Carl and Emil, who write invoices; Dora, who writes wages."""
    made = Court(genesis())
    people = (admit(BERT), admit(CARL), admit(EMIL), admit(DORA, Role.PAYROLL))
    made.say("1", ANNA, *people, after="genesis")
    return made


def owner(made: Court, *makers: DeviceId, path: RelPath = PATH) -> DeviceId | None:
    """Whose the file is if these made it."""
    return made.now.owner_of(path, made.now.rules.rule_for(path), lambda _: frozenset(makers))


# -- whose a file is -----------------------------------------------------------------------------------


def test_who_made_a_file_gives_it_to_another() -> None:
    made = court()
    assert owner(made, BERT) == BERT
    made.say("2", BERT, Give(PATH, CARL), after="1")
    assert owner(made, BERT) == CARL
    assert owner(made, DORA) is None, "it was never Dora's, who may own none such"
    made.say("3", CARL, Give(PATH, EMIL), after="2")
    made.say("4", EMIL, Give(PATH, BERT), after="3")
    assert owner(made, BERT) == BERT
    made.say("5", BERT, Give(PATH, EMIL), after="4")
    assert owner(made, BERT) == EMIL
    assert made.void == []


def test_what_a_member_has_not_it_cannot_give() -> None:
    """Who made the file stands nowhere in these blocks: so the word counts, and moves nothing."""
    made = court()
    made.say("2", CARL, Give(PATH, EMIL), after="1")
    assert owner(made, BERT) == BERT
    assert owner(made, BERT, CARL) == BERT
    assert owner(made, CARL) == EMIL
    made.say("3", CARL, Give(PATH, BERT), after="2")
    assert made.void == ["Give"], "it gave that away before"


def test_a_file_goes_on_being_anothers_when_its_maker_has_left() -> None:
    made = court()
    made.say("2", BERT, Give(PATH, CARL), after="1")
    made.say("3", ANNA, revoke(BERT), after="2")
    assert owner(made, BERT) == CARL
    made.say("4", ANNA, revoke(CARL), after="3")
    assert owner(made, BERT) is None


def test_a_file_that_an_admin_gave_is_given_on_by_its_owner_alone() -> None:
    made = court()
    made.say("2", ANNA, SetOwner(PATH, DORA), after="1")
    made.say("3", BERT, Give(PATH, CARL), after="2")
    assert (owner(made, BERT), made.void) == (DORA, ["Give"])
    made.say("4", DORA, Give(PATH, CARL), after="3")
    assert owner(made, BERT) == CARL
    made.say("5", DORA, Give(PATH, BERT), after="4")
    assert (owner(made, BERT), made.void) == (CARL, ["Give", "Give"])


def test_an_admins_word_undoes_what_was_given_before() -> None:
    made = court()
    made.say("2", BERT, Give(PATH, CARL), after="1")
    made.say("3", ANNA, SetOwner(PATH, BERT), after="2")
    assert (owner(made, BERT), made.now.given) == (BERT, {})


def test_only_to_a_member_that_may_own_such_a_file() -> None:
    made = court()
    for number, (path, to) in enumerate(
        [(PATH, DORA), (PATH, STRANGER), (PATH, BERT), ("x.crp", CARL), ("x.txt", CARL)]
    ):
        made.say(f"no {number}", BERT, Give(path, to), after="1")
    for author in (STRANGER, RECOVERY, DORA, ANNA):
        made.say(f"by {author[:1].hex()}", author, Give(PATH, CARL), after="1")
    assert (made.void, made.now.given) == (["Give"] * 9, {})


def test_a_restricted_file_is_named_to_nobody() -> None:
    made = Court(genesis(rules=SECRET_FILES))
    made.say("1", ANNA, admit(BERT, Role.PAYROLL), admit(CARL, Role.PAYROLL), after="genesis")
    made.say("2", BERT, Give("x.ecs", CARL), after="1")
    assert made.void == ["Give"]


def test_nobody_gives_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "GIVEN_MAX", 2)
    made = court()
    made.say("2", BERT, *(Give(f"{n}.ecf", CARL) for n in range(3)), Give("0.ecf", CARL), after="1")
    assert (sorted(made.now.given), made.void) == (["0.ecf", "1.ecf"], ["Give", "Give"])
    made.say("3", CARL, Give("1.ecf", EMIL), after="2")
    assert owner(made, BERT, path=parse("1.ecf")) == EMIL


def test_a_word_counts_for_blocks_that_know_of_it() -> None:
    made = court()
    made.say("2", BERT, Give(PATH, CARL), after="1")
    rule = DEFAULT_RULES.rule_for(PATH)
    seen = [made.seen_from(view).owner_of(PATH, rule, lambda _: {BERT}) for view in ("1", "2")]
    assert seen == [BERT, CARL]


@pytest.mark.parametrize("named", [False, True])
def test_of_an_owners_and_an_admins_word_at_the_same_time_the_admins_counts(named: bool) -> None:
    """Whoever of the two is senior, and in whatever order the words come."""
    for admin, of in ((CARL, BERT), (BERT, CARL)):
        words = {"own": (of, Give(PATH, EMIL)), "admin": (admin, SetOwner(PATH, DORA)), "other": (EMIL, Give(PATH, of))}
        for order in permutations(words):
            made = court()
            first = (SetOwner(PATH, of),) if named else ()
            made.say("2", ANNA, SetRole(admin, Role.INVOICING, True, Cut()), *first, after="1")
            for name in order:
                made.say(name, *words[name], after="2")
            assert owner(made, of) == DORA


INVOICERS = st.sampled_from([BERT, CARL, EMIL])


@settings(max_examples=200)
@given(st.lists(st.tuples(INVOICERS, INVOICERS), max_size=8), INVOICERS)
def test_one_owner_at_a_time_and_only_it_gives(words: list[tuple[DeviceId, DeviceId]], maker: DeviceId) -> None:
    """Words in a row about one file: it goes from hand to hand, and others' words move it nowhere."""
    made, holder = court(), maker
    for number, (giver, to) in enumerate(words):
        made.say(f"{number + 2}", giver, Give(PATH, to), after=f"{number + 1}")
        holder = to if giver == holder else holder
        assert owner(made, maker) == holder


# -- who people are ------------------------------------------------------------------------------------


def test_who_works_at_a_device_is_said_by_itself_or_by_an_admin() -> None:
    made = court()
    made.say("2", BERT, SetPerson(BERT, "Bert"), after="1")
    made.say("3", ANNA, SetPerson(CARL, "Carl Weiss"), after="2")
    made.say("4", CARL, SetPerson(BERT, "Beelzebub"), after="3")
    made.say("5", ANNA, SetPerson(STRANGER, "nobody"), after="4")
    assert {d: m.person for d, m in made.now.members.items() if m.person} == {BERT: "Bert", CARL: "Carl Weiss"}
    assert made.void == ["SetPerson"]
    made.say("6", BERT, SetPerson(BERT, ""), after="5")
    assert made.now.members[BERT].person == ""


def test_a_member_that_comes_back_is_still_the_same_person() -> None:
    made = court()
    made.say("2", ANNA, SetPerson(BERT, "Bert"), revoke(BERT), after="1")
    made.say("3", BERT, SetPerson(BERT, "Bertha"), after="2")
    assert (made.now.former[BERT].person, made.void) == ("Bert", ["SetPerson"])
    made.say("4", ANNA, admit(BERT, Role.PAYROLL), after="3")
    assert made.now.members[BERT].person == "Bert"
