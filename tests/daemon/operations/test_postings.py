"""What waits to be posted, who posted it, and what its producer sees of that, as daemons answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from p2psync.core.ids import content_of
from p2psync.daemon.operations import postings
from p2psync.errors import FolderError, NotAllowed, P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.operations.test_books import INVOICES, with_files
from tests.daemon.patience import until

SALARIES = synthetic.entries_name("Cargo Löhne", 2025, "ecs")


def bookings(lines: int, seed: int = 1) -> bytes:
    return synthetic.entries("ECF", lines, Random(seed))


async def waits(pc: Pc, file: str = INVOICES) -> list[tuple[int, int, int]]:
    """New, changed and removed lines of a file, by period."""
    rows = await pc.call("pending", mandate=MANDATE)
    return [(row["new"], row["changed"], row["removed"]) for row in rows if row["file"] == file]


async def shown(pc: Pc, file: str = INVOICES) -> Any:
    """A file as `pending --all` shows it; None if it does not."""
    rows = await pc.call("pending", mandate=MANDATE, all=True)
    return next((row for row in rows if row["file"] == file), None)


async def comes_to(pc: Pc, step: str, file: str = INVOICES) -> Any:
    """Wait until a file has come so far."""

    async def has() -> bool:
        row = await shown(pc, file)
        return row is not None and row["step"] == step

    await until(has, f"{file} is {step} for {pc.name}")
    return await shown(pc, file)


async def signs(accounting: Pc, pc: Pc, file: str = INVOICES) -> None:
    """Wait until accounting has signed for a file, as another PC sees it: the entry in the log comes a bit later."""

    async def has() -> bool:
        row = await shown(pc, file)
        return any(one["signed"] and one["name"] == accounting.name for one in row["deliveries"])

    await until(has, f"{accounting.name} signs for {file}")


def listed(rows: list[dict[str, Any]], file: str = INVOICES) -> list[tuple[Any, int]]:
    """How many lines of a file are listed by each of its rows, of each change, and how many more there are."""
    changes = ("new", "changed", "removed")
    return [
        (
            row["lines"] and tuple(sum(one["change"] == change for one in row["lines"]) for change in changes),
            row["left_out"],
        )
        for row in rows
        if row["file"] == file
    ]


async def counts(pc: Pc, lines: int, files: int) -> None:
    """Wait until `status` says so: a look never waits for a file to be read."""

    async def told() -> bool:
        status = await pc.status()
        return bool((status["pending"], status["pending_files"]) == (lines, files))

    await until(told, f"{pc.name} counts {lines} bookings in {files} files")


async def saves(pc: Pc, data: bytes, *others: Pc) -> None:
    """Save the invoices, and wait until all hold them."""
    pc.save(INVOICES, data)
    for one in (pc, *others):

        async def holds(one: Pc = one) -> bool:
            row = await shown(one)
            return row is not None and row["content"] == content_of(data).hex()

        await until(holds, f"{one.name} holds it")


@pytest.mark.asyncio
async def test_pending_lines_are_counted_by_file_and_period(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await with_files(one)
        rows = await one.call("pending")
        assert [(row["file"], row["period"], row["new"], row["changed"], row["removed"]) for row in rows] == [
            (INVOICES, "2025", 40, 0, 0),
            (synthetic.entries_name("Cargo Löhne", 2025, "ecs"), "2025", 40, 0, 0),
        ]
        assert all(row["since"] is None for row in rows)
        assert not any("lines" in row for row in rows), "nobody asked for them"
        assert all((row["findings"], row["first_finding"]) == (0, None) for row in rows)
        one.save(INVOICES, synthetic.entries("ECF", 3, Random(1)).replace(b"\t1100\t", b"\t5999\t"))
        await until(lambda: _has_findings(one), "what is wrong in them is told")


async def _has_findings(pc: Pc) -> bool:
    row = next(row for row in await pc.call("pending") if row["file"] == INVOICES)
    return bool(row["findings"] and row["first_finding"]["code"] == "debit-unknown")


@pytest.mark.asyncio
async def test_a_file_that_cannot_be_read_has_a_reason_and_no_number(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.save("a.ecf", b"something else\n")
        one.save("b.ecf", synthetic.entries("ECF", 2, Random(1)) + b"01.01.2025\t1000\r\n")
        await one.holds(2)
        none, torn = await one.call("pending", mandate=MANDATE)
        assert none["message"].startswith("A file of bookings begins with a line #FSC")
        assert torn["finding"] == {"line": 5, "code": "fields-missing", "facts": {"fields": "2", "needed": "14"}}
        for row in (none, torn):
            assert row["state"] == "uncounted"
            assert [row[name] for name in ("period", "new", "changed", "removed")] == [None] * 4


@pytest.mark.asyncio
async def test_the_lines_that_wait_are_listed_and_none_of_a_file_that_is_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        await saves(one, bookings(10))
        assert listed(await one.call("pending", lines=True)) == [((10, 0, 0), 0)]
        await one.call("posted", mandate=MANDATE)
        assert listed(await one.call("pending", all=True, lines=True)) == [([], 0)]
        edited = synthetic.edited_entries(bookings(10), Random(2), new=3, changed=2, removed=1)
        await saves(one, edited)
        assert listed(await one.call("pending", lines=True)) == [((3, 2, 1), 0)]
        monkeypatch.setattr(postings, "LINES_SHOWN", 4)
        ((shown, left_out),) = listed(await one.call("pending", lines=True))
        assert (sum(shown), left_out) == (4, 2)
        await saves(one, edited + b"01.01.2025\t1000\r\n")
        assert listed(await one.call("pending", lines=True)) == [(None, 0)]


@pytest.mark.asyncio
async def test_a_folder_that_is_away_hides_no_other_mandate(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await with_files(one)
        other = tmp_path / "other.crsync"
        await one.call("mandate.create", name="Other", folder=str(other))
        await one.stop()
        shutil.rmtree(other)
        await one.start()
        rows = await one.call("pending")
        assert {row["mandate"] for row in rows} == {"Cargo", "Other"}
        (away,) = [row for row in rows if row["mandate"] == "Other"]
        assert (away["file"], away["state"], away["new"]) == ("", "uncounted", None)
        with pytest.raises(FolderError):
            await one.call("pending", mandate="Other")


@pytest.mark.asyncio
async def test_what_is_marked_waits_no_more_and_what_is_saved_later_does(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        data = bookings(10)
        await saves(one, data)
        await counts(one, 10, 1)
        (mark,) = await one.call("posted", mandate=MANDATE)
        assert (mark["file"], mark["name"]) == (INVOICES, "one")
        assert await one.call("pending") == []
        await counts(one, 0, 0)
        assert await one.call("posted", mandate=MANDATE) == []
        await saves(one, synthetic.edited_entries(data, Random(1), new=3, changed=1, removed=2))
        assert await waits(one) == [(3, 1, 2)]
        (row,) = await one.call("pending", mandate=MANDATE)
        assert row["since"] == mark["time"]
        (one.folder / INVOICES).unlink()
        await one.holds(0)
        assert await waits(one) == [(0, 0, 10)], "a file that is gone was taken back"
        (gone,) = await one.call("posted", mandate=MANDATE)
        assert gone["content"] is None
        assert await one.call("pending") == []


@pytest.mark.asyncio
async def test_a_mark_can_be_taken_back(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        data = bookings(4)
        await saves(one, data)
        await one.call("posted", mandate=MANDATE, file=INVOICES)
        await saves(one, bookings(6))
        await one.call("posted", mandate=MANDATE, file=INVOICES)
        (undone,) = await one.call("posted", mandate=MANDATE, file=INVOICES, undo=True)
        assert undone["content"] == content_of(bookings(6)).hex()
        assert (await shown(one))["since"] is not None, "the mark before stands again"
        assert await waits(one) != []
        await one.call("posted", mandate=MANDATE, file=INVOICES, undo=True)
        assert await waits(one) == [(6, 0, 0)]
        with pytest.raises(UsageError, match="not marked"):
            await one.call("posted", mandate=MANDATE, file=INVOICES, undo=True)
        with pytest.raises(UsageError, match="Name the file"):
            await one.call("posted", mandate=MANDATE, undo=True)


@pytest.mark.asyncio
async def test_what_one_has_not_seen_is_not_marked(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        await saves(one, bookings(4))
        seen = (await shown(one))["content"]
        await saves(one, bookings(5))
        with pytest.raises(UsageError, match="changed meanwhile"):
            await one.call("posted", mandate=MANDATE, file=INVOICES, content=seen)
        with pytest.raises(P2PSyncError, match="no file of bookings"):
            await one.call("posted", mandate=MANDATE, file="other.ecf")
        assert await waits(one) == [(5, 0, 0)]


@pytest.mark.asyncio
async def test_all_that_can_be_read_is_marked_and_the_rest_goes_on_waiting(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await with_files(one)
        one.save("torn.ecf", b"something else\n")
        await one.holds(5)
        assert {row["file"] for row in await one.call("posted", mandate=MANDATE)} == {INVOICES, SALARIES}
        (row,) = await one.call("pending")
        assert (row["file"], row["new"]) == ("torn.ecf", None)
        await counts(one, 0, 1)


@pytest.mark.asyncio
async def test_the_producer_sees_published_delivered_posted_and_may_not_post(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing") as (office, producer):
        await office.stop()
        await saves(producer, bookings(7))
        assert (await shown(producer))["step"] == "published"
        await office.start()
        delivered = await comes_to(producer, "delivered")
        assert [one["name"] for one in delivered["deliveries"]] == ["pc1"]
        await signs(office, producer)
        with pytest.raises(NotAllowed, match="role accounting"):
            await producer.call("posted", mandate=MANDATE)
        assert await waits(office) == [(7, 0, 0)]
        await office.call("posted", mandate=MANDATE, file=INVOICES)
        posted = await comes_to(producer, "posted")
        assert posted["posted"]["name"] == "pc1"
        assert posted["state"] == "posted"
        await counts(producer, 0, 0)
        log = await producer.call("log", mandate=MANDATE)
        told = [(row["kind"], row["path"], row["accepted"]) for row in log]
        assert told[-2:] == [("received", INVOICES, True), ("posted", INVOICES, True)]
        checked = await producer.call("log.verify", mandate=MANDATE)
        assert checked["ok"]
        exported = [line for block in await producer.call("log.export", mandate=MANDATE) for line in block["entries"]]
        (receipt,) = [line for line in exported if line["kind"] == "received"]
        assert (receipt["name"], receipt["content"]) == ("pc1", posted["content"])


@pytest.mark.asyncio
async def test_delivered_is_what_accounting_has_and_nobody_else(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing", "payroll") as (office, producer, clerk):
        await saves(producer, bookings(7), office, clerk)
        await signs(office, producer)
        await office.in_sync(2)
        row = await shown(office)
        assert (row["step"], [one["name"] for one in row["deliveries"]]) == ("delivered", ["pc1"])
        await office.call("devices.role", mandate=MANDATE, device="pc1", role="banking")
        row = await shown(office)
        assert (row["step"], row["deliveries"]) == ("published", [])


@pytest.mark.asyncio
async def test_what_reaches_no_program_of_accounting_is_told_where_programs_have_files_of_their_own(
    tmp_path: Path,
) -> None:
    async with company(tmp_path, "invoicing") as (office, producer):
        await saves(producer, bookings(7), office)
        assert [(await shown(pc))["unattached"] for pc in (office, producer)] == [False, False]
        for pc in (office, producer):
            own = tmp_path / f"{pc.name}.books" / f"{pc.name}.ecf"
            own.parent.mkdir()
            own.write_bytes(bookings(1))
            await pc.call("attach", mandate=MANDATE, files=[str(own)])
        assert [(await shown(pc))["unattached"] for pc in (office, producer)] == [True, False]
        await office.call("attach", mandate=MANDATE, files=[str(tmp_path / "pc1.books" / INVOICES)])
        assert not (await shown(office))["unattached"]


@pytest.mark.asyncio
async def test_taken_back_and_made_anew_is_never_nothing_new(tmp_path: Path) -> None:
    async with company(tmp_path, "invoicing") as (office, producer):
        await saves(producer, bookings(6), office)
        await office.call("posted", mandate=MANDATE)
        await comes_to(producer, "posted")
        await saves(producer, bookings(0), office)
        assert await waits(office) == [(0, 0, 6)]
        await saves(producer, bookings(6, seed=2), office)
        (lines,) = await waits(office)
        assert sum(lines) > 0
        assert await waits(office) == await waits(producer)


@pytest.mark.asyncio
async def test_a_newcomer_without_the_posted_bytes_has_no_number(tmp_path: Path) -> None:
    async with company(tmp_path) as (office,):
        await saves(office, bookings(5))
        await office.call("posted", mandate=MANDATE)
        await saves(office, bookings(8))
        assert await waits(office) != []
        async with pcs(tmp_path / "new", "two") as (two,):
            await two.join(await office.invite("accounting"))
            await two.has(INVOICES, bookings(8))

            async def is_known() -> bool:
                return await shown(two) is not None

            await until(is_known, "the file is known")
            row = await shown(two)
            assert (row["state"], row["new"]) == ("uncounted", None)
            assert "not on this PC" in row["message"]
