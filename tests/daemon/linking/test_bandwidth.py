"""A limit holds over all that leaves this network, by a clock of the test's own; what is small does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from p2psync.core.rate import AHEAD_BYTES, BURST_S, LEAST
from p2psync.core.ways import DIRECT, LAN, RELAY
from p2psync.daemon.limits import Limits
from p2psync.daemon.linking.bandwidth import (
    PART_BYTES_MIN,
    PATIENCE_S,
    Bandwidth,
    SteadyClock,
    leaves_network,
)
from p2psync.engine import lanes
from p2psync.net.link import FramedLink
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX
from tests.daemon.homes import Pc, pcs
from tests.daemon.patience import until

RATE = 100_000
FAR, NEAR = 1, 2
SLACK = RATE * BURST_S + AHEAD_BYTES + RESPONSE_DATA_BYTES_MAX
BIG = Random(1).randbytes(4_000_000)
MIDDLE = Random(2).randbytes(300_000)
"""No push, and no big file."""


class Leaps:
    """Whoever rests has rested at once; while `stands`, for ever."""

    def __init__(self) -> None:
        self.s = 0.0
        self.stands = False

    def now_s(self) -> float:
        return self.s

    async def rest(self, seconds: float, woken: asyncio.Event) -> None:
        end_s = self.s + seconds
        await asyncio.sleep(0)
        if self.stands:
            await woken.wait()
        elif not woken.is_set():
            self.s = max(self.s, end_s)


def bandwidth(up: int | None = None, down: int | None = None) -> tuple[Bandwidth, Leaps]:
    clock = Leaps()
    found = Bandwidth(clock)
    found.leaves = lambda link: link.way == RELAY
    for number, way in ((FAR, RELAY), (NEAR, LAN)):
        link: Any = SimpleNamespace(way=way)
        found.opened(number, link)
    found.put(Limits(up, down))
    return found, clock


@asynccontextmanager
async def far_apart(root: Path) -> AsyncIterator[tuple[Pc, Pc]]:
    """Two devices of one mandate; to each, every link leaves the network, and its bandwidth goes by `Leaps`."""
    async with pcs(root, "one", "two") as (one, two):
        for pc in (one, two):
            pc.running.bandwidth.leaves = lambda link: True
            pc.running.bandwidth._clock = Leaps()
        await one.create()
        await two.join(await one.invite())
        await one.in_sync(1)
        yield one, two


def clock_of(pc: Pc) -> Leaps:
    clock = pc.running.bandwidth._clock
    assert isinstance(clock, Leaps)
    return clock


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.asyncio
async def test_between_two_devices_a_limit_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    async with far_apart(tmp_path) as (one, two):
        limited = one if way == "up" else two
        clock, receiver = clock_of(limited), two.running.identity.device
        passed: list[tuple[float, int]] = []
        send = FramedLink.send

        async def counted(link: FramedLink, frame: bytes, bulk: bool = False) -> None:
            if link.remote == receiver:
                passed.append((clock.s, len(frame)))
            await send(link, frame, bulk)

        monkeypatch.setattr(FramedLink, "send", counted)
        monkeypatch.setattr(lanes, "SILENCE_MAX_S", 1e6)  # what has to be asked later is not asked by the way
        assert (await limited.call("limit.set", **{way: "100K"}))[way] == RATE
        begin_s = clock.s
        one.save("big.bin", BIG)
        for number in range(30):
            one.save(f"{number}.txt", Random(number).randbytes(50_000))
        await two.has("big.bin", BIG)
        await two.holds(31)
        sent = 0
        for at_s, size in passed:
            sent += size
            assert sent <= RATE * (at_s - begin_s) + SLACK
        assert sent > len(BIG)
        assert clock.s - begin_s >= (len(BIG) - SLACK) / RATE


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.asyncio
async def test_what_is_small_overtakes_a_big_file_that_waits_for_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(lanes, "SILENCE_MAX_S", 1e6)  # no other look goes on with the big file
    async with far_apart(tmp_path) as (one, two):
        limited = one if way == "up" else two
        await limited.call("limit.set", **{way: "100K"})
        clock_of(limited).stands = True
        one.save("big.bin", BIG)
        await until(lambda: _parts(two) > 0, "the first part of the big file came")
        one.save("small.txt", "x")
        one.save("middle.bin", MIDDLE)
        await two.has("small.txt", "x")
        await two.has("middle.bin", MIDDLE)
        assert two.read("big.bin") is None
        assert _parts(two) <= SLACK
        await limited.call("limit.set", **{way: "off"})
        await two.has("big.bin", BIG)


def _parts(pc: Pc) -> int:
    (mandate,) = pc.running.folders.contents
    return pc.running.transfer.arrived(mandate)


@pytest.mark.parametrize(
    ("way", "address", "leaves"),
    [
        (LAN, "127.0.0.1:1", False),
        (LAN, "[::1]:1", False),
        (LAN, "198.51.100.7:1", True),
        (DIRECT, "198.51.100.7:1", True),
        (RELAY, "127.0.0.1:1", True),
    ],
)
def test_only_what_is_in_a_network_of_this_pc_does_not_leave(way: str, address: str, leaves: bool) -> None:
    link: Any = SimpleNamespace(way=way, address=address)
    assert leaves_network(link) is leaves


@pytest.mark.asyncio
async def test_links_within_the_network_are_not_counted() -> None:
    line, clock = bandwidth(RATE, RATE)
    line.left(NEAR, 1 << 30)
    line.arrived(NEAR, 1 << 30)
    await line.leave(NEAR, 1 << 30, small=False)
    assert not line.limits_answers(NEAR)
    assert not line.limits_asking(NEAR)
    assert (line.may_push(FAR), line.may_ask(False, 0), clock.s) == (True, True, 0)
    assert (line.part_bytes(NEAR), line.part_bytes(FAR)) == (RESPONSE_DATA_BYTES_MAX, PART_BYTES_MIN)
    line.closed(FAR)
    assert not line.limits_answers(FAR)


@pytest.mark.asyncio
async def test_what_is_pushed_waits_until_it_is_asked_for_where_the_line_is_full() -> None:
    line, clock = bandwidth(RATE)
    line.left(FAR, AHEAD_BYTES + 2 * RATE)
    assert not line.may_push(FAR)
    assert line.may_push(NEAR)
    clock.s += 1
    assert line.may_push(FAR)


@pytest.mark.asyncio
async def test_a_part_of_a_big_file_waits_for_small_ones_but_not_for_ever() -> None:
    line, clock = bandwidth(LEAST)
    line.left(FAR, AHEAD_BYTES)
    assert clock.s == 0
    await line.leave(FAR, 1, small=False)
    assert clock.s == PATIENCE_S


@pytest.mark.asyncio
async def test_what_may_not_be_asked_for_is_looked_at_again_in_time() -> None:
    line, clock = bandwidth(down=RATE)
    line.arrived(FAR, 3 * RATE)
    assert not line.may_ask(False, RATE)
    assert line.may_ask(True, RATE)
    await line.again()  # there is a limit since a moment ago
    assert clock.s == 0
    assert not line.may_ask(False, RATE)
    await line.again()
    assert clock.s == 3
    assert line.may_ask(False, RATE)


@pytest.mark.asyncio
async def test_the_clock_of_this_pc_rests_until_it_is_woken() -> None:
    clock, woken = SteadyClock(), asyncio.Event()
    before_s = clock.now_s()
    await clock.rest(0.001, woken)
    assert clock.now_s() >= before_s
    woken.set()
    await clock.rest(3600, woken)
