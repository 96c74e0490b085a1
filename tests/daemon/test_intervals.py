"""With an interval a mandate is exchanged in one run at the beginning of each, and at once when a person wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from p2psync.daemon import node as nodes
from p2psync.daemon.activity import LOOK_IDLY_EVERY
from p2psync.daemon.intervals import AGAIN
from p2psync.errors import P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until
from tests.daemon.program_files import NAME, chart, programs
from tests.daemon.test_activity import save_apart
from tests.daemon.test_timetable import Sundial, has_run, runs

NOON = datetime(2025, 6, 10, 12, 7, tzinfo=UTC)
NEXT = {"why": "interval", "until": "2025-06-10T12:15:00Z"}


@asynccontextmanager
async def by_dial(*several: Pc, now: datetime = NOON) -> AsyncIterator[Sundial]:
    """All of them go by one clock, and start the runs of their intervals."""
    dial = Sundial(now)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_keep(pc, dial)) for pc in several]
        yield dial
        for task in tasks:
            task.cancel()


async def _keep(pc: Pc, dial: Sundial) -> None:
    node = pc.running
    node.activity._clock = node.intervals._clock = node.timetable._clock = dial
    await node.intervals.keep()


async def at(dial: Sundial, hour: int, minute: int, *several: Pc) -> None:
    """It is that time, and they have seen it."""
    dial.shown = datetime(2025, 6, 10, hour, minute, tzinfo=UTC)
    for pc in several:
        await pc.running.activity.look()


@pytest.mark.asyncio
async def test_what_is_saved_waits_for_the_beginning_of_the_interval(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two), by_dial(one) as dial:
        told = await one.call("schedule.set", mandate=MANDATE, interval="15m")
        assert told["mandates"][0]["interval"] == "15m"
        assert told["mandates"][0]["exchange"] == "2025-06-10T12:15:00Z"
        await save_apart(one, two)
        status = await one.status()
        assert (status["rests"], status["health"], status["in_sync"]) == (NEXT, "ok", False)
        assert [(task["task"], task["state"], task["next_attempt"]) for task in status["tasks"]] == [
            ("send", "queued", "2025-06-10T12:15:00Z")
        ]
        assert (one.files(), two.files()) == ({"a.txt": b"a"}, {"b.txt": b"b"})
        (peer,) = (await two.status())["peers"]
        assert (peer["connected"], peer["resting"]) == (False, True), "and not as if it were off"
        assert not (await one.status())["peers"][0]["resting"], "it is this one that rests"
        await at(dial, 12, 14, one)
        assert await runs(one) == []
        await at(dial, 12, 15, one)
        await one.has("b.txt", "b")
        await two.has("a.txt", "a")
        await has_run(one, ("interval", False))
        (row,) = await one.call("history")
        assert {item["path"] for item in row["items"]} == {"a.txt", "b.txt"}
        await two.in_sync(0)
        status = await one.status()
        assert status["rests"] == {"why": "interval", "until": "2025-06-10T12:30:00Z"}
        assert status["in_sync"]
        await at(dial, 12, 29, one)
        assert len(await runs(one)) == 1


@pytest.mark.asyncio
async def test_of_intervals_in_which_nothing_happened_the_last_is_told_of(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two), by_dial(one) as dial:
        await one.call("schedule.set", interval="15m")
        await two.in_sync(0)
        seen: set[str] = set()

        async def has_run_again() -> bool:
            told = {row["id"] for row in await one.call("history") if row["result"] == "nothing-new"}
            is_new = len(told) == 1 and told.isdisjoint(seen)
            if is_new:
                seen.update(told)
            return is_new

        for hour in (13, 14, 15):
            await at(dial, hour, 0, one)
            await until(has_run_again, "it has run, and the one before is forgotten")
            await two.in_sync(0)


@pytest.mark.asyncio
async def test_a_person_has_it_exchanged_at_once_on_either_side(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two), by_dial(one, two):
        await one.call("schedule.set", interval="24h")
        await two.in_sync(0)
        one.save("a.txt", "a")
        await one.holds(1)
        assert (await one.call("sync", mandate=MANDATE, timeout_s=20))["result"] == "success"
        assert two.read("a.txt") == b"a"
        await two.in_sync(0)
        two.save("b.txt", "b")
        await two.holds(2)
        assert (await two.call("sync", mandate=MANDATE, timeout_s=20))["result"] == "success"
        assert one.read("b.txt") == b"b"
        await two.in_sync(0)
        waited = await one.ask("wait", timeout_s=0.1)
        assert "rests" in waited.data["message"]  # type: ignore[index]
        await one.call("schedule.set", interval="off")
        assert (await one.status())["rests"] is None
        one.save("c.txt", "c")
        await two.has("c.txt", "c")


@pytest.mark.asyncio
async def test_of_two_intervals_the_one_that_begins_is_answered(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two), by_dial(one, two) as dial:
        await one.call("schedule.set", interval="15m")
        await two.call("schedule.set", interval="10m")
        one.save("a.txt", "a")
        two.save("b.txt", "b")
        await one.holds(1)
        await two.holds(1)
        await at(dial, 12, 10, one, two)
        await two.has("a.txt", "a")
        await one.has("b.txt", "b")
        await has_run(one, ("interval", False))
        await has_run(two, ("interval", False))

        async def both_rest() -> bool:
            return all([(await pc.status())["rests"] is not None for pc in (one, two)])

        await until(both_rest, "both rest")
        assert ((await one.status())["rests"], (await two.status())["rests"]) == (
            NEXT,
            {"why": "interval", "until": "2025-06-10T12:20:00Z"},
        )


@pytest.mark.asyncio
async def test_where_nobody_was_in_reach_it_is_made_up_for_when_somebody_comes(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two), by_dial(one) as dial:
        await one.call("schedule.set", interval="15m")
        await two.stop()
        one.save("a.txt", "a")
        await one.holds(1)
        await at(dial, 12, 15, one)
        await at(dial, 12, 21, one)
        status = await one.status()
        assert (status["rests"], status["health"]) == (None, "retrying")
        assert await runs(one) == [], "nobody to exchange with, and no row for each interval of a night"
        await two.start()
        await two.has("a.txt", "a")
        await has_run(one, ("interval", False))


@pytest.mark.asyncio
async def test_an_interval_outlasts_a_restart_and_what_began_meanwhile_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial = Sundial(NOON)
    monkeypatch.setattr(nodes, "WallClock", lambda: dial)
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        await pc.call("schedule.set", interval="15m")
        await pc.stop()
        await pc.start()
        assert (await pc.status())["rests"] == NEXT
        await pc.stop()
        dial.shown += timedelta(minutes=10)
        await pc.start()
        assert (await pc.status())["rests"] is None
        assert (await pc.call("schedule"))["mandates"][0]["exchange"] is None
        await pc.call("schedule.set", interval="15m")
        assert (await pc.status())["rests"] == {"why": "interval", "until": "2025-06-10T12:30:00Z"}
        dial.shown -= timedelta(days=1)
        await pc.running.activity.look()
        assert (await pc.status())["rests"] is None, "a clock that was set back lets nobody wait for a day"
        await pc.call("schedule.set", interval="off")
        assert await pc.running.activity.look() == dial.shown + LOOK_IDLY_EVERY, "an idle PC is left alone"


@pytest.mark.asyncio
async def test_outside_the_hours_and_in_a_pause_no_interval_begins(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two), by_dial(one) as dial:
        await one.call("schedule.set", active="06:00-12:10", interval="15m")
        assert (await one.status())["rests"] == {"why": "interval", "until": "2025-06-11T06:00:00Z"}
        await at(dial, 12, 15, one)
        assert (await one.status())["rests"]["why"] == "hours"
        await one.call("schedule.set", active="always")
        await has_run(one, ("interval", False))
        await one.call("pause", mandate=MANDATE)
        await at(dial, 12, 30, one)
        assert "rests" in (await one.ask("sync", timeout_s=20)).data["message"]  # type: ignore[index]
        two.save("b.txt", "b")
        await two.holds(1)
        assert await one.call("resume") == [{"mandate": MANDATE, "why": None, "until": None}]
        await one.has("b.txt", "b")
        await has_run(one, ("interval", False), ("manual", False), ("interval", False))


@pytest.mark.asyncio
async def test_what_is_here_is_delivered_though_the_interval_has_not_begun(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two), by_dial(two.pc):
        await two.pc.call("schedule.set", mandate=MANDATE, interval="24h")
        two.pc.save(NAME, chart("second"))
        await two.holds("second")
        assert one.read() == chart("first")


@pytest.mark.asyncio
async def test_after_a_run_in_which_the_others_went_away_the_next_one_comes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with company(tmp_path, "payroll") as (one, _two), by_dial(one) as dial:
        await one.call("schedule.set", interval="24h")
        asked: list[datetime] = []

        async def in_vain(*_: object) -> int:
            asked.append(dial.shown)
            raise P2PSyncError("It could not be.")

        monkeypatch.setattr(one.running.runs, "by_itself", in_vain)
        dial.shown += timedelta(days=1)
        await one.running.activity.look()
        await until(lambda: len(asked) == 1, "a run was tried")
        dial.shown += AGAIN
        await until(lambda: len(asked) == 2, "and again")


@pytest.mark.asyncio
async def test_what_is_no_interval_is_refused_and_plans_are_not_of_one_mandate(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        for wrong in ("0", "fast"):
            with pytest.raises(UsageError, match="is no interval"):
                await pc.ask("schedule.set", interval=wrong)
        for wrong in ("10s", "25h"):
            with pytest.raises(UsageError, match="from 1m to 24h"):
                await pc.ask("schedule.set", interval=wrong, incremental="23:00")
        with pytest.raises(UsageError, match="hold for all"):
            await pc.ask("schedule.set", mandate=MANDATE, interval="15m", active="06:00-22:00")
        told = await pc.call("schedule", mandate=MANDATE)
        assert (told["incremental"], told["active"], told["mandates"][0]["interval"]) == ("02:00", "always", "off")
