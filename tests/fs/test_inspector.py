"""One file at a time: what must be read, and for how long its stat cannot be trusted."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from p2psync.books.completeness import Completeness
from p2psync.core.change import SIZE_BYTES_MAX
from p2psync.core.entry import EMPTY_DIRECTORY
from p2psync.core.ids import ContentId, content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath
from p2psync.fs.inspector import LARGE_BYTES, Inspector, Manner, age_of
from p2psync.fs.listing import unreadable
from p2psync.fs.sight import Gathering
from p2psync.fs.stable import Stopped
from tests.fs.watched import Place

A = RelPath("a")


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


def test_how_a_big_file_is_cut_is_told_once_it_was_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    told: list[tuple[ContentId, int]] = []
    inspector = Inspector(place.folder, lambda content, spans: told.append((content, spans[-1].offset)))
    place.save("a", b"text")
    inspect(place, inspector)
    assert told == []
    big = os.urandom(2 << 20)
    place.save("a", big)
    inspect(place, inspector)
    [(content, last)] = told
    assert content == content_of(big)
    assert 0 < last < len(big)


def test_a_file_where_a_directory_was_is_new(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.save("a", b"text")
    assert len(inspect(place, Inspector(place.folder), (A, EMPTY_DIRECTORY, None)).found) == 1


def test_a_file_that_may_not_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path)
    place.save("a", b"text")
    refusal = PermissionError(13, "Permission denied")

    def refuse(*_: object) -> None:
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
