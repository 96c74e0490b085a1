"""Which PC brings which bookkeeping files, of which period, and who does not have the latest version."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from p2psync.errors import FolderError, UsageError
from tests.daemon.file_managers import fake_file_manager, needs_programs
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until


async def files(pc: Pc) -> dict[str, list[tuple[Any, ...]]]:
    rows = await pc.call("mandate.files", mandate=MANDATE)
    return {row["name"]: [(one["path"], one["period"], one["missing"]) for one in row["files"]] for row in rows}


@pytest.mark.asyncio
async def test_files_are_listed_by_the_pc_that_they_come_from(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("Cargo.crp", synthetic.chart(2025, 20, Random(1)))
        one.save("letter.txt", "no bookkeeping")
        two.save("Pay (01-01-2025 ~ 31-12-2025).ecs", "#FSC\t9.5.0\tECS\r\n")
        await one.holds(3)
        await two.holds(3)
        pay = "Pay (01-01-2025 ~ 31-12-2025).ecs"
        expected: dict[str, list[tuple[Any, ...]]] = {"pc1": [("Cargo.crp", "2025", [])], "pc2": [(pay, "2025", [])]}

        async def all_say_so() -> bool:
            return [await files(pc) for pc in (one, two)] == [expected, expected]

        await until(all_say_so, "both know where the files come from, and that both have them")
        await one.call("migrate", mandate=MANDATE, file=pay, to="pc1")
        assert [path for path, *_ in (await files(one))["pc1"]] == ["Cargo.crp", pay], "it is another PC's now"
        await two.stop()
        one.save("Cargo.crp", synthetic.chart(2025, 21, Random(2)))

        async def is_behind() -> bool:
            return (await files(one))["pc1"][0] == ("Cargo.crp", "2025", ["pc2"])

        await until(is_behind, "who is off lacks it")


@needs_programs
@pytest.mark.asyncio
async def test_the_folder_is_opened_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    async with company(tmp_path) as (one,):
        assert await one.call("mandate.open", mandate=MANDATE) == {"mandate": MANDATE, "folder": str(one.folder)}
        assert opened() == [str(one.folder)]
        with pytest.raises(UsageError, match="unknown argument: folder"):
            await one.call("mandate.open", mandate=MANDATE, folder=str(tmp_path))
        with pytest.raises(UsageError, match="no mandate called"):
            await one.call("mandate.open", mandate=str(tmp_path))
        one.folder.rename(tmp_path / "away")
        with pytest.raises(FolderError, match="is not there"):
            await one.call("mandate.open", mandate=MANDATE)
        assert opened() == [str(one.folder)]
