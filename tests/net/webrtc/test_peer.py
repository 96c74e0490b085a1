"""aiortc's layers, put together: they connect, they end, and they leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import aioice.ice
import pytest

from p2psync.errors import LinkError
from p2psync.net.webrtc.flow import WINDOW_BYTES
from p2psync.net.webrtc.peer import Peer
from p2psync.net.webrtc.servers import Servers
from tests.net.webrtc.conftest import LOOPBACK
from tests.net.webrtc.test_transport import Sink

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("on_loopback")]

PATIENCE_S = 30.0


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[Peer, Peer]]:
    async with asyncio.timeout(PATIENCE_S), Peer(True, Servers()) as one, Peer(False, Servers()) as other:
        await connect(one, other)
        yield one, other
    await nothing_is_left()


async def connect(one: Peer, other: Peer) -> None:
    mine, theirs = await asyncio.gather(one.describe(), other.describe())
    await asyncio.gather(one.connect(theirs), other.connect(mine))


async def nothing_is_left() -> None:
    """No task that is not over in a moment."""
    async with asyncio.timeout(PATIENCE_S):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)


async def until(sink: Sink, size: int) -> None:
    while len(sink.data) < size and not sink.lost:
        await asyncio.sleep(0.001)
    assert len(sink.data) == size


async def test_bytes_go_both_ways_and_an_end_in_order_is_no_loss() -> None:
    async with connected() as (one, other):
        sinks = Sink(), Sink()
        ends = one.open(sinks[0]), other.open(sinks[1])
        assert ends[0].get_extra_info("peername")[0] == LOOPBACK
        ends[0].write(bytes(range(256)) * 4000)
        ends[1].write(b"short")
        await until(sinks[1], 1_024_000)
        await until(sinks[0], 5)
        assert sinks[1].data == bytes(range(256)) * 4000
        ends[0].close()
        await asyncio.wait([end.over for end in ends])
        await asyncio.sleep(0)
        assert [sink.lost for sink in sinks] == [[None], [None]]


async def test_what_comes_before_this_side_is_ready_is_kept() -> None:
    async with connected() as (one, other):
        end = one.open(Sink())
        end.write(b"early")
        while not other._early:
            await asyncio.sleep(0.001)
        sink = Sink()
        other.open(sink)
        assert sink.data == b"early"
        end.abort()


async def test_who_cannot_wait_is_cut_off() -> None:
    async with connected() as (one, _other):
        sink = Sink()
        one._early = [bytes(WINDOW_BYTES), b"1"]
        one._heard(b"2")
        assert len(one._early) == 2
        end = one.open(sink)
        end.abort()


async def test_text_ends_it() -> None:
    async with connected() as (one, other):
        sink = Sink()
        end = one.open(sink)
        other._channel.send("text")
        await asyncio.wait([end.over])
        await asyncio.sleep(0)
        assert "text" in str(sink.lost[0])


async def test_a_side_that_ends_without_a_close_is_told_of() -> None:
    sink = Sink()
    async with connected() as (one, other):
        end = one.open(sink)
        await other._dtls.stop()
        await asyncio.wait([end.over])
        await asyncio.sleep(0)
    assert "lost" in str(sink.lost[0])


async def test_a_side_that_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers no question whether it still wants to hear."""
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.05)
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 2)
    sink = Sink()
    async with connected() as (one, other):
        end = one.open(sink)
        monkeypatch.setattr(other._ice._connection, "request_received", lambda *_request: None)
        await asyncio.wait([end.over])
        await asyncio.sleep(0)
    assert isinstance(sink.lost[0], LinkError)


async def test_no_way_is_told() -> None:
    async with asyncio.timeout(PATIENCE_S), Peer(True, Servers()) as one, Peer(False, Servers()) as other:
        await one.describe()
        theirs = replace(await other.describe(), candidates=())
        with pytest.raises(LinkError, match="between the two networks"):
            await one.connect(theirs)
    await nothing_is_left()


async def test_somebody_elses_certificate_is_refused() -> None:
    async with asyncio.timeout(PATIENCE_S), Peer(True, Servers()) as one, Peer(False, Servers()) as other:
        mine, theirs = await asyncio.gather(one.describe(), other.describe())
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(other.connect(mine))
            with pytest.raises(LinkError, match="keys"):
                await one.connect(replace(theirs, fingerprint=bytes(32)))
            waiting.cancel()
    await nothing_is_left()


async def test_an_end_that_is_cancelled_leaves_nothing_behind() -> None:
    async def carry(peer: Peer) -> None:
        async with peer:
            await peer.describe()
            began.set()
            await asyncio.sleep(PATIENCE_S)

    began = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(carry(Peer(True, Servers())))
        await began.wait()
        for _ in range(5):
            task.cancel()
            await asyncio.sleep(0)
    assert task.cancelled()
    await nothing_is_left()


async def test_a_slow_reader_costs_bounded_memory() -> None:
    async with connected() as (one, other):
        sinks = Sink(), Sink()
        end, slow = one.open(sinks[0]), other.open(sinks[1])
        slow.pause_reading()
        end.write(bytes(3 * WINDOW_BYTES))
        while end.get_write_buffer_size() > 2 * WINDOW_BYTES:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert end.get_write_buffer_size() == 2 * WINDOW_BYTES
        assert sum(map(len, slow._arrived)) <= WINDOW_BYTES
        slow.resume_reading()
        await until(sinks[1], 3 * WINDOW_BYTES)
        end.abort()
