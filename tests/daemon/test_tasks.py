"""Background tasks: their errors are noted and hurt nobody else, and all end with their owner."""

from __future__ import annotations

import asyncio

import pytest

from p2psync.daemon.logs import EventLog, LogEvent
from p2psync.daemon.tasks import Tasks


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


async def _fail() -> None:
    raise ValueError("broken")
