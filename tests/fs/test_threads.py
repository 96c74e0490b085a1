"""Work in threads, and what becomes of it when nobody waits any more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from p2psync.fs.threads import in_thread, threaded


def fail() -> None:
    raise ValueError("no")


@pytest.mark.asyncio
async def test_the_result_or_the_error_comes_back() -> None:
    assert await in_thread(None, lambda: threading.current_thread() is threading.main_thread()) is False
    with pytest.raises(ValueError, match="no"):
        await in_thread(None, fail)
    assert await threaded("{} {n}".format, "so many:", n=3) == "so many: 3"


@pytest.mark.asyncio
@pytest.mark.parametrize("then", [lambda: None, fail])
async def test_who_is_cancelled_waits_for_the_end_of_the_work(then: object) -> None:
    begun, may_end, done = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait(10)
        done.set()
        then()  # type: ignore[operator]

    async def cancel() -> None:
        await begun.wait()
        task.cancel()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(None, work, may_end.set))
        group.create_task(cancel())
    assert task.cancelled()
    assert done.is_set()


@pytest.mark.asyncio
async def test_who_is_cancelled_again_and_again_waits_too() -> None:
    begun, may_end, stopped = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait(10)

    async def cancel() -> None:
        await begun.wait()
        for _ in range(6):
            task.cancel()
            await asyncio.sleep(0)
        assert stopped.is_set()
        assert not task.done()
        may_end.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(None, work, stopped.set))
        group.create_task(cancel())
    assert task.cancelled()
