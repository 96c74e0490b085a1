"""A file that an index names and that does not come is told of after a while, and no more once it is there."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from p2psync.core.relpath import RelPath
from p2psync.daemon.programs import indexes
from p2psync.daemon.programs.indexes import NAMES_TOLD, Indexes
from p2psync.engine.settle import PATIENCE_S
from tests.daemon.homes import MANDATE, Pc, company, pcs

LINES = "#FSC\t9.5.0\tECF\r\n"


def index(*names: str) -> str:
    lines = (f"#{name.rpartition('.')[2].upper()}\t1; 05/01/2025; {name}; {at}" for at, name in enumerate(names))
    return "\r\n".join(["#FSC\t9.3\tECC", *lines, "#END", ""])


class Patience:
    """The indexes of a PC, looked at when the test says so, by its clock."""

    def __init__(self, pc: Pc) -> None:
        self.pc = pc
        self.now_s = 1000.0
        node = pc.running
        self.indexes = Indexes(node.runtime, node.database, node.shelf, node.log, lambda: self.now_s)

    async def told(self, after_s: float = 0.0) -> dict[str, str]:
        """Which indexes name what that is not there."""
        self.now_s += after_s
        await self.indexes.look()
        rows = (await self.pc.status())["problem_list"]
        return {row["path"]: row["detail"] for row in rows if row["code"] == "entries-missing"}

    async def after_a_while(self) -> dict[str, str]:
        await self.told()
        return await self.told(PATIENCE_S)


@pytest.fixture(autouse=True)
def _looks_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "LOOK_EVERY_S", 3600.0)


@pytest.mark.asyncio
async def test_it_is_told_after_a_while_and_no_more_once_the_file_has_come(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("books/Cargo.ecc", index("a.ecf", "b.ecs", "../c.ecs", "d.txt"))
        one.save("books/a.ecf", LINES)
        await two.has("books/a.ecf", LINES)
        await two.has("books/Cargo.ecc", index("a.ecf", "b.ecs", "../c.ecs", "d.txt"))
        await two.in_sync(1)
        here, there = Patience(one), Patience(two)
        for pc in (here, there):
            assert await pc.told() == {}
            assert await pc.told(PATIENCE_S - 1) == {}, "it may be on its way"
            assert await pc.told(1) == {"books/Cargo.ecc": "books/b.ecs"}
        assert {"what": "problems", "count": 1} in (await one.status())["actions"]
        two.save("books/b.ecs", LINES)
        await one.has("books/b.ecs", LINES)
        for pc in (here, there):
            assert await pc.told() == {}
        (two.folder / "books/b.ecs").unlink()
        await one.has("books/b.ecs", None)
        await one.in_sync(1)
        assert await here.after_a_while() == {"books/Cargo.ecc": "books/b.ecs"}
        (one.folder / "books/Cargo.ecc").unlink()
        one.save("books/Cargo.ecc", index("a.ecf"))
        await two.has("books/Cargo.ecc", index("a.ecf"))
        assert await here.told() == {}, "it is not named any more"


@pytest.mark.asyncio
async def test_what_was_ticked_off_is_not_told_again_until_something_else_is_missed(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        many = [f"{number}.ecf" for number in range(NAMES_TOLD + 2)]
        one.save("Cargo.ecc", index(*many))
        await one.holds(1)
        pc = Patience(one)
        assert await pc.after_a_while() == {"Cargo.ecc": f"{', '.join(many[:NAMES_TOLD])} (+2)"}
        one.save(many[0], LINES)
        await one.holds(2)
        assert await pc.told() == {"Cargo.ecc": f"{', '.join(many[1 : NAMES_TOLD + 1])} (+1)"}
        await one.call("seen", mandate=MANDATE)
        assert await pc.told(PATIENCE_S) == {}
        await one.stop()
        await one.start()
        pc = Patience(one)
        assert await pc.after_a_while() == {}, "also after a restart"
        (one.folder / many[0]).unlink()
        await one.holds(1)
        assert await pc.after_a_while() == {"Cargo.ecc": f"{', '.join(many[:NAMES_TOLD])} (+2)"}


@pytest.mark.asyncio
async def test_who_may_not_have_a_file_misses_none(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "invoicing", restrict=["*.ecs=accounting,payroll"]) as pcs_:
        one, two, three = pcs_
        one.save("Cargo.ecc", index("a.ecf", "b.ecs"))
        for pc in (two, three):
            await pc.has("Cargo.ecc", index("a.ecf", "b.ecs"))
            await pc.in_sync()
        assert [await Patience(pc).after_a_while() for pc in (one, two, three)] == [
            {"Cargo.ecc": "a.ecf, b.ecs"},
            {"Cargo.ecc": "a.ecf, b.ecs"},
            {"Cargo.ecc": "a.ecf"},
        ]


@pytest.mark.asyncio
async def test_what_the_mandate_has_and_this_disk_does_not_show_yet_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.save("Cargo.ecc", index("a.ecf"))
        one.save("a.ecf", LINES)
        await one.holds(2)
        before = {RelPath("Cargo.ecc"): [RelPath("a.ecf")]}
        monkeypatch.setattr(one.running.shelf, "absent", AsyncMock(return_value=before))
        assert await Patience(one).after_a_while() == {}


@pytest.mark.asyncio
async def test_nothing_is_told_of_an_index_that_is_torn_or_while_nothing_can_come(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.save("Cargo.ecc", index("a.ecf"))
        await one.holds(1)
        pc = Patience(one)
        await one.call("pause", mandate=MANDATE)
        assert await pc.after_a_while() == {}
        await one.call("resume", mandate=MANDATE)
        assert await pc.after_a_while() == {"Cargo.ecc": "a.ecf"}
        one.save("Cargo.ecc", "hello\r\n#END\r\n")
        await one.call("sync", mandate=MANDATE)
        assert await pc.after_a_while() == {}
