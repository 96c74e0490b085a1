"""Each lane has threads of its own, so that long work holds up nothing else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from p2psync.daemon.lanes import Lanes


@pytest.mark.asyncio
async def test_slow_work_holds_up_no_other_lane() -> None:
    lanes = Lanes()
    release = threading.Event()
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(lanes.slow(release.wait, 60))
        assert await lanes.quick(lambda: 1) == 1
        assert await lanes.read(sum, [2, 3]) == 5
        assert await lanes.local(int, "77", base=8) == 63
        assert not slow.done()
        release.set()
    lanes.close()


@pytest.mark.asyncio
async def test_an_error_comes_back_to_the_caller() -> None:
    lanes = Lanes()
    with pytest.raises(ZeroDivisionError):
        await lanes.quick(lambda: 1 // 0)
    lanes.close()
