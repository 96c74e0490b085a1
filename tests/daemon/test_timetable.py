"""Runs that nobody asks for: nightly, monthly on a day of the mandate's own, after an absence; none of them twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.schedule import parse_plan
from p2psync.daemon.operations.running import Wanted
from p2psync.daemon.timetable import ABSENT, Texts, WallClock, described
from p2psync.errors import P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until

NOON = datetime(2025, 6, 10, 12, 0, tzinfo=UTC)


class Sundial:
    """A clock that is moved by hand; whoever rests is seen."""

    def __init__(self, now: datetime) -> None:
        self.shown = now
        self.rests = 0

    def now(self) -> datetime:
        return self.shown

    def zone(self) -> tzinfo:
        return UTC

    async def rest(self, until: datetime, woken: asyncio.Event) -> None:
        self.rests += 1
        while self.shown < until and not woken.is_set():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def on_time(pc: Pc, now: datetime = NOON) -> AsyncIterator[Sundial]:
    """The device's timetable goes by this clock."""
    dial = Sundial(now)
    pc.running.timetable._clock = dial
    async with asyncio.TaskGroup() as group:
        task = group.create_task(pc.running.timetable.keep())
        await until(lambda: dial.rests, "the timetable rests")
        yield dial
        task.cancel()


async def runs(pc: Pc) -> list[tuple[str, bool, str]]:
    rows = await pc.call("history")
    return [(row["trigger"], row["full"], row["result"]) for row in reversed(rows)]


async def has_run(pc: Pc, *expected: tuple[str, bool]) -> None:
    async def have() -> bool:
        found = await runs(pc)
        return [one[:2] for one in found] == list(expected) and all(one[2] != "running" for one in found)

    await until(have, f"the runs are {expected}")


@pytest.mark.asyncio
async def test_a_night_has_one_run_and_the_day_of_the_full_one_no_other(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        await one.call("schedule.set", incremental="02:00", full="monthly 12 03:00")
        async with on_time(one) as dial:
            dial.shown += timedelta(hours=10)
            await until(lambda: dial.rests >= 2, "it looked")
            assert await runs(one) == [], "nothing is due before the night"
            dial.shown = datetime(2025, 6, 11, 2, 0, 1, tzinfo=UTC)
            await has_run(one, ("nightly", False))
            dial.shown = datetime(2025, 6, 12, 2, 30, tzinfo=UTC)
            await until(lambda: dial.rests >= 4, "it looked")
            dial.shown = datetime(2025, 6, 12, 3, 0, 1, tzinfo=UTC)
            await has_run(one, ("nightly", False), ("monthly", True))


@pytest.mark.asyncio
async def test_what_was_missed_is_one_run_and_a_full_one_if_one_of_them_was(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        await one.call("schedule.set", full="monthly 12 03:00")
        async with on_time(one):
            pass
        async with on_time(one, NOON + timedelta(days=9)):
            await has_run(one, ("monthly", True))


@pytest.mark.asyncio
async def test_nothing_runs_that_is_switched_off(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        await one.call("schedule.set", incremental="off", full="off")
        assert (await one.call("schedule"))["mandates"] == [
            {"mandate": MANDATE, "full": "off", "next": None, "interval": "off", "exchange": None}
        ]
        async with on_time(one) as dial:
            dial.shown += timedelta(days=70)
            await until(lambda: dial.rests >= 2, "it looked")
            assert await runs(one) == []


@pytest.mark.asyncio
async def test_plans_are_shown_with_what_is_due_next_and_what_is_none_is_refused(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.running.timetable._clock = Sundial(NOON)
        told = await one.call("schedule.set", incremental="23:30", full="monthly 15 03:00")
        assert (told["incremental"], told["full"]) == ("23:30", "monthly 15 03:00")
        assert told["mandates"] == [
            {
                "mandate": MANDATE,
                "full": "monthly 15 03:00",
                "next": {"at": "2025-06-10T23:30:00Z", "kind": "incremental"},
                **{"interval": "off", "exchange": None},
            }
        ]
        with pytest.raises(UsageError, match="is no plan"):
            await one.call("schedule.set", incremental="midnight")
        assert (await one.call("schedule"))["incremental"] == "23:30"
        await one.stop()
        await one.start()
        assert (await one.call("schedule"))["full"] == "monthly 15 03:00"


@pytest.mark.asyncio
async def test_the_day_of_full_runs_is_the_mandates_own_and_stays(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        (first,) = (await one.call("schedule"))["mandates"]
        assert first["full"].startswith("monthly ")
        assert first == {**(await one.call("schedule"))["mandates"][0], "next": first["next"]}
        assert described(parse_plan(first["full"], 1)) == first["full"]


@pytest.mark.asyncio
async def test_who_was_away_for_long_is_compared_with_in_full(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing") as (one, two), on_time(one):
        long_ago_ms = int((NOON - ABSENT - timedelta(days=1)).timestamp() * 1000)
        (mandate,) = await one.running.runtime.query(lambda device, _: list(device.mandates))
        table, device = one.running.timetable, two.running.identity.device
        table.met(mandate, device, None)
        table.met(mandate, device, int(NOON.timestamp() * 1000))
        table.met(mandate, device, long_ago_ms)
        table.met(mandate, device, long_ago_ms)
        await has_run(one, ("returned", True))


@pytest.mark.asyncio
async def test_a_pc_that_comes_back_after_a_month_is_compared_with_by_itself(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing") as (one, two):
        node, device = one.running, two.running.identity.device
        (mandate,) = await node.runtime.query(lambda device, _: list(device.mandates))

        async def is_noted(since_ms: int) -> bool:
            seen = await node.runtime.query(lambda *_: node.records.last_seen(mandate))
            return seen[device] >= since_ms

        for away, expected in ((ABSENT - timedelta(hours=1), []), (ABSENT + timedelta(days=1), [("returned", True)])):
            left_ms = int(node.timetable._clock.now().timestamp() * 1000)
            await two.stop()
            await until(lambda ms=left_ms: is_noted(ms), "it is noted when it left")  # type: ignore[misc]
            seen_ms = int((node.timetable._clock.now() - away).timestamp() * 1000)
            await node.runtime.call(lambda *_, ms=seen_ms: node.records.note_seen(mandate, device, ms))
            await two.start()
            await one.in_sync(1)
            await until(lambda ms=left_ms: is_noted(ms), "it is noted that it is back")  # type: ignore[misc]
            async with on_time(one, node.timetable._clock.now()):
                await has_run(one, *expected)


@pytest.mark.asyncio
async def test_a_run_under_way_that_does_as_much_counts_and_is_waited_for_otherwise(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing") as (one, two):
        await two.stop()
        (mandate,) = await one.running.runtime.query(lambda device, _: list(device.mandates))
        async with asyncio.TaskGroup() as group:
            group.create_task(ignored(one.ask("sync", mandate=MANDATE, full=True, timeout_s=1)))
            await until(lambda: mandate in one.running.runs._current, "it runs")
            group.create_task(one.running.runs.by_itself(mandate, Wanted(trigger="nightly")))
            await until(lambda: one.running.timetable.queued(mandate) == Wanted(trigger="nightly"), "it waits its turn")
        assert one.running.timetable.queued(mandate) is None
        assert [row[:2] for row in await runs(one)] == [("manual", True)]
        async with asyncio.TaskGroup() as group:
            group.create_task(ignored(one.ask("sync", mandate=MANDATE, timeout_s=1)))
            await until(lambda: mandate in one.running.runs._current, "it runs")
            group.create_task(one.running.runs.by_itself(mandate, Wanted(full=True, timeout_s=0.5, trigger="monthly")))
        assert [row[:2] for row in await runs(one)][1:] == [("manual", False), ("monthly", True)]


async def ignored(call: Any) -> None:
    with pytest.MonkeyPatch.context():
        await call


@pytest.mark.asyncio
async def test_the_wall_clock_rests_until_then_or_until_it_is_woken() -> None:
    clock, woken = WallClock(), asyncio.Event()
    assert clock.now().tzinfo is UTC
    assert clock.now().astimezone(clock.zone()).utcoffset() is not None
    await clock.rest(clock.now() - timedelta(seconds=1), woken)
    woken.set()
    await clock.rest(clock.now() + timedelta(days=1), woken)


def test_plans_that_are_none_are_refused() -> None:
    assert Texts("off", "OFF").schedule(1).incremental is None
    with pytest.raises(P2PSyncError):
        Texts("now", "off").schedule(1)
