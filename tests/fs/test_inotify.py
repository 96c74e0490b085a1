"""What is special to the kernel's interface: cookies, overflows, limits, and the tree of watched directories."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from inotify_simple import Event, INotify

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.settle import How
from p2psync.fs import inotify
from p2psync.fs.inotify import InotifyWatcher
from p2psync.fs.signs import Lost, Noticed, Refused, Signs
from tests.fs.listener import Listener
from tests.fs.watched import Place


@pytest.mark.asyncio
async def test_a_save_by_rename_is_told_as_it_happened(place: Place) -> None:
    place.save("a")
    async with InotifyWatcher(place.folder) as watcher:
        with (place.root / "t").open("wb") as file:
            for _ in range(3):
                file.write(b"new")
                file.flush()
        (place.root / "t").rename(place.root / "a")
        told = await Listener(watcher).path("a")
        assert told.how("t") == [How.CREATED, How.MODIFIED, How.CLOSED, How.DELETED]
        assert told.how("a") == [How.RENAMED]


@pytest.mark.asyncio
async def test_a_name_that_is_no_text_is_refused(place: Place) -> None:
    (place.root / "d").mkdir()
    name = os.fsencode(place.root / "d") + b"/\xff"
    async with InotifyWatcher(place.folder) as watcher:
        Path(os.fsdecode(name)).touch()
        told = await Listener(watcher).until(lambda t: bool(t.refused))
        assert told.refused[0] == Refused(Problem("d/\\udcff", Code.NAME_NOT_TEXT), True)


@pytest.mark.asyncio
async def test_attributes_and_directories_are_no_sign_of_a_write(place: Place) -> None:
    place.save("d/a")
    async with InotifyWatcher(place.folder) as watcher:
        (place.root / "d/a").chmod(0o755)
        (place.root / "d").chmod(0o700)
        (place.root / "e").mkdir()
        told = await Listener(watcher).path("e")
        assert [(n.path, n.how) for n in told.noticed] == [("d/a", How.ASKED), ("e", How.ASKED)]


@pytest.mark.asyncio
async def test_its_own_directory_may_come_and_go_in_silence(place: Place, tmp_path: Path) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        place.folder.own.rename(tmp_path / "own")
        (tmp_path / "own").rename(place.folder.own)
        (place.folder.staging / "x").touch()
        place.save("canary")
        told = await Listener(watcher).path("canary")
        assert ({*told.paths}, told.refused) == ({"canary"}, [])


@pytest.mark.asyncio
async def test_links_are_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (place.root / "link").symlink_to(tmp_path / "outside")
    async with InotifyWatcher(place.folder) as watcher:
        (tmp_path / "outside" / "x").touch()
        (place.root / "canary").touch()
        told = await Listener(watcher).path("canary")
        assert {*told.paths} == {"canary"}


@pytest.mark.asyncio
async def test_a_directory_that_left_the_folder_is_watched_no_more(place: Place, tmp_path: Path) -> None:
    place.save("d/e/a")
    async with InotifyWatcher(place.folder) as watcher:
        told = Listener(watcher)
        (place.root / "d").rename(tmp_path / "d")
        await told.path("d")
        for canary in ("one", "two"):
            place.save(canary)
            await told.path(canary)
        assert len(watcher._nodes) == 1
        (tmp_path / "d/e/b").touch()
        (tmp_path / "d").rename(place.root / "f")
        await told.path("f")
        place.save("f/e/c")
        await told.path("f/e/c")
        assert not any(p.endswith("e/b") for p in told.paths)


@pytest.mark.asyncio
async def test_a_rename_torn_over_two_readings_is_one(place: Place) -> None:
    place.save("d/e/a")
    async with InotifyWatcher(place.folder) as watcher:
        nodes = {*watcher._nodes.values()}
        (place.root / "d").rename(place.root / "f")
        first, second = watcher._inotify.read(timeout=10_000)
        assert await watcher._digest([first]) == Signs((Noticed(RelPath("d"), How.DELETED),))
        assert await watcher._digest([second]) == Signs((Noticed(RelPath("f"), How.RENAMED),))
        assert await watcher._digest([]) is None
        assert {*watcher._nodes.values()} == nodes
        place.save("f/e/b")
        await Listener(watcher).path("f/e/b")


@pytest.mark.asyncio
async def test_what_happens_in_a_directory_between_two_names_is_found_by_the_look(place: Place) -> None:
    place.save("d/e/a")
    async with InotifyWatcher(place.folder) as watcher:
        (place.root / "d").rename(place.root / "f")
        place.save("f/e/b")
        gone, _, *later = watcher._inotify.read(timeout=10_000)
        assert await watcher._digest([gone, *later]) == Signs((Noticed(RelPath("d"), How.DELETED),))


@pytest.mark.asyncio
async def test_an_overflow_is_told_and_every_directory_watched_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.save("old/a")
    async with InotifyWatcher(place.folder) as watcher:
        told = Listener(watcher)
        monkeypatch.setattr(INotify, "read", lambda self, timeout: [Event(-1, inotify.OVERFLOW, 0, "")])
        place.save("unseen/deep/a")
        await told.until(lambda t: t.lost == 1)
        monkeypatch.undo()
        for path in ("unseen/deep/b", "old/b"):
            place.save(path)
            await told.path(path)


@pytest.mark.asyncio
async def test_directories_beyond_the_systems_limit_make_it_blind(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = INotify.add_watch

    def add_watch(self: INotify, path: str, mask: int) -> int:
        if str(path).endswith("many"):
            raise OSError(errno.ENOSPC, "limit reached")
        return int(real(self, path, mask))

    monkeypatch.setattr(INotify, "add_watch", add_watch)
    (place.root / "many").mkdir()
    async with InotifyWatcher(place.folder) as watcher:
        assert watcher.blind
        place.save("a")
        await Listener(watcher).path("a")


@pytest.mark.asyncio
async def test_nothing_is_read_while_nothing_happens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs that gather, too, wake the loop once and not all the time."""
    real, readings = INotify.read, []

    def read(self: INotify, timeout: int) -> object:
        readings.append(timeout)
        return real(self, timeout=timeout)

    monkeypatch.setattr(INotify, "read", read)
    async with InotifyWatcher(place.folder) as watcher:
        assert readings == []
        place.save("a")
        await Listener(watcher).path("a")
        assert readings == [0, 0], "at once, and for what came a moment later"


@pytest.mark.asyncio
async def test_what_comes_to_its_name_whole_is_told_at_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify, "COALESCE_FIRST_S", 3600.0)
    (tmp_path / "saved").write_bytes(b"whole")
    async with InotifyWatcher(place.folder) as watcher:
        (tmp_path / "saved").rename(place.root / "a")
        told = await Listener(watcher).path("a")
        assert told.how("a") == [How.RENAMED]


def event_of(watcher: InotifyWatcher, mask: int, name: str = "") -> Event:
    return Event(watcher._top.watch, mask, 0, name)


@pytest.mark.asyncio
async def test_a_disk_that_is_taken_away_ends_the_watch_and_is_a_loss(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        assert await watcher._digest([event_of(watcher, inotify.UNMOUNT)]) == Lost()
        with pytest.raises(StopAsyncIteration):
            await anext(watcher)
