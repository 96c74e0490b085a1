"""A file that others gave another name is moved here: nothing is fetched, and no version of it is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, parse_restriction
from p2psync.engine.effects import Fetch, Place
from p2psync.engine.events import Outcome
from p2psync.engine.placement import HOLD_SOURCE_S
from p2psync.engine.site import BATCH_MAX
from tests.engine.rig import Rig, content, seen
from tests.engine.test_placement import STAT, done, wanting

RULES = DEFAULT_RULES.with_restriction(parse_restriction("secret/**=accounting,payroll"))


def holding(*files: tuple[str, str], rig: Rig | None = None) -> Rig:
    """These files (path, text) stand here."""
    rig = wanting(*files, rig=rig)
    rig.effects()
    rig.fetched(*(text for _, text in files)).effects()
    rig.placed(*(done(path) for path, _ in files))
    return rig


def renamed(rig: Rig, old: str, new: str, text: str = "one") -> Rig:
    """Both changes of a rename are taken in at once."""
    rig.author.save(new, text)
    rig.author.save(old, None)
    return rig.takes_in()


def moved(old: str, new: str) -> list[Outcome]:
    return [done(new), Outcome(parse(old), True, moved=True)]


@pytest.mark.parametrize(("old", "new"), [("a.txt", "b.txt"), ("b.txt", "a.txt")])
def test_a_renamed_file_is_moved(old: str, new: str) -> None:
    rig = renamed(holding((old, "one")), old, new)
    [place] = rig.effects()
    assert isinstance(place, Place)
    assert [(item.path, item.source, item.expect_stat) for item in place.items] == [(new, old, None), (old, None, STAT)]
    rig.placed(*moved(old, new))
    base = rig.base(new)
    assert base is not None
    assert (base.stat, base.heads) == (STAT, tuple(head.id for head in rig.desk.heads(new)))
    assert (rig.base(old), rig.desk.state.versions(parse(old))) == (None, [])
    assert (rig.todo(), rig.effects(), rig.replica.placement.in_flight) == ([], [], 0)


def test_what_could_only_be_copied_leaves_a_version() -> None:
    rig = renamed(holding(("old.txt", "one")), "old.txt", "new.txt")
    rig.effects()
    rig.placed(done("new.txt"), done("old.txt", None))
    assert [version.reason for version in rig.desk.state.versions(parse("old.txt"))] == ["removed"]


def test_what_could_not_be_moved_is_fetched() -> None:
    rig = renamed(holding(("old.txt", "one")), "old.txt", "new.txt")
    rig.effects()
    missing = Problem("new.txt", Code.CONTENT_MISSING)
    rig.placed(Outcome(parse("new.txt"), False, problem=missing), done("old.txt", None))
    assert rig.desk.state.problems() == []
    assert rig.fetches() == [content("one")]


def test_an_edit_that_was_found_at_the_old_name_stays_an_edit() -> None:
    rig = renamed(holding(("old.txt", "one")), "old.txt", "new.txt")
    rig.effects()
    missing = Problem("new.txt", Code.CONTENT_MISSING)
    found = Outcome(parse("old.txt"), False, found=seen("old.txt", "edited"))
    [edit] = rig.placed(Outcome(parse("new.txt"), False, problem=missing), found)
    assert edit.paths == ("old.txt",)
    assert rig.fetches() == [content("one")], "and it is not taken for what was renamed"


def test_both_names_of_a_file_stay_in_one_batch() -> None:
    count = BATCH_MAX
    names = [(f"old/{n:04}", str(n)) for n in range(count)]
    rig = Rig()
    for start in range(0, count, 100):
        holding(*names[start : start + 100], rig=rig)
    for old, text in names:
        rig.author.save(old.replace("old", "new"), text)
        rig.author.save(old, None)
    places = [effect.items for effect in rig.takes_in().effects() if isinstance(effect, Place)]
    assert sum(map(len, places)) == 2 * count
    for items in places:
        here = {item.path for item in items}
        assert all(item.source in here for item in items if item.source is not None)
        assert sum(item.source is not None for item in items) == len(items) // 2


def test_a_change_that_comes_first_goes_first() -> None:
    rig = holding(("old.txt", "one"))
    rig.author.save("new.txt", "one")
    rig.takes_in()
    assert rig.fetches() == [content("one")]
    rig.author.save("old.txt", None)
    assert rig.takes_in().effects() == [], "it waits for the file that is copied from it"
    rig.fetched("one")
    assert [(item.path, item.source) for item in rig.places()] == [("new.txt", None), ("old.txt", None)]


@pytest.mark.parametrize("comes", [True, False])
def test_what_vanishes_waits_no_longer_than_for_the_fetch(comes: bool) -> None:
    rig = holding(("old.txt", "one"))
    rig.author.save("new.txt", "one")
    rig.takes_in().effects()
    rig.author.save("old.txt", None)
    assert rig.takes_in().effects() == []
    (rig.fetched if comes else rig.fetch_failed)("one")
    assert "old.txt" in [item.path for item in rig.places()]


def test_what_vanishes_waits_as_long_as_the_file_is_fetched_and_is_noted_once() -> None:
    rig = holding(("old.txt", "one"))
    rig.author.save("new.txt", "one")
    rig.takes_in().effects()
    rig.author.save("old.txt", None)
    assert rig.takes_in().effects() == []
    for _ in range(3):
        rig.after(HOLD_SOURCE_S)
        assert rig.effects() == [], "it is still being fetched"
    assert [list(paths) for paths in rig.replica.placement._held_for.values()] == [["old.txt"]]


def test_of_a_bookkeeping_file_a_version_stays_behind() -> None:
    rig = renamed(holding(("old.ecf", "one")), "old.ecf", "new.ecf")
    assert [item.path for item in rig.places()] != ["new.ecf", "old.ecf"]
    assert [item.source for item in rig.places()] == []


def test_nothing_is_taken_from_files_of_another_class() -> None:
    rig = Rig(rules=RULES)
    renamed(holding(("old.txt", "one"), rig=rig), "old.txt", "secret/new.txt")
    effects = rig.effects()
    assert [effect for effect in effects if isinstance(effect, Fetch)]
    assert all(item.source is None for effect in effects if isinstance(effect, Place) for item in effect.items)


def test_a_file_that_nobody_accepted_is_kept_when_it_goes() -> None:
    rig = holding(("old.txt", "one"))
    base = rig.base("old.txt")
    assert base is not None
    rig.desk.state.put_bases([replace(base, heads=())])
    renamed(rig, "old.txt", "new.txt")
    assert rig.fetches() == [content("one")]


def test_a_file_that_made_way_for_a_directory_is_kept_as_a_loser() -> None:
    rig = holding(("a", "one"))
    rig.author.save("a/b", "two")
    rig.author.save("new.txt", "one")
    effects = rig.takes_in().effects()
    assert {wanted.path for e in effects if isinstance(e, Fetch) for wanted in e.wanted} >= {"a/b", "new.txt"}
    assert [e for e in effects if isinstance(e, Place)] == []


def test_of_two_alike_only_one_is_moved() -> None:
    rig = holding(("a.txt", "one"), ("b.txt", "one"))
    for old in "ab":
        rig.author.save(f"new-{old}.txt", "one")
        rig.author.save(f"{old}.txt", None)
    rig.takes_in()
    for _ in range(4):
        effects = rig.effects()
        for effect in effects:
            if isinstance(effect, Fetch):
                rig.fetched("one")
            elif isinstance(effect, Place):
                rig.placed(*(done(item.path, STAT if item.put.content else None) for item in effect.items))
    assert rig.todo() == []
    assert [rig.base(name) is not None for name in ("new-a.txt", "new-b.txt", "a.txt", "b.txt")] == [
        *[True] * 2,
        *[False] * 2,
    ]
