"""The files in the folder as bookkeepers see them: charts, mistakes, and what waits; no number without the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from p2psync.books import synthetic
from p2psync.books.crp import Chart
from p2psync.books.finding import Trouble
from p2psync.books.pending import Count, State
from p2psync.core.ids import ContentId, MandateId, content_of, parse_mandate
from p2psync.core.period import period_in_name
from p2psync.core.relpath import RelPath
from p2psync.daemon.programs.shelf import Marked, NotHere, Waiting
from p2psync.errors import CodecError, FolderError, P2PSyncError
from tests.daemon.homes import MANDATE, Pc, pcs
from tests.daemon.patience import until

INVOICES = RelPath(synthetic.entries_name("Cargo", 2025, "ecf"))
CHART = RelPath("Cargo 2025.crp")
YEAR = period_in_name(INVOICES)


def entries(lines: int) -> bytes:
    return synthetic.entries("ECF", lines, Random(lines))


async def waiting(
    pc: Pc, mandate: MandateId, posted: Mapping[RelPath, ContentId | None], *coming: RelPath
) -> list[Waiting]:
    return await pc.running.shelf.pending(Marked(mandate, MANDATE, posted, frozenset(coming)))


async def made(pc: Pc, **files: bytes) -> MandateId:
    mandate = parse_mandate((await pc.create())["id"])
    for name, data in files.items():
        pc.save({"chart": CHART, "invoices": INVOICES}[name], data)
    await pc.holds(len(files))
    return mandate


@pytest.mark.asyncio
async def test_a_chart_is_read_and_a_file_that_is_none_says_why(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        mandate = await made(one, chart=synthetic.chart(2025, 30, Random(1)), invoices=entries(3))
        one.save("other.CRP", b"no chart at all")
        await one.holds(3)
        found = {file.path: file.read for file in await one.running.shelf.charts(mandate)}
        assert set(found) == {CHART, "other.CRP"}
        assert isinstance(found[CHART], Chart)
        assert isinstance(found[RelPath("other.CRP")], CodecError)


@pytest.mark.asyncio
async def test_lines_count_against_what_was_posted_also_when_the_file_is_gone(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        data = entries(12)
        mandate = await made(one, invoices=data)
        (fresh,) = await waiting(one, mandate, {})
        assert fresh.pending.counts == (Count(YEAR, 12, 0, 0),)
        (same,) = await waiting(one, mandate, {INVOICES: content_of(data)})
        assert same.pending.state is State.POSTED
        edited = synthetic.edited_entries(data, Random(2), new=3, changed=2, removed=1)
        one.save(INVOICES, edited)
        await holds_content(one, mandate, edited)
        (changed,) = await waiting(one, mandate, {INVOICES: content_of(data)})
        assert changed.pending.counts == (Count(YEAR, 3, 2, 1),)
        (one.folder / INVOICES).unlink()
        await one.holds(0)
        (gone,) = await waiting(one, mandate, {INVOICES: content_of(data)})
        assert gone.content is None
        assert gone.pending.counts == (Count(YEAR, 0, 0, 12),)
        assert await waiting(one, mandate, {INVOICES: content_of(data)}, INVOICES) == []


@pytest.mark.asyncio
async def test_without_the_bytes_there_is_no_number(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        mandate = await made(one, invoices=entries(4))
        for _ in range(2):
            (row,) = await waiting(one, mandate, {INVOICES: ContentId(bytes(32))})
            assert row.pending.state is State.UNCOUNTED
            assert isinstance(row.pending.why, NotHere)
            assert row.pending.counts == ()


@pytest.mark.asyncio
async def test_bookings_are_held_to_the_charts_that_can_be_read(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        bad = entries(20).replace(b"\t1100\t", b"\t5999\t")
        mandate = await made(one, invoices=bad)
        shelf = one.running.shelf
        (unchecked,) = await shelf.check(mandate, INVOICES)
        assert (unchecked.checks, unchecked.findings.count) == (frozenset(), 0)
        one.save(CHART, synthetic.chart(2025, 60, Random(1)))
        await one.holds(2)
        (found,) = await shelf.check(mandate, INVOICES)
        assert {finding.trouble for finding in found.findings.items} == {Trouble.DEBIT_UNKNOWN}
        assert found.findings.count == bad.count(b"\t5999\t")
        (row,) = await waiting(one, mandate, {})
        assert row.findings == found.findings
        (row,) = await waiting(one, mandate, {INVOICES: content_of(bad)})
        assert row.findings.count == 0, "they wait no more"
        assert [file.path for file in await shelf.check(mandate, None)] == sorted([CHART, INVOICES])
        with pytest.raises(P2PSyncError, match="no file of bookings"):
            await shelf.check(mandate, RelPath("other.ecf"))


@pytest.mark.asyncio
async def test_without_a_folder_nothing_is_known(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        with pytest.raises(FolderError, match="not there"):
            await one.running.shelf.charts(MandateId(bytes(16)))


async def holds_content(pc: Pc, mandate: MandateId, data: bytes) -> None:
    async def holds() -> bool:
        return any(row.content == content_of(data) for row in await waiting(pc, mandate, {}))

    await until(holds, "the folder's file is known")
