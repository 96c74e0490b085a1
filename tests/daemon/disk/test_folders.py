"""Folders that vanish, come back, are restored from a backup, are used by another daemon, or are large."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

from p2psync.core.ids import content_of, parse_mandate
from p2psync.daemon.disk import folders
from p2psync.engine.device import Device
from p2psync.errors import FolderError
from p2psync.store.cuts import Cuts
from p2psync.system.tasks import cancelled
from p2psync.wire.messages import PUSH_BYTES_MAX
from tests.core.cutting import cut
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import DEADLINE_S, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("p2psync.fs.observer.PRESENCE_S", 0.05)
    monkeypatch.setattr("p2psync.fs.observer.RETURN_S", 0.05)


async def problems(pc: Pc) -> list[str]:
    return [p["code"] for p in (await pc.status())["problem_list"]]


async def shows(pc: Pc, *codes: str) -> None:
    async def holds() -> bool:
        return await problems(pc) == list(codes)

    await until(holds, f"{pc.name} shows {codes}")


async def go_on_after_a_backup(one: Pc, two: Pc, backup: Path) -> None:
    """Of the folder of `two`: it holds a file that is another one by now."""
    two.save("a.txt", "last week's")
    await one.has("a.txt", "last week's")
    await two.stop()
    shutil.copytree(two.folder, backup)
    await two.start()
    one.save("a.txt", "today's")
    await two.has("a.txt", "today's")


@pytest.mark.asyncio
async def test_who_looks_after_a_folder_ends_though_its_cancellation_is_swallowed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is when the folder goes away at the same moment."""
    monkeypatch.setattr(folders, "END_AGAIN_S", 0.05)

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        [one] = pc.running.folders._open.values()
        assert one.observing is not None
        await cancelled([one.observing])
        one.observing = pc.running.tasks.start(stubborn(), "stubborn")
        await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE_S):
            await pc.running.folders.close_all()
        assert one.observing.done()


@pytest.mark.asyncio
async def test_an_unplugged_drive_is_no_deletion(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "a")
        await two.has("a.txt", "a")
        away = tmp_path / "away"
        two.folder.rename(away)
        await shows(two, "folder-gone")
        one.save("b.txt", "b")
        await one.holds(2)
        away.rename(two.folder)
        await shows(two)
        await two.has("b.txt", "b")
        assert one.files() == {"a.txt": b"a", "b.txt": b"b"}


@pytest.mark.asyncio
async def test_an_empty_mount_point_is_no_deletion_either(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "a")
        await two.has("a.txt", "a")
        away = tmp_path / "away"
        two.folder.rename(away)
        two.folder.mkdir()
        await shows(two, "folder-marker-gone")
        await two.stop()
        await two.start()
        await shows(two, "folder-marker-gone")
        two.folder.rmdir()
        away.rename(two.folder)
        await shows(two)
        assert two.files() == one.files() == {"a.txt": b"a"}


@pytest.mark.asyncio
async def test_a_folder_restored_from_a_backup_publishes_nothing_old(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await go_on_after_a_backup(one, two, tmp_path / "backup")
        await two.stop()
        shutil.rmtree(two.folder)
        shutil.copytree(tmp_path / "backup", two.folder)
        await two.start()
        await two.has("a.txt", "today's")
        assert one.read("a.txt") == b"today's"


@pytest.mark.asyncio
async def test_a_backup_restored_while_the_device_runs_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LOOK_EVERY_S", 0.5)
    async with company(tmp_path, "payroll") as (one, two):
        await go_on_after_a_backup(one, two, tmp_path / "backup")
        two.folder.rename(tmp_path / "old")
        shutil.copytree(tmp_path / "backup" / ".p2psync", two.folder / ".p2psync")
        await until(lambda: not two.running.folders._open)
        shutil.copytree(tmp_path / "backup", two.folder, dirs_exist_ok=True)
        await two.has("a.txt", "today's")
        two.save("b.txt", "goes on")
        await one.has("b.txt", "goes on")
        assert one.read("a.txt") == b"today's"


async def told(pc: Pc) -> int:
    """How many changes of files the log holds."""
    return len([row for row in await pc.call("log", mandate=MANDATE) if row["path"]])


@pytest.mark.parametrize("marker", ["first", "last"])
@pytest.mark.asyncio
async def test_a_backup_copied_over_a_folder_that_is_looked_after_publishes_nothing_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    monkeypatch.setattr(folders, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr("p2psync.fs.doubt.OLD_NS", 0)  # last week
    names = [f"{number}.txt" for number in range(4)]
    async with company(tmp_path, "payroll") as (one, two):
        for name in names:
            two.save(name, "last week's")
            await one.has(name, "last week's")
        await two.stop()
        shutil.copytree(two.folder, tmp_path / "backup")
        await two.start()
        for name in names:
            one.save(name, f"today's {name}")
            await two.has(name, f"today's {name}")
        await two.in_sync(1)
        count = await told(one)
        if marker == "first":
            shutil.copy2(tmp_path / "backup" / ".p2psync" / "marker", two.folder / ".p2psync" / "marker")
        for name in names:
            (tmp_path / "backup" / name).replace(two.folder / name)  # with its old time from the first moment on
        if marker == "last":
            shutil.copy2(tmp_path / "backup" / ".p2psync" / "marker", two.folder / ".p2psync" / "marker")
        for name in names:
            await two.has(name, f"today's {name}")
        two.save("goes on.txt", "by two")
        await one.has("goes on.txt", "by two")
        assert await told(one) == count + 1
        assert one.files() == two.files()


@pytest.mark.asyncio
async def test_an_undo_by_hand_is_an_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.fs.doubt.OLD_NS", 0)
    monkeypatch.setattr("p2psync.daemon.disk.holding.HOLD_S", 0.2)
    names = [f"{number}.txt" for number in range(5)]
    async with company(tmp_path, "payroll") as (one, two):
        for text in ("before", "after"):
            for name in names:
                two.save(name, text)
            for name in names:
                await one.has(name, text)
                if text == "before":
                    shutil.copy2(two.folder / name, tmp_path / name)
        for name in names:
            shutil.copy2(tmp_path / name, two.folder / name)
        for name in names:
            await one.has(name, "before")
        assert await told(one) == 3 * len(names)


@pytest.mark.asyncio
async def test_a_crash_while_the_marker_is_written_loses_no_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        pc.save("a.txt", "a")
        await pc.holds(1)
        await pc.stop()
        pc.save("a.txt", "edited while off")
        with monkeypatch.context() as patch:
            patch.setattr(Device, "handle_all", lambda device, events, now: ())  # nothing more becomes durable
            await pc.start()
            await pc.stop()
        await pc.start()

        async def is_taken_in() -> bool:
            return bool((await pc.status())["bytes"] == len("edited while off"))

        await until(is_taken_in)
        assert pc.read("a.txt") == b"edited while off"


@pytest.mark.asyncio
async def test_the_epoch_is_renewed_while_the_device_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "RENEW_EPOCH_S", 0.1)
    async with pcs(tmp_path, "pc") as (pc,):
        made = await pc.create()
        marker = pc.folder / ".p2psync" / "marker"
        first = marker.read_bytes()
        await until(lambda: marker.read_bytes() != first)
        await pc.stop()
        await pc.start()
        log = (pc.config.home / "p2psync.log").read_text()
        assert log.rpartition("folder.opened")[2].count("continuous=True") == 1
        assert pc.running.folders.is_open(parse_mandate(made["id"]))


@pytest.mark.asyncio
async def test_two_daemons_of_one_pc_do_not_share_a_folder(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one", "two") as (one, two):
        await one.create()
        with pytest.raises(FolderError, match="in use by another"):
            await two.call("join", ticket=await one.invite("payroll"), folder=str(one.folder), timeout_s=5)


@pytest.mark.asyncio
async def test_looking_through_the_folder_finds_what_no_watch_told(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        made = await pc.create()
        mandate = parse_mandate(made["id"])
        for number in range(3):
            pc.save(f"{number}.txt", "x")
            await pc.running.folders.look_through(mandate, full=bool(number))
            assert (await pc.status())["files"] == number + 1
        await pc.running.folders.close(mandate)
        await pc.running.folders.look_through(mandate)


@pytest.mark.asyncio
async def test_files_of_another_age_go_through_and_are_no_news_at_the_next_scan(tmp_path: Path) -> None:
    """Their times lie beyond what a change can state, and SQLite can hold."""
    async with company(tmp_path, "payroll") as (one, two):
        for number, mtime_ns in enumerate((1 << 63, -(1 << 64))):
            fresh = tmp_path / "fresh"
            fresh.write_bytes(b"of another age")
            os.utime(fresh, ns=(mtime_ns, mtime_ns))
            fresh.rename(one.folder / f"{number}.txt")
            await two.has(f"{number}.txt", "of another age")
        await one.in_sync(1)
        count = await told(one)
        for pc in (one, two):
            await pc.running.folders.look_through(parse_mandate((await pc.status())["id"]), full=True)
            await pc.stop()
            await pc.start()
        await one.in_sync(1)
        assert await told(one) == count
        assert await problems(one) == await problems(two) == []


@pytest.mark.asyncio
async def test_a_first_version_that_is_overwritten_at_once_is_kept(tmp_path: Path) -> None:
    """Nobody else is there to fetch it, and the thread that keeps copies is busy."""
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        await pc.call("sync", timeout_s=20)
        busy = threading.Event()
        pc.running.folders._threads.keep.submit(busy.wait, 30)
        try:
            for version in ("FIRST=1\r\nENDOFFILE", "SECOND=1\r\nENDOFFILE"):
                pc.save("Cargo.crp", version)

                async def is_told(version: str = version) -> bool:
                    told = await pc.call("log", mandate=MANDATE)
                    return content_of(version.encode()).hex() in [row["content"] for row in told]

                await until(is_told)
        finally:
            busy.set()

        async def both_are_kept() -> bool:
            listed = await pc.call("versions", mandate=MANDATE, path="Cargo.crp")
            return [row["reason"] for row in listed] == ["current", "edited"]

        await until(both_are_kept)
        await pc.call("restore", mandate=MANDATE, path="Cargo.crp", to=str(tmp_path / "first"))
        assert (tmp_path / "first").read_bytes() == b"FIRST=1\r\nENDOFFILE"


@pytest.mark.asyncio
async def test_what_a_crash_left_of_a_file_that_was_being_removed_is_listed(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        pc.save("a.txt", "taken out")
        await pc.call("sync", timeout_s=20)
        await pc.stop()
        staging = pc.folder / ".p2psync" / "staging"
        (pc.folder / "a.txt").rename(staging / "out-7-1")
        await pc.start()
        listed = await pc.call("versions", mandate=MANDATE, path="a.txt")
        assert content_of(b"taken out").hex() in {row["content"] for row in listed}
        assert list(staging.iterdir()) == []
        await pc.call("restore", mandate=MANDATE, path="a.txt", version=listed[0]["id"], to=str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == b"taken out"


@pytest.mark.asyncio
async def test_many_files_in_both_directions(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        for number in range(300):
            (one.folder / f"one-{number}.txt").write_text(f"{number} of one")
            (two.folder / f"two-{number}.txt").write_text(f"{number} of two")
        big = bytes(range(256)) * 12_000
        one.save("big.bin", big)
        await two.has("big.bin", big)
        await one.holds(601)
        await one.in_sync(1)
        await two.in_sync(1)
        assert one.files() == two.files()


@pytest.mark.asyncio
async def test_how_big_files_are_cut_is_known_until_the_mandate_is_left(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        mandate = parse_mandate((await pc.create())["id"])
        data = os.urandom(2 << 20)
        pc.save("big.bak", data)
        await pc.holds(1)
        hashes = {span.hash for span in cut(data)}
        cuts = Cuts(pc.running.cuts, mandate)
        await pc.running.let_go()
        assert set(cuts.alike(hashes)) == {content_of(data)}
        await pc.call("mandate.leave", mandate=MANDATE)
        assert cuts.alike(hashes) == {}


@pytest.mark.asyncio
async def test_small_saves_are_told_before_they_are_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And neither what was placed is, nor what is so big or so much that others have to ask for it."""
    async with company(tmp_path, "payroll") as (one, two):
        told: list[str] = []
        for pc in (one, two):
            monkeypatch.setattr(pc.running.folders, "_on_save", partial(told.append, pc.name))
        one.save("a.txt", "1")
        await two.has("a.txt", "1")
        assert set(told) == {one.name}
        told.clear()
        one.save("big.bin", bytes(PUSH_BYTES_MAX + 1))
        await two.has("big.bin", bytes(PUSH_BYTES_MAX + 1))
        monkeypatch.setattr(folders, "SAVE_PATHS_MAX", 0)
        one.save("a.txt", "2")
        await two.has("a.txt", "2")
        assert told == []
