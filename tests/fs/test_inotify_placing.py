"""What the kernel's interface tells of our own placing, and what of others who have a hand in it.

The numbers of renamings are played: other programs of this PC rename files while the tests run.
"""

from __future__ import annotations

import asyncio

import pytest
from inotify_simple import Event

from p2psync.core.relpath import RelPath
from p2psync.engine.settle import How
from p2psync.fs import inotify
from p2psync.fs.inotify import DELETE, IGNORED, ISDIR, MOVED_FROM, MOVED_TO, OVERFLOW, InotifyWatcher
from p2psync.fs.signs import Lost, Noticed, Signs
from tests.fs.listener import Listener
from tests.fs.watched import Place

R = RelPath


def came(watcher: InotifyWatcher, name: str, number: int, directory: str = "") -> Event:
    return Event(watch_of(watcher, directory), MOVED_TO, number, name)


def watch_of(watcher: InotifyWatcher, directory: str) -> int:
    node = watcher._top.inside[directory] if directory else watcher._top
    return node.watch


def renamed(*paths: str) -> tuple[Noticed, ...]:
    return tuple(Noticed(R(path), How.RENAMED) for path in paths)


def put(place: Place, path: str) -> None:
    """Rename a file from where nobody watches."""
    outside = place.folder.staging / "fresh"
    outside.touch()
    outside.rename(place.root / path)


@pytest.mark.asyncio
async def test_renamings_in_a_row_are_placed_but_for_the_last_after_which_more_may_have_come(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("a"), R("b"), R("c")])
        told = await watcher._digest([came(watcher, name, number) for number, name in enumerate("abc", 7)])
        assert told == Signs(renamed("c"), (), (R("a"), R("b")))


@pytest.mark.asyncio
@pytest.mark.parametrize("directory", ["", "d"])
async def test_a_renaming_in_between_that_is_not_told_is_looked_for(place: Place, directory: str) -> None:
    """It was to the same name, or is told with one into another directory."""
    place.directory("d")
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("a")])
        next_number = 9 if not directory else 8
        told = await watcher._digest([came(watcher, "a", 7), came(watcher, "b", next_number, directory)])
        assert told == Signs(renamed("a", f"{directory}/b".lstrip("/")))


@pytest.mark.asyncio
async def test_a_file_that_a_program_renames_over_ours_is_told(place: Place) -> None:
    """The kernel makes one sign of both."""
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("a"), R("b")])
        for path in ("a", "a", "b"):
            put(place, path)
        told = await Listener(watcher).path("b")
        assert told.how("a") == [How.RENAMED]


@pytest.mark.asyncio
async def test_what_comes_after_ours_to_the_same_name_is_told(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("a")])
        signs = [(MOVED_TO, 7, "a"), (MOVED_TO, 8, "b"), (DELETE, 0, "a"), (MOVED_TO, 9, "a"), (MOVED_TO, 10, "c")]
        told = await watcher._digest([Event(watch_of(watcher, ""), *sign) for sign in signs])
        assert isinstance(told, Signs)
        assert told.placed == (R("a"),)
        assert [n for n in told.noticed if n.path == "a"] == [
            Noticed(R("a"), How.DELETED),
            Noticed(R("a"), How.RENAMED),
        ]


@pytest.mark.asyncio
async def test_what_comes_to_a_directory_that_was_renamed_meanwhile_is_told_under_its_new_name(place: Place) -> None:
    place.directory("d")
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("d/a"), R("d/c")])
        top, inside = watch_of(watcher, ""), watch_of(watcher, "d")
        signs = [
            *((inside, MOVED_TO, 7, "a"), (inside, MOVED_TO, 8, "b")),
            *((top, MOVED_FROM | ISDIR, 9, "d"), (top, MOVED_TO | ISDIR, 9, "e")),
            *((inside, MOVED_TO, 10, "c"), (inside, MOVED_TO, 11, "d")),
        ]
        told = await watcher._digest([Event(*sign) for sign in signs])
        assert isinstance(told, Signs)
        assert told.placed == (R("d/a"),)
        assert Noticed(R("e/c"), How.RENAMED) in told.noticed


@pytest.mark.asyncio
async def test_ours_comes_once(place: Place) -> None:
    """Whatever comes to that name afterwards is another program's, also where ours was told only as a sign."""
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("a")])
        assert await watcher._digest([came(watcher, "a", 7)]) == Signs(renamed("a"))
        assert await watcher._digest([came(watcher, "a", 8), came(watcher, "b", 9)]) == Signs(renamed("a", "b"))


@pytest.mark.asyncio
async def test_ours_did_not_come_or_not_so_long_ago(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("a")])
        watcher.not_come(R("a"))
        assert await watcher._digest([came(watcher, "a", 7), came(watcher, "b", 8)]) == Signs(renamed("a", "b"))
        watcher.coming([R("a")])
        monkeypatch.setattr(inotify, "COMING_S", -1.0)
        assert await watcher._digest([came(watcher, "a", 7), came(watcher, "b", 8)]) == Signs(renamed("a", "b"))


@pytest.mark.asyncio
async def test_where_signs_were_lost_nothing_counts_as_coming(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        watcher.coming([R("a")])
        assert await watcher._digest([Event(-1, OVERFLOW, 0, "")]) == Lost()
        assert await watcher._digest([came(watcher, "a", 7), came(watcher, "b", 8)]) == Signs(renamed("a", "b"))


@pytest.mark.asyncio
async def test_of_a_directory_that_was_made_for_placing_only_what_happens_in_it_is_told(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        for directory in ("d", "d/e"):
            (place.root / directory).mkdir()
            watcher.made(R(directory))
        put(place, "d/e/a")
        (place.root / "d/e/a").unlink()
        told = await Listener(watcher).until(lambda t: How.DELETED in t.how("d/e/a"))
        assert {*told.paths} == {"d/e/a"}
        assert watcher._made == {}


@pytest.mark.asyncio
async def test_a_directory_that_a_program_was_quicker_to_fill_is_told_and_watched(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        place.save("d/theirs")
        watcher.made(R("d"))
        told = await Listener(watcher).path("d")
        place.save("d/more")
        await told.path("d/more")


@pytest.mark.asyncio
async def test_a_directory_of_which_the_sign_was_read_before_is_forgotten_when_it_goes(place: Place) -> None:
    """Another one of its name is another one."""
    async with InotifyWatcher(place.folder) as watcher:
        told = Listener(watcher)
        (place.root / "d").mkdir()
        await told.path("d")
        watcher.made(R("d"))
        (place.root / "d").rmdir()
        await told.until(lambda t: How.DELETED in t.how("d"))
        (place.root / "d").mkdir()
        await told.until(lambda t: t.how("d").count(How.ASKED) == 2)
        place.save("d/a")
        await told.path("d/a")


@pytest.mark.asyncio
async def test_one_of_which_no_sign_comes_is_forgotten_when_it_goes(place: Place) -> None:
    """The directory that holds it is not watched."""
    place.directory("blind")
    async with InotifyWatcher(place.folder) as watcher:
        watcher._inotify.rm_watch(watch_of(watcher, "blind"))
        (place.root / "blind/d").mkdir()
        watcher.made(R("blind/d"))
        assert "blind/d" in watcher._made
        (place.root / "blind/d").rmdir()
        place.save("canary")
        await Listener(watcher).path("canary")
        assert watcher._made == {}


@pytest.mark.asyncio
async def test_one_that_goes_while_the_placer_has_it_watched_is_a_loss(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        async with asyncio.TaskGroup() as group:
            with watcher._watching:
                digesting = group.create_task(watcher._digest([Event(99, IGNORED, 0, "")]))
                await asyncio.sleep(0)
                assert not digesting.done(), "a thread waits for the placer, never the loop"
        assert digesting.result() == Lost()


@pytest.mark.asyncio
async def test_a_directory_that_took_the_name_of_the_one_that_was_made_is_told_apart(place: Place) -> None:
    """A program renamed ours and made another, before ours was watched."""
    async with InotifyWatcher(place.folder) as watcher:
        (place.root / "d").mkdir()
        (place.root / "d").rename(place.root / "moved")
        (place.root / "d").mkdir()
        watcher.made(R("d"))
        told = await Listener(watcher).path("d")
        for path in ("d/a", "moved/a"):
            place.save(path)
            await told.path(path)


@pytest.mark.asyncio
async def test_a_directory_that_cannot_be_watched_ahead_is_watched_when_its_sign_is_read(place: Place) -> None:
    async with InotifyWatcher(place.folder) as watcher:
        watcher.made(R("missing"))
        assert watcher._made == {}
    watcher.made(R("late"))
    assert watcher._made == {}
