"""A mandate is one accounting, and says so when a second one is attached to it."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from p2psync.errors import UsageError
from tests.daemon.homes import MANDATE, Pc, pcs
from tests.daemon.operations.test_attachments import attach, current
from tests.daemon.patience import until


def chart(root: Path, name: str, year: int, seed: int = 1) -> Path:
    file = root / "books" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(synthetic.chart(year, 20, Random(seed)))
    return file


async def periods(pc: Pc, *known: str) -> None:
    async def are() -> bool:
        rows = (await pc.call("period", mandate=MANDATE))["periods"]
        return [row["period"] for row in rows] == list(known)

    await until(are, f"the periods are {known}")


@pytest.mark.asyncio
async def test_several_periods_are_one_accounting_and_two_charts_for_the_same_days_are_two(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        first = chart(tmp_path, "Cargo 2025.crp", 2025)
        await attach(one, first)
        await current(one, "Cargo 2025.crp")
        await periods(one, "2025")
        with pytest.raises(UsageError, match=r"has a chart of accounts for 2025 already: Cargo 2025\.crp"):
            await attach(one, chart(tmp_path, "Other.crp", 2025, seed=2))
        await attach(one, chart(tmp_path, "Cargo 2026.crp", 2026))
        await periods(one, "2025", "2026")
        await one.call("detach", file=str(first))
        await attach(one, first)


@pytest.mark.asyncio
async def test_a_chart_that_lies_in_the_folder_beside_another_is_found_by_check(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.save("a.crp", synthetic.chart(2025, 20, Random(1)))
        one.save("b.crp", synthetic.chart(2025, 20, Random(2)))
        await one.holds(2)
        rows: Any = (await one.ask("check", mandate=MANDATE)).data
        told = [(row["file"], [(f["code"], f["facts"]) for f in row["findings"]]) for row in rows]
        assert told == [
            ("a.crp", [("period-twice", {"other": "b.crp"})]),
            ("b.crp", [("period-twice", {"other": "a.crp"})]),
        ]


@pytest.mark.asyncio
async def test_the_same_chart_in_two_mandates_is_told(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        (tmp_path / "second").mkdir()
        await one.call("mandate.create", name="Twin", folder=str(tmp_path / "second" / "x.crsync"))
        await attach(one, chart(tmp_path, "Cargo.crp", 2025))
        await periods(one, "2025")
        other = chart(tmp_path, "Copy.crp", 2025)
        answer = await one.call("attach", mandate="Twin", files=[str(other)])
        assert answer["twins"] == [{"file": str(other), "mandate": MANDATE}]
