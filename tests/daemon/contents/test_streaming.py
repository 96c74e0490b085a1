"""A big new file is on its way while it is read: what came by then is not asked for, and no more than makes sense."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.chunking import Layout, Span
from p2psync.core.ids import content_of
from p2psync.daemon.contents import streaming
from p2psync.daemon.limits import Limits
from p2psync.engine import observation
from p2psync.engine.effects import StreamFile
from p2psync.engine.lanes import WINDOW_BYTES
from p2psync.fs import inspector, scanner
from p2psync.fs.being_read import BeingRead
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Ahead, Credit, What
from tests.daemon.contents.pieces import BIG, CONTENT, DATA, WANTED, ahead, asked, staged, two, until_written
from tests.daemon.homes import company
from tests.daemon.patience import until
from tests.daemon.peers import MANDATE, Device, world

STEP = RESPONSE_DATA_BYTES_MAX // 8


def stream(link: int, file_class: str = ORDINARY) -> StreamFile:
    return StreamFile(MANDATE, BIG, len(DATA), link, file_class)


class Reading(BeingRead):
    """It is over when so many have looked whether it is, each before a piece."""

    def __init__(self, pieces: int = 1000) -> None:
        self._left = iter(range(pieces))
        super().__init__(BIG)
        self.add([Span(content_of(DATA[at : at + STEP]), at, STEP) for at in range(0, len(DATA), STEP)])

    @property
    def is_over(self) -> bool:
        return next(self._left, None) is None

    @is_over.setter
    def is_over(self, _value: bool) -> None:
        pass


async def until_ended(a: Device, b: Device, link: int, pieces: int) -> None:
    """So many went, and no more will."""
    await until_written(b, pieces)
    await until(lambda: not a.transfer._streaming._leaving and a.links[link].queue.empty(), "the stream ended")
    assert [coming.end for coming in b.transfer._drafting._coming.values()] == [pieces * RESPONSE_DATA_BYTES_MAX]


@pytest.mark.asyncio
async def test_what_came_ahead_is_not_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        a.transfer.stream(stream(link), Reading(4))
        await until_written(b, 4)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert b.shelf.staged(CONTENT) == DATA
        assert asked(a) <= len(DATA) - 4 * RESPONSE_DATA_BYTES_MAX + 64 * 1024
        assert {request.what for request in a.requests} == {What.MANIFEST, What.CHUNK}
        assert staged(b) == [CONTENT.hex()]


@pytest.mark.asyncio
async def test_all_of_it_may_come_ahead(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        a.transfer.stream(stream(link), Reading())
        await until_written(b, 6)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert b.shelf.staged(CONTENT) == DATA
        assert {request.what for request in a.requests} == {What.MANIFEST}


@pytest.mark.asyncio
async def test_only_who_may_have_it_and_is_near_is_given_anything(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        a.fence.closed.add((link, "restricted *.ecs"))
        a.transfer.stream(stream(link, "restricted *.ecs"), Reading())
        a.is_near = False
        a.transfer.stream(stream(link), Reading())
        a.is_near = True
        assert a.transfer._streaming._streamed == {}
        a.transfer.stream(stream(link), Reading(1))
        a.transfer.stream(stream(link), Reading())
        await until_written(b, 1)
        assert staged(b) != [], "and not again, since it is being written still"


@pytest.mark.asyncio
async def test_of_a_copy_nothing_more_is_given(tmp_path: Path) -> None:
    """The other side makes it of what it has. Single chunks are in many files, and tell nothing."""
    async with world(tmp_path) as w:
        a, b, link = two(w)
        reading = Reading()
        spans = reading.spans
        a.shelf.contents.note_cut(content_of(b"one chunk"), Layout(spans[8:9]))
        a.shelf.contents.note_cut(content_of(b"many"), Layout(spans[24:]))
        a.transfer.stream(stream(link), reading)
        await until_ended(a, b, link, pieces=4)


@pytest.mark.asyncio
async def test_of_a_file_that_became_shorter_nothing_more_is_given(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        a.shelf.save("big", DATA[: 2 * RESPONSE_DATA_BYTES_MAX + 1000])
        a.transfer.stream(stream(link), Reading())
        await until_ended(a, b, link, pieces=2)


@pytest.mark.asyncio
async def test_no_more_is_given_than_was_read(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        reading = BeingRead(BIG)
        spans = Reading().spans
        a.transfer.stream(stream(link), reading)
        for count in (1, 2):
            reading.add(spans[8 * count - 8 : 8 * count])
            await until_written(b, count)
        reading.end()
        await until_ended(a, b, link, pieces=2)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert asked(a) >= 4 * RESPONSE_DATA_BYTES_MAX


@pytest.mark.asyncio
async def test_where_bytes_are_counted_nothing_goes_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        for device in (a, b):
            device.transfer._bandwidth.put(Limits(up=1 << 20, down=1 << 20))
            device.transfer._bandwidth._far.add(link)
        a.transfer.stream(stream(link), Reading())
        assert a.transfer._streaming._streamed == {}
        assert not b.transfer.on_message(link, ahead(0))


@pytest.mark.asyncio
async def test_no_more_is_on_its_way_than_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side has no room: a window of it goes out, and then nothing."""
    monkeypatch.setattr("p2psync.fs.assembly.ROOM_LEFT_BYTES", 1 << 62)
    monkeypatch.setattr(streaming, "LOOK_EVERY_S", 0.001)
    async with world(tmp_path) as w:
        a, b, link = two(w)
        came: list[int] = []
        take_in = b.transfer._drafting.came

        def note(link: int, piece: Ahead) -> bool:
            came.append(piece.offset)
            return take_in(link, piece)

        b.transfer._drafting.came = note  # type: ignore[method-assign]
        reading = Reading(100)
        a.transfer.stream(stream(link), reading)
        await until(lambda: reading.is_over, "the file was read")
        assert came == list(range(0, WINDOW_BYTES, RESPONSE_DATA_BYTES_MAX))
        assert staged(b) == []


@pytest.mark.asyncio
async def test_who_keeps_a_stream_that_there_is_not_is_not_listened_to(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, _b, link = two(w)
        assert a.transfer.on_message(link, Credit(MANDATE, "big", 7))


@pytest.mark.asyncio
async def test_a_link_that_breaks_ends_the_stream(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        a.links[link].closed = True
        a.transfer.stream(stream(link), Reading())
        b.want(WANTED)
        await b.until(lambda: a.links[link].closed)
        assert staged(b) == []


@pytest.mark.asyncio
async def test_devices_give_a_big_new_file_while_they_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (inspector, scanner):
        monkeypatch.setattr(module, "LARGE_BYTES", 1 << 20)
    monkeypatch.setattr(observation, "STREAM_FROM_BYTES", 1 << 20)
    async with company(tmp_path, "payroll") as (one, two):
        links = one.running.links
        await until(lambda: any(map(links.is_near, links._lines)), "it is known how far it is")
        came: list[Ahead] = []
        two_came = threading.Event()
        take_in = two.running.transfer._drafting.came

        def note(link: int, piece: Ahead) -> bool:
            came.append(piece)
            if len(came) == 2:
                two_came.set()
            return take_in(link, piece)

        two.running.transfer._drafting.came = note  # type: ignore[method-assign]
        add = BeingRead.add

        def read_slowly(reading: BeingRead, spans: Sequence[Span]) -> None:
            add(reading, spans)
            assert two_came.wait(60), "it goes while it is read"

        monkeypatch.setattr(BeingRead, "add", read_slowly)
        data = Random(3).randbytes(40 << 20)
        one.save("big.bin", data)
        await two.has("big.bin", data)
        assert [piece.offset for piece in came[:2]] == [0, came[0].size]
        assert {(piece.path, piece.whole) for piece in came} == {("big.bin", len(data))}
        again = data[:1000] + b"new" + data[1000:]
        count = len(came)
        one.save("big.bin", again)
        await two.has("big.bin", again)
        assert len(came) == count, "of a known file only what is new goes ahead"
