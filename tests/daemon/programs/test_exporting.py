"""An export that is written anew is taken over by itself; one that is wrong changes nothing, and is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from p2psync.daemon.programs import exporting
from tests.daemon.homes import MANDATE, Pc, company

HEAD = "record;number;name.fr;type\n"


async def followed(pc: Pc, file: Path, text: str) -> None:
    file.write_text(text)
    await pc.call("chart.import", mandate=MANDATE, file=str(file), follow=True)


def write(file: Path, text: str) -> None:
    """Written later than whatever was there before, however coarse the disk's clock."""
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 10**9, before + 10**9))


async def looked(pc: Pc, looks: int = 2) -> None:
    for _ in range(looks):
        await pc.running.exporting.look()


async def numbers(pc: Pc) -> list[str]:
    return [row["number"] for row in (await pc.call("chart", mandate=MANDATE))["accounts"]]


async def told(pc: Pc) -> list[Any]:
    return [p["detail"] for p in (await pc.status())["problem_list"] if p["code"] == "export-refused"]


@pytest.fixture(autouse=True)
def _looks_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LOOK_EVERY_S", 3600.0)


@pytest.mark.asyncio
async def test_what_is_written_anew_is_taken_over_once_it_stands_still(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        file = tmp_path / "export.csv"
        await followed(one, file, HEAD + "account;1000;Caisse;A\n")
        assert (await one.call("chart", mandate=MANDATE))["followed"] == str(file)
        write(file, HEAD + "account;1000;Caisse;A\naccount;1100;x;A\n")
        await looked(one, 1)
        assert await numbers(one) == ["1000"], "it may be half written"
        await looked(one, 1)
        assert await numbers(one) == ["1000", "1100"]
        await one.stop()
        write(file, HEAD + "account;1000;Caisse;A\naccount;1100;x;A\naccount;1200;x;A\n")
        await one.start()
        await one.in_sync()
        await looked(one)
        assert await numbers(one) == ["1000", "1100", "1200"], "also what was written while this PC was off"
        assert (await one.call("chart.unfollow", mandate=MANDATE))["file"] == str(file)
        write(file, HEAD + "account;1000;Coffre;A\naccount;1100;x;A\naccount;1200;x;A\naccount;1300;x;A\n")
        await looked(one)
        assert await numbers(one) == ["1000", "1100", "1200"]
        assert (await one.call("chart.unfollow", mandate=MANDATE))["file"] is None


@pytest.mark.asyncio
async def test_what_is_wrong_is_told_until_a_later_export_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "RETRY_S", 0.0)
    async with company(tmp_path) as (one,):
        file = tmp_path / "export.csv"
        await followed(one, file, HEAD + "account;1000;Caisse;A\naccount;1100;x;A\n")
        write(file, HEAD + "account;1000;Caisse;Z\naccount;1100;x;A\n")
        await looked(one)
        (reason,) = await told(one)
        assert reason == f"{file}: Line 2: type cannot be Z. Write one of: A, L, R, E, C"
        write(file, HEAD + "account;1000;Caisse;A\n")
        await looked(one)
        (reason,) = await told(one)
        assert "account 1100" in reason
        assert await numbers(one) == ["1000", "1100"]
        write(file, HEAD + "account;1000;Coffre;A\naccount;1100;x;A\n")
        await looked(one)
        assert await told(one) == []
        file.unlink()
        await looked(one)
        assert await told(one) == []
