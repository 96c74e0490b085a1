"""Several hosts share topics and streams over a real Redis; without it, each goes on for its own visitors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from p2psync.errors import ConfigError
from p2psync.rendezvous import bus, client
from p2psync.rendezvous.bus import Bus
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.protocol.envelope import Kind
from p2psync.rendezvous.protocol.streams import Join
from p2psync.rendezvous.relay import RelaySettings
from p2psync.rendezvous.server import Server
from tests.rendezvous.hosting import PATIENCE_S, Daemon, Sink, address_of, figure, hosting, met, running, streaming
from tests.rendezvous.people import ALICE, BOB, CAROL
from tests.rendezvous.redises import free_port, needs_redis, redis_running

UNLIMITED = Rate(1 << 40, 1 << 40)
JOIN = Join(b"t" * 32, b"s" * 16)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "RETRY_S", 0.02)
    monkeypatch.setattr(client, "RETRY_MIN_S", 0.01)
    monkeypatch.setattr(client, "RETRY_MAX_S", 0.02)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def two_hosts(certificate: Certificate, url: str, **changes: Any) -> AsyncIterator[tuple[Server, Server]]:
    async with hosting(certificate, redis=url, **changes) as one, hosting(certificate, redis=url, **changes) as other:
        await until(lambda: one.problem is None and other.problem is None)
        yield one, other


@needs_redis
@pytest.mark.asyncio
async def test_members_at_different_hosts_meet(certificate: Certificate, tmp_path: Path) -> None:
    async with redis_running(tmp_path, free_port()) as url, two_hosts(certificate, url) as (one, other):
        alice, bob, carol = (
            Daemon(ALICE, address_of(one)),
            Daemon(BOB, address_of(other)),
            Daemon(CAROL, address_of(one)),
        )
        async with running(alice, bob):
            async with running(carol):
                await met(alice, bob, carol)
                for n in range(50):
                    alice.client.write(await alice.meet(bob), Kind.OFFER, bytes([n]))
                assert await bob.hear(50) == [bytes([n]) for n in range(50)]
                assert carol.heard == []
                assert bob.client.counts.missed == 0
            await bob.until(lambda: [peer.device for peer in bob.lost] == [CAROL.device])
            await alice.meet(bob)


@needs_redis
@pytest.mark.asyncio
async def test_a_stream_goes_from_host_to_host(certificate: Certificate, tmp_path: Path) -> None:
    settings = RelaySettings(per_topic=UNLIMITED, together=UNLIMITED)
    there, back = os.urandom(3_000_000), os.urandom(1_000_000)
    async with (
        redis_running(tmp_path, free_port()) as url,
        two_hosts(certificate, url, relay=settings) as hosts,
        streaming(hosts[0], JOIN, hosts[1]) as (near, far),
    ):
        async with asyncio.TaskGroup() as group:
            group.create_task(write(near, there))
            group.create_task(write(far, back))
        await far.until(lambda: len(far.data) == len(there))
        await near.until(lambda: len(near.data) == len(back))
        assert (bytes(far.data), bytes(near.data)) == (there, back)
        near.transport.write(b"last words")
        near.transport.close()
        await far.until(lambda: far.lost)
        assert far.data.endswith(b"last words")
        await until(lambda: not any(figure(host, "relay_streams") for host in hosts))


async def write(end: Sink, data: bytes) -> None:
    for at in range(0, len(data), 100_000):
        await end.write(data[at : at + 100_000])


@needs_redis
@pytest.mark.asyncio
async def test_who_reads_slowly_far_away_holds_back_the_writer(certificate: Certificate, tmp_path: Path) -> None:
    settings = RelaySettings(per_topic=UNLIMITED, together=UNLIMITED)
    async with (
        redis_running(tmp_path, free_port()) as url,
        two_hosts(certificate, url, relay=settings) as hosts,
        streaming(hosts[0], JOIN, hosts[1]) as (near, far),
    ):
        far.transport.pause_reading()
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                async with asyncio.timeout(0.3):
                    await near.write(bytes(65_536))
                sent += 65_536
        assert sent < 64 << 20
        far.transport.resume_reading()
        await far.until(lambda: len(far.data) == sent)


@needs_redis
@pytest.mark.asyncio
async def test_while_redis_is_away_each_host_goes_on_alone(certificate: Certificate, tmp_path: Path) -> None:
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        async with redis_running(tmp_path, port) as url:
            one, other = await stack.enter_async_context(two_hosts(certificate, url))
        await until(lambda: one.problem is not None and other.problem is not None)
        assert "Redis cannot be reached" in (one.problem or "")
        alice, bob, carol = (
            Daemon(ALICE, address_of(one)),
            Daemon(BOB, address_of(one)),
            Daemon(CAROL, address_of(other)),
        )
        await stack.enter_async_context(running(alice, bob, carol))
        await met(alice, bob)
        async with redis_running(tmp_path, port):
            await until(lambda: one.problem is None and other.problem is None)
            carol.client.network_changed()
            await met(alice, bob, carol)


@needs_redis
@pytest.mark.asyncio
async def test_a_host_hears_others_and_not_itself_and_misses_nothing(tmp_path: Path) -> None:
    heard: dict[str, list[tuple[bytes, bytes]]] = {"one": [], "other": []}
    async with redis_running(tmp_path, free_port()) as url, asyncio.TaskGroup() as group:
        one = Bus(url, lambda channel, data: heard["one"].append((channel, data)))
        other = Bus(url, lambda channel, data: heard["other"].append((channel, data)))
        running = [group.create_task(each.run()) for each in (one, other)]
        other.listen(b"a", True)
        await until(lambda: other.problem is None and bus.PREFIX + b"a" in other._confirmed)
        one.listen(b"a", True)
        for n in range(300):
            one.say(b"a", bytes([n % 250]))
        await until(lambda: len(heard["other"]) == bus.WAITING_MAX)
        assert [data for _, data in heard["other"]] == [bytes([n % 250]) for n in range(300 - bus.WAITING_MAX, 300)]
        other.say(b"a", b"answer")
        await until(lambda: heard["one"])
        assert heard["one"] == [(b"a", b"answer")]
        other.listen(b"a", False)
        one.say(b"a", b"nobody hears this")
        one.say(b"b", b"nor this")
        other.listen(b"c", True)
        await until(lambda: bus.PREFIX + b"c" in other._confirmed)
        one.say(b"c", b"but this")
        await until(lambda: heard["other"][-1] == (b"c", b"but this"))
        assert len(heard["other"]) <= bus.WAITING_MAX + 2
        for task in running:
            task.cancel()


@needs_redis
@pytest.mark.parametrize("url", ["", "localhost", "http://localhost", "redis://localhost:port"])
def test_a_wrong_address_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="no address of a Redis"):
        Bus(url, lambda _channel, _data: None)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigError, match=r"p2psync\[rendezvous\]"):
        Bus("redis://localhost", lambda _channel, _data: None)
