"""Periods as daemons close them: shown before, the same on all PCs after, and nothing of what came too late is lost."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from p2psync.books import synthetic
from p2psync.core.ids import content_of
from p2psync.errors import NotAllowed, UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.operations.test_books import CHART, INVOICES, with_files
from tests.daemon.patience import until

LONG = "Cargo (01-07-2025 ~ 30-06-2026).ecf"
UNDATED = "Cargo.ecf"


async def frozen_in(pc: Pc, period: str = "2025") -> bool:
    rows = (await pc.call("period", mandate=MANDATE))["periods"]
    return any(row["period"] == period and row["frozen"] for row in rows)


@pytest.mark.asyncio
async def test_what_is_to_be_frozen_is_shown_and_frozen_if_it_is_still_so(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await with_files(one)
        one.save(LONG, synthetic.entries("ECF", 5, Random(1)))
        one.save(UNDATED, synthetic.entries("ECF", 5, Random(1)))
        await one.holds(6)
        plan = await one.call("period.preview", mandate=MANDATE, period="2025")
        names = {row["path"] for row in plan["files"]}
        assert {CHART, INVOICES, UNDATED} <= names
        assert plan["left_out"] == [{"path": LONG, "reason": "across"}]
        assert (plan["begin"], plan["end"], plan["frozen"]) == ("2025-01-01", "2025-12-31", False)
        one.save(INVOICES, synthetic.entries("ECF", 6, Random(2)))
        with pytest.raises(UsageError, match="changed meanwhile"):
            await one.call("period.freeze", mandate=MANDATE, period="2025", seen=plan["seen"])
        assert not await frozen_in(one)
        again = await one.call("period.preview", mandate=MANDATE, period="2025")
        await one.call("period.freeze", mandate=MANDATE, period="2025", seen=again["seen"])
        assert await frozen_in(one)
        whole = await one.call("period", mandate=MANDATE)
        (row,) = whole["periods"]
        assert (row["frozen"]["name"], set(row["frozen"]["files"])) == ("one", names)
        assert whole["late"] == []
        await one.call("period.unfreeze", mandate=MANDATE, period="2025-01-01..2025-12-31")
        assert not await frozen_in(one)


@pytest.mark.asyncio
async def test_an_edit_of_a_frozen_file_comes_back_and_is_kept(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing") as (office, laptop):
        chart, edited = synthetic.chart(2025, 20, Random(1)), synthetic.chart(2025, 21, Random(2))
        office.save(CHART, chart)
        await laptop.has(CHART, chart)
        await office.call("period.freeze", mandate=MANDATE, period="2025")
        await until(lambda: frozen_in(laptop), "the laptop knows")
        laptop.save(CHART, edited)
        await until(lambda: laptop.read(CHART) == chart, "the chart is as it was")

        async def told() -> bool:
            status = await laptop.status()
            codes = [(p["code"], p["detail"]) for p in status["problem_list"] if p["path"] == CHART]
            return codes == [("period-frozen", "2025")] and status["health"] == "action"

        await until(told, "it is told")
        kept = await laptop.call("versions", mandate=MANDATE, path=CHART)
        assert content_of(edited).hex() in [row["content"] for row in kept]
        with pytest.raises(NotAllowed, match="is frozen"):
            await laptop.call("restore", mandate=MANDATE, path=CHART, version=kept[0]["id"])
        with pytest.raises(NotAllowed):
            await laptop.call("period.unfreeze", mandate=MANDATE, period="2025")
        with pytest.raises(NotAllowed):
            await laptop.call("period.current", mandate=MANDATE, until="2025-06-30")
        assert (await laptop.status())["frozen"] == ["2025"]


@pytest.mark.asyncio
async def test_what_was_saved_before_the_freeze_was_known_is_listed_on_all_pcs(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing") as (office, laptop):
        chart, edited = synthetic.chart(2025, 20, Random(1)), synthetic.chart(2025, 21, Random(2))
        office.save(CHART, chart)
        await laptop.has(CHART, chart)
        await laptop.stop()
        await office.call("period.freeze", mandate=MANDATE, period="2025")
        await office.stop()
        await laptop.start()
        laptop.save(CHART, edited)
        await until_saved(laptop, edited)
        await office.start()
        await until(lambda: laptop.read(CHART) == chart, "the chart is as it was")
        for pc in (office, laptop):

            async def listed(pc: Pc = pc) -> bool:
                late = (await pc.call("period", mandate=MANDATE))["late"]
                said = [(row["path"], row["content"], row["name"]) for row in late]
                return said == [(CHART, content_of(edited).hex(), laptop.name)]

            await until(listed, f"{pc.name} lists it")
        await office.call("period.unfreeze", mandate=MANDATE, period="2025")
        await until_open(laptop)
        kept = await laptop.call("versions", mandate=MANDATE, path=CHART)
        mine = next(row["id"] for row in kept if row["content"] == content_of(edited).hex())
        await laptop.call("restore", mandate=MANDATE, path=CHART, version=mine)
        await office.has(CHART, edited)
        assert (await office.call("period", mandate=MANDATE))["late"] == []


async def until_saved(pc: Pc, data: bytes) -> None:
    async def saved() -> bool:
        rows = await pc.call("log", mandate=MANDATE)
        return any(row["content"] == content_of(data).hex() for row in rows)

    await until(saved, "it is in the log")


async def until_open(pc: Pc) -> None:
    async def is_open() -> bool:
        return not await frozen_in(pc)

    await until(is_open, f"{pc.name} knows that it is open again")


@pytest.mark.asyncio
async def test_periods_are_named_as_people_name_them(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.save("Cargo.crp", synthetic.chart(2025, 20, Random(1)))
        await one.holds(1)
        for text, period in (("2025", "2025"), ("2019", "2019"), ("2018-07-01..2019-06-30", "01.07.2018 ~ 30.06.2019")):
            assert (await one.call("period.preview", mandate=MANDATE, period=text))["period"] == period
        for wrong in ("last", "2025-06-30", "2026-01-01..2025-01-01", "99999"):
            with pytest.raises(UsageError, match="Known here: 2025"):
                await one.call("period.preview", mandate=MANDATE, period=wrong)


@pytest.mark.asyncio
async def test_how_far_the_books_are_is_seen_by_all(tmp_path: Path) -> None:
    async with company(tmp_path, "reader") as (office, reader):
        with pytest.raises(UsageError, match="no day"):
            await office.call("period.current", mandate=MANDATE, until="30.06.2025")
        said = await office.call("period.current", mandate=MANDATE, until="2025-06-30", note=" VAT sent ")
        assert (said["until"], said["note"], said["name"]) == ("2025-06-30", "VAT sent", office.name)

        async def seen() -> bool:
            status = await reader.status()
            return bool((status["current_until"], status["current_note"]) == ("2025-06-30", "VAT sent"))

        await until(seen, "the reader sees it")
