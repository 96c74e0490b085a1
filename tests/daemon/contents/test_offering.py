"""What is new in a big file goes ahead of the change: the others have it together when they hear of it, or never."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.chunking import Layout
from p2psync.core.ids import ContentId, content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents import offering
from p2psync.engine.effects import OfferContent, Wanted
from p2psync.wire.messages import Offer, What
from tests.core.cutting import cut
from tests.daemon.homes import company
from tests.daemon.patience import until
from tests.daemon.peers import MANDATE, Device, Shelf, World, world

OLD = Random(1).randbytes(2 << 20)
NEW = OLD[:700_000] + b"inserted" + OLD[700_000:]
OLD_ID, NEW_ID = content_of(OLD), content_of(NEW)
WANTED = Wanted(NEW_ID, len(NEW), RelPath("big"))
BIG = RelPath("big")


def knows(shelf: Shelf, data: bytes, before: ContentId | None = None) -> None:
    """A device has read this file."""
    shelf.contents.note_cut(content_of(data), Layout(cut(data)), before)


def changed(w: World) -> tuple[Device, Device, int]:
    """Two devices that had the old version; the file was changed on the first one."""
    a, b = w.device("a"), w.device("b")
    b.shelf.save("big", OLD)
    for device in (a, b):
        knows(device.shelf, OLD)
    (a.shelf.places.root / "big").write_bytes(NEW)
    knows(a.shelf, NEW, OLD_ID)
    a.fence.refuses.add(NEW_ID)  # no change names it yet
    return a, b, w.join(a, b)


def offer(file_class: str = ORDINARY) -> OfferContent:
    return OfferContent(MANDATE, BIG, NEW_ID, len(NEW), OLD_ID, file_class)


@pytest.mark.asyncio
async def test_what_was_offered_is_here_when_it_is_wanted(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, _link = changed(w)
        a.transfer.offer(offer())
        await b.until(lambda: NEW_ID in b.fetched)
        assert b.shelf.staged(NEW_ID) == NEW
        assert {request.what for request in a.requests} == {What.CHUNK}
        asked = len(a.requests)
        b.fetched.clear()
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert len(a.requests) == asked


@pytest.mark.asyncio
async def test_what_is_wanted_while_it_is_put_together_is_not_asked_for_twice(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, _link = changed(w)
        a.transfer.offer(offer())
        a.transfer.offer(offer())
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert b.pushes == 1, "what was read is told once"
        assert {request.what for request in a.requests} == {What.CHUNK}


@pytest.mark.asyncio
async def test_who_does_not_know_the_version_before_asks_as_if_nothing_had_come(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, _b, _link = changed(w)
        c = w.device("c")
        w.join(a, c)
        a.transfer.offer(offer())
        await c.until(lambda: c.pushes == 1)
        a.fence.refuses.clear()
        c.want(WANTED)
        await c.until_fetched(WANTED)
        assert c.shelf.staged(NEW_ID) == NEW
        assert c.blamed == {}


@pytest.mark.asyncio
async def test_what_is_not_there_any_more_of_the_version_before_is_asked_for_too(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, _link = changed(w)
        (b.shelf.places.root / "big").write_bytes(bytes(100) + OLD[100:])
        a.transfer.offer(offer())
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert b.shelf.staged(NEW_ID) == NEW
        assert (b.blamed, len(a.requests)) == ({}, 2)


@pytest.mark.asyncio
async def test_only_who_may_know_of_a_class_of_files_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = changed(w)
        a.fence.closed.add((link, "restricted *.ecs"))
        a.transfer.offer(offer("restricted *.ecs"))
        assert b.pushes == 0
        a.transfer.offer(offer())
        await b.until(lambda: NEW_ID in b.fetched)


@pytest.mark.asyncio
async def test_what_is_not_known_to_be_new_is_not_offered(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, _link = changed(w)
        a.transfer.offer(OfferContent(MANDATE, BIG, NEW_ID, len(NEW), ContentId(b"?" * 32)))
        a.transfer.offer(OfferContent(MANDATE, BIG, ContentId(b"?" * 32), len(NEW), OLD_ID))
        assert b.pushes == 0


@pytest.mark.asyncio
async def test_nonsense_closes_the_link_and_a_stranger_is_not_listened_to(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = changed(w)
        nonsense = Offer(MANDATE, NEW_ID, len(NEW), OLD_ID, b"nonsense")
        b.transfer.on_message(link + 7, nonsense)
        b.transfer.on_message(link, nonsense)
        await b.until(lambda: link in b.blamed)
        assert list(b.blamed) == [link]
        assert b.transfer._paths == {}, "nothing of it is left"


@pytest.mark.asyncio
async def test_a_file_that_nobody_names_goes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offering, "UNCLAIMED_S", 0.0)
    async with world(tmp_path) as w:
        a, b, _link = changed(w)
        a.transfer.offer(offer())
        await b.until(lambda: NEW_ID in b.fetched)
        await until(lambda: not b.shelf.staging.has(NEW_ID), "it is removed")


@pytest.mark.asyncio
async def test_a_disk_that_is_full_is_no_problem_of_a_file_that_nobody_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        a, b, _link = changed(w)
        monkeypatch.setattr("p2psync.fs.assembly.ROOM_LEFT_BYTES", 1 << 62)
        a.transfer.offer(offer())
        await b.until(lambda: NEW_ID in b.failed)
        assert b.problems == []


@pytest.mark.asyncio
async def test_devices_tell_ahead_what_is_new_in_a_big_file(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        first = Random(1).randbytes(2 << 20)
        one.save("big.bin", first)
        await two.has("big.bin", first)
        got: list[Offer] = []
        told = asyncio.Event()
        transfer = two.running.transfer
        take_in = transfer._offered

        def note(link: int, message: Offer) -> None:
            got.append(message)
            told.set()
            take_in(link, message)

        transfer._offered = note  # type: ignore[method-assign]
        second = first[:1000] + b"new" + first[1000:]
        fresh = tmp_path / "second"
        fresh.write_bytes(second)
        written_s = fresh.stat().st_mtime - 1
        os.utime(fresh, (written_s, written_s))  # else it might be read, and told, again within the tick of its clock
        fresh.replace(one.folder / "big.bin")
        await two.has("big.bin", second)
        await told.wait()
        assert [message.content for message in got] == [content_of(second)]
