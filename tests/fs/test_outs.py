"""What came out is kept, and looked at again until nothing more can be expected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.core.ids import BlockHash, ChangeId, content_of
from p2psync.core.relpath import RelPath
from p2psync.fs import outs
from p2psync.fs.outs import LOOK_AGAIN_AFTER_S, Outs
from p2psync.fs.staging import Staging
from p2psync.fs.traits import SYSTEMS_OWN
from p2psync.fs.versions import Versions
from p2psync.fs.watchlist import NAME
from tests.fs.disk import OLD_NS, a_file

A = RelPath("a")
FIRST, SECOND = LOOK_AGAIN_AFTER_S
STOOD = (ChangeId(BlockHash(b"b" * 32), 3),)


class Came:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = Staging(root / "staging")
        self.versions = Versions(root / "versions")
        self.outs = Outs(self.staging, self.versions, SYSTEMS_OWN)

    def put(self, data: bytes) -> Path:
        """A file that just came out."""
        path = self.staging.fresh("out")
        path.write_bytes(data)
        os.utime(path, ns=(OLD_NS, OLD_NS))
        return path

    def after_a_crash(self, now: float = 0.0) -> Came:
        """Another process that begins with what is on the disk."""
        after = Came(self.root)
        watched = {*after.outs.recover(now), NAME}
        after.staging.recover(after.versions, watched)
        return after

    def out(self, data: bytes, now: float = 0.0) -> Path:
        return self.outs.keep(self.put(data), A, a_file(data), now)


@pytest.fixture(name="came")
def what_came(tmp_path: Path) -> Came:
    return Came(tmp_path)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as program:
        program.write(data)


def test_it_is_looked_at_twice(came: Came) -> None:
    lies = came.out(b"old")
    assert lies == came.versions.path(content_of(b"old"))
    assert came.outs.due_s() == FIRST
    assert came.outs.late_writes(FIRST - 0.1) == []
    assert came.outs.late_writes(FIRST) == []
    assert came.outs.due_s() == FIRST + SECOND
    assert came.outs.late_writes(FIRST + SECOND) == []
    assert came.outs.due_s() is None


@pytest.mark.parametrize("when", [FIRST, FIRST + SECOND])
def test_a_late_write_is_an_edit_with_its_bytes_kept(came: Came, when: float) -> None:
    lies = came.out(b"old")
    came.outs.late_writes(FIRST if when > FIRST else 0.0)
    append(lies, b" late")
    (write,) = came.outs.late_writes(when)
    assert (write.path, write.entry.content, write.entry.size) == (A, content_of(b"old late"), 8)
    assert write.overwritten == content_of(b"old")
    assert list(came.versions.iterate()) == [content_of(b"old late")]
    assert came.outs.due_s() == when + FIRST, "the program may still be writing"


def test_each_late_write_tells_what_stood_there_and_what_the_one_before_left(came: Came) -> None:
    lies = came.outs.keep(came.put(b"old"), A, a_file(b"old"), 0.0, STOOD)
    with lies.open("ab") as program:
        for number, before in enumerate([None, content_of(b"old 0"), content_of(b"old 0 1")]):
            program.write(f" {number}".encode())
            program.flush()
            (write,) = came.outs.late_writes(came.outs.due_s() or 0.0)
            assert (write.stood, write.before, write.whole) == (STOOD, before, True)


def test_a_version_that_is_kept_apart_is_not_overwritten(came: Came) -> None:
    came.versions.adopt(came.put(b"old"), content_of(b"old"))
    append(came.out(b"old"), b" late")
    (write,) = came.outs.late_writes(FIRST)
    assert write.overwritten is None
    assert set(came.versions.iterate()) == {content_of(b"old"), content_of(b"old late")}


def test_a_second_file_with_the_same_bytes_takes_the_place_of_a_version_that_is_written_over(came: Came) -> None:
    first = came.out(b"old")
    second = came.out(b"old")
    append(first, b" late")
    (write,) = came.outs.late_writes(FIRST)
    assert write.overwritten is None
    assert not second.exists()
    assert came.versions.path(content_of(b"old")).read_bytes() == b"old"
    append(came.versions.path(content_of(b"old")), b" later")
    (later,) = came.outs.late_writes(FIRST + SECOND)
    assert (later.entry.content, later.overwritten) == (content_of(b"old later"), content_of(b"old"))
    assert set(came.versions.iterate()) == {content_of(b"old late"), content_of(b"old later")}


def test_of_two_that_were_both_written_into_none_takes_its_place(came: Came) -> None:
    for path, text in ((came.out(b"old"), b"1"), (came.out(b"old"), b"2")):
        append(path, text)
    first, second = came.outs.late_writes(FIRST)
    assert (first.overwritten, second.overwritten) == (content_of(b"old"), None)
    assert not came.versions.has(content_of(b"old"))


def test_half_a_file_is_told_as_such(came: Came) -> None:
    """The program may have begun to write it anew just before it was replaced."""
    out = came.put(b"A=1\r\nENDOFFILE\r\n")
    lies = came.outs.keep(out, RelPath("x.crp"), a_file(out.read_bytes()), 0.0)
    lies.write_bytes(b"A=2\r\n")
    (write,) = came.outs.late_writes(FIRST)
    assert not write.whole
    came.versions.path(content_of(b"A=2\r\n")).write_bytes(b"A=2\r\nENDOFFILE\r\n")
    (write,) = came.outs.late_writes(2 * FIRST)
    assert write.whole


def test_touching_is_no_edit(came: Came) -> None:
    lies = came.out(b"old")
    os.utime(lies)
    assert came.outs.late_writes(FIRST) == []
    assert came.versions.has(content_of(b"old"))


def test_a_second_copy_is_watched_and_then_removed(came: Came) -> None:
    came.out(b"old")
    spare = came.out(b"old")
    assert spare.parent == came.staging.root
    assert came.outs.late_writes(FIRST) == []
    assert came.outs.late_writes(FIRST + SECOND) == []
    assert not spare.exists()
    assert came.versions.has(content_of(b"old"))


def test_one_that_was_pruned_is_forgotten(came: Came) -> None:
    came.out(b"old").unlink()
    assert came.outs.late_writes(FIRST) == []
    assert came.outs.due_s() is None


def test_bytes_nobody_has_read_are_kept_under_their_own_id_and_watched(came: Came) -> None:
    out = came.put(b"unknown")
    assert came.outs.keep_unknown(out, A, 0.0) == a_file(b"unknown")
    append(came.versions.path(content_of(b"unknown")), b", and more")
    (write,) = came.outs.late_writes(FIRST)
    assert (write.path, write.entry.content) == (A, content_of(b"unknown, and more"))
    assert list(came.versions.iterate()) == [content_of(b"unknown, and more")]


# -- crashes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept_already", [False, True])
def test_what_was_written_late_before_a_crash_is_told_after_it(came: Came, kept_already: bool) -> None:
    if kept_already:
        came.versions.adopt(came.put(b"old"), content_of(b"old"))
    lies = came.outs.keep(came.put(b"old"), A, a_file(b"old"), 0.0, STOOD)
    append(lies, b" late")
    after = came.after_a_crash()
    assert after.outs.due_s() == 0.0, "at once"
    (write,) = after.outs.late_writes(0.0)
    assert (write.path, write.entry.content, write.stood, write.before) == (A, content_of(b"old late"), STOOD, None)
    assert write.overwritten == (None if kept_already else content_of(b"old"))
    assert after.versions.path(content_of(b"old late")).read_bytes() == b"old late"
    assert after.versions.has(content_of(b"old")) == kept_already


def test_a_program_that_outlives_a_crash_is_still_watched(came: Came) -> None:
    lies = came.out(b"old")
    after = came.after_a_crash()
    assert after.outs.late_writes(0.0) == []
    append(lies, b" late")
    (write,) = after.outs.late_writes(FIRST + SECOND)
    assert write.entry.content == content_of(b"old late")


def test_what_was_found_before_a_crash_is_told_again_with_the_same_facts(came: Came) -> None:
    lies = came.outs.keep(came.put(b"old"), A, a_file(b"old"), 0.0, STOOD)
    append(lies, b" late")
    (write,) = came.outs.late_writes(FIRST)
    append(came.versions.path(content_of(b"old late")), b"r")
    (later,) = came.outs.late_writes(2 * FIRST)
    after = came.after_a_crash()
    assert after.outs.late_writes(0.0) == [later]
    assert after.outs.late_writes(0.0) == [], "once"
    assert (write.overwritten, later.overwritten) == (content_of(b"old"), content_of(b"old late"))
    assert later.before == content_of(b"old late")


def test_what_is_told_again_overwrote_nothing_that_is_kept_again(came: Came) -> None:
    append(came.out(b"old"), b" late")
    (write,) = came.outs.late_writes(FIRST)
    assert write.overwritten == content_of(b"old")
    came.versions.adopt(came.put(b"old"), content_of(b"old"))
    (again,) = came.after_a_crash().outs.late_writes(0.0)
    assert again.overwritten is None


def test_a_late_write_is_noted_before_its_file_moves(came: Came, monkeypatch: pytest.MonkeyPatch) -> None:
    append(came.out(b"old"), b" late")

    def crash(*_: object) -> Path:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Versions, "adopt", crash)
        with pytest.raises(SystemExit):
            came.outs.late_writes(FIRST)
    (write,) = came.after_a_crash().outs.late_writes(0.0)
    assert write.entry.content == content_of(b"old late")


def test_nothing_is_written_down_when_nothing_is_watched(came: Came) -> None:
    came.out(b"old")
    assert (came.staging.root / NAME).exists()
    came.outs.late_writes(FIRST)
    came.outs.late_writes(FIRST + SECOND)
    assert list(came.staging.root.iterdir()) == []
    assert came.after_a_crash().outs.due_s() is None


def test_the_list_does_not_grow_without_end(came: Came, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outs, "NOTES_MAX", 10)
    for number in range(100):
        came.out(b"%d" % number, now=float(number))
        came.outs.late_writes(float(number))
    lines = (came.staging.root / NAME).read_text().splitlines()
    assert len(lines) <= 10 + 3 * (SECOND + FIRST)
    assert came.after_a_crash().outs.due_s() == 0.0


def test_a_name_that_leads_elsewhere_is_not_looked_at(came: Came) -> None:
    came.out(b"old")
    elsewhere = came.root / "elsewhere"
    elsewhere.write_bytes(b"a user's")
    watched = came.staging.root / NAME
    watched.write_text(watched.read_text().replace('"name": ""', '"name": "../elsewhere"'))
    after = came.after_a_crash()
    after.outs.late_writes(0.0)
    after.outs.late_writes(SECOND)
    assert elsewhere.read_bytes() == b"a user's"


def test_the_next_look_is_for_the_one_that_is_due_first(came: Came) -> None:
    """Whatever was added, looked at or pruned meanwhile."""
    assert came.outs.due_s() is None
    came.out(b"one", 0.0)
    lies = came.out(b"two", 1.0)
    assert came.outs.due_s() == FIRST
    came.outs.late_writes(FIRST)
    assert came.outs.due_s() == FIRST + 1.0
    lies.unlink()
    came.outs.late_writes(FIRST + 1.0)
    assert came.outs.due_s() == FIRST + SECOND
    came.out(b"three", FIRST + SECOND - 3.0)
    assert came.outs.due_s() == FIRST + SECOND - 1.0


def test_one_that_cannot_be_looked_at_leaves_the_others_watched(came: Came, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        came.out(b"%d" % number, float(number))

    def broken(self: Path) -> os.stat_result:
        raise PermissionError(13, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", broken)
        with pytest.raises(PermissionError):
            came.outs.late_writes(FIRST)
    assert came.outs.due_s() == FIRST + 1.0
