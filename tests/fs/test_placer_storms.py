"""Many new files at once, whose bytes came along with their changes."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from p2psync.core.entry import Entry
from p2psync.core.ids import content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath
from p2psync.engine.events import Outcome
from tests.daemon.patience import DEADLINE_S
from tests.fs.disk import Disk, create
from tests.fs.meddling import Meddling, fail
from tests.fs.onlooking import Nobody


@pytest.fixture(name="disk")
def a_disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_of_a_storm_of_new_files_only_what_is_in_the_way_stays_out(disk: Disk, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    disk.save("d/taken", b"the user's")
    disk.save("file", b"no directory")
    (disk.places.root / "link").symlink_to(outside)
    names = ["d/a", "new/b", "d/taken", "file/x", "link/x", "c", "new/deep/e"]
    disk.given(*map(str.encode, names))
    outcomes = disk.placer.place([create(name, name.encode()) for name in names])
    assert [outcome.placed for outcome in outcomes] == [True, True, False, False, False, True, True]
    assert [outcome.problem and outcome.problem.code for outcome in outcomes[3:5]] == [
        Code.NAME_COLLIDES,
        Code.SYMBOLIC_LINK,
    ]
    assert outcomes[2].found is not None
    assert list(outside.iterdir()) == []
    assert [(disk.places.root / name).read_bytes() for name in ("d/a", "new/b", "c", "new/deep/e")] == [
        b"d/a",
        b"new/b",
        b"c",
        b"new/deep/e",
    ]
    assert (disk.places.root / "d/taken").read_bytes() == b"the user's"
    assert sorted(disk.in_staging()) == sorted(content_of(name.encode()).hex() for name in names[2:5])


def test_while_the_disk_is_waited_for_another_batch_is_placed(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = Flush(monkeypatch)
    disk.given(b"1", b"2")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(disk.placer.place, [create("d/a", b"1")])
        with flush.held():
            (second,) = disk.placer.place([create("d/b", b"2")])
            assert second.placed
            assert disk.tree() == {"d/b": b"2"}, "no name before its bytes are on the medium"
        assert [outcome.placed for outcome in first.result()] == [True]
    assert disk.tree() == {"d/a": b"1", "d/b": b"2"}


def test_while_names_change_another_batch_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[Future[list[Outcome]]] = []
    written = threading.Event()

    def place_another() -> None:
        others.append(pool.submit(disk.placer.place, [create("b", b"2")]))
        assert written.wait(DEADLINE_S)
        assert disk.tree() == {}, "but its name waits"

    def write(data: bytes, entry: Entry, kept: int) -> tuple[str, os.stat_result]:
        found = write_fresh(data, entry, kept)
        if data == b"2":
            written.set()
        return found

    disk = Disk(tmp_path, Meddling(place_another))
    write_fresh = disk.staging.write_fresh
    monkeypatch.setattr(disk.staging, "write_fresh", write)
    disk.given(b"1", b"2")
    with ThreadPoolExecutor(1) as pool:
        outcomes = disk.placer.place([create("a", b"1")])
        outcomes += others[0].result()
    assert [outcome.placed for outcome in outcomes] == [True, True]
    assert disk.tree() == {"a": b"1", "b": b"2"}


def test_what_waits_for_one_batch_is_not_taken_by_another(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = Flush(monkeypatch)
    disk.staged(b"same")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(disk.placer.place, [create("a", b"same")])
        with flush.held():
            second = pool.submit(disk.placer.place, [create("b", b"same")])
            assert not wait([second], timeout=0.05).done, "it waits"
        assert [outcome.placed for outcome in first.result()] == [True]
        (outcome,) = second.result()
    assert outcome.problem is not None
    assert outcome.problem.code is Code.CONTENT_MISSING, "it is fetched again, or copied from where it stands now"
    assert disk.tree() == {"a": b"same"}


def test_what_is_prepared_is_flushed_once_and_placed_with_what_is_not(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[list[bytes]] = []

    def note(paths: Iterable[str], root: Path) -> None:
        flushed.append([Path(path).read_bytes() for path in paths])

    monkeypatch.setattr("p2psync.fs.readying.sync_files", note)
    disk.given(b"1")
    disk.staged(b"2")
    items = [create("a", b"1"), create("b", b"2"), create("c", b"3")]
    prepared = disk.placer.prepare(items)
    assert disk.tree() == {}
    disk.given(b"3")
    assert [outcome.placed for outcome in disk.placer.place(items, prepared)] == [True] * 3
    assert disk.tree() == {"a": b"1", "b": b"2", "c": b"3"}
    assert flushed == [[b"1"], [b"3", b"2"]]


def test_what_was_prepared_in_vain_waits_for_the_next_time(disk: Disk) -> None:
    disk.given(b"1")
    disk.placer.abandon(disk.placer.prepare([create("a", b"1"), create("b", b"2")]))
    assert disk.in_staging() == [content_of(b"1").hex()]


class Flush:
    """The first flush of files takes until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._begun, self._let_go, self._calls = threading.Event(), threading.Event(), itertools.count()
        monkeypatch.setattr("p2psync.fs.readying.sync_files", self._sync)

    def _sync(self, paths: Iterable[str], root: Path) -> None:
        if next(self._calls) == 0:
            self._begun.set()
            assert self._let_go.wait(DEADLINE_S)

    @contextmanager
    def held(self) -> Iterator[None]:
        """While the first one takes."""
        assert self._begun.wait(DEADLINE_S)
        try:
            yield
        finally:
            self._let_go.set()


def test_the_names_of_new_files_are_flushed_and_those_of_their_directories(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[str] = set()
    monkeypatch.setattr("p2psync.fs.placer.sync_directories", lambda paths, root: flushed.update(paths))
    disk.given(b"1", b"2", b"3")
    disk.placer.place([create("d/e/1", b"1"), create("d/2", b"2"), create("f/3", b"3")])
    assert flushed == {str(disk.places.root / name) for name in ("", "d", "d/e", "f")}


def test_a_new_file_that_the_disk_refuses_waits_for_the_next_time(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Meddling(fail(errno.EIO)))
    disk.given(b"new")
    (outcome,) = disk.placer.place([create("a", b"new")])
    assert outcome.problem is not None
    assert outcome.problem.code is Code.DISK_ERROR
    assert disk.in_staging() == [content_of(b"new").hex()]


def test_who_watches_hears_of_it_before_it_happens(disk: Disk) -> None:
    """A directory is told of while it is empty, a file before it comes, and one that did not, before its place is
    looked at."""
    heard: list[tuple[str, object, dict[str, bytes | None]]] = []

    class Hearing(Nobody):
        def made(self, directory: RelPath) -> None:
            heard.append(("made", directory, disk.tree()))

        def coming(self, paths: Sequence[RelPath]) -> None:
            heard.append(("coming", [*paths], disk.tree()))

        def not_come(self, path: RelPath) -> None:
            heard.append(("not come", path, disk.tree()))

    disk.onlooker = Hearing()
    disk.save("taken", b"theirs")
    before: dict[str, bytes | None] = {"taken": b"theirs"}
    disk.given(b"1", b"2")
    disk.placer.place([create("d/e/1", b"1"), create("taken", b"2")])
    assert heard == [
        ("made", "d", before | {"d": None}),
        ("made", "d/e", before | {"d/e": None}),
        ("coming", ["d/e/1", "taken"], before | {"d/e": None}),
        ("not come", "taken", before | {"d/e/1": b"1"}),
    ]


def test_what_the_disk_refuses_does_not_come(tmp_path: Path) -> None:
    heard: list[RelPath] = []

    class Hearing(Nobody):
        def not_come(self, path: RelPath) -> None:
            heard.append(path)

    disk = Disk(tmp_path, Meddling(fail(errno.EIO)))
    disk.onlooker = Hearing()
    disk.given(b"new")
    disk.placer.place([create("a", b"new")])
    assert heard == ["a"]
