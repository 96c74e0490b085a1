"""Frames arrive whole and in order; neither side's slowness costs the other memory; silence is noticed."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.errors import LinkClosed, LocalProtocolError, P2PSyncError, PeerRefused, RemoteProtocolError
from p2psync.net.link import (
    BULK_BYTES_MAX,
    CLOSE_S,
    CONTROL_BYTES_MAX,
    INBOX_BYTES_MAX,
    KEEPALIVE_S,
    LINK_FRAME_BYTES_MAX,
    SILENCE_MAX_S,
    FrameAssembler,
    FramedLink,
    Link,
)
from tests.net.stillness import run_still

STILL_HERE = b"\0\0\0\0"
BULK = b"b" * 1000


class Carrier:
    """Keeps what it is given; `full` from so many writes on; ends when told to."""

    def __init__(self, *, initiator: bool = True, full_after: int | None = None) -> None:
        self.written = bytearray()
        self.writes = 0
        self.full_after = full_after
        self.reading = True
        self.ended = ""
        self.link = FramedLink(self, remote=DeviceId(b"r" * 32), initiator=initiator, way="lan", address="1.2.3.4:5")

    def write(self, *chunks: bytes) -> None:
        assert not self.ended
        self.written += b"".join(chunks)
        self.writes += 1
        if self.writes == self.full_after:
            self.link.pause_writing()

    def drain(self, full_after: int | None = None) -> None:
        self.full_after = None if full_after is None else self.writes + full_after
        self.link.resume_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def finish(self) -> None:
        self._end("finished")

    def abort(self) -> None:
        self._end("aborted")

    def _end(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            asyncio.get_running_loop().call_soon(self.link.lost, None)

    def frames(self) -> list[bytes]:
        return FrameAssembler().feed(bytes(self.written))


def packed(*frames: bytes) -> bytes:
    return b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)


# -- framing --------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 40)))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(frames: list[bytes], cuts: list[int]) -> None:
    stream = packed(*frames)
    assembler = FrameAssembler()
    out: list[bytes] = []
    for cut in cuts:
        out += assembler.feed(stream[:cut])
        stream = stream[cut:]
    out += assembler.feed(stream)
    assert out == [frame for frame in frames if frame]


def test_the_largest_frame_passes_and_a_larger_is_refused_by_its_length() -> None:
    largest = bytes(LINK_FRAME_BYTES_MAX)
    assert FrameAssembler().feed(packed(largest)) == [largest]
    with pytest.raises(RemoteProtocolError, match="longer than the protocol allows"):
        FrameAssembler().feed((LINK_FRAME_BYTES_MAX + 1).to_bytes(4, "big"))


def test_a_link_is_what_others_expect() -> None:
    async def main() -> None:
        link: Link = Carrier().link
        assert (link.remote, link.initiator, link.way, link.address) == (b"r" * 32, True, "lan", "1.2.3.4:5")
        await link.close()

    run_still(main())


# -- sending --------------------------------------------------------------------------------------------------------


def test_control_overtakes_bulk_that_waits() -> None:
    async def main() -> None:
        carrier = Carrier(full_after=1)
        await carrier.link.send(b"bulk 1", bulk=True)
        await carrier.link.send(b"bulk 2", bulk=True)
        await carrier.link.send(b"control 1")
        await carrier.link.send(b"control 2")
        carrier.drain()
        assert carrier.frames() == [b"bulk 1", b"control 1", b"control 2", b"bulk 2"]
        await carrier.link.close()

    run_still(main())


def test_bulk_that_is_held_lets_control_go_first() -> None:
    async def main() -> None:
        carrier = Carrier()
        carrier.link.hold_bulk(0.02)
        await carrier.link.send(b"bulk", bulk=True)
        await asyncio.sleep(0.01)
        await carrier.link.send(b"control")
        assert carrier.frames() == [b"control"]
        await asyncio.sleep(0.009)
        assert carrier.frames() == [b"control"]
        await asyncio.sleep(0.002)
        assert carrier.frames() == [b"control", b"bulk"]
        await carrier.link.close()

    run_still(main())


def test_bulk_that_is_held_again_waits_from_then_on() -> None:
    async def main() -> None:
        carrier = Carrier()
        carrier.link.hold_bulk(0.02)
        await carrier.link.send(b"bulk", bulk=True)
        await asyncio.sleep(0.01)
        carrier.link.hold_bulk(0.02)
        await asyncio.sleep(0.019)
        assert carrier.frames() == []
        await asyncio.sleep(0.002)
        assert carrier.frames() == [b"bulk"]
        await carrier.link.close()

    run_still(main())


def test_a_close_sends_bulk_that_is_held() -> None:
    async def main() -> None:
        carrier = Carrier()
        carrier.link.hold_bulk(0.02)
        await carrier.link.send(b"bulk", bulk=True)
        await carrier.link.close()
        assert carrier.frames() == [b"bulk"]
        carrier.link.hold_bulk(0.02)

    run_still(main())


@pytest.mark.parametrize(("bulk", "bytes_max"), [(True, BULK_BYTES_MAX), (False, CONTROL_BYTES_MAX)])
def test_who_sends_faster_than_the_line_waits(bulk: bool, bytes_max: int) -> None:
    async def main() -> None:
        carrier = Carrier(full_after=1)
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while True:
                await carrier.link.send(BULK, bulk)
                sent += 1

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(flood()) for _ in range(3)]
            await asyncio.sleep(1)
            assert bytes_max - 3 * len(BULK) < sent * (len(BULK) + 128) < bytes_max + 4 * (len(BULK) + 128)
            before = sent
            carrier.drain(full_after=1)
            await asyncio.sleep(1)
            assert sent > before
            for task in tasks:
                task.cancel()
        carrier.drain()
        assert carrier.frames() == [BULK] * sent
        await carrier.link.close()

    run_still(main())


def test_many_empty_handed_frames_are_bounded_too() -> None:
    async def main() -> None:
        carrier = Carrier(full_after=1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    await carrier.link.send(b".", bulk=True)
        carrier.drain()
        assert len(carrier.frames()) < BULK_BYTES_MAX // 100
        await carrier.link.close()

    run_still(main())


@pytest.mark.parametrize("size", [0, LINK_FRAME_BYTES_MAX + 1])
def test_a_frame_that_cannot_be_sent_is_our_fault(size: int) -> None:
    async def main() -> None:
        carrier = Carrier()
        with pytest.raises(LocalProtocolError):
            await carrier.link.send(bytes(size))
        await carrier.link.close()
        assert not carrier.written

    run_still(main())


# -- receiving ------------------------------------------------------------------------------------------------------


def test_frames_are_received_in_order_and_keepalives_are_not_seen() -> None:
    async def main() -> None:
        carrier = Carrier()
        carrier.link.feed(packed(b"one") + STILL_HERE + packed(b"two"))
        assert await carrier.link.receive() == b"one"
        assert await carrier.link.receive() == b"two"
        await carrier.link.close()

    run_still(main())


def test_a_flood_that_nobody_reads_stops_the_reading() -> None:
    async def main() -> None:
        carrier = Carrier()
        fed = 0
        while carrier.reading:
            carrier.link.feed(packed(b"x") * 100)
            fed += 100
        assert fed <= INBOX_BYTES_MAX // 128 + 100
        received = 0
        while not carrier.reading:
            assert await carrier.link.receive() == b"x"
            received += 1
        assert fed // 3 < received < fed
        await carrier.link.close()

    run_still(main())


def test_an_oversized_frame_ends_the_link_after_what_was_whole() -> None:
    async def main() -> None:
        carrier = Carrier()
        carrier.link.feed(packed(b"good"))
        carrier.link.feed(b"\xff" * 100)
        assert carrier.ended == "aborted"
        assert await carrier.link.receive() == b"good"
        for _ in range(2):
            with pytest.raises(RemoteProtocolError):
                await carrier.link.receive()
        carrier.link.feed(packed(b"more"))
        with pytest.raises(LinkClosed):
            await carrier.link.send(b"answer")

    run_still(main())


@pytest.mark.parametrize(
    ("initiator", "heard", "error"),
    [(True, False, PeerRefused), (True, True, LinkClosed), (False, False, LinkClosed)],
)
def test_hanging_up_before_the_first_frame_refuses_who_dialled(
    initiator: bool, heard: bool, error: type[P2PSyncError]
) -> None:
    async def main() -> None:
        carrier = Carrier(initiator=initiator)
        if heard:
            carrier.link.feed(packed(b"hello"))
            await carrier.link.receive()
        carrier.link.lost(None)
        with pytest.raises(error):
            await carrier.link.receive()

    run_still(main())


# -- silence --------------------------------------------------------------------------------------------------------


async def seconds_to_the_end(link: FramedLink) -> float:
    start = asyncio.get_running_loop().time()
    with pytest.raises(LinkClosed, match="was not heard of"):
        await link.receive()
    return asyncio.get_running_loop().time() - start


def test_a_silent_peer_is_given_up_within_10_s() -> None:
    async def main() -> None:
        carrier = Carrier()
        assert await seconds_to_the_end(carrier.link) == pytest.approx(SILENCE_MAX_S)
        assert carrier.ended == "aborted"
        assert SILENCE_MAX_S < 10

    run_still(main())


def test_who_sends_all_the_time_but_hears_nothing_notices_too() -> None:
    async def main() -> None:
        carrier = Carrier()

        async def talk() -> None:
            with contextlib.suppress(LinkClosed):
                while True:
                    await carrier.link.send(b"anybody there?")
                    await asyncio.sleep(0.1)

        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            assert await seconds_to_the_end(carrier.link) == pytest.approx(SILENCE_MAX_S, abs=KEEPALIVE_S / 2)

    run_still(main())


def test_two_idle_sides_keep_each_other_awake() -> None:
    async def main() -> None:
        carrier = Carrier()

        async def other_side() -> None:
            while True:
                await asyncio.sleep(KEEPALIVE_S)
                carrier.link.feed(STILL_HERE)

        async with asyncio.TaskGroup() as group:
            other = group.create_task(other_side())
            await asyncio.sleep(600)
            assert not carrier.ended
            assert carrier.written == STILL_HERE * len(range(0, 600, int(KEEPALIVE_S)))
            other.cancel()
        await carrier.link.close()

    run_still(main())


def test_who_does_not_read_does_not_judge() -> None:
    """The bytes that would say "still here" wait behind those that nobody has taken yet."""

    async def main() -> None:
        carrier = Carrier()
        carrier.link.feed(packed(b"x" * 1000) * (INBOX_BYTES_MAX // 1000))
        assert not carrier.reading
        await asyncio.sleep(100)
        assert not carrier.ended
        while not carrier.reading:
            await carrier.link.receive()
        while True:
            try:
                async with asyncio.timeout(1):
                    await carrier.link.receive()
            except TimeoutError:
                break
        assert await seconds_to_the_end(carrier.link) == pytest.approx(SILENCE_MAX_S, abs=1.5)

    run_still(main())


def test_keepalives_do_not_pile_up_in_front_of_a_peer_that_does_not_read() -> None:
    async def main() -> None:
        carrier = Carrier(full_after=1)
        await carrier.link.send(b"x")
        carrier.link.feed(packed(b"x" * 1000) * (INBOX_BYTES_MAX // 1000))
        await asyncio.sleep(100)
        assert carrier.frames() == [b"x"]
        assert carrier.writes == 1
        await carrier.link.close()

    run_still(main())


# -- closing --------------------------------------------------------------------------------------------------------


def test_closing_sends_what_is_queued_first() -> None:
    async def main() -> None:
        carrier = Carrier(full_after=2)
        for frame in (b"1", b"2", b"3"):
            await carrier.link.send(frame)
        assert carrier.frames() == [b"1", b"2"]
        asyncio.get_running_loop().call_later(1, carrier.drain)
        await carrier.link.close()
        assert carrier.frames() == [b"1", b"2", b"3"]
        assert carrier.ended == "finished"

    run_still(main())


def test_closing_does_not_wait_for_ever() -> None:
    async def main() -> None:
        carrier = Carrier(full_after=1)
        await carrier.link.send(b"1")
        await carrier.link.send(b"2")
        start = asyncio.get_running_loop().time()
        await carrier.link.close()
        assert asyncio.get_running_loop().time() - start == pytest.approx(CLOSE_S)
        assert carrier.ended == "aborted"
        await carrier.link.close()

    run_still(main())


def test_closing_ends_whoever_waits() -> None:
    async def main() -> None:
        carrier = Carrier(full_after=1)
        ended: list[str] = []

        async def expect_the_end(name: str, bulk: bool | None) -> None:
            with contextlib.suppress(LinkClosed):
                while True:
                    await (carrier.link.receive() if bulk is None else carrier.link.send(BULK, bulk))
            ended.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(expect_the_end("reader", None))
            group.create_task(expect_the_end("control", False))
            group.create_task(expect_the_end("bulk", True))
            await asyncio.sleep(1)
            await carrier.link.close()
        assert sorted(ended) == ["bulk", "control", "reader"]

    run_still(main())


def test_a_link_that_broke_tells_why() -> None:
    async def main() -> None:
        carrier = Carrier()
        carrier.link.lost(LinkClosed("the cable was cut"))
        for _ in range(2):
            with pytest.raises(LinkClosed, match="the cable was cut"):
                await carrier.link.receive()
        with pytest.raises(LinkClosed):
            await carrier.link.send(b"x")
        await carrier.link.close()

    run_still(main())


def test_a_link_that_ended_adapts_to_nothing() -> None:
    async def course() -> None:
        carrier = Carrier()
        asked: list[bool] = []

        def adapt() -> bool:
            asked.append(True)
            return True

        whose, where = DeviceId(b"r" * 32), "1.2.3.4:5"
        link = FramedLink(carrier, remote=whose, initiator=True, way="lan", address=where, on_distance=adapt)
        assert link.suit_distance()
        link.lost(None)
        assert not link.suit_distance()
        assert asked == [True]
        assert not carrier.link.suit_distance(), "by default there is nothing to be done"
        await carrier.link.close()

    run_still(course())
