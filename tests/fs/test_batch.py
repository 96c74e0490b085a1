"""The order within a batch: out of the way first, then what is put, then what vanishes."""

from __future__ import annotations

from dataclasses import replace

from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, EXECUTABLE, FileStat
from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import Outcome
from p2psync.fs.batch import Batch
from tests.fs.disk import a_file, create, mkdir

EXACT = Folding()
STAT = FileStat(3, 1, 7)


def gone(path: str, data: bytes = b"old") -> PlaceItem:
    return PlaceItem(RelPath(path), a_file(data), None, ABSENT, "removed")


def order(*items: PlaceItem, folding: Folding = EXACT) -> list[str]:
    return [item.path for item in Batch(items, folding).in_order()]


def test_new_names_come_before_old_ones_vanish() -> None:
    assert order(gone("a"), create("b", b"x"), gone("c/d"), mkdir("e")) == ["b", "e", "c/d", "a"]


def test_what_stands_in_the_way_goes_first() -> None:
    assert order(create("a/x", b"x"), gone("a")) == ["a", "a/x"]
    assert order(create("a", b"x"), gone("a/b/c"), gone("d")) == ["a/b/c", "a", "d"]


def test_what_has_failed_already_is_left_out() -> None:
    batch = Batch([create("a", b"x"), create("b", b"y")], EXACT)
    batch.outcomes[RelPath("a")] = Outcome(RelPath("a"), False, problem=Problem("a", Code.DISK_FULL))
    assert [item.path for item in batch.in_order()] == ["b"]


def test_only_what_needs_bytes_needs_staging() -> None:
    touched = PlaceItem(RelPath("m"), a_file(b"x"), None, a_file(b"x", mode=EXECUTABLE), "replaced")
    batch = Batch([touched, create("a", b"x"), gone("g"), mkdir("d")], EXACT)
    assert [item.path for item in batch.files_to_put()] == ["a"]


def test_the_last_of_several_that_need_the_same_bytes() -> None:
    batch = Batch([create("a", b"x"), create("b", b"x"), create("c", b"y")], EXACT)
    uses = [batch.used_again(content_of(data)) for data in (b"x", b"x", b"y")]
    assert uses == [True, False, False]


def test_put_and_absent_in_one_slot_are_one_item() -> None:
    items = (create("Book", b"x"), gone("book"), gone("other"))
    assert order(*items, folding=Folding(case_insensitive=True)) == ["Book", "other"]
    assert order(*items) == ["Book", "book", "other"]


def test_an_empty_directory_that_was_placed_stays() -> None:
    batch = Batch([mkdir("d"), PlaceItem(RelPath("e"), EMPTY_DIRECTORY, None, ABSENT, "removed")], EXACT)
    assert not batch.stays_empty(RelPath("d")), "not before it was placed"
    batch.outcomes = {RelPath(path): Outcome(RelPath(path), True) for path in "de"}
    assert batch.stays_empty(RelPath("d"))
    assert not batch.stays_empty(RelPath("e"))


def test_a_file_moves_only_where_all_of_it_stays_as_it_is() -> None:
    leaving = replace(gone("a"), expect_stat=STAT)
    arriving = replace(create("b", b"old"), source=RelPath("a"))
    assert Batch([arriving, leaving], EXACT).moves == {"b": leaving}
    assert list(Batch([arriving, leaving], EXACT).files_to_put()) == []
    others = [
        replace(arriving, source=None),
        replace(arriving, source=RelPath("c")),
        replace(arriving, put=a_file(b"old", mtime_ns=1)),
        replace(arriving, expect=a_file(b"other")),
    ]
    for other in others:
        assert Batch([other, leaving], EXACT).moves == {}
    assert Batch([arriving, replace(leaving, expect_stat=None)], EXACT).moves == {}, "nobody knows how it looked"
    assert Batch([arriving, replace(leaving, put=a_file(b"new"))], EXACT).moves == {}, "something else is put there"


def test_a_file_moves_once() -> None:
    leaving = replace(gone("a"), expect_stat=STAT)
    several = [replace(create(path, b"old"), source=RelPath("a")) for path in "bc"]
    batch = Batch([*several, leaving], EXACT)
    assert list(batch.moves) == ["b"]
    assert [item.path for item in batch.files_to_put()] == ["c"]


def test_what_changes_only_its_case_does_not_move() -> None:
    leaving = replace(gone("book"), expect_stat=STAT)
    arriving = replace(create("Book", b"old"), source=RelPath("book"))
    batch = Batch([arriving, leaving], Folding(case_insensitive=True))
    assert (batch.moves, batch.renames) == ({}, {"Book": leaving})
    other = replace(gone("a"), expect_stat=STAT)
    batch = Batch([replace(arriving, source=RelPath("a")), leaving, other], Folding(case_insensitive=True))
    assert (batch.moves, batch.renames) == ({}, {"Book": leaving})
