"""The limits of a PC are told, kept, and outlast a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.rate import LEAST
from p2psync.daemon.limits import Limits, store_limits, stored_limits
from p2psync.errors import UsageError
from tests.daemon.homes import pcs

RATE = 100_000


@pytest.mark.asyncio
async def test_a_limit_is_told_and_outlasts_a_restart(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        assert await pc.call("limit") == {"up": None, "down": None, "cpu": None}
        assert await pc.call("limit.set", up="500K") == {"up": 500_000, "down": None, "cpu": None}
        assert await pc.call("limit.set", down="2M", cpu="25%") == {"up": 500_000, "down": 2_000_000, "cpu": 25}
        for wrong in ("fast", "", "1K"):
            with pytest.raises(UsageError, match="is no rate"):
                await pc.ask("limit.set", up=wrong)
        for wrong in ("0%", "101%", "-5%", "fast", "2.5%", ""):
            with pytest.raises(UsageError, match="is no share of a processor"):
                await pc.ask("limit.set", cpu=wrong)
        assert (await pc.call("limit"))["cpu"] == 25
        await pc.stop()
        await pc.start()
        told = {"up": 500_000, "down": 2_000_000, "cpu": 25}
        assert (await pc.call("status"))["device"]["limits"] == told
        assert pc.running.folders.pacer.bucket is not None
        assert (await pc.call("limit.set", up="off"))["up"] is None
        assert (await pc.call("limit.set", cpu="100%"))["cpu"] is None
        assert pc.running.folders.pacer.bucket is None
        records = pc.running.records
        odd = {"up": LEAST - 1, "down": "fast", "cpu": 101}
        await pc.running.runtime.call(lambda *_: records.put_setting("limits", odd))
        assert await pc.running.runtime.query(lambda *_: stored_limits(records)) == Limits()
        await pc.running.runtime.call(lambda *_: store_limits(records, Limits(None, RATE)))
        assert await pc.running.runtime.query(lambda *_: stored_limits(records)) == Limits(None, RATE)
