"""The status: what a person sees at a glance is what is true."""

from __future__ import annotations

import shutil
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from p2psync import __version__
from p2psync.books import synthetic
from p2psync.daemon.operations import running
from p2psync.daemon.operations.result import WAITING
from p2psync.errors import UsageError
from p2psync.store.packing import pack_value
from tests.daemon.homes import Pc, company, pcs
from tests.daemon.meetings import far_company, meeting_host
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
        assert (status["to_send"], peer["behind_files"]) == ({"files": 0, "bytes": 0}, 0)
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


@pytest.mark.asyncio
async def test_accounting_is_asked_for_a_chart_until_there_is_one(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        asked = {"what": "chart", "count": 1}

        async def asks() -> bool:
            return asked in (await one.status())["actions"]

        await until(asks, "the question for a chart")
        assert (await one.status())["health"] == "ok", "it is no alarm"
        name, chart = "Cargo.crp", synthetic.chart(2025, 20, Random(1))
        one.save(name, chart)
        await two.has(name, chart)

        async def is_content() -> bool:
            return not (await one.status())["actions"]

        await until(is_content, "no question any more")
        assert (await two.status())["actions"] == [], "it is not for payroll to bring one"


@pytest.mark.asyncio
async def test_what_happened_is_shown_until_somebody_has_looked_at_it(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await one.call("rules.set", mandate="Cargo", setting="*.crp=enforce:accounting")
        one.save("a.crp", "the chart")
        await two.has("a.crp", "the chart")
        two.save("a.crp", "mine")

        async def shows_it() -> bool:
            status = await two.status()
            return status["health"] == "action" and [p["code"] for p in status["problem_list"]] == ["edit-refused"]

        await until(shows_it)
        await two.has("a.crp", "the chart")
        assert await two.call("seen", mandate="Cargo") == {"mandate": "Cargo", "seen": 1}
        assert await two.call("seen", mandate="Cargo") == {"mandate": "Cargo", "seen": 0}

        async def is_over() -> bool:
            return bool((await two.status())["health"] == "ok")

        await until(is_over)


@pytest.mark.asyncio
async def test_how_far_a_member_is_behind_is_known_while_it_is_off_and_after_a_restart(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "four")
        await two.has("a.txt", "four")
        await one.in_sync(1)
        await two.stop()
        one.save("b.txt", "sixsix")
        await one.holds(2)

        async def lacks() -> tuple[object, object]:
            status = await one.status()
            (peer,) = status["peers"]
            return status["to_send"], (peer["connected"], peer["behind_files"], peer["behind_bytes"])

        expected = ({"files": 1, "bytes": 6}, (False, 1, 6))
        assert await lacks() == expected
        await one.stop()
        await one.start()
        assert await lacks() == expected
        await two.start()
        await one.call("peer.add", mandate="Cargo", address=f"127.0.0.1:{two.running.discovery.port}")
        await one.in_sync(1)
        assert await lacks() == ({"files": 0, "bytes": 0}, (True, 0, 0))


@pytest.mark.asyncio
async def test_a_copy_of_a_pc_and_the_pc_itself_both_say_so(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (_one, two):
        await two.stop()
        copied = Pc(tmp_path, "copy")
        shutil.copytree(two.config.home, copied.config.home)
        shutil.copytree(two.folder, copied.folder)
        with sqlite3.connect(copied.config.home / "p2psync.db") as database:
            database.execute("UPDATE setting SET value = ? WHERE name = 'folder'", (pack_value(str(copied.folder)),))
        database.close()
        try:
            for pc in (two, copied):
                await pc.start()
            await copied.call("peer.add", mandate="Cargo", address=f"127.0.0.1:{two.running.discovery.port}")

            async def tells(pc: Pc) -> bool:
                return [p["code"] for p in (await pc.status())["problem_list"]] == ["device-cloned"]

            async def all_know() -> bool:
                return await tells(two) and await tells(copied)

            await until(all_know)
            (problem,) = (await two.status())["problem_list"]
            assert (problem["detail"], problem["device"]) == ("pc2", two.device)
        finally:
            await copied.stop()


@pytest.mark.asyncio
async def test_what_waits_to_be_posted_is_counted_in_bookings(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        for name, data in synthetic.mandate_files("Cargo", 2025, Random(1)).items():
            pc.save(name, data)
        await pc.holds(4)
        rows = await pc.call("pending", mandate="Cargo")
        expected = sum(row["new"] + row["changed"] + row["removed"] for row in rows)
        assert expected > 0

        async def counted() -> bool:
            return bool((await pc.status())["pending"] == expected)

        await until(counted)


async def tasks_of(pc: Pc) -> list[tuple[str, str]]:
    return [(task["task"], task["state"]) for task in (await pc.status())["tasks"]]


@pytest.mark.asyncio
async def test_what_goes_on_and_what_is_tried_again_are_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ALONE_S", 0.0)
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "four")
        await two.has("a.txt", "four")
        await one.in_sync(1)
        await one.call("sync")
        assert await tasks_of(one) == [("run", "done")]
        address = f"127.0.0.1:{two.running.discovery.port}"
        await two.stop()
        await one.call("peer.add", mandate="Cargo", address=address)
        one.save("b.txt", "sixsix")
        await one.holds(2)

        async def is_awaited() -> bool:
            return await tasks_of(one) == [("send", "waiting"), ("run", "done")]

        await until(is_awaited)
        (peer,) = (await one.status())["peers"]
        assert abs(datetime.fromisoformat(peer["next_attempt"]).timestamp() - time.time()) < 100
        assert (await one.ask("sync")).exit_code == WAITING
        last = (await one.status())["tasks"][-1]
        assert (last["state"], last["message"]) == ("failed", "waiting for pc2")


@pytest.mark.asyncio
async def test_the_next_run_of_the_plan_is_a_task_that_is_queued(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc", timetable=True) as (pc,):
        await pc.create()
        schedule = await pc.call("schedule")
        (task,) = [task for task in (await pc.status())["tasks"] if task["state"] == "queued"]
        assert (task["task"], task["next_attempt"]) == ("run", schedule["mandates"][0]["next"]["at"])


@pytest.mark.asyncio
async def test_a_meeting_host_that_is_away_says_when_it_is_called_again(tmp_path: Path) -> None:
    async with meeting_host(tmp_path) as server, far_company(tmp_path, server, "payroll") as (one, _two):
        (host,) = (await one.call("status"))["rendezvous"]
        assert (host["connected"], host["next_attempt"]) == (True, None)
        await server.stop()

        async def is_due() -> bool:
            (host,) = (await one.call("status"))["rendezvous"]
            return not host["connected"] and host["next_attempt"] is not None

        await until(is_due)
