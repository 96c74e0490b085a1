"""Conflicts: the same list on all PCs, a decision by whatever name a person uses, and both versions to be had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.ids import ChangeId, change_text, device_text
from p2psync.core.relpath import parse
from p2psync.daemon.operations.conflicts import MINE, THEIRS, chosen_version
from p2psync.engine.admin import Conflict
from p2psync.errors import NotAllowed, UsageError
from tests.daemon.homes import Pc, company
from tests.daemon.patience import until
from tests.engine.village import House, Village

CHART = "chart.crp"


def chart(text: str) -> bytes:
    return f"{text}\r\nENDOFFILE\r\n".encode()


@asynccontextmanager
async def disagreeing(root: Path, *roles: str) -> AsyncIterator[list[Pc]]:
    """Each PC saved the chart in its own way while the others were away; now all are there again."""
    async with company(root, *roles) as several:
        first, *others = several
        first.save(CHART, chart("first"))
        for pc in others:
            await pc.has(CHART, chart("first"))
            await pc.stop()
            (pc.folder / CHART).write_bytes(chart(f"by {pc.name}"))
        first.save(CHART, chart(f"by {first.name}"))
        await first.in_sync(0)
        for pc in others:
            await pc.start()
        yield several


async def listed(pc: Pc) -> Any:
    """The one open conflict, as soon as the bytes of both versions are here."""
    found: list[Any] = []

    async def is_here() -> bool:
        found[:] = await pc.call("conflicts")
        here = {version["id"] for version in await pc.call("versions", mandate="Cargo", path=CHART)}
        return bool(found) and {found[0]["winner"]["id"], *(one["id"] for one in found[0]["losers"])} <= here

    await until(is_here, f"{pc.name} lists the conflict")
    return found[0]


async def closed(pc: Pc) -> None:
    async def is_closed() -> bool:
        return not await pc.call("conflicts", mandate="Cargo")

    await until(is_closed, f"{pc.name} lists no conflict any more")


def told(conflict: Any) -> Any:
    """What all PCs say alike."""
    versions = [conflict["winner"], *conflict["losers"]]
    return conflict["path"], conflict["rule"], [(v["id"], v["name"], v["content"], v["time"]) for v in versions]


@pytest.mark.asyncio
async def test_both_list_the_same_conflict_and_the_decision_of_one_holds_for_both(tmp_path: Path) -> None:
    async with disagreeing(tmp_path, "payroll") as (one, two):
        here, there = await listed(one), await listed(two)
        assert told(here) == told(there)
        assert (here["path"], here["rule"], here["winner"]["name"]) == (CHART, "prefer", "pc1")
        assert (here["winner"]["mine"], here["losers"][0]["mine"]) == (True, False)
        assert (there["winner"]["mine"], there["losers"][0]["mine"]) == (False, True)
        assert here["losers"][0]["device"] == two.device
        assert here["losers"][0]["size"] == len(chart("by pc2"))

        await two.has(CHART, chart("by pc1"))
        kept = await one.call("conflicts.keep", mandate="Cargo", path=CHART, keep="theirs")
        assert kept == {"mandate": "Cargo", "path": CHART, "kept": here["losers"][0]["id"]}

        for pc in (one, two):
            await pc.has(CHART, chart("by pc2"))
            await closed(pc)


@pytest.mark.asyncio
async def test_a_loser_is_had_back_by_the_id_that_the_conflict_shows(tmp_path: Path) -> None:
    async with disagreeing(tmp_path, "payroll") as (one, two):
        loser = (await listed(one))["losers"][0]["id"]
        await one.call("restore", mandate="Cargo", path=CHART, version=loser[:12], to=str(tmp_path / "theirs.crp"))
        assert (tmp_path / "theirs.crp").read_bytes() == chart("by pc2")
        assert (await one.call("conflicts"))[0]["losers"][0]["id"] == loser
        await listed(two)
        await two.call("conflicts.keep", mandate="Cargo", path=CHART, keep="theirs")
        await closed(one)
        assert one.read(CHART) == chart("by pc1")


@pytest.mark.asyncio
async def test_who_may_not_write_the_file_decides_nothing(tmp_path: Path) -> None:
    async with disagreeing(tmp_path, "payroll", "reader") as (one, _two, reader):
        await listed(reader)
        with pytest.raises(NotAllowed, match="may not decide"):
            await reader.call("conflicts.keep", mandate="Cargo", path=CHART, keep="pc2")
        assert len(await one.call("conflicts")) == 1


@pytest.mark.asyncio
async def test_what_is_no_conflict_cannot_be_decided(tmp_path: Path) -> None:
    async with company(tmp_path) as (pc,):
        pc.save(CHART, chart("only"))
        await pc.holds(1)
        assert await pc.call("conflicts") == []
        for path in (CHART, "never.crp"):
            with pytest.raises(UsageError, match=r"no open conflict.*p2psync conflicts Cargo"):
                await pc.call("conflicts.keep", mandate="Cargo", path=path, keep="mine")
        with pytest.raises(UsageError, match="Nobody"):
            await pc.call("conflicts", mandate="Nobody")


# -- which version a person means ----------------------------------------------------------------------


def three_ways() -> tuple[Village, Conflict]:
    """Office, payroll and bank saved a file while nobody was connected."""
    village = Village("office", "payroll", "bank")
    village.admit("office", "payroll")
    village.admit("office", "bank")
    for name in ("payroll", "bank"):
        village.connect("office", name)
    village.settle(1)
    village.disconnect()
    for name in ("office", "payroll", "bank"):
        village.save(name, "a.txt", f"by {name}".encode())
    village.settle()
    for name in ("payroll", "bank"):
        village.connect("office", name)
    village.settle(12)
    [conflict] = village["office"].admin.conflicts()
    return village, conflict


def chosen(house: House, conflict: Conflict, word: str) -> ChangeId:
    return chosen_version(house.m, house.id, conflict, word)


def test_a_version_is_named_by_its_id_its_device_or_the_name_of_its_device() -> None:
    village, conflict = three_ways()
    office = village["office"]
    for version in (conflict.winner, *conflict.losers):
        author = next(house for house in village.houses.values() if house.id == version.author)
        text, device = change_text(version.id), device_text(version.author)
        for word in (text, text[:12], text[:12].upper(), device, device.replace("-", "").lower()[:9], author.name):
            assert chosen(office, conflict, word) == version.id
        assert chosen(author, conflict, MINE) == version.id
        assert chosen(author, conflict, " Mine ") == version.id


def test_what_may_be_several_or_none_lists_the_ids() -> None:
    village, conflict = three_ways()
    every = [change_text(version.id)[:12] for version in (conflict.winner, *conflict.losers)]
    wrong = {THEIRS: "several", "nobody": "none of the versions", every[0][:3]: "none", "": "none"}
    for word, reason in wrong.items():
        with pytest.raises(UsageError, match=reason) as raised:
            chosen(village["office"], conflict, word)
        assert all(one in str(raised.value) for one in every)
        assert "(payroll)" in str(raised.value)


def test_mine_is_none_for_who_has_no_version_there() -> None:
    village, conflict = three_ways()
    left = Conflict(parse("a.txt"), conflict.mode, conflict.winner, conflict.losers[:1])
    authors = {version.author for version in (left.winner, *left.losers)}
    absent = next(house for house in village.houses.values() if house.id not in authors)
    with pytest.raises(UsageError, match="none of the versions"):
        chosen(absent, left, MINE)
