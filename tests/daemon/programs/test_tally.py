"""How many bookings wait is known at once: made once for what the folder holds, and never awaited for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date

import pytest

from p2psync.books.finding import Collector, Trouble
from p2psync.books.pending import Count, Pending, State
from p2psync.books.validation import Check
from p2psync.core.ids import MandateId
from p2psync.core.period import Period
from p2psync.core.relpath import RelPath
from p2psync.daemon.logs import EventLog
from p2psync.daemon.programs import tally as module
from p2psync.daemon.programs.shelf import Marked, Waiting
from p2psync.daemon.programs.tally import Tally, Totals, total
from p2psync.daemon.tasks import Tasks
from p2psync.errors import FolderError

MANDATE = Marked(MandateId(b"m" * 16), "Cargo", {}, frozenset())
YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))


def waiting(state: State, *counts: Count) -> Waiting:
    return Waiting(RelPath("a.ecf"), None, Pending(state, counts))


class Shelf:
    """Answers with one booking more each time, as soon as it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may = asyncio.Event()
        self.may.set()
        self.is_away = False
        self.has_bookings = True
        self.chart_files: list[str] = []
        self.master_file: str | None = None

    async def pending(self, marked: Marked) -> list[Waiting]:
        self.asked += 1
        await self.may.wait()
        if self.is_away:
            raise FolderError("It is not there.")
        return [waiting(State.PENDING, Count(YEAR, self.asked, 0, 0))] if self.has_bookings else []

    async def checks(self, mandate: MandateId) -> frozenset[Check]:
        return frozenset({Check.VAT_CODES, Check.ACCOUNTS})

    async def charts(self, mandate: MandateId) -> list[str]:
        return self.chart_files

    async def master(self, mandate: MandateId) -> str | None:
        return self.master_file


async def lines(tally: Tally, state: str) -> int:
    return (await tally.waiting(MANDATE, state)).lines


@asynccontextmanager
async def made() -> AsyncIterator[tuple[Tally, Shelf]]:
    tasks, shelf = Tasks(EventLog(None)), Shelf()
    await tasks.open()
    try:
        yield Tally(shelf, tasks), shelf  # type: ignore[arg-type]
    finally:
        await tasks.close()


def test_lines_are_counted_and_what_cannot_be_read_is_not() -> None:
    several = [
        waiting(State.PENDING, Count(YEAR, 3, 2, 1), Count(None, 1, 0, 0)),
        waiting(State.POSTED),
        waiting(State.UNCOUNTED),
    ]
    assert total(several) == Totals(7, 2)
    wrong = Collector()
    for line in (2, 3):
        wrong.add(line, Trouble.DEBIT_UNKNOWN, account="5999")
    assert total([*several, replace(several[0], findings=wrong.findings())]) == Totals(14, 3, findings=2)
    assert total([]) == Totals(0, 0)


@pytest.mark.asyncio
async def test_what_was_counted_is_not_counted_again_until_something_changes() -> None:
    async with made() as (tally, shelf):
        assert [await lines(tally, "one") for _ in range(3)] == [1, 1, 1]
        assert await lines(tally, "two") == 2
        assert shelf.asked == 2


@pytest.mark.asyncio
async def test_what_takes_long_is_told_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    async with made() as (tally, shelf):
        shelf.may.clear()
        assert [await lines(tally, "one") for _ in range(3)] == [0, 0, 0]
        shelf.may.set()
        while not await lines(tally, "one"):
            await asyncio.sleep(0)
        assert shelf.asked == 1


@pytest.mark.asyncio
async def test_in_a_folder_that_is_away_nothing_waits() -> None:
    async with made() as (tally, shelf):
        assert await lines(tally, "one") == 1
        shelf.is_away = True
        assert await lines(tally, "two") == 0
        shelf.is_away = False
        assert await lines(tally, "two") == 3


@pytest.mark.asyncio
async def test_what_bookings_are_checked_for_is_known_where_there_are_any() -> None:
    async with made() as (tally, shelf):
        assert (await tally.waiting(MANDATE, "now")).checks == ("accounts", "vat-codes")
        shelf.has_bookings = False
        assert (await tally.waiting(MANDATE, "later")).checks is None


@pytest.mark.asyncio
async def test_a_chart_or_master_data_in_its_place_are_there_or_not() -> None:
    assert Totals().is_charted, "nobody is asked for one before that is known"
    async with made() as (tally, shelf):
        assert not (await tally.waiting(MANDATE, "none")).is_charted
        shelf.master_file = "master-data.p2pmaster"
        assert (await tally.waiting(MANDATE, "master data")).is_charted
        shelf.master_file, shelf.chart_files = None, ["Cargo.crp"]
        assert (await tally.waiting(MANDATE, "chart")).is_charted
