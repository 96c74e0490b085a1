"""A file that others gave another name is renamed here in one step, and copied wherever that is not certain."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.entry import EXECUTABLE
from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import Outcome
from p2psync.fs.traits import SYSTEMS_OWN
from tests.fs.disk import OLD_NS, Disk, create, version, whole
from tests.fs.meddling import Meddling, fail, in_a_process_that_may_die, power_cut

LATER_NS = OLD_NS + 5_000_000_000
MISSING = Problem("new/a", Code.CONTENT_MISSING)


@pytest.fixture(name="disk")
def a_disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def meddled(tmp_path: Path, exchange: Meddling) -> Disk:
    return Disk(tmp_path, exchange)


def renamed(disk: Disk) -> list[PlaceItem]:
    """A file with two lines stands at old/a, and is to stand at new/a."""
    return [replace(create("new/a", b"bytes"), source=RelPath("old/a")), disk.save("old/a", b"bytes")]


def test_a_renamed_file_stays_the_same_file(disk: Disk) -> None:
    items = renamed(disk)
    before = (disk.places.root / "old/a").stat().st_ino
    put, gone = disk.placer.place(items)
    after = (disk.places.root / "new/a").lstat()
    assert put == Outcome(RelPath("new/a"), True, SYSTEMS_OWN.stat(after))
    assert gone == Outcome(RelPath("old/a"), True, moved=True)
    assert disk.tree() == whole({"new/a": b"bytes"}), "and the directory that it left is gone"
    assert (after.st_ino, disk.kept(), disk.in_staging()) == (before, {}, [])
    assert disk.placer.late_due_s() is None


def test_the_watcher_hears_of_both_names_before_they_change(disk: Disk) -> None:
    put, _ = disk.placer.place(renamed(disk))
    assert disk.registered == [(RelPath("new/a"), put.stat, 0), (RelPath("old/a"), None, 0)]


def test_a_moved_file_and_its_names_are_flushed(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr("p2psync.fs.placer.sync_directories", lambda paths, _root: flushed.extend(sorted(paths)))
    disk.placer.place([*renamed(disk), disk.save("old/b", b"other")])
    names = [Path(path).relative_to(disk.places.root).as_posix() for path in flushed]
    assert [name for name in names if not name.startswith(".p2psync")] == [".", "new", "new/a"]


def test_an_edit_made_meanwhile_stays_where_it_was_made(disk: Disk) -> None:
    items = renamed(disk)
    disk.save("old/a", b"edited", LATER_NS)
    put, gone = disk.placer.place(items)
    assert put == Outcome(RelPath("new/a"), False, problem=MISSING)
    assert gone.found is not None
    assert gone.found.entry.content == content_of(b"edited")
    assert disk.tree()["old/a"] == b"edited"
    assert (disk.kept(), disk.in_staging()) == ({}, [])


def test_an_edit_between_the_look_and_the_move_goes_back(tmp_path: Path) -> None:
    disk = meddled(tmp_path, Meddling(lambda: disk.save("old/a", b"edited", LATER_NS)))
    put, gone = disk.placer.place(renamed(disk))
    assert (put.problem, gone.placed) == (MISSING, False)
    assert disk.tree()["old/a"] == b"edited"


def test_what_was_saved_while_an_edit_was_on_its_way_back_is_the_newest(tmp_path: Path) -> None:
    disk = meddled(
        tmp_path,
        Meddling(lambda: disk.save("old/a", b"one", LATER_NS), lambda: disk.save("old/a", b"two", LATER_NS)),
    )
    put, gone = disk.placer.place(renamed(disk))
    assert (put.problem, gone.placed) == (MISSING, False)
    assert (disk.tree()["old/a"], disk.kept()) == (b"two", version(b"one"))


def test_what_stands_at_the_new_name_stays(disk: Disk) -> None:
    items = renamed(disk)
    disk.save("new/a", b"the user's")
    put, gone = disk.placer.place(items)
    assert (put.problem, gone.placed, gone.moved) == (MISSING, True, False)
    assert (disk.tree(), disk.kept()) == (whole({"new/a": b"the user's"}), version(b"bytes"))


def test_a_file_that_went_meanwhile_is_wanted(disk: Disk) -> None:
    items = renamed(disk)
    (disk.places.root / "old/a").unlink()
    put, gone = disk.placer.place(items)
    assert (put.problem, gone.placed, gone.moved) == (MISSING, True, False)


def test_a_disk_that_does_not_let_it_move(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Meddling(fail(errno.EBUSY), fail(errno.EBUSY)))
    put, gone = disk.placer.place(renamed(disk))
    assert put.problem == MISSING
    assert gone.problem is not None
    assert gone.problem.code is Code.LOCKED
    assert disk.tree()["old/a"] == b"bytes"


def test_nothing_is_moved_through_a_link(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> None:
    items = renamed(disk)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (disk.places.root / "old").rename(elsewhere / "old")
    (disk.places.root / "old").symlink_to(elsewhere / "old")
    put, gone = disk.placer.place(items)
    assert (put.problem, gone.placed) == (MISSING, False)
    assert (elsewhere / "old/a").read_bytes() == b"bytes"


def test_a_file_that_became_a_directory_of_its_own_name(disk: Disk) -> None:
    item = disk.save("a", b"bytes")
    inner = replace(create("a/a", b"bytes"), source=RelPath("a"))
    put, gone = disk.placer.place([inner, item])
    assert (put.problem, gone.placed) == (Problem("a/a", Code.CONTENT_MISSING), True)
    assert disk.kept() == version(b"bytes"), "from there it is copied"


def test_what_made_way_already_is_not_moved(disk: Disk) -> None:
    gone = disk.save("a", b"bytes")
    disk.staged(b"inner")
    outcomes = disk.placer.place([create("a/x", b"inner"), replace(create("b", b"bytes"), source=RelPath("a")), gone])
    assert [outcome.placed for outcome in outcomes] == [True, False, True]
    assert [path for path, _stat, _mode in disk.registered] == ["a", "a/x"]
    assert (disk.tree(), disk.kept()) == (whole({"a/x": b"inner"}), version(b"bytes"))


def test_presence_is_judged_by_the_listed_name(tmp_path: Path) -> None:
    """Windows would take OLD/A for the file that is to move, and so would a Mac."""
    exchange = Meddling()
    disk = Disk(tmp_path, exchange, replace(SYSTEMS_OWN, folding=Folding(case_insensitive=True)))
    items = renamed(disk)
    (disk.places.root / "old/a").rename(disk.places.root / "old/A")
    put, gone = disk.placer.place(items)
    assert (put.problem, gone.placed, exchange.steps) == (MISSING, True, [])


@pytest.mark.parametrize("put", [create("new/a", b"bytes", LATER_NS), create("new/a", b"bytes", mode=EXECUTABLE)])
def test_a_file_with_another_time_or_mode_is_copied(disk: Disk, put: PlaceItem) -> None:
    item = disk.save("old/a", b"bytes")
    disk.staged(b"bytes")
    outcomes = disk.placer.place([replace(put, source=item.path), item])
    assert all(outcome.placed and not outcome.moved for outcome in outcomes)
    assert (disk.places.root / "new/a").stat().st_mtime_ns == put.put.mtime_ns
    assert disk.kept() == version(b"bytes")


def test_what_vanishes_in_another_batch_is_copied(disk: Disk) -> None:
    put, gone = renamed(disk)
    disk.staged(b"bytes")
    assert disk.placer.place([put])[0].placed
    assert disk.tree() == whole({"old/a": b"bytes", "new/a": b"bytes"})
    assert disk.placer.place([gone])[0].placed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that dies")
def test_a_power_cut_leaves_a_renamed_file_at_one_of_its_names(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Meddling(power_cut))
    items = renamed(disk)
    assert in_a_process_that_may_die(lambda: disk.placer.place(items))
    assert disk.tree() == {"new": None, **whole({"old/a": b"bytes"})}
    assert Disk(tmp_path).placer.recover() == []
