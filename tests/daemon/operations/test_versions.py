"""Versions and restoring through the daemon: who may, what comes back, and that nothing is lost by it."""

from __future__ import annotations

import contextlib
import shutil
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from p2psync.core.ids import content_of, parse_mandate
from p2psync.errors import FolderError, InvalidPath, NotAllowed, P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until


async def versions(pc: Pc, path: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = await pc.call("versions", mandate=MANDATE, path=path)
    return found


async def kept(pc: Pc, path: str, *reasons: str) -> None:
    """Wait until these are listed, newest first: a moment after what they tell of is to be seen in the folder."""

    async def are_listed() -> bool:
        with contextlib.suppress(P2PSyncError):  # not even known yet
            return [row["reason"] for row in await versions(pc, path)] == list(reasons)
        return False

    await until(are_listed, f"{pc.name} lists {reasons}")


@pytest.mark.asyncio
async def test_a_restored_version_is_an_edit_and_what_stood_there_is_kept(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "first")
        await two.has("a.txt", "first")
        one.save("a.txt", "second")
        await two.has("a.txt", "second")
        await kept(two, "a.txt", "current", "replaced")
        told = await two.call("restore", mandate=MANDATE, path="a.txt")
        assert told["changed"]
        await one.has("a.txt", "first")
        contents = {content_of(text).hex() for text in (b"first", b"second")}

        async def both() -> bool:
            return {row["content"] for row in await versions(two, "a.txt")} == contents

        await until(both, "both are kept")
        assert len(await versions(two, "a.txt")) == 3, "the edit is one of its own"


@pytest.mark.asyncio
async def test_who_may_not_change_a_file_restores_it_elsewhere(tmp_path: Path) -> None:
    async with company(tmp_path, "reader") as (one, two):
        for text in ("first", "second"):
            one.save("a.txt", text)
            await two.has("a.txt", text)
        await kept(two, "a.txt", "current", "replaced")
        with pytest.raises(NotAllowed, match="--to"):
            await two.ask("restore", mandate=MANDATE, path="a.txt")
        await two.call("restore", mandate=MANDATE, path="a.txt", to=str(tmp_path / "here"))
        assert (tmp_path / "here").read_bytes() == b"first"
        with pytest.raises(FolderError, match="cannot be written"):
            await two.ask("restore", mandate=MANDATE, path="a.txt", to=str(tmp_path / "none" / "here"))
        (tmp_path / "here").write_bytes(b"another file")
        with pytest.raises(UsageError, match="is there already"):
            await two.ask("restore", mandate=MANDATE, path="a.txt", to=str(tmp_path / "here"))
        assert (tmp_path / "here").read_bytes() == b"another file"


@pytest.mark.asyncio
async def test_a_file_that_is_written_once_stands_whoever_edits_or_removes_it(tmp_path: Path) -> None:
    statement = "iso20022/camt.053.xml"
    async with company(tmp_path, "banking") as (one, two):
        ruled = await one.call("rules.set", mandate=MANDATE, setting="iso20022/*=once")
        assert ruled[0]["parts"]["banking"] == ruled[0]["parts"]["accounting"] == "adds"

        async def is_known() -> bool:
            return bool((await two.call("rules", mandate=MANDATE))[0]["mode"] == "once")

        await until(is_known, "the rule has arrived")
        two.save(statement, "downloaded")
        await one.has(statement, "downloaded")
        for pc in (two, one):
            pc.save(statement, f"edited by {pc.name}")
            await pc.has(statement, "downloaded")
            await refused(pc, statement, f"edited by {pc.name}")
            (pc.folder / statement).unlink()
            await pc.has(statement, "downloaded")
        assert one.read(statement) == two.read(statement) == b"downloaded"
        with pytest.raises(NotAllowed, match=r"written once.*rules Cargo --set 'iso20022/\*=newest'"):
            await two.ask("restore", mandate=MANDATE, path=statement)
        await one.call("rules.set", mandate=MANDATE, setting="iso20022/*=newest")
        one.save(statement, "corrected")
        await two.has(statement, "corrected")


async def refused(pc: Pc, path: str, text: str) -> None:
    """Wait until the edit is kept and told."""

    async def holds() -> bool:
        rows = await versions(pc, path)
        kept = any((row["reason"], row["content"]) == ("refused", content_of(text.encode()).hex()) for row in rows)
        told = any((p["path"], p["code"]) == (path, "edit-refused") for p in (await pc.status())["problem_list"])
        return kept and told

    await until(holds, f"{pc.name} tells that its edit was refused")


@pytest.mark.asyncio
async def test_paths_are_those_inside_the_folder(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        one.save("sub/a.txt", "x")
        await until(lambda: _known(one), "it is known")
        assert await versions(one, str(one.folder / "sub" / "a.txt")) == await versions(one, "./sub/a.txt")
        for outside in ("../a", "/etc/passwd", ".p2psync/marker", "sub//a", "a\0b"):
            with pytest.raises((InvalidPath, UsageError)):
                await versions(one, outside)
        with pytest.raises(P2PSyncError, match="never held"):
            await versions(one, "never.txt")


async def _known(pc: Pc) -> bool:
    return bool((await pc.status())["files"])


@pytest.mark.asyncio
async def test_what_stands_there_already_is_left_alone(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        one.save("sub/a.txt", "x")
        await until(lambda: _known(one), "it is known")
        (row,) = await versions(one, "sub/a.txt")
        told = await one.call("restore", mandate=MANDATE, path="sub/a.txt", version=row["id"])
        assert not told["changed"]
        with pytest.raises(P2PSyncError, match="No other version"):
            await one.ask("restore", mandate=MANDATE, path="sub/a.txt")


@pytest.mark.asyncio
async def test_a_removed_file_comes_back_on_all_pcs(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("sub/a.txt", "once")
        await two.has("sub/a.txt", "once")
        (one.folder / "sub" / "a.txt").unlink()
        await two.has("sub/a.txt", None)
        await kept(two, "sub/a.txt", "removed")
        told = await two.call("restore", mandate=MANDATE, path="sub/a.txt")
        assert (told["changed"], told["content"]) == (True, content_of(b"once").hex())
        await one.has("sub/a.txt", "once")


@pytest.mark.asyncio
async def test_what_stood_there_at_a_time_is_named_by_the_time(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        one.save("a.txt", "first")
        await until(lambda: _known(one), "it is known")
        (first,) = await versions(one, "a.txt")
        target = tmp_path / "then.txt"
        wanted = {"mandate": MANDATE, "path": "a.txt", "to": str(target)}
        now = datetime.fromtimestamp(time.time() + 1, UTC)
        zurich = now.astimezone(timezone(timedelta(hours=2)))
        for at in (now.isoformat(), zurich.isoformat(), now.strftime("%Y-%m-%d %H:%M:%S.%f")):
            told = await one.call("restore", **wanted, at=at)
            assert (told["version"], target.read_bytes()) == (first["id"], b"first")
            target.unlink()
        with pytest.raises(P2PSyncError, match="did not stand in this folder on 2020-01-01T00:00:00Z"):
            await one.call("restore", **wanted, at="2020-01-01")
        for wrong in ("yesterday", "2025-13-01", "0001-01-01T00:00:00+14:00"):
            with pytest.raises(UsageError, match="no time"):
                await one.call("restore", **wanted, at=wrong)
        with pytest.raises(UsageError, match="not both"):
            await one.call("restore", **wanted, at="2025-01-01", version=first["id"])
        assert not target.exists()


def copies(pc: Pc) -> int:
    """How many contents lie among the versions, whole."""
    found = (pc.folder / ".p2psync" / "versions").glob("??/*")
    names = [file.suffix for file in found]
    return -1 if ".partial" in names else len(names)


@pytest.mark.asyncio
async def test_bytes_that_are_gone_are_told_of_and_nothing_is_written(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        one.save("a.crp", "first\r\nENDOFFILE")
        await until(lambda: copies(one) == 1, "the first is copied")
        one.save("a.crp", "second\r\nENDOFFILE")
        await until(lambda: copies(one) == 2, "both are copied")
        await kept(one, "a.crp", "current", "edited")
        newest, oldest = await versions(one, "a.crp")
        shutil.rmtree(one.folder / ".p2psync" / "versions")
        for to in ("", str(tmp_path / "there")):
            with pytest.raises(P2PSyncError, match="not on this PC"):
                await one.call("restore", mandate=MANDATE, path="a.crp", version=oldest["id"], to=to)
        assert not (tmp_path / "there").exists()
        assert one.read("a.crp") == b"second\r\nENDOFFILE"
        await one.call("restore", mandate=MANDATE, path="a.crp", version=newest["id"], to=str(tmp_path / "there"))
        assert (tmp_path / "there").read_bytes() == b"second\r\nENDOFFILE"


@pytest.mark.asyncio
async def test_only_a_file_of_the_folder_is_replaced(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        for text in ("first", "second"):
            one.save("a.txt", text)
            await two.has("a.txt", text)
        await kept(two, "a.txt", "current", "replaced")
        (two.folder / "a.txt").unlink()
        (two.folder / "a.txt").symlink_to(tmp_path / "outside")
        with pytest.raises(FolderError, match=r"symbolic link now.*--to"):
            await two.ask("restore", mandate=MANDATE, path="a.txt")
        assert (two.folder / "a.txt").is_symlink()
        assert not (tmp_path / "outside").exists()


@pytest.mark.asyncio
async def test_a_folder_that_is_not_there_gets_and_gives_nothing(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        for text in ("first", "second"):
            one.save("a.txt", text)
            await two.has("a.txt", text)
        await kept(two, "a.txt", "current", "replaced")
        await two.running.folders.close(parse_mandate((await two.status())["id"]))
        for to in ("", str(tmp_path / "there")):
            with pytest.raises(FolderError, match="not there"):
                await two.ask("restore", mandate=MANDATE, path="a.txt", to=to)
        assert two.read("a.txt") == b"second"
        assert not (tmp_path / "there").exists()
