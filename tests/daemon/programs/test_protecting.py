"""A delivered chart is read-only where only the master may change it, and nobody's removal or edit of it lasts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from p2psync.core.ids import content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.programs.protecting import guard_of
from p2psync.engine import settle
from tests.daemon.homes import MANDATE
from tests.daemon.patience import until
from tests.daemon.program_files import NAME, Program, chart, content, programs


async def is_writable(program: Program, wanted: bool) -> None:
    def holds() -> bool:
        return program.file.exists() and bool(program.file.stat().st_mode & 0o200) == wanted

    await until(holds, f"the file of {program.pc.name} is {'writable' if wanted else 'read-only'}")


async def enforce(one: Program, mode: str = "enforce") -> Any:
    return await one.pc.call("rules.set", mandate=MANDATE, setting=f"*.crp={mode}")


@pytest.mark.asyncio
async def test_a_delivered_chart_is_read_only_as_long_as_only_the_master_may_change_it(tmp_path: Path) -> None:
    async with programs(tmp_path, "payroll") as (one, two):
        await enforce(one)
        await is_writable(two, False)
        one.save("second")
        await two.holds("second")
        await is_writable(two, False)
        await is_writable(one, True)
        await enforce(one, "prefer:accounting")
        await is_writable(two, True)


@pytest.mark.asyncio
async def test_an_edit_of_a_masters_chart_is_kept_and_reported_and_undone(tmp_path: Path) -> None:
    async with programs(tmp_path, "payroll") as (one, two):
        await enforce(one)
        await is_writable(two, False)
        two.file.chmod(0o640)
        two.save("mine")
        await two.holds("first")
        await is_writable(two, False)
        assert content("mine") in await two.versions()
        assert any(p["code"] == "edit-refused" for p in (await two.pc.status())["problem_list"])
        assert (one.read(), one.pc.read(NAME)) == (chart("first"), chart("first"))
        two.file.unlink()
        await two.holds("first")
        await is_writable(two, False)


@pytest.mark.asyncio
async def test_an_edit_that_left_a_masters_chart_torn_is_undone_where_it_may_not_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "PATIENCE_S", 1.0)
    async with programs(tmp_path, "payroll") as (one, two):
        await enforce(one)
        await is_writable(two, False)
        torn, torn_too, edited = chart("mine")[:-11], chart("also mine")[:-11], chart("second")[:-11]
        (two.pc.folder / NAME).write_bytes(torn)
        await two.pc.has(NAME, chart("first"))
        two.file.chmod(0o640)
        two.file.write_bytes(torn_too)
        await two.holds("first")
        await is_writable(two, False)
        assert {content_of(torn).hex(), content_of(torn_too).hex()} <= await two.versions()
        assert any(p["code"] == "edit-refused" for p in (await two.pc.status())["problem_list"])
        (one.pc.folder / NAME).write_bytes(edited)
        one.file.write_bytes(edited)
        await has_problem(one, "incomplete")
        assert (one.read(), one.pc.read(NAME)) == (edited, edited), "it is held back, no more"
        assert (two.read(), two.pc.read(NAME)) == (chart("first"), chart("first"))


async def has_problem(program: Program, code: str) -> None:
    async def holds() -> bool:
        return code in [p["code"] for p in (await program.pc.status())["problem_list"]]

    await until(holds, f"{program.pc.name} tells of {code}")


@pytest.mark.asyncio
async def test_a_file_that_is_detached_is_given_back_and_what_its_user_protected_stays_so(tmp_path: Path) -> None:
    async with programs(tmp_path, "payroll") as (one, two):
        one.file.chmod(0o440)
        await enforce(one)
        await is_writable(two, False)
        await two.pc.call("detach", file=str(two.file))
        await is_writable(two, True)
        assert one.file.stat().st_mode & 0o777 == 0o440

        def noted(device: Any, _: object) -> bool:
            (mandate,) = device.mandates.values()
            return bool(guard_of(mandate, RelPath(NAME), may_publish=False).noted)

        assert not await two.pc.running.runtime.query(noted)


@pytest.mark.asyncio
async def test_a_chart_that_somebody_else_removes_from_the_folder_comes_back(tmp_path: Path) -> None:
    async with programs(tmp_path, "payroll") as (one, two):
        (two.pc.folder / NAME).unlink()
        await two.pc.has(NAME, chart("first"))
        assert one.pc.read(NAME) == chart("first")
        (one.pc.folder / NAME).unlink()
        await two.pc.has(NAME, None)
        assert two.read() == chart("first"), "a program's own file is left alone"
