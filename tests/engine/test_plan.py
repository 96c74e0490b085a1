"""The list of what is to be done is what the disk does not show yet, and follows heads, bases and neighbours."""

from __future__ import annotations

import pytest

from p2psync.core.change import Change
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath, parse
from p2psync.core.rules import DEFAULT_RULES, parse_setting
from p2psync.engine.aim import Aim
from p2psync.engine.plan import BEGUN_MAX, FORESEEN_MAX
from p2psync.engine.site import BATCH_MAX, RETRY_AFTER_S
from p2psync.engine.state import BaseRow, LiveRow, TodoKind, TodoRow
from tests.engine.rig import Rig, content, file, seen

PATH = parse("a.txt")
WINDOWS = Folding(case_insensitive=True, normalising=True)


def live(rig: Rig, *paths: str) -> dict[RelPath, LiveRow]:
    return dict(rig.desk.state.live(map(parse, paths)))


# -- what is live, and what is to be done ------------------------------------------------------------


def test_what_the_others_wrote_is_to_be_placed() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.takes_in()
    [head] = rig.desk.heads("a.txt")
    assert rig.todo() == ["a.txt"]
    assert live(rig, "a.txt") == {PATH: LiveRow(PATH, head.entry, "a.txt", 1)}
    assert rig.replica.plan.more


def test_what_the_disk_shows_is_done() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    rig.author.read(rig.desk)
    rig.author.save("b.txt", "one")
    rig.takes_in().shows("b.txt", "one")
    assert rig.todo() == []
    assert set(live(rig, "a.txt", "b.txt")) == {"a.txt", "b.txt"}


def test_what_was_removed_is_live_no_more_and_to_be_taken_away() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    rig.author.read(rig.desk)
    rig.author.save("a.txt", None)
    rig.takes_in()
    assert live(rig, "a.txt") == {}
    assert rig.todo() == ["a.txt"]


def test_a_directory_is_live_too() -> None:
    rig = Rig()
    rig.author.ledger.append([Change(parse("dir"), EMPTY_DIRECTORY, ())], "", 1)
    rig.takes_in()
    assert live(rig, "dir")[parse("dir")].entry == EMPTY_DIRECTORY


def test_a_base_is_moved_to_heads_of_the_same_content() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    rig.author.save("a.txt", "one")
    rig.takes_in()
    base = rig.base("a.txt")
    assert base is not None
    assert set(base.heads) == {h.id for h in rig.desk.heads("a.txt")}
    assert len(base.heads) == 2
    assert rig.todo() == []


def test_losers_are_to_be_kept_whether_the_winner_stands_or_not() -> None:
    rig = Rig(rules=DEFAULT_RULES.with_setting(parse_setting("*.txt=prefer:accounting")))
    for path in ("a.txt", "b.txt"):
        rig.sees(path, "mine")
        rig.author.save(path, "yours")
    rig.takes_in()
    assert rig.todo(TodoKind.KEEP) == ["a.txt", "b.txt"]


def test_what_is_not_judged_yet_is_not_planned() -> None:
    rig = Rig()
    rig.desk.state.put_bases([BaseRow(PATH, file("mine"), None, ())])
    rig.desk.state.add_todo([TodoRow(PATH, TodoKind.JUDGE)])
    rig.author.save("a.txt", "one")
    rig.author.save("b.txt", "one")
    rig.takes_in()
    assert rig.todo() == ["b.txt"]
    assert rig.replica.plan.all_judged() is False
    rig.desk.state.drop_todo(TodoKind.JUDGE, [PATH])
    assert rig.replica.plan.all_judged() is True


def test_what_is_being_placed_is_remembered_through_a_crash() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.takes_in().effects()
    rig.fetched("one")
    assert len(rig.places()) == 1
    rig.author.save("a.txt", "two")
    rig.takes_in()
    for run in (rig, rig.restart()):
        [row] = run.desk.state.placing().values()
        assert row.put.content == content("one")
        run.replica.plan.touched([PATH])
    rig.open()
    rig.replica.plan.touched([PATH])
    assert rig.todo() == ["a.txt"]
    assert not rig.desk.state.placing(), "it did not happen: the scan found nothing"


def test_many_paths_are_planned_in_batches() -> None:
    rig = Rig()
    names = [f"{number:04}" for number in range(BATCH_MAX * 2 + 1)]
    for name in names:
        rig.author.save(name, "one")
    rig.takes_in()
    assert rig.desk.state.todo_count(TodoKind.PLACE) == len(names)
    rig.replica.plan.touched([])
    rig.replica.plan.renew_todo([])
    assert rig.desk.state.todo_count(TodoKind.PLACE) == len(names)


# -- directories -------------------------------------------------------------------------------------


def test_a_file_gives_way_when_something_appears_below_it_and_comes_back_after() -> None:
    rig = Rig()
    rig.author.save("dir", "one")
    rig.takes_in().shows("dir", "one")
    below = rig.author.save("dir/a.txt", "two")
    rig.takes_in()
    assert rig.todo() == ["dir", "dir/a.txt"]
    assert rig.replica.plan.aims([parse("dir")])[parse("dir")].put == ABSENT
    assert rig.todo(TodoKind.KEEP) == ["dir"]
    rig.shows("dir", None).shows("dir/a.txt", "two")
    rig.author.save("dir/a.txt", None, naming=[below])
    rig.takes_in()
    assert rig.todo() == ["dir", "dir/a.txt"]
    rig.shows("dir/a.txt", None).shows("dir", "one")


# -- slots -------------------------------------------------------------------------------------------


def place_all(rig: Rig) -> list[str]:
    """What is placed, when all that is wanted can be fetched."""
    rig.fetched("one", "two")
    return [item.path for item in rig.places()]


def test_of_two_paths_in_one_slot_the_lower_stands() -> None:
    rig = Rig(folding=WINDOWS)
    rig.author.save("Ä.txt", "one")
    rig.author.save("a\u0308.txt", "two")
    rig.takes_in().effects()
    assert place_all(rig) == ["a\u0308.txt"]
    assert rig.problems == [("Ä.txt", Code.NAME_COLLIDES)]
    assert rig.replica.plan.rival(Aim(parse("Ä.txt"), ABSENT, ())) is None, "what is absent takes no slot"


def test_what_stands_already_keeps_its_slot() -> None:
    rig = Rig(folding=WINDOWS)
    rig.author.save("b.txt", "one")
    rig.takes_in().shows("b.txt", "one")
    rig.author.save("B.txt", "two")
    rig.takes_in().effects()
    assert place_all(rig) == []
    assert list(rig.desk.state.problems()) == [Problem("B.txt", Code.NAME_COLLIDES, "b.txt")]
    rig.author.save("b.txt", None)
    rig.takes_in()
    assert set(rig.todo()) == {"B.txt", "b.txt"}, "its slot is free now"


def test_where_every_name_is_a_file_of_its_own_nothing_collides() -> None:
    rig = Rig()
    rig.author.save("B.txt", "one")
    rig.author.save("b.txt", "two")
    rig.takes_in().effects()
    assert place_all(rig) == ["B.txt", "b.txt"]
    assert rig.problems == []


def test_an_edit_of_what_stands_in_a_slot_is_placed() -> None:
    rig = Rig(folding=WINDOWS)
    rig.author.save("b.txt", "one")
    rig.takes_in().shows("b.txt", "one")
    rig.author.save("B.txt", "one")
    rig.author.save("b.txt", "two")
    rig.takes_in().effects()
    assert place_all(rig) == ["b.txt"]


# -- what is foreseen --------------------------------------------------------------------------------


def test_an_aim_is_foreseen_until_something_changes() -> None:
    rig = Rig()
    plan = rig.replica.plan
    rig.author.save("a.txt", "one")
    rig.takes_in()
    known = plan.foreseen(PATH)
    assert known is not None
    assert plan.open_aims([PATH]) == {PATH: known} == plan.aims([PATH])
    rig.author.save("a.txt", "two")
    rig.takes_in()
    assert plan.foreseen(PATH) == plan.aims([PATH])[PATH] != known
    rig.author.save("a.txt", None)
    rig.takes_in()
    assert plan.foreseen(PATH) is None, "nothing to be placed"


def test_what_has_several_heads_is_looked_at_each_time() -> None:
    rig = Rig()
    for text in ("one", "two"):
        rig.author.save("a.txt", text, naming=[])
    rig.takes_in()
    assert rig.replica.plan.foreseen(PATH) is None
    assert set(rig.replica.plan.open_aims([PATH])) == {PATH}


def test_few_are_foreseen_at_a_time() -> None:
    rig = Rig()
    changes = [Change(parse(f"{number:04}"), file("one"), ()) for number in range(FORESEEN_MAX + 9)]
    rig.author.ledger.append(changes, "", 1)
    rig.takes_in()
    foreseen = [c.path for c in changes if rig.replica.plan.foreseen(c.path) is not None]
    assert len(foreseen) == FORESEEN_MAX


def test_what_is_begun_is_foreseen_beyond_that_up_to_a_bound() -> None:
    rig = Rig()
    plan = rig.replica.plan
    changes = [Change(parse(f"{n:05}"), file("one"), ()) for n in range(FORESEEN_MAX + BEGUN_MAX + 9)]
    rig.author.ledger.append(changes, "", 1)
    rig.takes_in()
    begun = plan.open_aims([c.path for c in changes])
    assert len(begun) == len(changes)
    foreseen = [path for path in begun if plan.foreseen(path) is not None]
    assert len(foreseen) == FORESEEN_MAX + BEGUN_MAX
    assert all(plan.foreseen(path) is begun[path] for path in foreseen), "placing it needs no other look"
    rig.author.save("00000", "two")
    late = foreseen[-1]
    rig.author.save(late, "two")
    rig.takes_in()
    assert [plan.open_aims([path])[path].put.content for path in (parse("00000"), late)] == [content("two")] * 2


def test_what_stands_meanwhile_is_open_no_more() -> None:
    rig = Rig()
    rig.author.save("a.txt", None, naming=[])
    rig.takes_in()
    rig.desk.state.add_todo([TodoRow(PATH, TodoKind.PLACE)])
    assert rig.replica.plan.open_aims([PATH]) == {}
    assert rig.todo() == []


# -- what is left alone ------------------------------------------------------------------------------


def test_what_is_blocked_is_tried_again_after_a_while() -> None:
    rig = Rig()
    plan = rig.replica.plan
    plan.get_stuck(Problem("a.txt", Code.LOCKED))
    assert (plan.stuck, plan.is_blocked(PATH), rig.problems) == ({PATH: Code.LOCKED}, True, [("a.txt", Code.LOCKED)])
    assert rig.scope.wake_at_s == rig.scope.now.monotonic_s + RETRY_AFTER_S
    plan.more = False
    rig.after(RETRY_AFTER_S / 2)
    assert plan.is_blocked(PATH)
    assert not plan.more
    rig.scope.wake_at_s = None
    plan.block(parse("b.txt"), 99)
    rig.after(RETRY_AFTER_S / 2)
    assert not plan.is_blocked(PATH)
    assert plan.more
    assert rig.scope.wake_at_s == rig.scope.now.monotonic_s + 99 - RETRY_AFTER_S / 2


def test_a_peer_unblocks_all() -> None:
    rig = Rig()
    rig.replica.plan.block(PATH)
    rig.replica.plan.more = False
    rig.replica.plan.unblock_all()
    assert not rig.replica.plan.is_blocked(PATH)
    assert rig.replica.plan.more


@pytest.mark.parametrize("wait", [0.0, 100.0])
def test_waking_never_spins(wait: float) -> None:
    rig = Rig()
    rig.replica.plan.block(PATH, 0.001)
    rig.replica.plan.block(parse("b.txt"), 0.001 + wait)
    rig.scope.wake_at_s = None
    rig.after(0.0005)
    assert rig.scope.wake_at_s is not None
    assert rig.scope.wake_at_s >= rig.scope.now.monotonic_s + 0.05


# -- what cannot be merged ---------------------------------------------------------------------------


def test_what_was_tried_and_is_no_index_has_a_winner() -> None:
    rig = Rig()
    index = parse("x.ecc")
    for text in ("one", "two"):
        rig.author.save("x.ecc", text, naming=[])
    rig.takes_in()
    target = rig.replica.plan.aims([index])[index]
    assert set(target.sources) == {content("one"), content("two")}
    rig.replica.plan.unmergeable.add((index, target.sources))
    assert rig.replica.plan.aims([index])[index].sources == ()
    rig.author.save("x.ecc", "three", naming=[])
    rig.takes_in()
    assert len(rig.replica.plan.aims([index])[index].sources) == 3, "others may be"


def test_seeing_does_not_plan_what_is_placed() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.takes_in().effects()
    rig.fetched("one").effects()
    assert set(rig.replica.plan.placing) == {"a.txt"}
    rig.look(seen("a.txt", "mine"))
    assert rig.desk.texts("a.txt") == {"one"}


def test_without_anything_blocked_nobody_is_woken() -> None:
    rig = Rig()
    rig.scope.wake_at_s = None
    rig.after(1)
    assert rig.scope.wake_at_s is None
