"""From users' deeds to events: real folders and a real settler, the watcher played where its timing matters."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine import settle
from p2psync.engine.events import Observed, ScanFinished, Suspected
from p2psync.engine.settle import How
from p2psync.fs import inspector, observer, scanner, sight, stable
from p2psync.fs.inotify import InotifyWatcher
from p2psync.fs.scanner import Scanner
from p2psync.fs.signs import Lost, Refused, Signs
from p2psync.fs.traits import SYSTEMS_OWN
from tests.fs.observing import PATIENCE_S, PlayedWatcher, observing
from tests.fs.scanning import reads
from tests.fs.watched import MANDATE, Place

R = RelPath


# -- scans --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_first_the_folder_is_scanned(place: Place) -> None:
    place.save("a.crp", b"MAJREV=9\r\nENDOFFILE")
    place.save("d/b")
    async with observing(place) as told:
        await told.scanned()
        assert told.paths == ["+a.crp", "+d/b"]
        assert told.finished == [True]
        assert {e.mandate for e in told.events} == {MANDATE}
    assert told.played.entered == 0


@pytest.mark.asyncio
async def test_a_scan_that_is_asked_for_is_answered(place: Place) -> None:
    place.save("a")
    async with observing(place) as told:
        await told.scanned()
        told.observer.rescan()
        await told.scanned(2)
        assert told.paths == ["+a"]


@pytest.mark.asyncio
async def test_a_scan_ends_when_what_it_found_is_decided_about(place: Place) -> None:
    """A fresh file must stand still and a missing one stay away before the scan that met them is over."""
    place.save("gone")
    place.save("d/x")
    async with observing(place) as told:
        await told.scanned()
        (place.root / "gone").unlink()
        place.save("fresh", b"just now", age_s=0)
        told.observer.rescan()
        await told.scanned(2)
        assert told.paths == ["+d/x", "+gone", "+fresh", "-gone"]
        assert isinstance(told.events[-1], ScanFinished)


@pytest.mark.asyncio
async def test_a_scan_does_not_wait_for_a_file_that_is_held_back(place: Place) -> None:
    place.save("torn.crp", b"KEY=", age_s=100)
    async with observing(place) as told:
        await told.scanned()
        await told.until(lambda t: Problem("torn.crp", Code.INCOMPLETE) in t.problems)
        assert told.paths == []
        await told.until(lambda t: t.torn == ["torn.crp"])
        place.save("torn.crp", b"KEY=\r\nENDOFFILE")
        told.observer.rescan([R("torn.crp")])
        await told.path("+torn.crp")
        assert told.cleared == ["torn.crp"]


@pytest.mark.asyncio
async def test_the_folder_is_scanned_from_time_to_time(place: Place) -> None:
    async with observing(place, rescan_s=0.01) as told:
        await told.scanned()
        place.save("a")
        await told.path("+a")


@pytest.mark.asyncio
async def test_a_full_scan_reads_every_byte(place: Place) -> None:
    place.save("a", b"text")
    stamp = (place.root / "a").stat().st_mtime_ns
    async with observing(place) as told:
        await told.scanned()
        (place.root / "a").write_bytes(b"TEXT")
        os.utime(place.root / "a", ns=(stamp, stamp))
        told.observer.rescan()
        await told.scanned(2)
        told.observer.rescan(full=True)
        await told.scanned(3)
        assert [s.entry.content for s in told.seen] == [content_of(b"text"), content_of(b"TEXT")]


@pytest.mark.asyncio
async def test_a_full_scan_finds_what_was_written_a_moment_ago(place: Place) -> None:
    """It has to stand still for a while first, and nothing but its bytes tells that it is another."""
    place.save("a", b"text")
    stamp = (place.root / "a").stat().st_mtime_ns
    async with observing(place) as told:
        await told.scanned()
        (place.root / "a").write_bytes(b"TEXT")
        os.utime(place.root / "a", ns=(stamp, stamp))
        told.observer.rescan(full=True)
        told.played.notice(("a", How.MODIFIED))
        await told.scanned(2)
        assert [s.entry.content for s in told.seen] == [content_of(b"text"), content_of(b"TEXT")]


@pytest.mark.asyncio
async def test_lost_signs_and_too_many_signs_mean_a_scan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with observing(place) as told:
        await told.scanned()
        place.save("a")
        told.played.signs.put_nowait(Lost())
        await told.path("+a")
        await told.scanned(2)
        monkeypatch.setattr(settle, "PENDING_MAX", 0)
        place.save("b")
        told.played.notice(("b", How.CREATED))
        await told.path("+b")


@pytest.mark.asyncio
async def test_new_ignore_rules_mean_a_scan(place: Place) -> None:
    place.save(".p2psyncignore", b"*.tmp\n")
    place.save("a.tmp")
    async with observing(place) as told:
        await told.scanned()
        (place.root / ".p2psyncignore").unlink()
        place.save(".p2psyncignore", b"")
        told.played.notice((".p2psyncignore", How.RENAMED))
        await told.path("+a.tmp")


@pytest.mark.asyncio
async def test_events_are_bounded_and_wait_for_who_takes_them(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "SIGHT_PATHS_MAX", 3)
    for n in range(10):
        place.save(f"{n}")
    async with observing(place) as told:
        told.may_go_on.clear()
        await asyncio.sleep(0)
        assert told.events == []
        told.may_go_on.set()
        await told.scanned()
        assert [len(e.seen) for e in told.events if isinstance(e, Observed)] == [3, 3, 3, 1]


# -- signs --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_file_renamed_into_place_is_told_at_once(place: Place) -> None:
    place.save("a", b"old")
    async with observing(place) as told:
        await told.scanned()
        place.save("t", b"new", age_s=0)
        (place.root / "t").rename(place.root / "a")
        told.played.notice(("t", How.CREATED), ("t", How.DELETED), ("a", How.RENAMED))
        await told.path("+a", times=2)
        assert told.seen[-1].stat == SYSTEMS_OWN.stat((place.root / "a").stat())


@pytest.mark.asyncio
async def test_a_rename_is_told_in_one_event_the_new_name_first(place: Place) -> None:
    place.save("a", b"text")
    async with observing(place) as told:
        await told.scanned()
        (place.root / "a").rename(place.root / "b")
        told.played.notice(("a", How.DELETED), ("b", How.RENAMED))
        await told.path("-a")
        last = told.events[-1]
        assert isinstance(last, Observed)
        assert [s.path for s in last.seen] == ["b", "a"]


@pytest.mark.asyncio
async def test_an_index_that_is_deleted_and_written_anew_was_never_gone(place: Place) -> None:
    place.save("a.ecc", b"#FSC\r\n#END")
    async with observing(place) as told:
        await told.scanned()
        (place.root / "a.ecc").unlink()
        told.played.notice(("a.ecc", How.DELETED), ("canary", How.RENAMED))
        place.save("canary")
        await told.path("+canary")
        place.save("a.ecc", b"#FSC\r\nmore\r\n#END")
        told.played.notice(("a.ecc", How.CREATED), ("a.ecc", How.CLOSED))
        await told.path("+a.ecc", times=2)
        assert "-a.ecc" not in told.paths


@pytest.mark.asyncio
async def test_a_file_that_was_read_too_soon_is_read_once_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is saved within the same tick of the clock changes neither size nor time, and nobody tells of it here."""
    windows = [0.05]
    monkeypatch.setattr(inspector, "racy_for_s", lambda *_: windows.pop() if windows else 0.0)
    async with observing(place) as told:
        await told.scanned()
        place.save("a", b"one")
        stamp = (place.root / "a").stat().st_mtime_ns
        told.may_go_on.clear()
        told.played.notice(("a", How.RENAMED))
        async with asyncio.timeout(PATIENCE_S):
            while windows:
                await asyncio.sleep(0)
        (place.root / "a").write_bytes(b"two")
        os.utime(place.root / "a", ns=(stamp, stamp))
        told.may_go_on.set()
        await told.path("+a", times=2)
        assert [s.entry.content for s in told.seen] == [content_of(b"one"), content_of(b"two")]


@pytest.mark.asyncio
async def test_a_large_file_is_read_once_while_its_quiet_time_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it seems to hold goes ahead of what is told in the end, and is not read again for it."""
    monkeypatch.setattr(inspector, "LARGE_BYTES", 10)
    monkeypatch.setattr(scanner, "LARGE_BYTES", 10)
    monkeypatch.setattr(observer, "MANIFEST_THRESHOLD_BYTES", 10)
    read = reads(monkeypatch)
    async with observing(place, quiet_s=2.0) as told:
        await told.scanned()
        place.save("large", bytes(100), age_s=0.1)
        place.save("large.ecf", b"x\r\n" * 40, age_s=0.1)
        told.played.notice(("large", How.MODIFIED), ("large.ecf", How.MODIFIED))
        await told.path("+large")
        await told.path("+large.ecf")
        assert told.suspected == ["large"], "bookkeeping files are judged first"
        first = next(number for number, e in enumerate(told.events) if isinstance(e, Suspected))
        assert isinstance(told.events[first], Suspected)
        assert [s.path for e in told.events[:first] if isinstance(e, Observed) for s in e.seen] == []
        assert sorted(read) == ["large", "large.ecf"]


@pytest.mark.asyncio
async def test_a_very_large_file_is_not_read_before_it_stands_still(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "LARGE_BYTES", 10)
    monkeypatch.setattr(scanner, "LARGE_BYTES", 10)
    monkeypatch.setattr(observer, "MANIFEST_THRESHOLD_BYTES", 10)
    monkeypatch.setattr(observer, "SUSPECT_BYTES_MAX", 99)
    async with observing(place) as told:
        await told.scanned()
        place.save("large", bytes(100), age_s=0)
        told.played.notice(("large", How.MODIFIED))
        await told.path("+large")
        assert told.suspected == []


@pytest.mark.asyncio
async def test_a_large_file_keeps_nobody_waiting(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector, "LARGE_BYTES", 10)
    monkeypatch.setattr(scanner, "LARGE_BYTES", 10)
    may_read = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = stable.read_stable

    def read(path: str, *more: Any, **named: Any) -> stable.Reading | None:
        if os.path.basename(path) == "large":
            asyncio.run_coroutine_threadsafe(may_read.wait(), loop).result(PATIENCE_S)
        return real(path, *more, **named)

    async with observing(place) as told:
        await told.scanned()
        monkeypatch.setattr(inspector, "read_stable", read)
        place.save("large", bytes(100), age_s=0)
        place.save("small", b"s")
        told.played.notice(("large", How.RENAMED), ("small", How.RENAMED))
        await told.path("+small")
        assert "+large" not in told.paths
        may_read.set()
        await told.path("+large")


@pytest.mark.asyncio
async def test_an_older_reading_never_follows_a_newer_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan reads a file, which is saved again and told of before the scan has told of what it read."""
    place.save("a", b"first")
    read, may_go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    async with observing(place) as told:
        await told.scanned()
        place.save("a", b"older", age_s=100)
        real = Scanner.scan

        def slow(self: Scanner, *, full: bool = False) -> object:
            for found in real(self, full=full):
                loop.call_soon_threadsafe(read.set)
                asyncio.run_coroutine_threadsafe(may_go_on.wait(), loop).result(PATIENCE_S)
                yield found

        monkeypatch.setattr(Scanner, "scan", slow)
        told.observer.rescan()
        await read.wait()
        place.save("a", b"newer", age_s=50)
        told.played.notice(("a", How.RENAMED))
        await told.path("+a", times=2)
        may_go_on.set()
        await told.scanned(2)
        contents = [s.entry.content for s in told.seen if s.path == "a"]
        assert contents == [content_of(b"first"), content_of(b"newer")]


# -- problems -----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_problem_is_told_once_and_its_end_too(place: Place) -> None:
    (place.root / "link").symlink_to("nowhere")
    (place.root / "d").mkdir()
    (place.root / "d/link").symlink_to("nowhere")
    place.save("books.cre")
    async with observing(place) as told:
        await told.scanned()
        for scans in (2, 3):
            told.played.notice(("books.cre", How.MODIFIED), ("link", How.ASKED))
            told.observer.rescan()
            await told.scanned(scans)
        assert sorted(told.problems) == [
            Problem("books.cre", Code.LIVE_DATABASE),
            Problem("d/link", Code.SYMBOLIC_LINK),
            Problem("link", Code.SYMBOLIC_LINK),
        ]
        (place.root / "link").unlink()
        (place.root / "d/link").unlink()
        told.played.notice(("link", How.DELETED), ("d", How.ASKED))
        await told.until(lambda t: {"link", "d/link"} <= {*t.cleared})
        (place.root / "books.cre").unlink()
        told.observer.rescan()
        await told.until(lambda t: "books.cre" in t.cleared)


@pytest.mark.asyncio
async def test_problems_of_the_last_run_end_if_they_are_over(place: Place) -> None:
    (place.root / "link").symlink_to("nowhere")
    async with observing(place, troubled=("", "link", "was/here")) as told:
        await told.scanned()
        assert told.cleared == ["", "was/here"]
        assert told.problems == [Problem("link", Code.SYMBOLIC_LINK)]


@pytest.mark.asyncio
async def test_a_name_that_cannot_be_a_path_is_a_problem_while_it_lasts(place: Place) -> None:
    problem = Problem("\\udcff", Code.NAME_NOT_TEXT)
    async with observing(place) as told:
        await told.scanned()
        told.played.signs.put_nowait(Signs((), (Refused(problem, True),)))
        await told.until(lambda t: t.problems == [problem])
        told.played.signs.put_nowait(Signs((), (Refused(problem, False),)))
        await told.until(lambda t: t.cleared == ["\\udcff"])


@pytest.mark.asyncio
async def test_a_locked_file_is_a_problem_when_it_stays_locked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OSError(16, "busy")

    monkeypatch.setattr(settle, "LOCKED_PATIENCE_S", 0.0)
    async with observing(place) as told:
        await told.scanned()
        with monkeypatch.context() as patch:
            patch.setattr(inspector, "read_stable", locked)
            place.save("a")
            told.played.notice(("a", How.CLOSED))
            await told.until(lambda t: t.problems == [Problem("a", Code.LOCKED)])
        await told.path("+a")
        assert told.cleared == ["a"]


@pytest.mark.asyncio
async def test_a_file_that_changes_while_it_is_read_is_read_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with observing(place) as told:
        await told.scanned()
        results = [None]
        real = stable.read_stable

        def read(*args: Any, **named: Any) -> stable.Reading | None:
            return results.pop() if results else real(*args, **named)

        monkeypatch.setattr(inspector, "read_stable", read)
        place.save("a")
        told.played.notice(("a", How.RENAMED))
        await told.path("+a")
        assert results == []


# -- watches that fail --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("watcher", [lambda: PlayedWatcher(refuses=True), lambda: PlayedWatcher(blind=True)])
async def test_without_a_watch_the_folder_is_scanned_often(
    place: Place, monkeypatch: pytest.MonkeyPatch, watcher: Callable[[], PlayedWatcher]
) -> None:
    monkeypatch.setattr(observer, "BLIND_RESCAN_S", 0.01)
    async with observing(place, watcher()) as told:
        await told.scanned()
        assert [(p.path, p.code) for p in told.problems] == [("", Code.DISK_ERROR)]
        place.save("a")
        await told.path("+a")


@pytest.mark.asyncio
async def test_a_watch_that_breaks_is_set_up_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "RETURN_S", 0.01)
    async with observing(place) as told:
        await told.scanned()
        place.save("a")
        told.played.signs.put_nowait(None)
        await told.path("+a")
        await told.scanned(2)
        assert told.finished == [True, True]


# -- with the watcher of this system ------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_day_in_a_folder(place: Place) -> None:
    """Saves in place and by rename, new directories, renames, deletions: all are told as they ended."""
    place.save("books.crp", b"MAJREV=9\r\nENDOFFILE")
    place.save("old/a", b"a")
    async with observing(place, InotifyWatcher(place.folder)) as told:
        await told.scanned()
        place.save("books.crp", b"MAJREV=10\r\nENDOFFILE", age_s=0)
        await told.path("+books.crp", times=2)
        place.save("t", b"by rename", age_s=0)
        (place.root / "t").rename(place.root / "letter")
        await told.path("+letter")
        place.save("new/deep/x", b"x", age_s=0)
        await told.path("+new/deep/x")
        (place.root / "old").rename(place.root / "older")
        await told.path("-old/a")
        assert told.paths.index("+older/a") < told.paths.index("-old/a")
        (place.root / "older/a").unlink()
        await told.path("-older/a")
        await told.path("+older")
        told.observer.rescan()
        await told.scanned(2)
        assert sorted(place.base.rows) == ["books.crp", "letter", "new/deep/x", "older"]
        assert told.problems == []


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["bookings.ecf", "letter.txt", "empty at first.txt"])
async def test_what_a_program_still_writes_is_told_once_it_was_closed(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It pauses for longer than the quiet time, in which another file is told that was written later."""
    monkeypatch.setattr(settle, "WRITING_PATIENCE_S", 3600.0)
    async with observing(place, InotifyWatcher(place.folder), writing_quiet_s=3600.0) as told:
        await told.scanned()
        with (place.root / name).open("wb", buffering=0) as file:
            if not name.startswith("empty"):
                file.write(b"#FSC\t9.5.0\tECF\r\n")
            place.save("later", b"written and closed", age_s=0)
            await told.path("+later")
            assert f"+{name}" not in told.paths
            file.write(b"#ECC\t1; 1\r\n")
        await told.path(f"+{name}")
        [seen] = [s for s in told.seen if s.path == name]
        assert seen.entry.content == content_of((place.root / name).read_bytes())


@pytest.mark.asyncio
async def test_a_second_name_of_a_file_is_not_waited_for(place: Place) -> None:
    place.save("a", b"text")
    async with observing(place, InotifyWatcher(place.folder), writing_quiet_s=3600.0) as told:
        await told.scanned()
        os.link(place.root / "a", place.root / "b")
        await told.path("+b")
