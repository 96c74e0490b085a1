"""Work ends with its owner, and what fails is told and brings nothing else down."""

from __future__ import annotations

import asyncio

import pytest

from p2psync.rendezvous.crew import Crew


@pytest.mark.asyncio
async def test_a_failure_is_told_and_the_rest_goes_on() -> None:
    failures: list[tuple[str, str]] = []
    crew = Crew(lambda name, error: failures.append((name, str(error))))
    await crew.open()
    done = asyncio.Event()

    async def fail() -> None:
        raise ValueError("broken")

    async def work() -> None:
        await done.wait()

    await crew.start(fail(), "first")
    working = crew.start(work(), "second")
    done.set()
    await working
    await crew.close()
    assert failures == [("first", "broken")]


@pytest.mark.asyncio
async def test_closing_ends_everything() -> None:
    crew = Crew(lambda _name, _error: None)
    await crew.open()
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    async def more_work_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            crew.start(forever(), "late")

    crew.start(forever(), "a")
    crew.start(more_work_at_the_end(), "b")
    await asyncio.sleep(0)
    crew.start(forever(), "never begun")
    await crew.close()
    assert "forever" in ended
