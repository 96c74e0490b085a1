"""Files that have to wait before they are told of: whoever judges them says how long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

import pytest

from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.events import Seen
from p2psync.engine.settle import How
from p2psync.fs.folder import Folder, FolderVanished, Marker
from tests.fs.observing import PATIENCE_S, observing
from tests.fs.watched import MANDATE, Place

R = RelPath


@pytest.mark.asyncio
async def test_a_bookkeeping_file_that_is_saved_again_before_its_copy_is_made_is_looked_at_anew(place: Place) -> None:
    judged: list[list[str]] = []

    def hold(seen: Sequence[Seen]) -> Mapping[RelPath, float]:
        judged.append([s.path for s in seen])
        if len(judged) > 1:
            return {}
        place.save("a.crp", b"SECOND=1\r\nENDOFFILE")
        return {R("a.crp"): 0.0}

    async with observing(place, hold=hold) as told:
        await told.scanned()
        place.save("a.crp", b"FIRST=1\r\nENDOFFILE")
        place.save("b.txt", age_s=1.0)
        told.played.notice(("a.crp", How.RENAMED), ("b.txt", How.RENAMED))
        await told.path("+a.crp")
        await told.path("+b.txt")
        assert told.paths.count("+a.crp") == 1
        assert judged == [["a.crp"]] * 2
        [a] = [s for s in told.seen if s.path == "a.crp"]
        assert a.entry.content == content_of(b"SECOND=1\r\nENDOFFILE")


@pytest.mark.asyncio
async def test_what_is_told_while_a_copy_is_made_is_newer(place: Place) -> None:
    """A look that is slow to make its copy does not tell of the old after another has told of the new."""
    slow, go_on = threading.Event(), threading.Event()

    def hold(seen: Sequence[Seen]) -> Mapping[RelPath, float]:
        if seen[0].entry.content == content_of(b"FIRST=1\r\nENDOFFILE"):
            slow.set()
            assert go_on.wait(PATIENCE_S)
        return {}

    async with observing(place, hold=hold) as told:
        await told.scanned()
        place.save("a.crp", b"FIRST=1\r\nENDOFFILE")
        told.observer.rescan()  # by the scan, so that a look is free to go on
        await asyncio.to_thread(slow.wait, PATIENCE_S)
        place.save("a.crp", b"SECOND=1\r\nENDOFFILE")
        told.played.notice(("a.crp", How.RENAMED))
        await told.path("+a.crp")
        go_on.set()
        await told.scanned(2)
        assert [s.entry.content for s in told.seen] == [content_of(b"SECOND=1\r\nENDOFFILE")]


@pytest.mark.asyncio
async def test_a_file_that_has_to_wait_is_looked_at_again_then(place: Place) -> None:
    waits = [0.05, 0.05]

    def hold(seen: Sequence[Seen]) -> Mapping[RelPath, float]:
        return {R("old.txt"): waits.pop()} if waits else {}

    async with observing(place, hold=hold) as told:
        await told.scanned()
        place.save("old.txt", b"as it was")
        told.played.notice(("old.txt", How.RENAMED))
        await told.path("+old.txt")
        assert waits == []
        assert told.paths == ["+old.txt"]


@pytest.mark.asyncio
async def test_a_backup_that_is_being_copied_into_the_folder_ends_the_watching(place: Place) -> None:
    """Until whoever found it out has seen to it, nothing is told."""
    restored = threading.Event()

    def hold(seen: Sequence[Seen]) -> Mapping[RelPath, float]:
        Folder(place.root).write_marker(Marker(MANDATE, b"o" * 16))
        restored.set()
        raise FolderVanished

    async with observing(place, hold=hold) as told:
        await told.scanned()
        place.save("old.txt", b"as it was")
        told.played.notice(("old.txt", How.RENAMED))
        await told.until(lambda told: bool(told.problems))
        assert restored.is_set()
        assert told.problems == [Problem("", Code.FOLDER_MARKER_GONE)]
        assert told.paths == []
