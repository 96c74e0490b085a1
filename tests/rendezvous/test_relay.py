"""The relay passes bytes on as they are, between two, fairly, with bounded memory; and says why when it does not."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from random import Random

import pytest

from p2psync.rendezvous import relay
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol import switchboard
from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.protocol.messages import Reason
from p2psync.rendezvous.protocol.streams import MET, Join
from p2psync.rendezvous.protocol.switchboard import RelayLimits
from p2psync.rendezvous.relay import RelaySettings
from p2psync.rendezvous.server import Server
from tests.rendezvous.hosting import PATIENCE_S, Sink, calling, figure, hosting, streaming

T1, T2 = b"1" * 32, b"2" * 32
UNLIMITED = Rate(1 << 40, 1 << 40)


def join(stream: int = 0, topic: bytes = T1) -> Join:
    return Join(topic, bytes([stream]) * 16)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)


async def answered(reader: asyncio.StreamReader) -> int:
    return (await asyncio.wait_for(reader.readexactly(1), PATIENCE_S))[0]


@pytest.mark.asyncio
async def test_bytes_arrive_as_they_were_sent_both_ways_at_once(certificate: Certificate) -> None:
    there, back = os.urandom(1_500_000), os.urandom(700_000)
    settings = RelaySettings(per_topic=UNLIMITED, together=UNLIMITED)
    async with hosting(certificate, relay=settings) as server, streaming(server, join()) as (near, far):
        async with asyncio.TaskGroup() as group:
            for end, data in ((near, there), (far, back)):
                group.create_task(_write_in_pieces(end, data, Random(1)))
        await far.until(lambda: len(far.data) == len(there))
        await near.until(lambda: len(near.data) == len(back))
        assert (bytes(far.data), bytes(near.data)) == (there, back)
        assert figure(server, "relay_bytes_total") == len(there) + len(back)
        assert figure(server, "relay_streams") == 1


async def _write_in_pieces(end: Sink, data: bytes, random: Random) -> None:
    while data:
        size = random.choice([1, 100, 16_384, 65_536, 300_000])
        await end.write(data[:size])
        data = data[size:]


@pytest.mark.asyncio
async def test_streams_do_not_mix(certificate: Certificate) -> None:
    async with (
        hosting(certificate) as server,
        streaming(server, join(1)) as (a, b),
        streaming(server, join(2)) as (c, d),
        streaming(server, join(1, T2)) as (e, f),
    ):
        for end, text in ((a, b"a"), (c, b"c"), (e, b"e")):
            await end.write(text * 1000)
        for end, text in ((b, b"a"), (d, b"c"), (f, b"e")):
            await end.until(lambda end=end: len(end.data) == 1000)  # type: ignore[misc]
            assert end.data == text * 1000


@pytest.mark.asyncio
async def test_when_one_side_ends_the_other_gets_what_was_sent_and_ends_too(certificate: Certificate) -> None:
    async with hosting(certificate) as server, streaming(server, join()) as (near, far):
        await near.write(b"x" * 200_000)
        near.transport.close()
        await far.until(lambda: far.lost)
        assert len(far.data) == 200_000
        await until(lambda: figure(server, "relay_streams") == 0)


@pytest.mark.asyncio
async def test_a_host_may_refuse_to_relay(certificate: Certificate) -> None:
    async with hosting(certificate, relay=RelaySettings(allowed=False)) as server, calling(server) as (reader, writer):
        writer.write(join().pack())
        assert await answered(reader) == Reason.NO_RELAY
        assert await reader.read() == b""
        assert figure(server, "relay_refused_total") == 1


@pytest.mark.asyncio
async def test_a_third_is_refused_and_hears_nothing(certificate: Certificate) -> None:
    async with hosting(certificate) as server, streaming(server, join()) as (near, far):
        async with calling(server) as (reader, writer):
            writer.write(join().pack())
            assert await answered(reader) == Reason.RELAY_FULL
        await near.write(b"still there")
        await far.until(lambda: far.data == b"still there")


@pytest.mark.asyncio
async def test_places_are_limited_and_given_back(certificate: Certificate) -> None:
    settings = RelaySettings(limits=RelayLimits(streams_per_topic=1))
    async with hosting(certificate, relay=settings) as server:
        async with streaming(server, join(1)), calling(server) as (reader, writer):
            writer.write(join(2).pack())
            assert await answered(reader) == Reason.RELAY_FULL
        await until(lambda: figure(server, "relay_streams") == 0)
        async with streaming(server, join(2)):
            pass


@pytest.mark.asyncio
async def test_nobody_is_waited_for_for_ever(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "WAIT_S", 0.0)
    async with hosting(certificate) as server, calling(server) as (reader, writer):
        writer.write(join().pack())
        await until(lambda: figure(server, "relay_streams") == 1)
        server.sweep()
        assert await answered(reader) == Reason.NOBODY_CAME
        await until(lambda: figure(server, "relay_streams") == 0)


@pytest.mark.asyncio
async def test_a_silent_stream_is_ended(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting(certificate) as server, streaming(server, join()) as (near, far):
        server.sweep()
        assert not near.lost
        monkeypatch.setattr(relay, "IDLE_S", 0.0)
        server.sweep()
        await near.until(lambda: near.lost)
        await far.until(lambda: far.lost)


@pytest.mark.parametrize("extra", [b"x", bytes(1000)])
@pytest.mark.asyncio
async def test_who_speaks_before_the_other_is_there_is_refused(certificate: Certificate, extra: bytes) -> None:
    async with hosting(certificate) as server, calling(server) as (reader, writer):
        writer.write(join().pack() + extra)
        assert await answered(reader) == Reason.MALFORMED
        assert figure(server, "relay_streams") == 0


@pytest.mark.asyncio
async def test_who_reads_slowly_holds_up_his_own_stream_only(certificate: Certificate) -> None:
    settings = RelaySettings(per_topic=UNLIMITED, together=UNLIMITED)
    async with hosting(certificate, relay=settings) as server, streaming(server, join(1)) as (near, far):
        far.transport.pause_reading()
        sent = await _stuff(near)
        held = sent - len(far.data)
        async with streaming(server, join(2)) as (quick, other):
            await quick.write(b"q" * 300_000)
            await other.until(lambda: len(other.data) == 300_000)
        assert held < 40 << 20, "what is held back lies in the kernel's buffers and in ours, not in endless memory"
        far.transport.resume_reading()
        await far.until(lambda: len(far.data) == sent)


async def _stuff(end: Sink) -> int:
    """Write until nothing more goes in for a while; returns how much it was."""
    sent = 0
    for _ in range(2000):
        try:
            async with asyncio.timeout(0.3):
                await end.write(bytes(65_536))
        except TimeoutError:
            return sent
        sent += 65_536
    return sent


@pytest.mark.asyncio
async def test_a_mandate_with_many_streams_gets_no_more_than_one_with_a_single(certificate: Certificate) -> None:
    settings = RelaySettings(per_topic=UNLIMITED, together=Rate(1 << 18, 12 << 20))
    async with hosting(certificate, relay=settings) as server:
        greedy, modest = await _race(server, streams=6, total=6 << 20)
    assert modest > greedy / 2


async def _race(server: Server, streams: int, total: int) -> tuple[int, int]:
    """Bytes that came through for a topic with so many streams, and for one with a single, when all is `total`."""
    async with contextlib.AsyncExitStack() as stack:
        many = [await stack.enter_async_context(streaming(server, join(n, T1))) for n in range(streams)]
        one = await stack.enter_async_context(streaming(server, join(0, T2)))
        async with asyncio.TaskGroup() as group:
            writing = [group.create_task(_write_for_ever(near)) for near, _ in [*many, one]]
            await until(lambda: figure(server, "relay_bytes_total") >= total)
            for task in writing:
                task.cancel()
        return sum(len(far.data) for _, far in many), len(one[1].data)


async def _write_for_ever(end: Sink) -> None:
    while True:
        await end.write(bytes(65_536))
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_mandate_gets_so_much_and_no_more(certificate: Certificate) -> None:
    settings = RelaySettings(per_topic=Rate(100_000, 1000), together=UNLIMITED)
    async with hosting(certificate, relay=settings) as server, streaming(server, join()) as (near, _far):
        sent = 0
        while sent < 4 << 20 and figure(server, "relay_bytes_total") < 100_000:
            near.transport.write(bytes(16_384))
            sent += 16_384
            await asyncio.sleep(0)
        await until(lambda: figure(server, "relay_bytes_total") >= 100_000)
        async with streaming(server, join(1, T2)) as (other, its_end):
            await other.write(b"x" * 50_000)
            await its_end.until(lambda: len(its_end.data) == 50_000)
        assert figure(server, "relay_bytes_total") <= 100_000 + 600_000 + 50_000


@pytest.mark.asyncio
async def test_noise_on_many_connections_does_no_harm(certificate: Certificate) -> None:
    random = Random(5)
    async with hosting(certificate) as server:
        for _ in range(30):
            async with calling(server) as (_, writer):
                head = bytearray(join(random.randrange(3)).pack())
                if random.random() < 0.5:
                    head[random.randrange(len(head))] ^= 1 << random.randrange(8)
                writer.write(bytes(head)[: random.randrange(1, 64)] if random.random() < 0.3 else bytes(head))
                if random.random() < 0.5:
                    writer.write(random.randbytes(random.randrange(1, 5000)))
                await asyncio.sleep(0)
        async with streaming(server, join(9)) as (near, far):
            await near.write(b"fine")
            await far.until(lambda: far.data == b"fine")
        await until(lambda: figure(server, "relay_streams") == 0)
        assert server.problem is None


def test_met_is_no_reason() -> None:
    assert MET not in set(Reason)
