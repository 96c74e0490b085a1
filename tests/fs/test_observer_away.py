"""Folders that vanish under their observer, and come back or do not."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.settle import How
from p2psync.fs import observer
from p2psync.fs.folder import Marker
from tests.fs.observing import observing
from tests.fs.watched import MANDATE, MARKER, Place

R = RelPath


# -- a folder that vanishes ---------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_unplugged_drive_is_a_problem_and_no_deletion(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "RETURN_S", 0.01)
    away = place.root.parent / "away"
    place.save("a")
    place.save("d/b")
    async with observing(place) as told:
        await told.scanned()
        place.root.rename(away)
        told.played.notice(("a", How.DELETED), ("d", How.DELETED))
        await told.until(lambda t: Problem("", Code.FOLDER_GONE) in t.problems)
        await told.scanned(2)
        assert told.finished == [True, False]
        place.root.mkdir()
        await told.until(lambda t: Problem("", Code.FOLDER_MARKER_GONE) in t.problems)
        told.observer.rescan()
        await told.scanned(4)
        assert told.finished == [True, False, False, False]
        told.observer._scanner.stop()  # as whoever was reading when the folder went
        place.root.rmdir()
        away.rename(place.root)
        place.save("c")
        await told.path("+c")
        await told.scanned(5)
        assert told.cleared == [""]
        assert told.paths == ["+a", "+d/b", "+c"]


@pytest.mark.asyncio
@pytest.mark.parametrize("sign", [None, "rescan", "nothing"])
async def test_however_the_folder_goes_it_is_noticed(
    place: Place, monkeypatch: pytest.MonkeyPatch, sign: str | None
) -> None:
    monkeypatch.setattr(observer, "PRESENCE_S", 0.01 if sign == "nothing" else 600.0)
    async with observing(place) as told:
        await told.scanned()
        (place.folder.own / "marker").unlink()
        if sign is None:
            told.played.signs.put_nowait(None)
        elif sign == "rescan":
            told.observer.rescan()
        await told.until(lambda t: Problem("", Code.FOLDER_MARKER_GONE) in t.problems)


@pytest.mark.asyncio
async def test_who_looks_after_many_folders_is_one_of_the_guards(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "PRESENCE_S", 0.01)
    monkeypatch.setattr(place.folder, "is_there", lambda: threading.current_thread().name != "guard_0")
    with ThreadPoolExecutor(1, "guard") as guards:
        async with observing(place, guards=guards) as told:
            await told.scanned(2)


@pytest.mark.asyncio
async def test_a_folder_that_was_swapped_for_another_is_not_ours(place: Place) -> None:
    async with observing(place) as told:
        await told.scanned()
        place.folder.write_marker(Marker(MANDATE, b"x" * 16))
        place.folder._ours = (MARKER,)
        told.observer.rescan()
        await told.until(lambda t: Problem("", Code.FOLDER_MARKER_GONE) in t.problems)


@pytest.mark.asyncio
async def test_it_stops_in_the_middle_of_a_big_file(place: Place) -> None:
    (place.root / "big").touch()
    os.truncate(place.root / "big", 1 << 40)
    place.age("big", 3600)
    place.save("a")
    async with observing(place) as told:
        await told.path("+a")
