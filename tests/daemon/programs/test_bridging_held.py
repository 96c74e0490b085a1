"""Bookings wait for the chart of their period, or until nothing is wrong in them; then they go on by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from p2psync.errors import UsageError
from tests.daemon.homes import MANDATE, company
from tests.daemon.patience import until
from tests.daemon.program_files import Program

NAME = synthetic.entries_name("Cargo", 2025, "ecf")
FIRST = synthetic.entries("ECF", 3, Random(1))
GOOD = synthetic.entries("ECF", 30, Random(1))
BAD = GOOD.replace(b"\t1100\t", b"\t5999\t", 1)
CHART = "Cargo {}.crp"


def chart(year: int) -> bytes:
    return synthetic.chart(year, 60, Random(1))


@asynccontextmanager
async def producer_and_accounting(root: Path, **arguments: object) -> AsyncIterator[list[Program]]:
    """The first one accounts, the second one bills; a chart of 2024 is there."""
    async with company(root, "invoicing") as pcs:
        accounting, billing = (Program(root, pc, NAME) for pc in pcs)
        accounting.pc.save(CHART.format(2024), chart(2024))
        billing.file.write_bytes(FIRST)
        await billing.attach()
        await accounting.pc.has(NAME, FIRST)
        accounting.file.write_bytes(FIRST)
        await accounting.attach(**arguments)
        await accounting.is_in("current")
        yield [accounting, billing]


async def inbox(program: Program) -> Any:
    return await program.pc.call("inbox", mandate=MANDATE)


async def has(program: Program, data: bytes) -> None:
    await until(lambda: program.read() == data, f"the program of {program.pc.name} has it")


@pytest.mark.asyncio
async def test_bookings_wait_for_the_chart_of_their_period_and_go_on_by_themselves(tmp_path: Path) -> None:
    async with producer_and_accounting(tmp_path) as (accounting, billing):
        billing.file.write_bytes(BAD)
        await accounting.is_in("held")
        (row,) = await inbox(accounting)
        assert "The chart of accounts for 2025 is missing" in row["reason"]
        assert row["findings"][0]["code"] == "chart-missing"
        told = await accounting.pc.ask("deliver", mandate=MANDATE)
        assert told.exit_code == 5
        assert accounting.read() == FIRST
        accounting.pc.save(CHART.format(2025), chart(2025))
        await has(accounting, BAD)
        await accounting.is_in("current")
        assert await inbox(accounting) == [], "what is wrong is told by check; it holds nothing unless asked for"


@pytest.mark.asyncio
async def test_what_is_wrong_holds_bookings_where_that_was_asked_for(tmp_path: Path) -> None:
    async with producer_and_accounting(tmp_path, checked=True) as (accounting, billing):
        accounting.pc.save(CHART.format(2025), chart(2025))
        billing.file.write_bytes(BAD)
        await accounting.is_in("held")

        async def is_told() -> bool:
            rows = await inbox(accounting)
            return bool(rows) and "5999" in rows[0]["reason"]

        await until(is_told, "the account is named")
        (row,) = await inbox(accounting)
        line = row["findings"][0]["line"]
        assert f"Line {line}: the debit account 5999 is not in the chart of accounts." in row["reason"]
        assert accounting.read() == FIRST
        billing.file.write_bytes(GOOD)
        await has(accounting, GOOD)
        await accounting.is_in("current")


@pytest.mark.asyncio
async def test_a_person_may_deliver_what_is_held_all_the_same(tmp_path: Path) -> None:
    async with producer_and_accounting(tmp_path, checked=True) as (accounting, billing):
        billing.file.write_bytes(BAD)
        await accounting.is_in("held")
        (told,) = await accounting.pc.call("deliver", mandate=MANDATE, anyway=True)
        assert told["result"] == "delivered"
        assert accounting.read() == BAD
        log = (accounting.pc.config.home / "p2psync.log").read_text()
        assert "bridge.delivered_anyway" in log
        billing.file.write_bytes(GOOD.replace(b"\t1100\t", b"\t5998\t"))
        await accounting.is_in("held")
        with pytest.raises(UsageError, match="choose one"):
            await accounting.attach(ask=True, checked=True)


@pytest.mark.asyncio
async def test_without_any_chart_bookings_go_on_unless_they_shall_be_checked(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing", "accounting") as pcs:
        accounting, billing, strict = (Program(tmp_path, pc, NAME) for pc in pcs)
        billing.file.write_bytes(FIRST)
        await billing.attach()
        for program, checked in ((accounting, False), (strict, True)):
            await program.pc.has(NAME, FIRST)
            program.file.write_bytes(FIRST)
            await program.attach(checked=checked)
        billing.file.write_bytes(GOOD)
        await has(accounting, GOOD)
        await strict.is_in("held")
        (row,) = await inbox(strict)
        assert row["reason"] == "held: There is no chart of accounts to check it against."
        export = tmp_path / "export.csv"
        numbers = sorted({field for line in GOOD.decode("cp1252").splitlines()[2:] for field in line.split("\t")[1:3]})
        export.write_text("record;number;name.fr\n" + "".join(f"account;{one};x\n" for one in numbers if one != "..."))
        await accounting.pc.call("chart.import", mandate=MANDATE, file=str(export))
        await has(strict, GOOD)
