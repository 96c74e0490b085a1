"""What a peer gave unasked is placed without asking for it, once, and if it is what it seems."""

from __future__ import annotations

from p2psync.core.block import ORDINARY
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import parse
from p2psync.engine.effects import Fetch, Place
from p2psync.engine.events import Outcome
from p2psync.engine.placement import GIVEN_MAX, GIVEN_S
from tests.engine.rig import content
from tests.engine.test_placement import done, wanting

PATH = parse("a.txt")


def test_what_was_given_unasked_is_placed_at_once() -> None:
    rig = wanting(("a.txt", "one"), ("b.txt", "one"))
    rig.replica.placement.given(ORDINARY, [content("one"), content("two")])
    [fetch, place] = rig.effects()
    assert isinstance(fetch, Fetch)
    assert isinstance(place, Place)
    assert [item.path for item in place.items] == ["a.txt"]
    assert [wanted.path for wanted in fetch.wanted] == ["b.txt"], "it may be taken once"
    rig.placed(done("a.txt"))
    assert rig.todo() == ["b.txt"]


def test_what_was_given_and_is_not_what_it_seemed_is_fetched() -> None:
    rig = wanting(("a.txt", "one"))
    rig.replica.placement.given(ORDINARY, [content("one")])
    assert [item.path for item in rig.places()] == ["a.txt"]
    rig.placed(Outcome(PATH, False, problem=Problem(PATH, Code.CONTENT_MISSING)))
    assert rig.desk.state.problems() == []
    assert rig.fetches() == [content("one")]
    rig.fetched("one")
    assert [item.path for item in rig.places()] == ["a.txt"]
    rig.placed(Outcome(PATH, False, problem=Problem(PATH, Code.CONTENT_MISSING)))
    assert [problem.code for problem in rig.desk.state.problems()] == [Code.CONTENT_MISSING]


def test_what_was_given_for_other_files_or_long_ago_is_fetched() -> None:
    rig = wanting(("a.txt", "one"))
    rig.replica.placement.given("restricted *.ecs", [content("one")])
    assert rig.fetches() == [content("one")]
    rig = wanting(("a.txt", "one"))
    rig.replica.placement.given(ORDINARY, [content("one")])
    rig.after(GIVEN_S + 1)
    assert rig.fetches() == [content("one")]
    rig = wanting(("a.txt", "0"))
    rig.replica.placement.given(ORDINARY, [content(str(number)) for number in range(GIVEN_MAX + 1)])
    assert rig.fetches() == [content("0")], "only so many are kept in mind"
