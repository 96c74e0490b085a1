"""One file at a time: what must be read, and for how long its stat cannot be trusted."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from p2psync.books.completeness import Completeness
from p2psync.core.change import SIZE_BYTES_MAX
from p2psync.core.chunking import NOTHING, Layout
from p2psync.core.entry import EMPTY_DIRECTORY, Entry, Kind
from p2psync.core.ids import ContentId, content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.fs.inspector import LARGE_BYTES, Inspector, Manner, age_of
from p2psync.fs.listing import unreadable
from p2psync.fs.sight import Gathering, Missing, Moved, Row
from p2psync.fs.stable import SMALL_BYTES, Stopped
from tests.fs.watched import Place

A = RelPath("a")


class Told:
    """Notes how files are cut."""

    def __init__(self) -> None:
        self.cuts: list[tuple[ContentId, int, ContentId | None]] = []
        self.before: list[ContentId] = []

    def note_cut(self, content: ContentId, layout: Layout, before: ContentId | None) -> None:
        self.cuts.append((content, layout.spans[-1].offset, before))

    def note_bytes(self, content: ContentId, data: bytes) -> None:
        self.bytes = content, data

    def cut_before(self, content: ContentId) -> Layout:
        self.before.append(content)
        return NOTHING


def inspect(place: Place, inspector: Inspector, row: object = None) -> Gathering:
    into = Gathering()
    inspector.file(A, os.lstat(place.root / "a"), row, into, Manner())  # type: ignore[arg-type]
    return into


def test_a_new_file_is_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"text")
    [found] = inspect(place, Inspector(place.folder)).found
    assert found.seen.entry.content == content_of(b"text")
    assert found.whole is Completeness.OPEN
    assert found.racy_s == 0


def test_a_new_file_that_is_listed_is_read_without_a_look_at_its_stat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    place.save("a", b"text")
    told = Told()
    inspector = Inspector(place.folder, told)
    usual = inspect(place, inspector)
    monkeypatch.setattr(os, "lstat", lambda path: pytest.fail("its stat was asked for"))
    into = Gathering()
    assert inspector.new_file(A, into, Manner())
    assert (into.found[0].seen, into.found[0].whole) == (usual.found[0].seen, usual.found[0].whole)
    assert told.bytes == (content_of(b"text"), b"text")


def test_a_file_of_which_something_is_known_is_judged_by_its_stat_first(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"text", age_s=0.5)
    stat = place.folder.traits.stat(os.lstat(place.root / "a"))
    expecting, knowing, fresh = (Inspector(place.folder) for _ in range(3))
    expecting.expect([(A, stat, 0)])
    inspect(place, knowing)
    moved = Moved({stat: Missing(RelPath("b"), Entry(Kind.FILE, 4, 1, 0, content_of(b"text")), stat)})
    into = Gathering()
    assert not expecting.new_file(A, into, Manner())
    assert not knowing.new_file(A, into, Manner())
    assert not fresh.new_file(A, into, Manner(full=True))
    assert not fresh.new_file(A, into, Manner(moved=moved))
    place.save("a", bytes(SMALL_BYTES + 1))
    assert not fresh.new_file(A, into, Manner())
    assert len(into) == 0


def test_how_a_big_file_is_cut_is_told_once_it_was_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    told = Told()
    inspector = Inspector(place.folder, told)
    place.save("a", b"text")
    inspect(place, inspector)
    assert (told.cuts, told.bytes) == ([], (content_of(b"text"), b"text"))
    big = os.urandom(2 << 20)
    place.save("a", big)
    old = Entry(Kind.FILE, 4, 1, 0, content_of(b"text"))
    inspect(place, inspector, (A, old, None))
    [(content, last, before)] = told.cuts
    assert (content, before) == (content_of(big), old.content)
    assert told.before == [old.content]
    assert 0 < last < len(big)


def test_a_file_where_a_directory_was_is_new(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"text")
    assert len(inspect(place, Inspector(place.folder), (A, EMPTY_DIRECTORY, None)).found) == 1


def test_a_file_that_may_not_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path)
    place.save("a", b"text")
    refusal = PermissionError(13, "Permission denied")

    def refuse(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr("p2psync.fs.inspector.read_stable", refuse)
    assert inspect(place, Inspector(place.folder)).problems == [unreadable(A, refusal)]


def test_a_file_that_no_change_can_state_is_not_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    into = Gathering()
    huge = cast(os.stat_result, SimpleNamespace(st_size=SIZE_BYTES_MAX, st_mtime_ns=1, st_ino=1))
    Inspector(place.folder).file(A, huge, None, into, Manner(full=True, large=True))
    assert [problem.code for problem in into.problems] == [Code.UNREADABLE]
    assert not into.large


def test_nothing_is_read_once_it_was_stopped(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"text")
    inspector = Inspector(place.folder)
    inspector.check()
    inspector.stop()
    with pytest.raises(Stopped):
        inspector.check()
    with pytest.raises(Stopped):
        inspect(place, inspector)
    inspector.resume()
    assert inspect(place, inspector).found


@pytest.mark.parametrize(
    ("manner", "size", "age_s", "reads"),
    [
        (Manner(), LARGE_BYTES, 0.0, True),
        (Manner(), LARGE_BYTES + 1, 100.0, False),
        (Manner(large=True), LARGE_BYTES + 1, 100.0, True),
        (Manner(large=True), LARGE_BYTES + 1, 0.1, False),
        (Manner(large=True), LARGE_BYTES + 1, -100.0, False),
        (Manner(large=True, large_unquiet=True), LARGE_BYTES + 1, 0.1, True),
    ],
)
def test_a_large_file_is_read_by_who_has_the_time(manner: Manner, size: int, age_s: float, reads: bool) -> None:
    assert manner.reads(size, age_s) is reads


def test_an_age_is_told_by_the_clock(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", age_s=-50)
    assert -51 < age_of(os.lstat(place.root / "a")) < -40


def spoil(place: Place, text: bytes) -> None:
    """Other bytes of the same length, and the time of the save set back to what it was."""
    before = os.stat(place.root / "a")
    (place.root / "a").write_bytes(text)
    os.utime(place.root / "a", ns=(before.st_atime_ns, before.st_mtime_ns))


def fully(place: Place, inspector: Inspector, row: Row) -> Gathering:
    into = Gathering()
    inspector.file(A, os.lstat(place.root / "a"), row, into, Manner(full=True))
    return into


def as_known(place: Place, inspector: Inspector) -> Row:
    """What the base holds after the file was taken in."""
    [found] = inspect(place, inspector).found
    return A, found.seen.entry, found.seen.stat


def noted_now(row: Row) -> Row:
    """As if what was written meanwhile had been written by no program."""
    assert row[2] is not None
    return row[0], row[1], replace(row[2], known_ns=time.time_ns())


def test_other_bytes_in_a_file_that_nobody_touched_are_damage_until_they_are_right_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    place.save("a", b"as it was")
    inspector = Inspector(place.folder)
    row = as_known(place, inspector)
    spoil(place, b"as It was")
    row = noted_now(row)
    damage = [Problem(A, Code.DAMAGED)]
    assert not inspect(place, inspector, row).problems, "its stat says that it is as it was"
    told = fully(place, inspector, row)
    assert (told.problems, told.found) == (damage, [])
    with monkeypatch.context() as patch:
        patch.setattr("p2psync.fs.inspector.read_stable", lambda *_: pytest.fail("it was read once more"))
        assert inspect(place, inspector, row).problems == damage
    again = Inspector(place.folder)
    again.doubt(A)
    assert inspect(place, again, row).problems == damage, "after a restart"
    spoil(place, b"as it was")
    for one in (inspector, again):
        told = inspect(place, one, row)
        assert (told.problems, [f.seen.entry.content for f in told.found]) == ([], [content_of(b"as it was")])
        assert inspect(place, one, row).problems == []


def test_a_save_that_set_its_time_back_is_an_edit_for_a_full_pass(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"as it was")
    inspector = Inspector(place.folder)
    row = as_known(place, inspector)
    spoil(place, b"as It was")
    told = fully(place, inspector, row)
    assert ([f.seen.entry.content for f in told.found], told.problems) == ([content_of(b"as It was")], [])


def test_a_full_pass_notes_anew_when_the_same_bytes_were_known(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"as it was")
    inspector = Inspector(place.folder)
    row = as_known(place, inspector)
    assert fully(place, inspector, row).found == [], "nobody touched it"
    os.chmod(place.root / "a", 0o640)
    [found] = fully(place, inspector, row).found
    assert row[2] is not None
    assert found.seen.stat is not None
    assert (found.seen.stat == row[2], found.seen.stat.known_ns > row[2].known_ns) == (True, True)


def test_what_was_saved_twice_within_a_tick_of_the_clock_is_no_damage(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"as it was", age_s=0.0)
    inspector = Inspector(place.folder)
    row = as_known(place, inspector)
    spoil(place, b"as It was")
    told = inspect(place, inspector, noted_now(row))
    assert ([f.seen.entry.content for f in told.found], told.problems) == ([content_of(b"as It was")], [])
