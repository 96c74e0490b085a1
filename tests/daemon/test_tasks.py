"""Background tasks: their errors are noted and hurt nobody else, and all end with their owner."""

from __future__ import annotations

import asyncio

import pytest

from p2psync.daemon.logs import EventLog, LogEvent
from p2psync.daemon.tasks import Tasks
from p2psync.errors import DaemonStopping


@pytest.mark.asyncio
async def test_an_error_is_noted_and_the_others_go_on() -> None:
    heard: list[LogEvent] = []
    log = EventLog(None)
    log.listen(heard.append)
    tasks = Tasks(log)
    await tasks.open()
    going_on = asyncio.Event()
    broken = tasks.start(_fail(), "broken")
    other = tasks.start(going_on.wait(), "other")
    await asyncio.wait([broken])
    assert [(event.name, dict(event.fields)["task"]) for event in heard] == [("task.failed", "broken")]
    assert not other.done()
    going_on.set()
    await other
    await tasks.close()


@pytest.mark.asyncio
async def test_closing_cancels_and_awaits_all() -> None:
    ended: list[str] = []
    tasks = Tasks(EventLog(None))
    await tasks.open()
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("work")

    tasks.start(work(), "work")
    await begun.wait()
    tasks.start(work(), "never began")
    await tasks.close()
    assert ended == ["work"]


@pytest.mark.asyncio
async def test_what_asks_the_engine_when_it_stops_ends_and_is_no_failure() -> None:
    heard: list[LogEvent] = []
    broken: list[BaseException] = []
    log = EventLog(None)
    log.listen(heard.append)
    tasks = Tasks(log, broken.append)
    await tasks.open()

    async def asks() -> None:
        raise DaemonStopping("p2psync is stopping.")

    await tasks.keep(asks, "kept")
    await asyncio.wait([tasks.start(asks(), "once")])
    assert (heard, broken) == ([], [])
    await tasks.close()


@pytest.mark.asyncio
async def test_work_that_has_to_go_on_is_begun_anew_and_given_up_when_that_does_not_help() -> None:
    broken: list[BaseException] = []
    tasks = Tasks(EventLog(None), broken.append)
    await tasks.open()
    begun: list[int] = []

    async def fails_once() -> None:
        begun.append(1)
        if len(begun) == 1:
            await _fail()

    await tasks.keep(fails_once, "fails once")
    assert (len(begun), broken) == (2, [])
    await tasks.keep(_fail, "fails always")
    assert [str(error) for error in broken] == ["broken"]
    await tasks.close()


async def _fail() -> None:
    raise ValueError("broken")
