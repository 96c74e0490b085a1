"""Charts, checks and what is pending, as a daemon answers."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from p2psync.errors import P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until

INVOICES = synthetic.entries_name("Cargo", 2025, "ecf")
CHART = "Cargo 2025.crp"


async def with_files(pc: Pc) -> None:
    await pc.create()
    for name, data in synthetic.mandate_files("Cargo", 2025, Random(1)).items():
        pc.save(name, data)
    await pc.holds(4)


async def checked(pc: Pc, **arguments: str) -> Any:
    return (await pc.ask("check", mandate=MANDATE, **arguments)).data


@pytest.mark.asyncio
async def test_the_chart_of_the_latest_period_is_shown(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await with_files(one)
        one.save("Cargo 2024.crp", synthetic.chart(2024, 20, Random(1)))
        await one.holds(5)
        shown = await one.call("chart", mandate=MANDATE)
        assert (shown["file"], shown["period"], shown["others"]) == (CHART, "2025", ["Cargo 2024.crp"])
        account = next(row for row in shown["accounts"] if row["number"] == "1100")
        assert (account["category"], account["kind"]) == ("assets", "account")
        title = next(row for row in shown["accounts"] if row["number"] == "1")
        assert title["names"] == {"fr": "Actifs", "de": "Aktiven"}
        assert [row["rate_percent"] for row in shown["vat_codes"]][-1] == "0"
        assert shown["vat_codes"][0]["rate_percent"] == "8.1"
        assert [row["number"] for row in shown["cost_centres"]] == ["10", "20"]
        older = await one.call("chart", mandate=MANDATE, file=str(one.folder / "Cargo 2024.crp"))
        assert older["begin"] == "2024-01-01"
        with pytest.raises(UsageError, match=r"Cargo 2024\.crp, Cargo 2025\.crp"):
            await one.call("chart", mandate=MANDATE, file=INVOICES)


@pytest.mark.asyncio
async def test_a_chart_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        with pytest.raises(P2PSyncError, match="no chart of accounts"):
            await one.call("chart", mandate=MANDATE)
        one.save(CHART, b"not KEY=value\r\n")
        await one.holds(1)
        with pytest.raises(P2PSyncError, match=f"{CHART} cannot be read: A chart of accounts begins with KEY=value"):
            await one.call("chart", mandate=MANDATE)
        (row,) = await checked(one)
        assert row["message"].startswith("A chart of accounts begins")


@pytest.mark.asyncio
async def test_findings_have_their_lines_and_make_the_check_partial(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await with_files(one)
        assert all(row["count"] == 0 for row in await one.call("check", mandate=MANDATE))
        data = synthetic.entries("ECF", 8, Random(3))
        lines = data.split(b"\r\n")
        lines[4] = lines[4].replace(b"\t1100\t", b"\t5999\t")
        one.save(INVOICES, b"\r\n".join(lines))

        async def is_found() -> bool:
            return (await one.ask("check", mandate=MANDATE, file=INVOICES)).exit_code == 3

        await until(is_found, "the finding")
        (row,) = await checked(one, file=INVOICES)
        assert row["findings"] == [{"line": 5, "code": "debit-unknown", "facts": {"account": "5999"}}]
        assert row["checks"] == ["accounts", "dates", "vat-codes"]


@pytest.mark.asyncio
async def test_it_is_shown_which_version_of_a_chart_each_member_uses(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save(CHART, synthetic.chart(2025, 20, Random(1)))
        await two.has(CHART, synthetic.chart(2025, 20, Random(1)))

        async def seen(current: bool) -> bool:
            shown = await one.call("chart", mandate=MANDATE)
            (row,) = shown["devices"]
            return row["content"] is not None and row["current"] is current and bool(row["saved"])

        await until(lambda: seen(True), "the other one has it")
        await two.stop()
        one.save(CHART, synthetic.chart(2025, 30, Random(1)))
        await until(lambda: seen(False), "the other one has an older one")
        shown = await one.call("chart", mandate=MANDATE)
        assert shown["saved"]["name"] == one.name
        assert shown["content"] != shown["devices"][0]["content"]
        await two.start()
        await until(lambda: seen(True), "the other one has it, too")
        theirs = await two.call("chart", mandate=MANDATE)
        assert [row["current"] for row in theirs["devices"]] == [True], "whoever saved it has it"
