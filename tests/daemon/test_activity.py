"""A mandate rests while a person or the hours of activity want it: nothing comes, nothing goes, and nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from p2psync.daemon.activity import LOOK_EVERY, LOOK_IDLY_EVERY
from p2psync.errors import UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.program_files import NAME, chart, programs
from tests.daemon.test_timetable import Sundial, on_time

NOON = datetime(2025, 6, 10, 12, 0, tzinfo=UTC)


async def by(pc: Pc, dial: Sundial) -> None:
    """Its hours go by this clock from now on."""
    pc.running.timetable._clock = pc.running.activity._clock = dial
    await pc.running.activity.look()


async def save_apart(one: Pc, two: Pc) -> None:
    """Both save a file, of which the other one does not hear."""
    await two.in_sync(0)
    one.save("a.txt", "a")
    two.save("b.txt", "b")
    await one.holds(1)
    await two.holds(1)


@pytest.mark.asyncio
async def test_while_it_is_paused_nothing_is_exchanged_and_afterwards_everything(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        told = await one.call("pause", mandate=MANDATE)
        assert told == [{"mandate": MANDATE, "why": "person", "until": None}]
        await save_apart(one, two)
        status = await one.status()
        assert (status["rests"], status["health"]) == ({"why": "person", "until": None}, "ok")
        failed = await one.ask("sync", timeout_s=20)
        assert "rests" in failed.data["message"]  # type: ignore[index]
        assert (one.files(), two.files()) == ({"a.txt": b"a"}, {"b.txt": b"b"})
        assert await one.call("resume") == [{"mandate": MANDATE, "why": None, "until": None}]
        await one.has("b.txt", "b")
        await two.has("a.txt", "a")
        assert (await one.status())["rests"] is None


@pytest.mark.asyncio
async def test_a_pause_ends_by_itself_and_outlasts_a_restart(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        for wrong in ("soon", "2025-06-10T13:00:00", "9999-12-31T23:59:59-01:00"):
            with pytest.raises(UsageError, match="is no time"):
                await pc.ask("pause", until=wrong)
        for over in ("1970-01-01T00:00:00Z", "2025-06-10T13:00:00+02:00"):
            with pytest.raises(UsageError, match="is over"):
                await pc.ask("pause", until=over)
        assert (await pc.status())["rests"] is None
        await pc.call("pause", until="2100-06-10T13:00:00Z")
        assert await pc.running.activity.look() - pc.running.activity._clock.now() <= LOOK_EVERY
        await pc.stop()
        await pc.start()
        assert (await pc.status())["rests"] == {"why": "person", "until": "2100-06-10T13:00:00Z"}
        dial = Sundial(datetime(2100, 6, 10, 12, 59, tzinfo=UTC))
        await by(pc, dial)
        assert pc.running.activity.rests
        dial.shown += timedelta(minutes=1)
        await by(pc, dial)
        assert not pc.running.activity.rests
        assert await pc.running.activity.look() == dial.shown + LOOK_IDLY_EVERY, "an idle PC is left alone"


@pytest.mark.asyncio
async def test_outside_its_hours_a_device_rests_and_runs_wait_for_their_begin(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        dial = Sundial(NOON)
        await by(one, dial)
        told = await one.call("schedule.set", active="06:00-11:00", incremental="02:00", full="off")
        assert told["active"] == "06:00-11:00"
        assert told["mandates"][0]["next"]["at"] == "2025-06-11T06:00:00Z", "and not at two"
        assert (await one.status())["rests"] == {"why": "hours", "until": "2025-06-11T06:00:00Z"}
        await two.in_sync(0)
        two.save("b.txt", "b")
        await two.holds(1)
        assert (await one.call("resume"))[0]["why"] == "hours", "a person changes the hours, if he wants to"
        dial.shown = datetime(2025, 6, 11, 2, 30, tzinfo=UTC)
        async with on_time(one, dial.shown) as later:
            one.running.activity._clock = later
            await one.running.activity.look()
            assert await one.call("history") == []
            later.shown = datetime(2025, 6, 11, 6, 0, 1, tzinfo=UTC)
            await one.running.activity.look()
            await one.has("b.txt", "b")
        with pytest.raises(UsageError, match="is no part of a day"):
            await one.ask("schedule.set", active="mornings")
        assert (await one.call("schedule.set", active="always"))["active"] == "always"


@pytest.mark.asyncio
async def test_a_program_gets_nothing_while_its_mandate_rests_unless_a_person_asks(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        await two.pc.call("pause", mandate=MANDATE)
        two.pc.save(NAME, chart("second"))
        await two.is_in("waiting")
        assert two.read() == chart("first")
        await two.pc.call("resume")
        await two.holds("second")
        await one.holds("second")
        await two.pc.call("pause", mandate=MANDATE)
        two.pc.save(NAME, chart("third"))
        await two.is_in("waiting")
        await two.pc.call("deliver", mandate=MANDATE)
        await two.holds("third")
