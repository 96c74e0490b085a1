"""`verify` on running devices: what a disk damaged is found, sent to nobody, and brought back; who holds the same."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from p2psync.daemon.disk import verifying
from p2psync.daemon.disk.placing import Placing
from p2psync.daemon.operations import verify as module
from p2psync.daemon.operations.result import DONE, FAILED, PARTLY_DONE, WAITING
from p2psync.daemon.rescue import DATABASE_FILE
from p2psync.errors import FolderError, UsageError
from p2psync.fs.folder import Folder
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until

LONG_AGO_NS = 1_700_000_000_000_000_000


async def verify(pc: Pc, **arguments: object) -> tuple[Any, int]:
    result = await pc.ask("verify", mandate=MANDATE, **arguments)
    return result.data, result.exit_code


def old(pc: Pc, path: str, data: str) -> None:
    """A file that was saved long ago: its time is not doubted."""
    target = pc.folder / path
    fresh = target.with_name(".fresh")
    fresh.write_text(data)
    os.utime(fresh, ns=(LONG_AGO_NS, LONG_AGO_NS))
    fresh.replace(target)


async def damage(pc: Pc, path: str) -> bytes:
    """As a disk does it to a PC that is off: other bytes, and everything else as it was.

    A test cannot keep the time of the last touch as it was: the PC is made to believe that it looked after that.
    """
    await pc.stop()
    target = pc.folder / path
    before = target.stat()
    with target.open("r+b") as file:
        file.write(b"#")
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    with closing(sqlite3.connect(pc.config.home / DATABASE_FILE)) as database, database:
        database.execute("UPDATE base SET known_ns = ? WHERE path = ?", (time.time_ns(), path))
    await pc.start()
    return target.read_bytes()


@pytest.mark.asyncio
async def test_what_is_the_same_everywhere_is_said_to_be(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "payroll") as (one, two, three):
        one.save("chart.crp", "chart\r\nENDOFFILE\r\n")
        await two.has("chart.crp", "chart\r\nENDOFFILE\r\n")
        told, code = await verify(one)
        assert (code, told["files"], told["identical"], told["damaged"]) == (DONE, 1, 3, [])
        assert told["versions"] == 1, "a bookkeeping file is kept as a version when it is published"
        assert told["log"]["ok"]
        assert [replica["state"] for replica in told["replicas"]] == ["this", "connected", "connected"]
        await three.stop()
        await one.in_sync(1)
        told, code = await verify(one)
        assert (code, told["identical"]) == (DONE, 2)
        assert [r["identical"] for r in told["replicas"] if r["name"] == "pc3"] == [None]
        await two.stop()
        await one.in_sync(0)
        assert (await verify(one))[1] == WAITING


@pytest.mark.asyncio
async def test_who_has_not_confirmed_what_is_new_is_not_said_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await one.in_sync(1)
        with monkeypatch.context() as patch:
            patch.setattr(Placing, "place", lambda *_: None)
            one.save("chart.crp", "chart\r\nENDOFFILE\r\n")
            await one.holds(1)
            told, code = await verify(one, timeout_s=0.5)
            assert (code, told["identical"]) == (PARTLY_DONE, 1)
            assert [r["identical"] for r in told["replicas"] if r["state"] == "connected"] == [False]
        await two.stop()
        await two.start()
        await two.has("chart.crp", "chart\r\nENDOFFILE\r\n")
        assert (await verify(one))[0]["identical"] == 2


@pytest.mark.asyncio
async def test_what_a_disk_damaged_is_sent_to_nobody_and_comes_back_from_another_device(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        for name in ("a.txt", "b.txt"):
            old(one, name, f"{name} as it was")
            await two.has(name, f"{name} as it was")
        await one.in_sync(1)
        spoilt = await damage(one, "a.txt")
        await one.in_sync(1)
        told, code = await verify(one)
        assert (code, told["damaged"]) == (FAILED, [{"path": "a.txt", "repaired": False}])
        assert told["identical"] == 1, "the other one has it right"
        assert one.read("a.txt") == spoilt, "without --repair nothing is done"
        told, code = await verify(one, repair=True, timeout_s=20)
        assert (code, told["damaged"], told["identical"]) == (DONE, [{"path": "a.txt", "repaired": True}], 2)
        assert one.read("a.txt") == two.read("a.txt") == b"a.txt as it was"
        kept = await one.call("versions", mandate=MANDATE, path="a.txt")
        assert [v["reason"] for v in kept] == ["current", "damaged"]
        assert {change["name"] for change in await one.call("log", mandate=MANDATE) if change["path"]} == {"pc1"}
        assert len([c for c in await two.call("log", mandate=MANDATE) if c["path"] == "a.txt"]) == 1
        assert (await verify(one))[1] == DONE


@pytest.mark.asyncio
async def test_a_full_run_publishes_no_damage_but_says_so_until_it_is_mended(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        old(one, "a.txt", "as it was")
        await two.has("a.txt", "as it was")
        for pc in (one, two):  # what was damaged may have arrived, too
            await one.in_sync(1)
            spoilt = await damage(pc, "a.txt")
            await one.in_sync(1)
            result = await pc.ask("sync", mandate=MANDATE, full=True, timeout_s=20)
            told: Any = result.data
            assert (result.exit_code, told["result"]) == (PARTLY_DONE, "partial")
            assert [(one["path"], one["code"]) for one in told["problems"]] == [("a.txt", "damaged")]
            assert await problems(pc) == [("a.txt", "damaged")]
            await pc.stop()
            await pc.start()
            await one.in_sync(1)
            await pc.ask("sync", mandate=MANDATE, timeout_s=20)
            assert await problems(pc) == [("a.txt", "damaged")], "neither a restart nor a look takes it away"
            assert pc.read("a.txt") == spoilt, "both are kept"
            assert (await verify(pc, repair=True, timeout_s=20))[1] == DONE
            assert (one.read("a.txt"), two.read("a.txt")) == (b"as it was", b"as it was")
            await pc.ask("sync", mandate=MANDATE, full=True, timeout_s=20)
            assert await problems(pc) == []
        assert len([row for row in await two.call("log", mandate=MANDATE) if row["path"]]) == 1


@pytest.mark.asyncio
async def test_what_was_damaged_and_is_saved_anew_is_an_edit(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        old(pc, "a.txt", "as it was")
        await pc.holds(1)
        await damage(pc, "a.txt")
        await pc.ask("sync", mandate=MANDATE, full=True, timeout_s=20)
        assert await problems(pc) == [("a.txt", "damaged")]
        pc.save("a.txt", "written anew")

        async def is_published() -> bool:
            return len([row for row in await pc.call("log", mandate=MANDATE) if row["path"]]) == 2

        await until(is_published, "the edit is published")
        await pc.ask("sync", mandate=MANDATE, timeout_s=20)
        assert await problems(pc) == []


async def problems(pc: Pc) -> list[tuple[str, str]]:
    return [(one["path"], one["code"]) for one in (await pc.status())["problem_list"]]


@pytest.mark.asyncio
async def test_a_bookkeeping_file_comes_back_from_its_own_kept_version(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        old(pc, "chart.crp", "chart\r\nENDOFFILE\r\n")
        await pc.holds(1)

        async def is_kept() -> bool:
            return bool((await verify(pc))[0]["versions"])

        await until(is_kept, "its copy is kept")
        await damage(pc, "chart.crp")
        told, code = await verify(pc, repair=True)
        assert (code, told["damaged"]) == (DONE, [{"path": "chart.crp", "repaired": True}])
        assert pc.read("chart.crp") == b"chart\r\nENDOFFILE\r\n"


@pytest.mark.asyncio
async def test_what_nobody_has_any_more_is_said_and_stays_damaged(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        old(pc, "a.txt", "the only copy")
        await pc.holds(1)
        await damage(pc, "a.txt")
        told, code = await verify(pc, repair=True, timeout_s=0.5)
        assert (code, told["damaged"]) == (FAILED, [{"path": "a.txt", "repaired": False}])
        assert pc.read("a.txt") == b"#he only copy"


@pytest.mark.asyncio
async def test_a_kept_version_that_is_damaged_is_named(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        pc.save("chart.crp", "chart\r\nENDOFFILE\r\n")
        await pc.holds(1)
        kept = pc.folder / ".p2psync" / "versions"

        def files() -> list[Path]:
            return [path for path in kept.rglob("*") if path.is_file() and not path.name.endswith(".partial")]

        await until(lambda: bool(files()), "its copy is kept")
        [copy] = files()
        copy.chmod(0o600)
        copy.write_bytes(b"other")
        told, code = await verify(pc)
        assert (code, told["damaged_versions"]) == (FAILED, [copy.parent.name + copy.name])


@pytest.mark.asyncio
async def test_a_folder_that_goes_away_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pulled_out(folder: Folder, *_: object) -> None:
        shutil.rmtree(folder.root)

    monkeypatch.setattr(module, "read_folder", pulled_out)
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        with pytest.raises(FolderError, match="cannot be read"):
            await verify(pc)


@pytest.mark.asyncio
async def test_a_mandate_that_is_left_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(*_: object) -> None:
        begun.set()
        go_on.wait()

    monkeypatch.setattr(module, "read_folder", slowly)
    monkeypatch.setattr(module, "read_versions", lambda *_: None)
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()

        async def refused() -> None:
            with pytest.raises(UsageError, match="member of no mandate"):
                await verify(pc)

        async with asyncio.TaskGroup() as group:
            group.create_task(refused(), name="verify")
            try:
                await until(begun.is_set)
                await pc.call("mandate.leave", mandate=MANDATE)
            finally:
                go_on.set()


@pytest.mark.asyncio
async def test_a_replica_that_cannot_place_something_is_not_identical(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        (two.folder / "letter.txt").symlink_to(tmp_path)
        one.save("letter.txt", "for the place of a link")
        await two.holds(1)
        told, code = await verify(one)
        [other] = [r for r in told["replicas"] if r["state"] == "connected"]
        assert (code, other["identical"], [p["path"] for p in other["problems"]]) == (
            PARTLY_DONE,
            False,
            ["letter.txt"],
        )
        with pytest.raises(UsageError, match="no mandate called"):
            await one.ask("verify", mandate="nothing")


@pytest.mark.asyncio
async def test_what_was_found_last_is_kept_and_says_how_much_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with company(tmp_path) as (pc,):
        assert await pc.call("verify.last", mandate=MANDATE) is None
        for name in ("a.txt", "b.txt"):
            old(pc, name, f"{name} as it was")
        await pc.holds(2)
        told, code = await verify(pc)
        assert (told["time"], told["left_out"]) == (told["replicas"][0]["last_seen"], 0)
        kept = await pc.ask("verify.last", mandate=MANDATE)
        assert (kept.data, kept.exit_code) == (told, code)
        for name in ("a.txt", "b.txt"):
            await damage(pc, name)
        monkeypatch.setattr(module, "LISTED_MAX", 1)
        told, _ = await verify(pc)
        assert len(told["damaged"]) == 2
        await pc.stop()
        await pc.start()
        kept = await pc.ask("verify.last", mandate=MANDATE)
        assert kept.data == {**told, "damaged": told["damaged"][:1], "left_out": 1}
        assert kept.exit_code == FAILED


@pytest.mark.asyncio
async def test_status_tells_how_much_was_read_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, read_folder = threading.Event(), verifying.read_folder

    def slowly(*given: Any) -> None:
        read_folder(*given)
        go_on.wait()

    monkeypatch.setattr("p2psync.daemon.operations.verify.read_folder", slowly)
    async with company(tmp_path) as (pc,):
        pc.save("notes.txt", "12345")
        assert (await pc.status())["verifying"] is None

        async def read() -> bool:
            return bool((await pc.status())["verifying"] == {"files": 1, "bytes": 5})

        async with asyncio.TaskGroup() as group:
            work = group.create_task(verify(pc), name="verify")
            try:
                await until(read)
            finally:
                go_on.set()
        assert work.result()[1] == DONE
        assert (await pc.status())["verifying"] is None
