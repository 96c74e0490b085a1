"""The status: what a person sees at a glance is what is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync import __version__
from p2psync.errors import UsageError
from tests.daemon.homes import company, pcs
from tests.daemon.patience import until


@pytest.mark.asyncio
async def test_a_fresh_device_has_nothing_to_show(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        status = await pc.call("status")
        assert status["mandates"] == []
        assert (status["device"]["id"], status["device"]["name"]) == (pc.device, "pc")
        assert status["device"]["version"] == __version__
        assert (await pc.call("ping"))["version"] == __version__
        with pytest.raises(UsageError):
            await pc.call("status", mandate="Cargo")


@pytest.mark.asyncio
async def test_a_mandate_tells_its_files_its_peers_and_whether_all_is_well(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "four")
        await two.has("a.txt", "four")
        await one.in_sync(1)
        status = await one.status()
        expected = {
            "name": "Cargo",
            "state": "shared",
            "role": "accounting",
            "folder": str(one.folder),
            "files": 1,
            "bytes": 4,
            "in_sync": True,
            "health": "ok",
            "to_receive": {"files": 0, "bytes": 0},
            "conflicts": 0,
            "problems": 0,
        }
        assert {key: status[key] for key in expected} == expected
        (peer,) = status["peers"]
        expected = {"device": two.device, "name": "pc2", "role": "payroll", "connected": True, "path": "lan"}
        assert {key: peer[key] for key in expected} == expected
        await two.stop()

        async def shows_it() -> bool:
            alone = await one.status()
            return alone["health"] == "retrying" and not alone["peers"][0]["connected"]

        await until(shows_it)


@pytest.mark.asyncio
async def test_what_needs_a_person_is_called_action(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        (pc.folder / "link").symlink_to(tmp_path)

        async def shows_it() -> bool:
            status = await pc.status()
            listed = [(p["path"], p["code"]) for p in status["problem_list"]]
            return status["health"] == "action" and listed == [("link", "symbolic-link")] and status["problems"] == 1

        await until(shows_it)
        (pc.folder / "link").unlink()

        async def is_over() -> bool:
            return bool((await pc.status())["health"] == "ok")

        await until(is_over)
