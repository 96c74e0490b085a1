"""Every client is told what happens, in order; one that does not read loses the oldest, and learns how much."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from p2psync.api.events import ALIVE, CLIENTS_MAX, LOST, QUEUE_MAX, Full, Hub, as_frame


async def read(frames: AsyncIterator[str], count: int) -> list[dict[str, str]]:
    found = []
    async for frame in frames:
        found.append(json.loads(frame.removeprefix("data: ")))
        if len(found) == count:
            return found
    return found


@pytest.mark.asyncio
async def test_all_clients_are_told_in_order() -> None:
    hub = Hub()
    hub.publish("before", {})
    with hub.subscribed() as one, hub.subscribed() as two:
        hub.publish("place.done", {"path": "Löhne.ecs"})
        hub.publish("peer.joined", {})
        expected = [{"event": "place.done", "path": "Löhne.ecs"}, {"event": "peer.joined"}]
        assert await read(one.frames(), 2) == expected
        assert await read(two.frames(), 2) == expected


@pytest.mark.asyncio
async def test_who_does_not_read_loses_the_oldest() -> None:
    hub = Hub()
    with hub.subscribed() as stream:
        for number in range(QUEUE_MAX + 3):
            hub.publish("n", {"number": str(number)})
        found = await read(stream.frames(), QUEUE_MAX + 1)
    assert found[0] == {"event": LOST, "events": "3"}
    assert [one["number"] for one in found[1:]] == [str(number) for number in range(3, QUEUE_MAX + 3)]


@pytest.mark.asyncio
async def test_who_falls_behind_while_reading_is_told_where_the_gap_is() -> None:
    hub = Hub()
    with hub.subscribed() as stream:
        frames = stream.frames()
        hub.publish("n", {"number": "first"})
        assert await read(frames, 1) == [{"event": "n", "number": "first"}]
        for number in range(QUEUE_MAX + 2):
            hub.publish("n", {"number": str(number)})
        assert await read(frames, 2) == [{"event": LOST, "events": "2"}, {"event": "n", "number": "2"}]


@pytest.mark.asyncio
async def test_silence_is_broken_so_that_a_dead_connection_is_noticed() -> None:
    with Hub().subscribed() as stream:
        assert await anext(stream.frames(alive_every_s=0.001)) == ALIVE


@pytest.mark.asyncio
async def test_the_end_of_the_daemon_ends_the_streams() -> None:
    hub = Hub()
    with hub.subscribed() as stream:
        async with asyncio.timeout(5):
            reading = asyncio.get_running_loop().create_future()
            hub.close()
            assert await read(stream.frames(), 1) == []
            reading.cancel()
    with pytest.raises(Full), hub.subscribed():
        pass


def test_clients_are_bounded_and_make_room_when_they_go() -> None:
    hub = Hub()
    open_ones = [hub.subscribed() for _ in range(CLIENTS_MAX)]
    for one in open_ones:
        one.__enter__()
    with pytest.raises(Full), hub.subscribed():
        pass
    open_ones[0].__exit__(None, None, None)
    with hub.subscribed():
        pass


def test_an_event_is_one_line_whatever_it_holds() -> None:
    assert as_frame("x", {"path": "a\nb\n\ndata: c"}).count("\n") == 2
