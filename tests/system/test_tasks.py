"""Work ends with its owner, and what fails is told and brings nothing else down."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from p2psync.system import tasks as crew_module
from p2psync.system.tasks import Crew, pause, until_one_ends


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


@pytest.mark.asyncio
@pytest.mark.timeout(20)
async def test_closing_right_after_work_has_ended_comes_to_an_end() -> None:
    """A task is done a moment before those who wait for it hear so: `close` lets that moment pass."""
    crew = Crew(lambda _name, _error: None)
    await crew.open()
    crew.start(at_once(None, turns=0), "short")
    async with asyncio.TaskGroup() as group:
        group.create_task(crew.close())


async def forever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("forever")


async def at_once(error: Exception | None, turns: int = 1) -> None:
    for _turn in range(turns):
        await asyncio.sleep(0)
    if error is not None:
        raise error


@pytest.mark.asyncio
async def test_the_first_to_end_ends_all() -> None:
    ended: list[str] = []
    await until_one_ends(OSError, forever(ended), at_once(None))
    assert ended == ["forever"]
    with pytest.raises(OSError, match="expected"):
        await until_one_ends(OSError, forever(ended), at_once(OSError("expected")))
    assert ended == ["forever"] * 2


@pytest.mark.asyncio
async def test_an_error_that_was_not_expected_comes_out_in_a_group() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await until_one_ends(OSError, forever([]), at_once(ValueError("bug")))
    assert caught.group_contains(ValueError, match="bug")


@pytest.mark.asyncio
async def test_cancelled_it_is_cancelled_though_work_fails_on_its_way_out() -> None:
    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("broken while closing")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(until_one_ends(OSError, fail_at_the_end(), forever([])))
        await asyncio.sleep(0.001)
        task.cancel()
    assert task.cancelled()


@pytest.mark.asyncio
async def test_work_that_swallows_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "CANCEL_AGAIN_S", 0.001)

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    await until_one_ends(OSError, stubborn(), at_once(None))
    crew = Crew(lambda _name, _error: None)
    await crew.open()
    crew.start(stubborn(), "stubborn")
    await asyncio.sleep(0)
    await crew.close()


@pytest.mark.asyncio
async def test_those_who_pause_for_as_long_go_on_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "sleep", sleep)
        for now in (1000.0, 1001.5, 1004.75, 1005.0):
            patched.setattr(asyncio.get_running_loop(), "time", lambda now=now: now)
            await pause(5.0)
    assert slept == [5.0, 3.5, 0.25, 5.0]
