"""A big new file is on its way while it is read: what came by then is not asked for, and if it is wrong, no harm."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.chunking import Layout, Span
from p2psync.core.ids import content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents import streaming
from p2psync.daemon.limits import Limits
from p2psync.engine import observation
from p2psync.engine.effects import StreamFile, Wanted
from p2psync.engine.lanes import WINDOW_BYTES
from p2psync.fs import inspector, scanner
from p2psync.fs.being_read import BeingRead
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Ahead, Kept, What
from tests.core.cutting import cut
from tests.daemon.homes import company
from tests.daemon.patience import until
from tests.daemon.peers import MANDATE, Device, World, world

DATA = Random(1).randbytes(6 * RESPONSE_DATA_BYTES_MAX)
STEP = RESPONSE_DATA_BYTES_MAX // 8
BIG = RelPath("big")
CONTENT = content_of(DATA)
WANTED = Wanted(CONTENT, len(DATA), BIG)


def two(w: World) -> tuple[Device, Device, int]:
    """Of two devices the first one reads a big file."""
    a, b = w.device("a"), w.device("b")
    a.shelf.save("big", DATA)
    a.shelf.contents.note_cut(CONTENT, Layout(cut(DATA)), None)
    return a, b, w.join(a, b)


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


def ahead(number: int, data: bytes = DATA, path: str = "big") -> Ahead:
    at = number * RESPONSE_DATA_BYTES_MAX
    return Ahead(MANDATE, path, len(data), at, data[at : at + RESPONSE_DATA_BYTES_MAX])


async def until_written(device: Device, count: int) -> None:
    """So many pieces are on its disk."""

    def is_written() -> bool:
        sizes = [path.stat().st_size for path in device.shelf.staging.root.iterdir()]
        return sizes == [count * RESPONSE_DATA_BYTES_MAX]

    await until(is_written, f"{count} pieces came")


def asked(device: Device) -> int:
    """For chunks of how many bytes it was asked."""
    spans = cut(DATA)
    return sum(spans[index].size for request in device.requests for index in request.chunks)


def staged(device: Device) -> list[str]:
    return [path.name for path in device.shelf.staging.root.iterdir()]


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
async def test_what_comes_after_it_was_named_is_passed_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        assert b.transfer.on_message(link, ahead(0))
        await until_written(b, 1)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert not b.transfer.on_message(link, ahead(1))
        assert b.shelf.staged(CONTENT) == DATA


@pytest.mark.asyncio
async def test_what_came_ahead_of_another_content_harms_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        other = Random(2).randbytes(len(DATA))
        for number in range(3):
            assert b.transfer.on_message(link, ahead(number, other))
        await until_written(b, 3)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert b.shelf.staged(CONTENT) == DATA
        assert asked(a) == len(DATA)
        assert (b.blamed, b.problems) == ({}, [])


@pytest.mark.asyncio
async def test_a_file_that_is_here_needs_no_draft(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        b.shelf.save("copy", DATA)
        assert b.transfer.on_message(link, ahead(0))
        await until_written(b, 1)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert (staged(b), a.requests) == ([CONTENT.hex()], [])


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
        await until_written(b, 4)
        await until(lambda: not a.transfer._streaming._leaving, "the stream ended")
        assert [path.stat().st_size for path in b.shelf.staging.root.iterdir()] == [4 * RESPONSE_DATA_BYTES_MAX]


@pytest.mark.asyncio
async def test_of_a_file_that_became_shorter_nothing_more_is_given(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        a.shelf.save("big", DATA[: 2 * RESPONSE_DATA_BYTES_MAX + 1000])
        a.transfer.stream(stream(link), Reading())
        await until_written(b, 2)
        await until(lambda: not a.transfer._streaming._leaving, "the stream ended")
        assert [path.stat().st_size for path in b.shelf.staging.root.iterdir()] == [2 * RESPONSE_DATA_BYTES_MAX]


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
        await until(lambda: not a.transfer._streaming._leaving, "the stream ended")
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
async def test_pieces_without_a_beginning_and_of_strangers_are_passed_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        second = w.join(a, b)
        assert not b.transfer.on_message(link + 7, ahead(0)), "no member of the mandate"
        assert not b.transfer.on_message(link, ahead(1))
        assert b.transfer.on_message(link, ahead(0))
        assert not b.transfer.on_message(link, ahead(2)), "a gap"
        assert not b.transfer.on_message(second, ahead(1)), "somebody else began"
        assert b.transfer.on_message(link, ahead(1))
        await until_written(b, 2)
        assert b.transfer.on_message(second, ahead(0)), "begun anew"
        await until_written(b, 1)
        await until(lambda: len(staged(b)) == 1, "what came before is gone")


@pytest.mark.asyncio
async def test_what_is_kept_of_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "DRAFTS_MAX", 2)
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        for name in ("one", "two"):
            assert b.transfer.on_message(link, ahead(0, path=name))
        assert not b.transfer.on_message(link, ahead(0, path="three"))


@pytest.mark.asyncio
async def test_no_more_is_on_its_way_than_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side has no room: a window of it goes out, and then nothing."""
    monkeypatch.setattr("p2psync.fs.assembly.ROOM_LEFT_BYTES", 1 << 62)
    monkeypatch.setattr(streaming, "LOOK_EVERY_S", 0.001)
    async with world(tmp_path) as w:
        a, b, link = two(w)
        came: list[int] = []
        take_in = b.transfer._streaming.came

        def note(link: int, piece: Ahead) -> bool:
            came.append(piece.offset)
            return take_in(link, piece)

        b.transfer._streaming.came = note  # type: ignore[method-assign]
        reading = Reading(100)
        a.transfer.stream(stream(link), reading)
        await until(lambda: reading.is_over, "the file was read")
        assert came == list(range(0, WINDOW_BYTES, RESPONSE_DATA_BYTES_MAX))
        assert staged(b) == []


@pytest.mark.asyncio
async def test_who_keeps_a_stream_that_there_is_not_is_not_listened_to(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, _b, link = two(w)
        assert a.transfer.on_message(link, Kept(MANDATE, "big", 7))


@pytest.mark.asyncio
async def test_what_nobody_names_goes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "UNCLAIMED_S", 0.05)
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        assert b.transfer.on_message(link, ahead(0))
        await until(lambda: not b.transfer._streaming._coming, "it is given up")
        await until(lambda: staged(b) == [], "nothing is left")


@pytest.mark.asyncio
async def test_what_nobody_named_is_gone_at_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        assert b.transfer.on_message(link, ahead(0))
        await until_written(b, 1)
    assert staged(b) == []


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
        take_in = two.running.transfer._streaming.came

        def note(link: int, piece: Ahead) -> bool:
            came.append(piece)
            return take_in(link, piece)

        two.running.transfer._streaming.came = note  # type: ignore[method-assign]
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
