"""Each kind of work has threads of its own, so that long work holds up nothing else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from p2psync.daemon.threads import Threads


@pytest.mark.asyncio
async def test_slow_work_holds_up_no_other() -> None:
    threads = Threads()
    release = threading.Event()
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(threads.slow(release.wait, 60))
        assert await threads.quick(lambda: 1) == 1
        assert await threads.read(sum, [2, 3]) == 5
        assert await threads.local(int, "77", base=8) == 63
        assert not slow.done()
        release.set()
    threads.close()


@pytest.mark.asyncio
async def test_an_error_comes_back_to_the_caller() -> None:
    threads = Threads()
    with pytest.raises(ZeroDivisionError):
        await threads.quick(lambda: 1 // 0)
    threads.close()
