"""Fetch, then compare and swap: each path once at a time, and what was found instead is somebody's edit."""

from __future__ import annotations

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.change import Change
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, EXECUTABLE, Entry, FileStat, Kind
from p2psync.core.ids import ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, parse
from p2psync.core.rules import Role
from p2psync.engine.effects import Fetch, Place, PlaceItem, Wanted
from p2psync.engine.events import Outcome
from p2psync.engine.placement import IN_FLIGHT_MAX, MISSING_AFTER_S, OBSTRUCTED_S
from p2psync.engine.site import BATCH_MAX, RETRY_AFTER_S
from p2psync.engine.state import BaseRow
from tests.core.court import SECRET_FILES
from tests.engine.rig import Rig, content, file, seen

PATH = parse("a.txt")
INDEX = parse("x.ecc")
STAT = FileStat(3, 1_000, 2)


def done(path: str, stat: FileStat | None = STAT) -> Outcome:
    return Outcome(parse(path), True, stat=stat)


def wanting(*files: tuple[str, str], rig: Rig | None = None) -> Rig:
    """A replica that has read of these files (path, text) and placed none."""
    rig = rig or Rig()
    for path, text in files:
        rig.author.save(path, text)
    return rig.takes_in()


def placing(*files: tuple[str, str]) -> Rig:
    """All of them are in flight."""
    rig = wanting(*files)
    rig.effects()
    rig.fetched(*(text for _, text in files))
    assert [item.path for item in rig.places()] == [path for path, _ in files]
    return rig


# -- fetch and place ---------------------------------------------------------------------------------


def test_a_file_is_fetched_placed_and_becomes_base() -> None:
    rig = wanting(("a.txt", "one"))
    [head] = rig.desk.heads("a.txt")
    [fetch] = rig.of(Fetch)
    assert fetch == Fetch(rig.desk.mandate, (Wanted(content("one"), 3, PATH),))
    assert rig.effects() == [], "asked for once"
    rig.fetched("one")
    [place] = rig.of(Place)
    assert place == Place(rig.desk.mandate, (PlaceItem(PATH, ABSENT, None, head.entry, "replaced"),))
    assert rig.replica.placement.in_flight == 1
    assert rig.placed(done("a.txt")) == []
    assert rig.base("a.txt") == BaseRow(PATH, head.entry, STAT, (head.id,))
    assert (rig.todo(), rig.effects(), rig.replica.placement.in_flight) == ([], [], 0)


def test_a_replacement_says_what_it_expects_and_notes_the_old_version() -> None:
    rig = placing(("a.txt", "one"))
    rig.placed(done("a.txt"))
    old = rig.desk.heads("a.txt")[0]
    rig.author.save("a.txt", "two")
    rig.takes_in().effects()
    rig.fetched("two")
    [item] = rig.places()
    assert (item.expect, item.expect_stat, item.keep_reason) == (old.entry, STAT, "replaced")
    rig.placed(done("a.txt"))
    [version] = rig.desk.state.versions(PATH)
    assert (version.content, version.reason, version.change, version.device) == (
        *(content("one"), "replaced", old.id, rig.author.id),
    )


def test_a_removal_needs_no_content() -> None:
    rig = placing(("a.txt", "one"))
    rig.placed(done("a.txt"))
    rig.author.save("a.txt", None)
    rig.takes_in()
    [item] = rig.places()
    assert (item.put, item.keep_reason) == (ABSENT, "removed")
    rig.placed(done("a.txt", None))
    assert rig.base("a.txt") is None
    assert [v.reason for v in rig.desk.state.versions(PATH)] == ["removed"]


def test_what_changed_only_its_mode_leaves_no_version() -> None:
    rig = placing(("a.txt", "one"))
    rig.placed(done("a.txt"))
    head = rig.desk.heads("a.txt")[0]
    entry = Entry(Kind.FILE, head.entry.size, head.entry.mtime_ns, EXECUTABLE, head.entry.content)
    rig.author.ledger.append([Change(PATH, entry, (head.id,))], "", 1)
    rig.takes_in().effects()
    rig.fetched("one")
    assert [item.put.mode for item in rig.places()] == [EXECUTABLE]
    rig.placed(done("a.txt"))
    assert rig.desk.state.versions(PATH) == []


def test_a_directory_is_placed_like_anything() -> None:
    rig = Rig()
    rig.author.ledger.append([Change(parse("dir"), EMPTY_DIRECTORY, ())], "", 1)
    assert [item.put for item in rig.takes_in().places()] == [EMPTY_DIRECTORY]
    rig.placed(done("dir", None))
    base = rig.base("dir")
    assert base is not None
    assert (base.entry, base.stat) == (EMPTY_DIRECTORY, None)


def test_a_loser_that_stood_there_is_kept_as_one() -> None:
    rig = Rig(role=Role.PAYROLL)
    rig.sees("a.crp", "mine")
    rig.author.save("a.crp", "one")
    rig.takes_in().effects()
    rig.fetched("one")
    [item] = rig.places()
    assert (item.path, item.expect.content, item.keep_reason) == ("a.crp", content("mine"), "conflict")


def test_a_content_that_several_paths_want_is_fetched_once() -> None:
    rig = wanting(("a.txt", "one"), ("b.txt", "one"))
    assert rig.fetches() == [content("one")]
    wanting(("c.txt", "one"), rig=rig)
    assert rig.fetches() == []
    rig.fetched("one")
    assert [item.path for item in rig.places()] == ["a.txt", "b.txt", "c.txt"]


def test_what_was_not_asked_for_is_no_matter() -> None:
    rig = Rig()
    rig.fetched("one").fetch_failed("two")
    assert rig.effects() == []


def test_what_changed_while_it_was_fetched_is_planned_anew() -> None:
    rig = wanting(("a.txt", "one"))
    assert rig.fetches() == [content("one")]
    rig.author.save("a.txt", "two")
    rig.takes_in()
    assert rig.fetches() == [], "one thing at a time for each path"
    rig.fetched("one")
    assert rig.fetches() == [content("two")]
    rig.fetched("two")
    assert [item.put.content for item in rig.places()] == [content("two")]


def test_what_stands_meanwhile_is_not_placed() -> None:
    rig = wanting(("a.txt", "one"))
    rig.effects()
    rig.sees("a.txt", "one")
    rig.fetched("one")
    assert rig.places() == []
    assert rig.todo() == []


def test_what_changes_while_it_is_placed_is_placed_after() -> None:
    rig = placing(("a.txt", "one"))
    rig.author.save("a.txt", "two")
    rig.takes_in()
    assert rig.effects() == []
    rig.placed(done("a.txt"))
    assert rig.todo() == ["a.txt"]
    assert rig.fetches() == [content("two")]
    rig.fetched("two")
    [item] = rig.places()
    assert item.expect.content == content("one")


# -- what goes wrong ---------------------------------------------------------------------------------


def test_what_nobody_could_give_is_asked_for_again_after_a_while() -> None:
    rig = wanting(("a.txt", "one"))
    rig.effects()
    rig.fetch_failed("one")
    assert (rig.fetches(), rig.replica.placement.in_flight) == ([], 0)
    rig.after(RETRY_AFTER_S)
    assert rig.fetches() == [content("one")]
    rig.fetch_failed("one").replica.peer_came()
    assert rig.fetches() == [content("one")], "or at once when somebody came"


def test_people_are_told_of_what_nobody_could_give_for_long() -> None:
    rig = wanting(("a.txt", "one"))
    for _ in range(int(MISSING_AFTER_S / RETRY_AFTER_S)):
        rig.effects()
        rig.fetch_failed("one")
        assert (rig.problems, rig.replica.is_busy) == ([], True)
        rig.after(RETRY_AFTER_S)
    rig.effects()
    rig.fetch_failed("one")
    assert rig.problems == [("a.txt", Code.CONTENT_MISSING)]
    assert not rig.replica.is_busy, "nobody needs to wait for it"
    rig.after(RETRY_AFTER_S)
    assert rig.fetches() == [content("one")], "it is still asked for"
    assert len(rig.fetched("one").places()) == 1
    rig.placed(done("a.txt"))
    assert (rig.problems, rig.todo()) == ([], [])


def test_what_was_found_instead_is_an_edit() -> None:
    rig = placing(("a.txt", "one"))
    [taken] = rig.placed(Outcome(PATH, False, found=seen("a.txt", "mine")))
    assert taken.paths == ("a.txt",)
    assert rig.desk.texts("a.txt") == {"one", "mine"}
    mine = next(h for h in rig.desk.heads("a.txt") if h.entry.content == content("mine"))
    assert mine.parents == ()


def test_what_is_in_the_way_may_be_on_its_way_out() -> None:
    """The path itself is as it was expected, so that something else must have been in the way."""
    rig = placing(("a.txt", "one"))
    assert rig.placed(Outcome(PATH, False, found=seen("a.txt", None))) == []
    assert rig.effects() == []
    rig.after(OBSTRUCTED_S)
    assert rig.fetches() == [content("one")]


def test_a_problem_is_shown_until_the_path_could_be_placed() -> None:
    rig = placing(("a.txt", "one"))
    rig.placed(Outcome(PATH, False, problem=Problem("a.txt", Code.LOCKED, "in use")))
    assert (rig.problems, rig.replica.plan.stuck) == ([("a.txt", Code.LOCKED)], {PATH: Code.LOCKED})
    assert (rig.todo(), rig.effects()) == (["a.txt"], [])
    rig.after(RETRY_AFTER_S).effects()
    rig.fetched("one").effects()
    rig.placed(done("a.txt"))
    assert (rig.problems, rig.replica.plan.stuck, rig.todo()) == ([], {}, [])


def test_outcomes_of_what_is_not_in_flight_are_passed_over() -> None:
    rig = Rig()
    rig.placed(done("a.txt"))
    assert rig.base("a.txt") is None
    assert rig.todo() == []


def test_a_folder_that_was_opened_anew_answers_nothing_asked_before() -> None:
    rig = placing(("a.txt", "one"))
    wanting(("b.txt", "two"), rig=rig)
    assert rig.fetches() == [content("two")]
    rig.open()
    assert rig.replica.placement.in_flight == 0
    assert set(rig.fetches()) == {content("one"), content("two")}


def test_a_name_that_this_disk_cannot_tell_from_another() -> None:
    rig = wanting(("a.txt", "one"), ("A.txt", "two"), rig=Rig(folding=Folding(case_insensitive=True)))
    assert rig.fetches() == [content("two")]
    assert list(rig.desk.state.problems()) == [Problem("a.txt", Code.NAME_COLLIDES, "A.txt")]


def test_what_was_refused_is_kept_as_such() -> None:
    rig = Rig(role=Role.READER)
    rig.sees("a.txt", "mine")
    assert [(item.put, item.keep_reason) for item in rig.places()] == [(ABSENT, "refused")]
    rig.placed(done("a.txt", None))
    assert [(v.reason, v.change) for v in rig.desk.state.versions(PATH)] == [("refused", None)]


# -- many --------------------------------------------------------------------------------------------


def test_so_many_are_in_flight_and_the_others_follow() -> None:
    rig = Rig()
    names = [f"{number:05}" for number in range(IN_FLIGHT_MAX + BATCH_MAX + 1)]
    rig.author.ledger.append([Change(parse(name), EMPTY_DIRECTORY, ()) for name in names], "", 1)
    rig.takes_in()
    places = rig.of(Place)
    assert [len(place.items) for place in places] == [BATCH_MAX] * (IN_FLIGHT_MAX // BATCH_MAX)
    assert rig.effects() == []
    rig.placed(*(done(item.path, None) for item in places[0].items))
    assert [item.path for item in rig.places()] == names[IN_FLIGHT_MAX : IN_FLIGHT_MAX + BATCH_MAX]
    for place in places[1:]:
        rig.placed(*(done(item.path, None) for item in place.items))
    assert [item.path for item in rig.places()] == names[IN_FLIGHT_MAX + BATCH_MAX :]
    assert rig.effects() == []


def test_a_save_does_not_wait_for_the_many_that_are_in_flight() -> None:
    rig = Rig()
    names = [f"{number:05}" for number in range(IN_FLIGHT_MAX + 1)]
    rig.author.ledger.append([Change(parse(name), file(name), ()) for name in names], "", 1)
    assert len(rig.takes_in().fetches()) == IN_FLIGHT_MAX
    wanting(("saved.txt", "one"), rig=rig)
    assert rig.effects() == []
    rig.replica.placement.urgent.saved(rig.author.id, [parse("saved.txt"), parse("not there.txt")])
    assert rig.fetches() == [content("one")]
    assert rig.effects() == [], "asked for once"


def test_what_is_blocked_does_not_hold_up_the_others() -> None:
    rig = Rig()
    names = [f"{number:05}" for number in range(BATCH_MAX + 1)]
    rig.author.ledger.append([Change(parse(name), EMPTY_DIRECTORY, ()) for name in names], "", 1)
    rig.takes_in()
    for name in names[:BATCH_MAX]:
        rig.replica.plan.block(parse(name))
    assert [item.path for item in rig.places()] == names[BATCH_MAX:]


def test_a_full_batch_that_is_blocked_comes_round_again() -> None:
    rig = Rig()
    names = [f"{number:05}" for number in range(BATCH_MAX)]
    rig.author.ledger.append([Change(parse(name), EMPTY_DIRECTORY, ()) for name in names], "", 1)
    rig.takes_in()
    for name in names:
        rig.replica.plan.block(parse(name))
    assert rig.effects() == []
    assert not rig.replica.plan.more, "nothing can be started until somebody says so"
    rig.after(RETRY_AFTER_S)
    assert [item.path for item in rig.places()] == names


# -- merges ------------------------------------------------------------------------------------------


def merging() -> Rig:
    """An index with two heads, whose bytes are being merged."""
    rig = Rig()
    for text in ("one", "two"):
        rig.author.save("x.ecc", text, naming=[])
    rig.takes_in()
    [fetch] = rig.of(Fetch)
    assert {(w.content, w.size) for w in fetch.wanted} == {(content("one"), 3), (content("two"), 3)}
    rig.fetched("one")
    assert rig.effects() == [], "both have to be at hand"
    rig.fetched("two")
    [merge] = rig.merges()
    assert set(merge.sources) == {content("one"), content("two")}
    return rig


def sources(rig: Rig) -> tuple[ContentId, ...]:
    """What the index is to be merged from now."""
    return rig.replica.plan.aims([INDEX])[INDEX].sources


def test_a_merged_view_is_placed_and_stands_for_all_heads() -> None:
    rig = merging()
    problem = Problem(INDEX, Code.INDEX_CONFLICT, "uid 7")
    rig.merged("x.ecc", sources(rig), file("both"), problems=(problem,))
    [item] = rig.places()
    assert item.put.content == content("both")
    assert item.put.mtime_ns == max(h.entry.mtime_ns for h in rig.desk.heads("x.ecc"))
    rig.placed(done("x.ecc"))
    base = rig.base("x.ecc")
    assert base is not None
    assert set(base.heads) == {h.id for h in rig.desk.heads("x.ecc")}
    assert (rig.todo(), rig.effects(), rig.problems) == ([], [], [("x.ecc", Code.INDEX_CONFLICT)])


def disputed() -> Rig:
    """Two heads, and their merged view names something twice."""
    rig = merging()
    rig.merged("x.ecc", sources(rig), file("both"), problems=(Problem(INDEX, Code.INDEX_CONFLICT, "uid 7"),))
    rig.places()
    rig.placed(done("x.ecc"))
    assert rig.problems == [("x.ecc", Code.INDEX_CONFLICT)]
    return rig


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("here", [False, True])
def test_an_index_with_one_head_again_contradicts_nobody(here: bool, restarted: bool) -> None:
    rig = disputed()
    if restarted:
        rig.restart().open({"x.ecc": "both"})
    if here:
        rig.sees("x.ecc", "mine")
    else:
        rig.author.save("x.ecc", "theirs")
        rig.takes_in()
    assert len(rig.desk.heads("x.ecc")) == 1
    assert rig.problems == []


def test_a_merge_that_comes_too_late_contradicts_nobody() -> None:
    rig = merging()
    late = sources(rig)
    rig.author.save("x.ecc", "theirs")
    rig.takes_in()
    rig.merged("x.ecc", late, file("both"), problems=(Problem(INDEX, Code.INDEX_CONFLICT, "uid 7"),))
    assert rig.problems == []


def test_a_merge_of_what_is_no_index_makes_one_win() -> None:
    rig = merging()
    rig.merged("x.ecc", sources(rig), None, unmergeable=True)
    [again] = rig.fetches()
    rig.replica.fetched(ORDINARY, [again])
    [item] = rig.places()
    assert item.put.content == again


def test_a_merge_that_lacked_a_source_is_tried_again() -> None:
    rig = merging()
    rig.merged("x.ecc", sources(rig), None, unmergeable=False)
    assert set(rig.fetches()) == {content("one"), content("two")}


def test_a_merge_of_heads_that_changed_is_made_anew() -> None:
    rig = merging()
    old = sources(rig)
    rig.author.save("x.ecc", "three", naming=[])
    rig.takes_in()
    rig.merged("x.ecc", old, file("both"))
    assert rig.places() == []
    assert rig.replica.placement.in_flight == 1


def test_a_merge_that_nobody_asked_for() -> None:
    rig = Rig()
    rig.merged("x.ecc", (content("one"),), file("both"))
    assert rig.effects() == []


@pytest.mark.parametrize("fails", ["one", "two"])
def test_a_merge_without_one_of_its_sources_waits(fails: str) -> None:
    rig = Rig()
    for text in ("one", "two"):
        rig.author.save("x.ecc", text, naming=[])
    rig.takes_in().effects()
    other = {"one": "two", "two": "one"}[fails]
    rig.fetch_failed(fails).fetched(other)
    assert rig.effects() == []
    rig.after(RETRY_AFTER_S)
    assert set(rig.fetches()) == {content("one"), content("two")}
    assert len(sources(rig)) == 2


def test_what_was_fetched_for_restricted_files_is_not_placed_for_others() -> None:
    rig = Rig(rules=SECRET_FILES, role=Role.PAYROLL)
    rig.author.save("salaries.ecs", "secret")
    rig.author.save("guess.txt", "secret")
    rig.takes_in()
    effects = [e for e in rig.effects() if isinstance(e, Fetch)]
    classes = {wanted.path: e.file_class for e in effects for wanted in e.wanted}
    restricted = SECRET_FILES.class_id(parse("salaries.ecs")) or ""
    assert classes == {"salaries.ecs": restricted, "guess.txt": ORDINARY}
    rig.replica.fetched(restricted, [content("secret")])
    assert [item.path for item in rig.places()] == ["salaries.ecs"]
    rig.fetch_failed("secret")
    assert rig.places() == []
    rig.after(RETRY_AFTER_S).fetches()
    rig.fetched("secret")
    assert [item.path for item in rig.places()] == ["guess.txt"]
