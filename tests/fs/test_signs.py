"""What every watcher must tell, whatever it is made of."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.engine.settle import How
from p2psync.fs.folder import Folder
from p2psync.fs.inotify import InotifyWatcher
from p2psync.fs.portable import PortableWatcher
from p2psync.fs.signs import Refused, Watcher
from tests.fs.listener import Listener
from tests.fs.watched import Place

Make = Callable[[Folder], Watcher]


@pytest.fixture(params=["inotify", "portable"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "inotify":
        return InotifyWatcher
    return lambda folder: PortableWatcher(folder, 1)


@asynccontextmanager
async def listening(make: Make, place: Place) -> AsyncIterator[Listener]:
    async with make(place.folder) as watcher:
        yield Listener(watcher)


@pytest.mark.asyncio
async def test_a_save_in_place_is_noticed(make: Make, place: Place) -> None:
    place.save("d/a.crp", b"old")
    async with listening(make, place) as told:
        place.save("d/a.crp", b"new")
        await told.path("d/a.crp")
        assert {*told.how("d/a.crp")} <= {How.MODIFIED, How.CLOSED, How.ASKED}


@pytest.mark.asyncio
async def test_a_save_by_rename_is_noticed(make: Make, place: Place) -> None:
    place.save("a", b"old")
    async with listening(make, place) as told:
        place.save("temporary", b"new")
        (place.root / "temporary").rename(place.root / "a")
        await told.path("a")
        assert told.how("a")[0] in (How.RENAMED, How.CREATED)
        await told.until(lambda t: How.DELETED in t.how("temporary"))


@pytest.mark.asyncio
async def test_a_deletion_is_noticed(make: Make, place: Place) -> None:
    place.save("a")
    async with listening(make, place) as told:
        (place.root / "a").unlink()
        await told.until(lambda t: How.DELETED in t.how("a"))


@pytest.mark.asyncio
async def test_a_new_directory_is_watched_with_all_that_it_gets(make: Make, place: Place) -> None:
    """What is made before the watch is set is found by looking at the directory; what comes later is noticed."""
    async with listening(make, place) as told:
        place.save("d/e/first")
        await told.until(lambda t: any(p in ("d", "d/e", "d/e/first") for p in t.paths))
        await asyncio.sleep(0)
        place.save("canary")
        await told.path("canary")
        place.save("d/e/second")
        await told.path("d/e/second")


@pytest.mark.asyncio
async def test_a_renamed_directory_is_watched_under_its_new_name(make: Make, place: Place) -> None:
    place.save("d/e/a")
    async with listening(make, place) as told:
        (place.root / "d").rename(place.root / "f")
        await told.path("f")
        assert How.DELETED in told.how("d")
        place.save("f/e/b")
        await told.path("f/e/b")
        (place.root / "f/e").rename(place.root / "g")
        await told.path("g")
        place.save("g/c")
        await told.path("g/c")


@pytest.mark.asyncio
async def test_its_own_directory_is_not_told_of(make: Make, place: Place) -> None:
    async with listening(make, place) as told:
        (place.folder.staging / "x").write_bytes(b"")
        (place.folder.own / "y").write_bytes(b"")
        place.save("canary")
        await told.path("canary")
        assert {*told.paths} == {"canary"}
        assert told.refused == []


@pytest.mark.asyncio
async def test_a_name_that_cannot_be_a_path_is_told_as_such(make: Make, place: Place) -> None:
    problem = Problem(".P2PSYNC", Code.NAME_ESCAPES)
    async with listening(make, place) as told:
        place.save(".P2PSYNC")
        await told.until(lambda t: Refused(problem, True) in t.refused)
        (place.root / ".P2PSYNC").unlink()
        await told.until(lambda t: Refused(problem, False) in t.refused)


@pytest.mark.asyncio
async def test_when_the_folder_goes_iteration_ends(make: Make, place: Place) -> None:
    async with listening(make, place) as told:
        place.root.rename(place.root.parent / "away")
        os.rename(place.root.parent / "away", place.root.parent / "further")
        with pytest.raises(StopAsyncIteration):
            await told.path("nothing")
        with pytest.raises(StopAsyncIteration):
            await anext(told.watcher)


@pytest.mark.asyncio
async def test_a_watcher_can_be_entered_again(make: Make, place: Place) -> None:
    watcher = make(place.folder)
    for name in ("a", "b"):
        async with watcher:
            place.save(name)
            told = await Listener(watcher).path(name)
            assert {*told.paths} == {name}


@pytest.mark.asyncio
async def test_a_folder_that_is_missing_cannot_be_watched(make: Make, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="o such file"):
        async with make(Folder(tmp_path / "missing")):
            pass
