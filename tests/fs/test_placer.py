"""A placed path holds exactly what was asked, or exactly what a user left there; and nothing is ever lost."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.entry import EMPTY_DIRECTORY, EXECUTABLE, Kind
from p2psync.core.ids import BlockHash, ChangeId, content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.fs.placer import TIDY_EVERY_S
from p2psync.fs.staging import KEEP_WHOLE_S
from p2psync.fs.traits import SYSTEMS_OWN
from p2psync.fs.watchlist import NAME as WATCHLIST
from tests.fs.disk import OLD_NS, Disk, a_file, create, mkdir, rmdir, version, whole
from tests.fs.meddling import Meddling, NoSwap, fail, in_a_process_that_may_die, power_cut

OTHER_NS = OLD_NS + 5_000_000_000
STOOD = (ChangeId(BlockHash(b"b" * 32), 0),)


@pytest.fixture(name="disk")
def a_disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def meddled(tmp_path: Path, exchange: Meddling) -> Disk:
    return Disk(tmp_path, exchange)


# -- new files ------------------------------------------------------------------------------------------------------


def test_a_new_file_gets_its_parents_bytes_time_and_mode(disk: Disk) -> None:
    disk.staged(b"chart")
    (outcome,) = disk.placer.place([create("a/b/c.crp", b"chart", OTHER_NS, EXECUTABLE)])
    path = disk.places.root / "a/b/c.crp"
    assert outcome.placed
    assert outcome.stat == SYSTEMS_OWN.stat(path.lstat())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (b"chart", OTHER_NS)
    assert path.stat().st_mode & 0o111
    assert disk.in_staging() == []


def test_the_watcher_hears_of_a_file_before_it_appears(disk: Disk) -> None:
    disk.staged(b"new")
    (outcome,) = disk.placer.place([create("a", b"new")])
    assert disk.registered == [(RelPath("a"), outcome.stat, 0)]


def test_the_same_bytes_go_to_several_paths(disk: Disk) -> None:
    disk.staged(b"same")
    outcomes = disk.placer.place([create("a", b"same"), create("d/b", b"same", OTHER_NS), create("c", b"same")])
    assert all(outcome.placed for outcome in outcomes)
    assert disk.tree() == whole({"a": b"same", "d/b": b"same", "c": b"same"})
    assert (disk.places.root / "d/b").stat().st_mtime_ns == OTHER_NS
    assert disk.in_staging() == []


def test_a_file_that_appeared_meanwhile_is_left_and_reported(disk: Disk) -> None:
    disk.save("a", b"the user's")
    disk.staged(b"ours")
    (outcome,) = disk.placer.place([create("a", b"ours")])
    assert not outcome.placed
    assert outcome.found is not None
    assert outcome.found.entry == a_file(b"the user's")
    assert disk.tree() == whole({"a": b"the user's"})
    assert disk.staging.has(content_of(b"ours")), "what was not placed waits for the next time"


def test_content_that_is_nowhere_is_a_problem(disk: Disk) -> None:
    outcomes = disk.placer.place([create("a", b"lost"), mkdir("d")])
    assert outcomes[0].problem == Problem("a", Code.CONTENT_MISSING)
    assert outcomes[1].placed, "everything else goes on"


def test_a_batch_of_many_small_files(disk: Disk) -> None:
    files = {f"d{i % 7}/f{i}": b"%d" % i for i in range(100)}
    disk.staged(*files.values())
    assert all(outcome.placed for outcome in disk.placer.place([create(path, data) for path, data in files.items()]))
    assert disk.tree() == whole(files)


# -- replacing ------------------------------------------------------------------------------------------------------


def test_a_replaced_file_becomes_a_version_without_a_copy(disk: Disk) -> None:
    item = disk.save("a", b"old")
    inode = (disk.places.root / "a").stat().st_ino
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new", OTHER_NS))])
    assert outcome.placed
    assert disk.tree() == whole({"a": b"new"})
    assert disk.kept() == version(b"old")
    assert disk.versions.path(content_of(b"old")).stat().st_ino == inode
    assert disk.in_staging() == []


def test_a_touched_file_is_still_what_was_expected(disk: Disk) -> None:
    """mtime alone is no change."""
    item = disk.save("a", b"old")
    disk.save("a", b"old", OTHER_NS)
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert outcome.placed


@pytest.mark.parametrize("found", [b"mine", b"much longer than before"])
def test_an_unexpected_file_stays_and_is_reported(disk: Disk, found: bytes) -> None:
    item = disk.save("a", b"them")
    disk.save("a", found, OTHER_NS)
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert not outcome.placed
    assert outcome.found is not None
    assert outcome.found.entry == a_file(found, OTHER_NS)
    assert outcome.found.stat == SYSTEMS_OWN.stat((disk.places.root / "a").lstat())
    assert disk.tree() == whole({"a": found})
    assert disk.kept() == {}
    assert disk.in_staging() == [content_of(b"new").hex()]


def test_a_file_of_the_same_size_and_time_saved_just_now_is_read(disk: Disk) -> None:
    """Two saves within one tick of the clock differ in nothing but their bytes."""
    item = disk.save("a", b"them", time.time_ns() + 3_600_000_000_000)
    path = disk.places.root / "a"
    with path.open("r+b") as file:
        file.write(b"mine")
    just_now = time.time_ns() + 15_000_000
    os.utime(path, ns=(just_now, just_now))
    item = replace(item, expect_stat=SYSTEMS_OWN.stat(path.lstat()))
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert outcome.found is not None
    assert outcome.found.entry.content == content_of(b"mine")


def test_a_file_that_is_not_there_in_this_instant_is_no_deletion(disk: Disk) -> None:
    item = disk.save("a", b"old")
    (disk.places.root / "a").unlink()
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert (outcome.found, outcome.problem) == (None, Problem("a", Code.STILL_CHANGING))
    assert disk.tree() == {}


def test_a_mode_that_the_user_changed_is_an_edit(disk: Disk) -> None:
    item = disk.save("a", b"old")
    (disk.places.root / "a").chmod(0o755)
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert outcome.found is not None
    assert outcome.found.entry.mode == EXECUTABLE


def test_who_may_read_a_file_stays_as_the_user_set_it(disk: Disk) -> None:
    item = disk.save("a", b"old")
    (disk.places.root / "a").chmod(0o600)
    disk.staged(b"new")
    disk.placer.place([replace(item, put=a_file(b"new", mode=EXECUTABLE))])
    assert (disk.places.root / "a").stat().st_mode & 0o777 == 0o700


def test_only_the_mode_changes_in_place(disk: Disk) -> None:
    item = disk.save("a", b"same")
    before = (disk.places.root / "a").stat().st_ino
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"same", OTHER_NS, EXECUTABLE))])
    after = (disk.places.root / "a").stat()
    assert outcome.placed
    assert outcome.stat == SYSTEMS_OWN.stat(after)
    assert (after.st_ino, after.st_mode & 0o100) == (before, 0o100)


def test_a_save_just_before_the_exchange_is_put_back(tmp_path: Path) -> None:
    disk = meddled(tmp_path, Meddling(lambda: disk.save("a", b"saved in between", OTHER_NS)))
    item = disk.save("a", b"old")
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert outcome.found is not None
    assert outcome.found.entry.content == content_of(b"saved in between")
    assert disk.tree() == whole({"a": b"saved in between"})


def save_by_rename(disk: Disk, path: str, data: bytes) -> None:
    disk.save("x.tmp", data, OTHER_NS + len(data))
    os.replace(disk.places.root / "x.tmp", disk.places.root / path)


def test_the_newest_of_several_saves_stays_and_the_others_are_kept(tmp_path: Path) -> None:
    """One save before the exchange, one by rename before it is taken back, one before that is taken back."""
    exchange = Meddling(
        lambda: disk.save("a", b"first", OTHER_NS),
        lambda: save_by_rename(disk, "a", b"second!"),
    )
    disk = meddled(tmp_path, exchange)
    item = disk.save("a", b"old")
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert outcome.found is not None
    assert outcome.found.entry.content == content_of(b"second!")
    assert (disk.tree(), disk.kept()) == (whole({"a": b"second!"}), version(b"first"))
    assert [(path, entry.content) for path, entry in disk.placer.kept_besides()] == [("a", content_of(b"first"))]
    assert disk.placer.kept_besides() == [], "each is told once"
    assert exchange.steps == ["swap"] * 3


def test_ours_deleted_before_it_is_taken_back(tmp_path: Path) -> None:
    disk = meddled(
        tmp_path,
        Meddling(lambda: disk.save("a", b"edit", OTHER_NS), lambda: (disk.places.root / "a").unlink()),
    )
    item = disk.save("a", b"old")
    disk.staged(b"new")
    (outcome,) = disk.placer.place([replace(item, put=a_file(b"new"))])
    assert outcome.found is not None
    assert disk.tree() == whole({"a": b"edit"})


# -- vanishing ------------------------------------------------------------------------------------------------------


def test_a_removed_file_becomes_a_version_and_its_empty_directories_go(disk: Disk) -> None:
    item = disk.save("a/b/c", b"old")
    disk.save("other/x", b"x")
    (outcome,) = disk.placer.place([item])
    assert outcome.placed
    assert disk.tree() == whole({"other/x": b"x"})
    assert disk.kept() == version(b"old")


def test_a_directory_that_was_empty_before_stays(disk: Disk) -> None:
    item = disk.save("a/b/c", b"old")
    (disk.places.root / "a/empty").mkdir()
    disk.placer.place([item])
    assert disk.tree() == {"a/empty": None}


def test_a_directory_that_shall_stay_empty_stays(disk: Disk) -> None:
    item = disk.save("a/c", b"old")
    outcomes = disk.placer.place([item, mkdir("a")])
    assert all(outcome.placed for outcome in outcomes)
    assert disk.tree() == {"a": None}


def test_an_edited_file_does_not_vanish(disk: Disk) -> None:
    item = disk.save("a", b"old")
    disk.save("a", b"edited", OTHER_NS)
    (outcome,) = disk.placer.place([item])
    assert outcome.found is not None
    assert outcome.found.entry.content == content_of(b"edited")
    assert disk.tree() == whole({"a": b"edited"})
    assert disk.in_staging() == []


def test_a_file_saved_again_while_it_was_moved_out(tmp_path: Path) -> None:
    disk = meddled(
        tmp_path,
        Meddling(lambda: disk.save("a", b"one", OTHER_NS), lambda: disk.save("a", b"two", OTHER_NS)),
    )
    item = disk.save("a", b"old")
    (outcome,) = disk.placer.place([item])
    assert outcome.found is not None
    assert outcome.found.entry.content == content_of(b"two")
    assert (disk.tree(), disk.kept()) == (whole({"a": b"two"}), version(b"one"))
    assert [(path, entry.content) for path, entry in disk.placer.kept_besides()] == [("a", content_of(b"one"))]


def test_what_is_gone_already_is_placed(disk: Disk) -> None:
    item = disk.save("a", b"old")
    (disk.places.root / "a").unlink()
    (outcome,) = disk.placer.place([item])
    assert outcome.placed


# -- directories, and files in the way ------------------------------------------------------------------------------


def test_empty_directories_come_and_go(disk: Disk) -> None:
    assert disk.placer.place([mkdir("a/b")])[0].placed
    assert disk.tree() == {"a/b": None}
    assert disk.placer.place([rmdir("a/b")])[0].placed
    assert disk.tree() == {}


def test_a_directory_in_which_something_was_made_stays(disk: Disk) -> None:
    disk.save("a/x", b"made meanwhile")
    assert disk.placer.place([rmdir("a")])[0].placed
    assert disk.tree() == whole({"a/x": b"made meanwhile"})


def test_a_file_makes_way_for_a_directory_in_one_batch(disk: Disk) -> None:
    item = disk.save("a", b"file")
    disk.staged(b"inner")
    outcomes = disk.placer.place([create("a/x", b"inner"), item])
    assert [outcome.placed for outcome in outcomes] == [True, True]
    assert (disk.tree(), disk.kept()) == (whole({"a/x": b"inner"}), version(b"file"))


def test_a_tree_makes_way_for_a_file_in_one_batch(disk: Disk) -> None:
    item = disk.save("a/b/x", b"inner")
    disk.staged(b"file")
    outcomes = disk.placer.place([create("a", b"file"), item])
    assert [outcome.placed for outcome in outcomes] == [True, True]
    assert (disk.tree(), disk.kept()) == (whole({"a": b"file"}), version(b"inner"))


def test_a_file_replaces_an_empty_directory_and_the_reverse(disk: Disk) -> None:
    disk.placer.place([mkdir("a")])
    disk.staged(b"file")
    (outcome,) = disk.placer.place([replace(create("a", b"file"), expect=EMPTY_DIRECTORY)])
    assert outcome.placed
    (outcome,) = disk.placer.place([replace(disk.expecting("a", b"file"), put=EMPTY_DIRECTORY)])
    assert outcome.placed
    assert (disk.tree(), disk.kept()) == ({"a": None}, version(b"file"))


def test_a_directory_where_a_file_should_go_is_found(disk: Disk) -> None:
    disk.save("a/x", b"x")
    disk.staged(b"file")
    (outcome,) = disk.placer.place([create("a", b"file")])
    assert outcome.found is not None
    assert outcome.found.entry.kind is Kind.DIRECTORY


def test_a_file_where_a_directory_should_be_is_a_problem(disk: Disk) -> None:
    disk.save("a", b"file")
    disk.staged(b"x")
    (outcome,) = disk.placer.place([create("a/x", b"x")])
    assert outcome.problem == Problem("a/x", Code.NAME_COLLIDES, "a")


@pytest.mark.parametrize("removing", [False, True])
def test_no_name_is_changed_through_a_symbolic_link(disk: Disk, tmp_path: Path, removing: bool) -> None:
    item = disk.save("real/x", b"x")
    (disk.places.root / "link").symlink_to(disk.places.root / "real")
    disk.staged(b"y")
    through = replace(item, path=RelPath("link/x")) if removing else create("link/y", b"y")
    (outcome,) = disk.placer.place([through])
    assert outcome.problem == Problem(through.path, Code.SYMBOLIC_LINK, "link")
    assert sorted(os.listdir(disk.places.root / "real")) == ["x"]


def test_a_symbolic_link_itself_is_never_replaced(disk: Disk) -> None:
    item = disk.save("a", b"old")
    (disk.places.root / "a").unlink()
    (disk.places.root / "a").symlink_to("/nowhere")
    disk.staged(b"new")
    outcomes = [*disk.placer.place([replace(item, put=a_file(b"new"))]), *disk.placer.place([item])]
    assert [outcome.problem for outcome in outcomes] == [Problem("a", Code.SYMBOLIC_LINK)] * 2
    assert (disk.places.root / "a").is_symlink()


# -- a disk that fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.DISK_FULL),
        (errno.EDQUOT, Code.DISK_FULL),
        (errno.EROFS, Code.READ_ONLY),
        (errno.EACCES, Code.READ_ONLY),
        (errno.EBUSY, Code.LOCKED),
        (errno.EIO, Code.DISK_ERROR),
    ],
)
def test_a_failing_disk_leaves_what_stood_there(tmp_path: Path, number: int, code: Code) -> None:
    disk = meddled(tmp_path, Meddling(fail(number), fail(number), fail(number)))
    item = disk.save("a", b"old")
    disk.save("b", b"gone")
    disk.staged(b"new", b"more")
    outcomes = disk.placer.place(
        [replace(item, put=a_file(b"new")), create("c", b"more"), disk.expecting("b", b"gone")]
    )
    assert [outcome.problem and outcome.problem.code for outcome in outcomes] == [code] * 3
    assert disk.tree() == whole({"a": b"old", "b": b"gone"})
    assert disk.staging.has(content_of(b"new"))


def test_a_failed_flush_places_nothing(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.staged(b"new")
    monkeypatch.setattr("p2psync.fs.readying.sync_files", lambda paths, root: fail(errno.EIO)())
    (outcome,) = disk.placer.place([create("a", b"new")])
    assert outcome.problem == Problem("a", Code.DISK_ERROR, "errno 5")
    assert disk.tree() == {}


def test_staging_is_tidied_every_hour(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.staged(b"superseded")
    later = time.time() + KEEP_WHOLE_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    disk.placer.place([])
    assert disk.in_staging() != []
    disk.now = TIDY_EVERY_S
    disk.placer.place([])
    assert disk.in_staging() == []


# -- power cuts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [False, True])
@pytest.mark.parametrize("step", range(5))
def test_after_a_power_cut_each_path_is_whole_and_nothing_is_lost(tmp_path: Path, step: int, lacking: bool) -> None:
    """Cut before each step of one replacement and one removal, on a disk with and without exchange."""
    acts = [None] * step + [power_cut]
    disk = meddled(tmp_path, NoSwap(*acts) if lacking else Meddling(*acts))
    replaced = replace(disk.save("a", b"old"), put=a_file(b"new"))
    removed = disk.save("b", b"gone")
    disk.staged(b"new")
    assert in_a_process_that_may_die(lambda: disk.placer.place([replaced, removed])) == (step < (4 if lacking else 2))
    after = Disk(tmp_path)
    after.placer.recover()
    assert after.tree()["a"] in (b"old", b"new")
    assert {b"old", b"gone"} <= {*after.tree().values(), *after.kept().values()}
    assert [name for name in after.in_staging() if not name.endswith(content_of(b"new").hex())] == []


# -- programs that hold a file open ---------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
def test_after_a_crash_it_is_watched_on_unless_somebody_else_had_the_folder(disk: Disk, known: bool) -> None:
    item = disk.save("a", b"old")
    disk.staged(b"new")
    with (disk.places.root / "a").open("ab") as program:
        disk.placer.place([replace(item, put=a_file(b"new"), stood=STOOD)])
        program.write(b" and more")
    after = Disk(disk.places.root)
    assert after.placer.recover(known) == []
    assert [write.entry.content for write in after.placer.late_writes(0.0)] == [content_of(b"old and more")] * known
    assert after.in_staging() == []
    assert (after.places.staging / WATCHLIST).exists() == known


def test_what_is_written_late_into_a_replaced_file_becomes_an_edit(disk: Disk) -> None:
    item = disk.save("a", b"old")
    disk.staged(b"new")
    with (disk.places.root / "a").open("ab") as program:
        disk.placer.place([replace(item, put=a_file(b"new"), stood=STOOD)])
        assert disk.placer.late_due_s() == 2.0
        program.write(b" and more")
        program.flush()
        (write,) = disk.placer.late_writes(2.0)
    assert (write.path, write.entry.content, write.stood) == (RelPath("a"), content_of(b"old and more"), STOOD)
    assert disk.kept() == version(b"old and more")
    assert disk.tree() == whole({"a": b"new"})
    assert disk.placer.late_writes(4.0) == []


def test_a_removed_file_whose_bytes_are_kept_already_is_watched_too(disk: Disk) -> None:
    disk.placer.place([disk.save("a", b"old")])
    item = disk.save("b", b"old")
    with (disk.places.root / "b").open("ab") as program:
        disk.placer.place([replace(item, stood=STOOD)])
        program.write(b"!")
        program.flush()
        (write,) = disk.placer.late_writes(2.0)
    assert (write.entry.content, write.stood) == (content_of(b"old!"), STOOD)
    assert disk.kept() == version(b"old") | version(b"old!")


def test_the_watching_ends(disk: Disk) -> None:
    disk.placer.place([disk.save("a", b"old")])
    disk.placer.place([disk.save("b", b"old")])
    assert disk.placer.late_writes(2.0) == []
    assert disk.placer.late_writes(62.0) == []
    assert disk.placer.late_due_s() is None
    assert (disk.in_staging(), disk.kept()) == ([], version(b"old"))
