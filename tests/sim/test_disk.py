"""The simulated folder does what the real one does, or what the simulator finds proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.entry import ABSENT, Entry
from p2psync.core.ids import BlockHash, ChangeId, content_of
from p2psync.core.relpath import Folding, parse
from p2psync.engine.effects import PlaceItem
from p2psync.sim import disk as sim
from tests.fs import disk as real
from tests.fs.disk import a_file

TELLS_CASE_APART = Folding(False, False)
FOLDS_CASE = Folding(True, False)
NOW_NS = 1_750_000_000_000_000_000


def folder(files: Mapping[str, bytes], folding: Folding = TELLS_CASE_APART) -> sim.Disk:
    made = sim.Disk(folding)
    for path, data in files.items():
        made.write(parse(path), data, NOW_NS)
    return made


def shown(disk: sim.Disk) -> dict[str, bytes]:
    return {path: file.data for path, file in disk.files.items()}


def stage(disk: sim.Disk, *several: bytes) -> None:
    disk.staged.update({content_of(data): data for data in several})


def item(path: str, expect: bytes | None, put: bytes | None) -> PlaceItem:
    """Bytes stand for a file, None for nothing."""

    def entry(data: bytes | None) -> Entry:
        return ABSENT if data is None else a_file(data)

    return PlaceItem(parse(path), entry(expect), None, entry(put), "replaced")


# -- the same as the placer of a real folder -----------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A folder, and what is asked of it."""

    said: str
    standing: Mapping[str, bytes]
    asked: PlaceItem
    placed: bool
    after: Mapping[str, bytes]
    kept: tuple[bytes, ...] = ()
    staged: tuple[bytes, ...] = field(default=(b"new",))


CASES = [
    Case("a new file", {}, item("sub/a", None, b"new"), True, {"sub/a": b"new"}),
    Case("a file replaced", {"a": b"old"}, item("a", b"old", b"new"), True, {"a": b"new"}, (b"old",)),
    Case("a file removed", {"a": b"old", "b": b"b"}, item("a", b"old", None), True, {"b": b"b"}, (b"old",)),
    Case("a save in between", {"a": b"saved"}, item("a", b"old", b"new"), False, {"a": b"saved"}),
    Case("a save before a removal", {"a": b"saved"}, item("a", b"old", None), False, {"a": b"saved"}),
    Case("a file came in between", {"a": b"saved"}, item("a", None, b"new"), False, {"a": b"saved"}),
    Case("a file went in between", {}, item("a", b"old", b"new"), False, {}),
    Case("a directory is in the way", {"a/b": b"b"}, item("a", None, b"new"), False, {"a/b": b"b"}),
    Case("a file is in the way of a directory", {"a": b"a"}, item("a/b", None, b"new"), False, {"a": b"a"}),
    Case("the bytes are nowhere", {"a": b"old"}, item("a", b"old", b"new"), False, {"a": b"old"}, staged=()),
    Case("an empty file", {"a": b"old"}, item("a", b"old", b""), True, {"a": b""}, (b"old",), staged=(b"",)),
]


@pytest.mark.parametrize("case", CASES, ids=[case.said for case in CASES])
def test_a_placement_ends_as_on_a_real_disk(case: Case, tmp_path: Path) -> None:
    simulated = folder(case.standing)
    stage(simulated, *case.staged)
    outcome = simulated.place(case.asked)
    assert (outcome.path, outcome.placed) == (case.asked.path, case.placed)
    assert shown(simulated) == case.after
    assert set(simulated.versions.values()) == set(case.kept)

    there = real.Disk(tmp_path)
    for path, data in case.standing.items():
        there.save(path, data)
    there.staged(*case.staged)
    [really] = there.placer.place([case.asked])
    assert really.placed is outcome.placed
    assert {path: data for path, data in there.tree().items() if data is not None} == case.after
    assert set(there.kept().values()) == set(case.kept)


@pytest.mark.parametrize("case", [case for case in CASES if not case.placed], ids=lambda case: case.said)
def test_what_was_found_instead_is_told(case: Case) -> None:
    disk = folder(case.standing)
    stage(disk, *case.staged)
    found = disk.place(case.asked).found
    standing = case.standing.get(case.asked.path)
    assert found is not None
    assert found.entry.content == (content_of(standing) if standing is not None else None)


def test_what_was_placed_is_what_is_seen() -> None:
    disk = folder({"a": b"old"})
    stage(disk, b"new")
    outcome = disk.place(item("a", b"old", b"new"))
    seen = disk.seen(parse("a"))
    assert seen.entry == a_file(b"new")
    assert seen.stat == outcome.stat
    assert disk.seen(parse("b")).entry == ABSENT


def rename(old: str, new: str, data: bytes) -> list[PlaceItem]:
    return [replace(item(new, None, data), source=parse(old)), item(old, data, None)]


@pytest.mark.parametrize("standing", [{"a": b"one"}, {"a": b"saved"}, {"a": b"one", "b": b"in the way"}])
def test_a_rename_ends_as_on_a_real_disk(standing: Mapping[str, bytes], tmp_path: Path) -> None:
    simulated, there = folder({}), real.Disk(tmp_path)
    for path, data in standing.items():
        simulated.write(parse(path), data, real.OLD_NS)
        there.save(path, data)
    items = rename("a", "b", b"one")
    if standing.get("a") == b"one":
        items[1] = replace(items[1], expect_stat=there.expecting("a", b"one").expect_stat)
    simulated.staged.clear()
    outcomes, really = simulated.place_all(items), there.placer.place(items)
    assert [(o.path, o.placed, o.moved) for o in outcomes] == [(o.path, o.placed, o.moved) for o in really]
    assert shown(simulated) == {path: data for path, data in there.tree().items() if data is not None}
    assert set(simulated.versions.values()) == set(there.kept().values())


def test_a_program_that_holds_a_renamed_file_open_writes_into_it() -> None:
    disk = folder({})
    disk.write(parse("a"), b"one", real.OLD_NS)
    held = disk.files[parse("a")].inode
    disk.place_all(rename("a", "b", b"one"))
    disk.write_in_place(held, b"two", NOW_NS)
    assert shown(disk) == {"b": b"two"}
    assert disk.late_writes() == []


def test_each_save_is_a_file_of_its_own() -> None:
    disk = folder({"a": b"same"})
    before = disk.seen(parse("a")).stat
    disk.write(parse("a"), b"same", NOW_NS)
    assert disk.seen(parse("a")).stat != before


# -- names ---------------------------------------------------------------------------------------------


def test_a_save_goes_to_the_name_that_the_disk_takes_for_the_same() -> None:
    disk = folder({"Sub/A.txt": b"one"}, FOLDS_CASE)
    disk.write(parse("sub/a.TXT"), b"two", NOW_NS)
    assert shown(disk) == {"Sub/A.txt": b"two"}
    assert disk.standing_name(parse("SUB/a.txt")) == "Sub/A.txt"
    apart = folder({"A.txt": b"one", "a.txt": b"two"})
    assert shown(apart) == {"A.txt": b"one", "a.txt": b"two"}
    assert apart.standing_name(parse("a.TXT")) is None


def test_presence_is_judged_by_the_listed_name() -> None:
    """Windows answers for "a.txt" when asked for "A.txt"; a rename to the other case would look like nothing."""
    disk = folder({"A.txt": b"one"}, FOLDS_CASE)
    assert disk.seen(parse("a.txt")).entry == ABSENT


def test_nothing_is_placed_over_a_name_that_differs_in_case_alone() -> None:
    disk = folder({"A.txt": b"one"}, FOLDS_CASE)
    stage(disk, b"two")
    assert not disk.place(item("a.txt", None, b"two")).placed
    assert shown(disk) == {"A.txt": b"one"}


def test_a_directory_that_differs_in_case_alone_is_in_the_way_of_no_file_in_it() -> None:
    disk = folder({"Sub/a": b"one"}, FOLDS_CASE)
    assert not disk.obstructed(parse("sub/b"))
    assert disk.obstructed(parse("Sub/a/c"))
    assert disk.obstructed(parse("Sub"))


# -- where bytes are -----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"x", b""])
@pytest.mark.parametrize("where", ["staged", "versions", "files"])
def test_bytes_are_found_wherever_they_lie(where: str, data: bytes) -> None:
    disk = folder({"other": b"other"})
    content = content_of(data)
    assert disk.find(content) is None
    held: dict[Any, Any] = getattr(disk, where)
    if where == "files":
        disk.write(parse("a"), data, NOW_NS)
    else:
        held[content] = data
    assert disk.find(content) == data


def test_a_backup_holds_all_but_what_is_staged_and_is_independent() -> None:
    disk = folder({"a": b"old"})
    disk.epoch = b"epoch"
    stage(disk, b"new")
    backup = disk.copy()
    disk.place(item("a", b"old", b"new"))
    assert (shown(backup), backup.versions, backup.staged, backup.epoch) == ({"a": b"old"}, {}, {}, b"epoch")
    backup.write(parse("b"), b"b", NOW_NS)
    assert shown(disk) == {"a": b"new"}


# -- programs that hold a file open --------------------------------------------------------------------


@pytest.mark.parametrize("kept_already", [False, True])
def test_late_writes_are_told_as_on_a_real_disk(tmp_path: Path, kept_already: bool) -> None:
    simulated, there = folder({"a": b"old"}), real.Disk(tmp_path)
    stage(simulated, b"new")
    there.save("a", b"old")
    there.staged(b"new")
    if kept_already:
        simulated.versions[content_of(b"old")] = b"old"
        there.placer.place([there.save("b", b"old")])
    inode = simulated.files[parse("a")].inode
    asked = replace(item("a", b"old", b"new"), stood=(ChangeId(BlockHash(b"b" * 32), 0),))
    with (there.places.root / "a").open("r+b") as program:
        simulated.place(asked)
        there.placer.place([asked])
        simulated.write_in_place(inode, b"older", NOW_NS)
        assert simulated.late_writes() == [], "the placement has to be told before"
        simulated.outs[inode].reported = True
        for now_s, text in ((10.0, b"older"), (20.0, b"older still"), (30.0, b"older still")):
            simulated.write_in_place(inode, text, NOW_NS)
            program.seek(0)
            program.write(text)
            program.flush()
            told = [replace(write, entry=replace(write.entry, mtime_ns=0)) for write in there.placer.late_writes(now_s)]
            assert simulated.late_writes() == told
            assert len(told) == (now_s < 30)
            assert set(simulated.versions.values()) == set(there.kept().values())
        after = real.Disk(tmp_path)
        after.placer.recover()
        told = [replace(write, entry=replace(write.entry, mtime_ns=0)) for write in after.placer.late_writes(0.0)]
        assert [write for write in told if write.path == "a"] == simulated.told_before()
    assert shown(simulated) == {"a": b"new"}


def test_a_program_writes_into_a_file_that_stands_without_making_another() -> None:
    disk = folder({"a": b"old"})
    inode = disk.files[parse("a")].inode
    assert disk.held(inode) == ("a", content_of(b"old"))
    disk.write_in_place(inode, b"more", NOW_NS)
    assert disk.held(inode) == ("a", content_of(b"more"))
    assert (shown(disk), disk.files[parse("a")].inode, disk.late_writes()) == ({"a": b"more"}, inode, [])


def test_what_is_written_into_a_file_that_its_user_replaced_is_nowhere() -> None:
    disk = folder({"a": b"old"})
    inode = disk.files[parse("a")].inode
    disk.write(parse("a"), b"new", NOW_NS)
    disk.write_in_place(inode, b"lost", NOW_NS)
    assert (disk.held(inode), disk.late_writes(), shown(disk)) == (None, [], {"a": b"new"})
