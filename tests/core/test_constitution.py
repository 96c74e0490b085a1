"""The same authority blocks mean the same, in whatever order they arrive; a right is won by an admin's word alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.clock import Tip
from p2psync.core.cut import Cut
from p2psync.core.ids import BlockHash, ChangeId, DeviceId, LogId
from p2psync.core.period import Period
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role
from p2psync.core.statement import (
    Admit,
    Closed,
    Freeze,
    Genesis,
    Give,
    Leave,
    Rename,
    SetAttach,
    SetCurrent,
    SetHosts,
    SetOwner,
    SetPerson,
    SetRole,
    SetRules,
    SetSecret,
    Unfreeze,
    UnknownStatement,
)
from tests.core.court import RECOVERY, SECRET_FILES, STRANGER, Court, admit, genesis, revoke
from tests.core.making import ANNA, BERT, CARL, DORA, digest

PEOPLE = [ANNA, BERT, CARL, DORA]
people = st.sampled_from(PEOPLE)
PERIODS = [Period(date(year, 1, 1), date(year, 12, 31)) for year in (2024, 2025)]
paths = st.sampled_from(["x.ecf", "y.ecf", "z.crp"])
cuts = st.sampled_from([Cut(), Cut({LogId(b"l" * 16): (Tip(1, digest("t")),)})])
said = st.one_of(
    st.builds(admit, people, st.sampled_from(Role), st.booleans()),
    st.builds(revoke, people, cuts),
    st.builds(SetRole, people, st.sampled_from(Role), st.booleans(), cuts),
    st.builds(SetRules, st.sampled_from([DEFAULT_RULES, SECRET_FILES]), cuts),
    st.builds(Rename, st.text("abc", max_size=2)),
    st.builds(SetSecret, st.integers(1, 3), st.binary(max_size=1)),
    st.builds(Freeze, st.sampled_from(PERIODS), st.just((Closed(parse("a.crp"), ChangeId(digest("c"), 0)),)), cuts),
    st.builds(Unfreeze, st.sampled_from(PERIODS)),
    st.builds(SetCurrent, st.dates(), st.text("abc", max_size=2)),
    st.builds(SetHosts, st.sampled_from([(), ("a",), ("b", "c")])),
    st.builds(SetOwner, paths, people),
    st.builds(Give, paths, people),
    st.builds(SetPerson, people, st.text("abc", max_size=2)),
    st.builds(SetAttach, st.booleans()),
    st.just(Leave()),
    st.just(UnknownStatement("later")),
)
Said = tuple[str, DeviceId, tuple[Any, ...], str]
"""Name, author, statements, and the names of the blocks that it was written after."""


@st.composite
def debates(draw: st.DrawFn) -> list[Said]:
    """What several admins say, partly at the same time; each had read its own words and some of others."""
    made: list[Said] = [("0", ANNA, (genesis(), admit(BERT, admin=True), admit(CARL, admin=True)), "")]
    for number in range(1, draw(st.integers(2, 8))):
        author = draw(st.sampled_from([*PEOPLE, RECOVERY, STRANGER]))
        read = {name for name, who, *_ in made if who == author} | {"0"}
        read |= set(draw(st.lists(st.sampled_from([name for name, *_ in made]), max_size=2)))
        statements = draw(st.lists(said, min_size=1, max_size=2))
        made.append((f"{number}", author, tuple(statements), " ".join(sorted(read))))
    return made


def arrived(debate: Sequence[Said]) -> Court:
    court = Court()
    for name, author, statements, after in debate:
        court.say(name, author, *statements, after=after)
    return court


@st.composite
def arrivals(draw: st.DrawFn, debate: list[Said]) -> list[Said]:
    """An order in which a device may take the blocks in: each after those that it names."""
    waiting, done = list(debate), list[Said]()
    while waiting:
        here = {name for name, *_ in done}
        ready = [said for said in waiting if set(said[3].split()) <= here]
        done.append(draw(st.sampled_from(ready)))
        waiting.remove(done[-1])
    return done


def outcome(court: Court, debate: Sequence[Said]) -> object:
    """All that anybody can learn from a constitution, by the names of the blocks."""
    names: dict[BlockHash, str] = {digest(name): name for name, *_ in debate}
    by_index = {index: names[block] for block, index in court.constitution._index.items()}
    turns = [(by_index[t.index], t.author, t.statement, t.void) for t in court.constitution.turns]
    views = [court.seen_from(name, outside=outside) for name, *_ in debate for outside in (False, True)]
    return court.now, turns, court.constitution.unknown, views


@settings(max_examples=300)
@given(debates(), st.data())
def test_the_same_blocks_mean_the_same_in_whatever_order_they_came(debate: list[Said], data: st.DataObject) -> None:
    assert outcome(arrived(debate), debate) == outcome(arrived(data.draw(arrivals(debate))), debate)


@given(debates(), st.data())
def test_a_right_is_never_won_without_an_admins_word(debate: list[Said], data: st.DataObject) -> None:
    court = arrived(debate)
    admins = {ANNA, RECOVERY}
    for turn in court.constitution.turns:
        if not turn.void and isinstance(turn.statement, SetPerson):
            assert turn.author in admins | {turn.statement.device}
        elif not turn.void and not isinstance(turn.statement, Genesis | Leave | Give):
            assert turn.author in admins
        if not turn.void and isinstance(turn.statement, Admit | SetRole) and turn.statement.admin:
            admins.add(turn.statement.device)


@given(debates())
def test_judging_by_everything_gives_what_holds_now(debate: list[Said]) -> None:
    court = arrived(debate)
    everything = " ".join(name for name, *_ in debate)
    assert court.seen_from(everything) == court.now


@given(debates())
def test_it_says_true_when_nothing_older_is_judged_otherwise(debate: list[Said]) -> None:
    """What `add` returns is what makes the ledger judge all blocks again."""
    court = Court()
    known: list[str] = []
    for name, author, statements, after in debate:
        before = [court.seen_from(one, outside=o) for one in known for o in (False, True)]
        if not court.say(name, author, *statements, after=after):
            assert [court.seen_from(one, outside=o) for one in known for o in (False, True)] == before
        known.append(name)
