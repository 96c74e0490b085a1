"""What is special to watching through `watchfiles`: its thread, and what it does not tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from watchfiles import Change

from p2psync.core.relpath import RelPath
from p2psync.fs import portable
from p2psync.fs.portable import PortableWatcher
from p2psync.fs.signs import Lost
from tests.fs.listener import Listener
from tests.fs.watched import Place


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "watch"]


@pytest.mark.asyncio
async def test_no_thread_is_left_behind(place: Place) -> None:
    async with PortableWatcher(place.folder, 1):
        assert threads() == ["watch"]
    [thread] = [t for t in threading.enumerate() if t.name == "watch"] or [threading.Thread()]
    if thread.ident is not None:
        thread.join(10)
    assert threads() == []


@pytest.mark.asyncio
async def test_what_is_placed_is_told_like_all_else(place: Place) -> None:
    async with PortableWatcher(place.folder, 1) as watcher:
        watcher.made(RelPath("d"))
        watcher.coming([RelPath("d/a"), RelPath("b")])
        watcher.not_come(RelPath("b"))
        place.save("b")
        await Listener(watcher).path("b")


@pytest.mark.asyncio
async def test_signs_that_nobody_fetches_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "GATHERED_MAX", 2)
    async with PortableWatcher(place.folder, 1) as watcher:
        watcher._gather({(Change.added, f"{place.root}/{n}") for n in range(3)})
        assert await anext(watcher) == Lost()
        place.save("a")
        await Listener(watcher).path("a")


@pytest.mark.asyncio
async def test_a_watch_that_breaks_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **options: object) -> Iterator[object]:
        options["stop_event"].is_set()  # type: ignore[attr-defined]
        yield {(Change.added, f"{place.root}/a")}
        raise RuntimeError("the queue broke")

    monkeypatch.setattr(portable, "watch", broken)
    async with PortableWatcher(place.folder) as watcher:
        told = await Listener(watcher).path("a")
        with pytest.raises(StopAsyncIteration):
            await told.path("b")


@pytest.mark.asyncio
async def test_a_watch_that_cannot_begin_says_why(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Iterator[object]:
        raise RuntimeError("too many files are watched")

    monkeypatch.setattr(portable, "watch", broken)
    with pytest.raises(OSError, match="too many files"):
        async with PortableWatcher(place.folder):
            pass
