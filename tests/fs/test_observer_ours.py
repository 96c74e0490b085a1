"""What this device itself puts into a folder or takes away is no news."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.settle import How
from p2psync.fs import observer
from p2psync.fs.observer import Observer
from p2psync.fs.scanner import Scanner
from p2psync.fs.signs import MANY, Noticed, Signs
from p2psync.fs.traits import SYSTEMS_OWN
from p2psync.fs.watcher import watcher_for
from tests.fs.disk import Disk, create
from tests.fs.observing import observing
from tests.fs.watched import Place

R = RelPath


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[RelPath]:
    """The paths that the scanner looks at, as it does."""
    found: list[RelPath] = []
    real_look = Scanner.look

    def look(self: Scanner, paths: Any, **options: Any) -> Any:
        found.extend(paths)
        return real_look(self, paths, **options)

    monkeypatch.setattr(Scanner, "look", look)
    return found


@pytest.mark.asyncio
async def test_what_was_placed_by_ourselves_is_not_told(place: Place) -> None:
    async with observing(place) as told:
        await told.scanned()
        place.save("ours")
        told.observer.expect([(R("ours"), SYSTEMS_OWN.stat((place.root / "ours").stat()), 0)])
        place.save("theirs")
        told.played.notice(("ours", How.RENAMED), ("theirs", How.RENAMED))
        await told.path("+theirs")
        told.observer.rescan()
        await told.scanned(2)
        assert told.paths == ["+theirs"]


@pytest.mark.asyncio
async def test_of_many_files_only_what_is_not_ours_is_looked_at(place: Place, looked: list[RelPath]) -> None:
    names = [f"ours {number}" for number in range(MANY)]
    async with observing(place) as told:
        await told.scanned()
        told.observer._troubled["was locked"] = Problem("was locked", Code.LOCKED)
        for name in (*names, "theirs", "was locked"):
            place.save(name)
        for name in (*names, "was locked"):
            told.observer.expect([(R(name), SYSTEMS_OWN.stat((place.root / name).stat()), 0)])
        told.played.notice(*((name, How.RENAMED) for name in ("was locked", *names, "theirs")))
        await told.path("+theirs")
        await told.until(lambda told: "was locked" in told.cleared)  # who was told of a trouble hears that it is over
        assert set(looked) == {"theirs", "was locked"}


@pytest.mark.asyncio
async def test_what_we_took_away_is_looked_at_once_the_base_knows_it(
    place: Place, looked: list[RelPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "HOLD_S", 0.05)
    place.save("ours")
    place.save("stolen")
    async with observing(place) as told:
        await told.scanned()
        for name in ("ours", "stolen"):
            told.observer.expect([(R(name), None, 0)])
            (place.root / name).unlink()
        place.base.rows.pop(R("ours"))
        place.save("witness")
        told.played.notice(("ours", How.DELETED), ("stolen", How.DELETED), ("witness", How.RENAMED))
        await told.path("+witness")
        assert looked[0] == "witness"
        await told.path("-stolen")
        assert "ours" in looked
        assert "-ours" not in told.paths


@pytest.mark.asyncio
async def test_what_the_watcher_knows_to_be_placed_is_looked_at_only_for_other_reasons(
    place: Place, looked: list[RelPath]
) -> None:
    place.directory("was empty")
    async with observing(place) as told:
        await told.scanned()
        told.observer._troubled["was locked"] = Problem("was locked", Code.LOCKED)
        names = ["ours", "was locked", "was empty/now not", ".p2psyncignore"]
        for name in names:
            place.save(name)
            told.observer.expect([(R(name), SYSTEMS_OWN.stat((place.root / name).stat()), 0)])
        told.played.signs.put_nowait(Signs(placed=tuple(map(R, names))))
        await told.until(lambda told: "was locked" in told.cleared)
        await told.path("-was empty")
        assert set(looked) == {*names} - {"ours"}


@pytest.mark.asyncio
async def test_the_few_beside_those_that_were_placed_are_looked_at_only_if_they_are_not_ours(
    place: Place, looked: list[RelPath]
) -> None:
    async with observing(place) as told:
        await told.scanned()
        for name in ("placed", "ours", "theirs"):
            place.save(name)
            told.observer.expect([(R(name), SYSTEMS_OWN.stat((place.root / name).stat()), 0)])
        place.save("theirs")
        noticed = tuple(Noticed(R(name), How.RENAMED) for name in ("ours", "theirs"))
        told.played.signs.put_nowait(Signs(noticed, placed=(R("placed"),)))
        await told.path("+theirs")
        assert looked == ["theirs"]


@pytest.mark.asyncio
async def test_what_stands_where_ours_did_not_come_is_looked_at(place: Place) -> None:
    async with observing(place) as told:
        told.observer.not_come(R("theirs"))
        await told.scanned()
        place.save("theirs")
        await asyncio.to_thread(told.observer.not_come, R("theirs"))
        await told.path("+theirs")


@pytest.mark.asyncio
async def test_a_file_that_goes_as_soon_as_it_and_its_directory_were_placed_is_gone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has read yet that the directory was made, and the base knows neither when it is looked at."""
    disk, item, stays = Disk(place.root), create("new/deep/a", b"text"), create("new/deep/b", b"more")
    real_look = Scanner.look

    def look(self: Scanner, paths: Any, **options: Any) -> Any:
        for sight in real_look(self, paths, **options):
            place.base.rows.setdefault(item.path, (item.put, outcome.stat))
            yield sight

    monkeypatch.setattr(Scanner, "look", look)
    monkeypatch.setattr(observer, "HOLD_S", 0.05)
    async with observing(place, watcher_for(place.folder)) as told:
        await told.scanned()
        disk.onlooker = told.observer
        disk.given(b"text", b"more")
        outcome, _ = disk.placer.place([item, stays])
        (place.root / item.path).unlink()
        await told.path("-new/deep/a")


def test_nobody_is_told_where_the_observer_does_not_run_any_more(place: Place) -> None:
    async def run() -> Observer:
        async with observing(place) as told:
            await told.scanned()
            return told.observer

    asyncio.run(run()).not_come(R("a"))
