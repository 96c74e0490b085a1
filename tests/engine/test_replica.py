"""The parts of a replica together: what was missed is looked at again, and it is known when all is done."""

from __future__ import annotations

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import parse
from p2psync.engine.effects import Fetch, Rescan
from p2psync.engine.events import FolderOpened, Outcome
from p2psync.engine.state import TodoKind
from tests.engine.rig import Rig, content, seen

PATH = parse("a.txt")


def test_nothing_is_begun_before_the_folder_is_looked_after() -> None:
    rig = Rig(opened=False)
    rig.author.save("a.txt", "one")
    rig.takes_in()
    assert rig.effects() == []
    rig.open()
    assert rig.fetches() == [content("one")]


def test_what_was_seen_during_a_placement_is_looked_at_again() -> None:
    rig = Rig()
    for path in ("a.txt", "b.txt"):
        rig.author.save(path, "one")
    rig.takes_in().effects()
    rig.fetched("one").effects()
    rig.look(seen("a.txt", "mine"), seen("b.txt", "yours"))
    rig.placed(Outcome(PATH, True))
    assert rig.of(Rescan) == [Rescan(rig.desk.mandate, (PATH,))]
    assert rig.replica.observation.missed == {"b.txt"}
    rig.placed(Outcome(parse("b.txt"), True))
    assert rig.of(Rescan) == [Rescan(rig.desk.mandate, (parse("b.txt"),))]


def test_what_was_found_is_announced() -> None:
    rig = Rig()
    rig.author.save("a.txt", "one")
    rig.takes_in().effects()
    rig.fetched("one").effects()
    [taken] = rig.placed(Outcome(PATH, False, found=seen("a.txt", "mine")))
    assert taken.paths == (PATH,)


def test_contents_go_to_all_who_wait_for_them() -> None:
    rig = Rig()
    rig.sees("a.txt", "mine")
    first = rig.author.save("a.txt", "old", naming=[])
    rig.author.save("a.txt", "yours", naming=[first])
    rig.takes_in()
    assert {w.content for e in rig.of(Fetch) for w in e.wanted} == {content("mine"), content("yours")}
    rig.fetched("mine", "yours")
    effects = rig.effects()
    assert [type(e).__name__ for e in effects] == ["Place", "KeepVersion"]


def test_a_failed_fetch_is_told_to_all_and_so_is_a_peer_that_came() -> None:
    rig = Rig()
    rig.sees("a.txt", "mine")
    first = rig.author.save("a.txt", "old", naming=[])
    rig.author.save("a.txt", "yours", naming=[first])
    rig.takes_in().effects()
    rig.fetch_failed("mine", "yours")
    assert rig.effects() == []
    rig.replica.peer_came()
    assert set(rig.fetches()) == {content("mine"), content("yours")}


def test_it_is_busy_until_all_is_done_that_needs_nobodys_help() -> None:
    rig = Rig(opened=False)
    assert rig.replica.is_busy, "not looked at yet"
    rig.open()
    assert not rig.replica.is_busy
    rig.author.save("a.txt", "one")
    rig.author.save("b.txt", "two")
    rig.takes_in()
    assert (rig.replica.waiting(), rig.replica.is_busy) == (2, True)
    rig.effects()
    rig.fetched("one", "two").effects()
    rig.placed(Outcome(PATH, True), Outcome(parse("b.txt"), False, problem=Problem("b.txt", Code.LOCKED)))
    assert (rig.replica.waiting(), rig.replica.is_busy) == (1, False), "the other waits for a person"


def test_what_is_to_be_judged_is_waited_for() -> None:
    rig = Rig(opened=False).open({"a.txt": "mine"}, continuous=False)
    assert rig.todo(TodoKind.JUDGE) == ["a.txt"]
    assert (rig.replica.waiting(), rig.replica.is_busy) == (1, True)


def test_opening_anew_forgets_what_was_under_way() -> None:
    rig = Rig()
    rig.sees("a.txt", "mine")
    first = rig.author.save("a.txt", "old", naming=[])
    rig.author.save("a.txt", "yours", naming=[first])
    rig.takes_in().effects()
    rig.replica.opened(FolderOpened(rig.desk.mandate, True, b"again"))
    assert set(rig.fetches()) == {content("mine"), content("yours")}
