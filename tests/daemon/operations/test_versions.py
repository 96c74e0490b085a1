"""Versions and restoring through the daemon: who may, what comes back, and that nothing is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.ids import content_of
from p2psync.errors import FolderError, InvalidPath, NotAllowed, P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until


async def versions(pc: Pc, path: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = await pc.call("versions", mandate=MANDATE, path=path)
    return found


@pytest.mark.asyncio
async def test_a_restored_version_is_an_edit_and_what_stood_there_is_kept(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "first")
        await two.has("a.txt", "first")
        one.save("a.txt", "second")
        await two.has("a.txt", "second")
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
        with pytest.raises(NotAllowed, match="--to"):
            await two.ask("restore", mandate=MANDATE, path="a.txt")
        await two.call("restore", mandate=MANDATE, path="a.txt", to=str(tmp_path / "here"))
        assert (tmp_path / "here").read_bytes() == b"first"
        with pytest.raises(FolderError, match="cannot be written"):
            await two.ask("restore", mandate=MANDATE, path="a.txt", to=str(tmp_path / "none" / "here"))


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
        with pytest.raises(P2PSyncError, match="no other version"):
            await one.ask("restore", mandate=MANDATE, path="sub/a.txt")
