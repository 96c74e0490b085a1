"""The parts of a replica together: what was missed is looked at again, and it is known when all is done."""

from __future__ import annotations

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import parse
from p2psync.engine.effects import Fetch, Rescan
from p2psync.engine.events import FolderOpened, Outcome
from p2psync.engine.placement import MISSING_AFTER_S
from p2psync.engine.site import RETRY_AFTER_S
from p2psync.engine.state import TodoKind, VersionRow
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


def restored(rig: Rig) -> Rig:
    """A backup of folder and database came back: base is older than what stands there. A placement is in flight."""
    rig.author.save("a.txt", "old")
    rig.takes_in().shows("a.txt", "old")
    rig.author.save("a.txt", "new")
    rig.takes_in()
    rig.replica.opened(FolderOpened(rig.desk.mandate, False, b"other"))
    rig.effects()
    rig.fetched("new")
    assert [item.expect.content for item in rig.places()] == [content("old")]
    assert rig.sees("a.txt", "mine") == []
    rig.replica.observation.scan_finished(True)
    return rig


def test_what_was_not_seen_by_the_scan_after_a_restore_is_no_edit() -> None:
    """Its base is of the database's time: an edit that named it would replace what nobody here ever saw."""
    rig = restored(Rig())
    assert rig.placed(Outcome(PATH, False, found=seen("a.txt", "mine"))) == []
    assert rig.todo(TodoKind.JUDGE) == ["a.txt"]


def test_nor_when_the_placement_met_a_problem_before() -> None:
    rig = restored(Rig())
    rig.placed(Outcome(PATH, False, problem=Problem(PATH, Code.LOCKED)))
    assert rig.sees("a.txt", "mine") == []
    assert rig.todo(TodoKind.JUDGE) == ["a.txt"]


def test_what_was_seen_or_placed_since_is_known_again() -> None:
    for placed in (True, False):
        rig = restored(Rig())
        if placed:
            rig.placed(Outcome(PATH, True))
        else:
            rig.placed(Outcome(PATH, False, problem=Problem(PATH, Code.LOCKED)))
            rig.sees("a.txt", "old")
        assert len(rig.sees("a.txt", "mine")) == 1


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
    assert rig.replica.stuck_until_s is None
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
    assert rig.replica.stuck_until_s == rig.replica.plan.blocked[parse("b.txt")], "or for the next attempt"


def losing(rig: Rig) -> Rig:
    """What stands here won, and what the author saved has to be fetched and kept."""
    first = rig.author.save("a.txt", "old", naming=[])
    rig.author.save("a.txt", "yours", naming=[first])
    rig.takes_in().shows("a.txt", "yours")
    rig.author.save("a.txt", "mine", naming=[])
    return rig.takes_in()


def kept(rig: Rig, text: str) -> None:
    head = next(h for h in rig.desk.heads("a.txt") if h.entry.content == content(text))
    row = VersionRow(PATH, content(text), head.entry.size, 0, 0, "conflict", head.author, head.id)
    rig.desk.state.add_versions([row])
    rig.replica.keeping.kept(PATH, content(text))


def test_losers_are_waited_for() -> None:
    rig = losing(Rig())
    assert rig.todo() == []
    assert (rig.replica.waiting(), rig.replica.is_busy) == (1, True)
    assert rig.fetches() == [content("mine")]
    assert rig.fetched("mine").keeps() != []
    assert (rig.replica.waiting(), rig.replica.is_busy) == (1, True)
    kept(rig, "mine")
    rig.effects()
    assert (rig.replica.waiting(), rig.replica.is_busy) == (0, False)


def test_a_loser_that_nobody_has_is_told_after_a_while_and_waited_for_no_more() -> None:
    rig = losing(Rig())
    for _ in range(int(MISSING_AFTER_S / RETRY_AFTER_S)):
        assert rig.fetches() == [content("mine")]
        rig.fetch_failed("mine")
        assert (rig.problems, rig.replica.is_busy) == ([], True)
        rig.after(RETRY_AFTER_S)
    rig.fetches()
    rig.fetch_failed("mine")
    assert rig.problems == [("a.txt", Code.CONTENT_MISSING)]
    assert rig.replica.stuck == {PATH: Code.CONTENT_MISSING}
    assert rig.replica.stuck_until_s == rig.replica.keeping.resting[PATH]
    assert (rig.replica.waiting(), rig.replica.is_busy) == (1, False), "not in sync, and nothing will change by itself"
    rig.replica.peer_placed()
    assert rig.fetches() == [content("mine")]
    rig.fetched("mine").keeps()
    kept(rig, "mine")
    rig.effects()
    assert (rig.problems, rig.replica.stuck, rig.replica.waiting()) == ([], {}, 0)


def test_what_nobody_could_give_is_asked_for_again_when_a_peer_has_placed_something() -> None:
    rig = losing(Rig())
    rig.author.save("b.txt", "two")
    rig.takes_in()
    assert set(rig.fetches()) == {content("mine"), content("two")}
    rig.fetch_failed("mine", "two")
    rig.replica.plan.block(parse("c.txt"))
    assert rig.fetches() == []
    rig.replica.peer_placed()
    assert set(rig.fetches()) == {content("mine"), content("two")}
    assert rig.replica.plan.is_blocked(parse("c.txt")), "a peer has nothing to do with that"


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
