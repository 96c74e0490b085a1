"""Runs: they end when all in reach have confirmed, one at a time, and say why where they did not."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.relpath import RelPath
from p2psync.daemon.operations import running
from p2psync.daemon.operations.result import DONE, FAILED, WAITING
from p2psync.daemon.operations.running import Wanted
from p2psync.errors import P2PSyncError
from p2psync.fs.full_pass import FullPass
from tests.daemon.homes import Pc, company, pcs
from tests.daemon.patience import until

SOON = Wanted(timeout_s=20)


async def sync(pc: Pc, wanted: Wanted = SOON) -> tuple[dict[str, Any], int]:
    (mandate,) = await pc.running.runtime.query(lambda device, _: list(device.mandates))
    return await pc.running.runs.sync(mandate, wanted)


@pytest.mark.asyncio
async def test_it_ends_when_the_other_has_placed_what_was_known(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        for number in range(20):
            one.save(f"{number}.txt", str(number))
        told, exit_code = await sync(one)
        assert (told["result"], exit_code, len(told["items"])) == ("success", DONE, 20)
        assert len(two.files()) == 20
        told, exit_code = await sync(one)
        assert (told["result"], exit_code, told["items"]) == ("nothing-new", DONE, [])


@pytest.mark.asyncio
async def test_alone_it_is_done_and_without_the_others_it_is_not(tmp_path: Path) -> None:
    async with pcs(tmp_path, "alone") as (alone,):
        await alone.call("mandate.create", name="Cargo", folder=str(alone.folder))
        alone.save("a.txt", "x")
        assert (await sync(alone))[1] == DONE
    async with company(tmp_path / "two", "payroll") as (one, two):
        await two.stop()
        told, exit_code = await sync(one, Wanted(timeout_s=0.3))
        assert (told["result"], exit_code, told["waiting_for"]) == ("failed", WAITING, ["pc2"])
        assert set(told["last_seen"]) == {"pc2"}
        assert told["last_seen"]["pc2"] is not None


@pytest.mark.asyncio
async def test_who_was_removed_waits_for_nobody(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await one.call("devices.revoke", mandate="Cargo", device="pc2")

        async def is_told() -> bool:
            return any(row["code"] == "removed" for row in (await two.status())["problem_list"])

        await until(is_told, "it knows")
        told, exit_code = await sync(two, Wanted())
        assert (told["result"], exit_code, told["waiting_for"], told["absent"]) == ("failed", FAILED, [], [])
        assert "was removed from the mandate" in told["message"]


@pytest.mark.asyncio
async def test_without_a_timeout_somebody_may_still_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await two.stop()
        async with asyncio.TaskGroup() as group:
            run = group.create_task(sync(one, Wanted()))
            await until(lambda: one.running.runs._since, "it began")
            await two.start()
        assert run.result()[1] == DONE
        await two.stop()
        monkeypatch.setattr(running, "ALONE_S", 0.2)
        assert (await sync(one, Wanted()))[1] == WAITING


@pytest.mark.asyncio
async def test_a_second_run_says_since_when_the_first_runs(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await two.stop()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(sync(one, Wanted(timeout_s=1)))
            await until(lambda: one.running.runs._since, "it began")
            with pytest.raises(P2PSyncError, match=r"since 20\d\d-"):
                await sync(one)
        assert first.result()[1] == WAITING


@pytest.mark.asyncio
async def test_a_run_that_is_given_up_is_in_the_history_and_over(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await two.stop()
        async with asyncio.TaskGroup() as group:
            run = group.create_task(sync(one, Wanted(timeout_s=600)))
            await until(lambda: one.running.runs._under_way, "it began")
            run.cancel()
        (past,) = [row for row in await one.call("history") if row["result"] == "failed"]
        assert past["message"]
        assert past["ended"]
        assert (await sync(one, Wanted(timeout_s=0.1)))[1] == WAITING


@pytest.mark.asyncio
async def test_without_its_folder_a_run_fails_at_once(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        (mandate,) = await one.running.runtime.query(lambda device, _: list(device.mandates))
        await one.running.folders.close(mandate)
        told, exit_code = await sync(one)
        assert (told["result"], exit_code) == ("failed", FAILED)
        assert "folder" in told["message"]


@pytest.mark.asyncio
async def test_a_plan_moves_nothing(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await two.stop()
        one.save("a.txt", "x")
        (mandate,) = await one.running.runtime.query(lambda device, _: list(device.mandates))
        plan = await one.running.runs.dry(mandate, None)
        assert plan["result"] == "dry-run"
        assert await one.call("history") == []


@pytest.mark.asyncio
async def test_a_full_run_is_cancelled_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        for number in range(5):
            one.save(f"{number}.txt", str(number))
        await one.holds(5)
        begun, may_go_on, read = threading.Event(), threading.Event(), list[str]()
        honest = FullPass.read

        def slowly(self: FullPass, path: RelPath, size: int) -> None:
            honest(self, path, size)
            read.append(path)
            if path == "2.txt":
                begun.set()
                assert may_go_on.wait(20)

        monkeypatch.setattr(FullPass, "read", slowly)
        full = Wanted(full=True, timeout_s=20)
        async with asyncio.TaskGroup() as group:
            run = group.create_task(sync(one, full))
            await until(begun.is_set, "it reads")
            going = (await one.status())["run"]
            assert (going["trigger"], going["read"]) == ("manual", {"files": 3, "bytes": 3})
            cancelling = group.create_task(one.call("sync.cancel"))
            (mandate,) = one.running.runs._current
            await until(lambda: one.running.runs._current[mandate].cancelled.is_set(), "it is told")
            may_go_on.set()
        assert cancelling.result() == [{"mandate": "Cargo"}]
        told, exit_code = run.result()
        assert (told["result"], exit_code, told["message"]) == ("failed", FAILED, "It was cancelled.")
        assert read == ["0.txt", "1.txt", "2.txt"]
        assert (await one.status())["run"] is None
        read.clear()
        assert (await sync(one, full))[0]["result"] != "failed"
        assert read == ["3.txt", "4.txt"]
        read.clear()
        await sync(one, full)
        assert len(read) == 5, "a whole one leaves nothing to go on with"
        assert await one.call("sync.cancel") == []


@pytest.mark.asyncio
async def test_a_plan_of_a_full_run_says_what_it_would_read(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.save("a.txt", "12345")
        await one.holds(1)
        assert (await one.call("sync", full=True, dry_run=True))["reads"] == {"files": 1, "bytes": 5}
        assert (await one.call("sync", dry_run=True))["reads"] is None
