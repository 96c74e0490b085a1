"""`sync`, `wait` and `history` as people and scripts use them: what moved, why not all did, and the exit code."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.ids import content_of
from p2psync.daemon.operations import running, runs
from p2psync.daemon.operations.result import DONE, FAILED, PARTLY_DONE, WAITING, OperationResult
from p2psync.errors import P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until


async def run(pc: Pc, operation: str = "sync", **arguments: object) -> tuple[Any, int]:
    result = await pc.ask(operation, **arguments)
    return result.data, result.exit_code


def paths(told: Any, direction: str | None = None) -> list[str]:
    return [item["path"] for item in told["items"] if direction in (None, item["direction"])]


@pytest.mark.asyncio
async def test_a_run_names_the_steps_that_are_missing(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.call("mandate.create", name="Cargo", folder=str(pc.folder), role="payroll")
        told, code = await run(pc)
        assert ([step["what"] for step in told["missing"]], code) == (["share", "accounting"], DONE)
        await pc.call("share", mandate="Cargo")
        told, _ = await run(pc)
        assert told["missing"] == [{"mandate": "Cargo", "what": what} for what in ("members", "accounting")]
    async with company(tmp_path / "two", "payroll") as (one, _two):
        told, _ = await run(one)
        assert told["missing"] == []


# -- one run -------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_mandate_of_one_pc_is_always_in_sync(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        pc.save("a.txt", "a")
        told, code = await run(pc, timeout_s=20)
        assert (told["result"], code) == ("success", DONE)
        assert paths(told, "sent") == ["a.txt"]
        told, code = await run(pc)
        assert (told["result"], told["items"], code) == ("nothing-new", [], DONE)
        told, code = await run(pc, "wait", timeout_s=0)
        assert (told["result"], told["waiting_for"], code) == ("success", [], DONE)


@pytest.mark.asyncio
async def test_a_run_tells_what_went_and_what_came_and_history_tells_it_again(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        two.save("wages.ecs", "from two\r\n")
        await one.has("wages.ecs", "from two\r\n")
        one.save("chart.crp", "from one\r\nENDOFFILE\r\n")
        told, code = await run(one, mandate=MANDATE, timeout_s=20)
        assert (told["result"], code, told["waiting_for"], told["absent"]) == ("success", DONE, [], [])
        assert (told["changed"], told["confirmed"]) == (2, ["pc2"])
        assert told["items"] == [
            {
                **{"path": "chart.crp", "direction": "sent", "kind": "file", "class": "master data"},
                **{"state": "done", "problem": None, "size": 21, "devices": ["pc2"]},
            },
            {
                **{"path": "wages.ecs", "direction": "received", "kind": "file", "class": "entries"},
                **{"state": "done", "problem": None, "size": 10, "devices": ["pc2"]},
            },
        ]
        assert two.read("chart.crp") == b"from one\r\nENDOFFILE\r\n"
        (one.folder / "wages.ecs").unlink()
        removed, _ = await run(one, timeout_s=20)
        assert [(item["path"], item["kind"]) for item in removed["items"]] == [("wages.ecs", "absent")]
        assert two.read("wages.ecs") is None

        newest, older = await one.call("history")
        assert older == {**told, "mandate": MANDATE}
        assert newest["id"] == removed["id"]
        nothing, _ = await run(one, timeout_s=20)
        assert (nothing["result"], nothing["changed"], nothing["confirmed"]) == ("nothing-new", 0, ["pc2"])
        assert await one.call("history", run=older["id"]) == [older]
        assert await one.call("history", failed=True) == []
        assert await two.call("history") == []


@pytest.mark.asyncio
async def test_with_nobody_there_it_says_for_whom_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ALONE_S", 0.05)
    async with company(tmp_path, "payroll", "payroll") as (one, two, three):
        await two.stop()
        await three.stop()
        one.save("a.txt", "a")
        for _ in range(2):
            told, code = await run(one)
            assert (told["result"], code, told["waiting_for"]) == ("failed", WAITING, ["pc2", "pc3"])
            assert [(item["path"], item["state"]) for item in told["items"]] == [("a.txt", "waiting")]
        told, code = await run(one, "wait", timeout_s=0.05)
        assert (told["result"], code, told["waiting_for"]) == ("failed", WAITING, ["pc2", "pc3"])
        assert told["searched"] == {"local_network": False, "hosts": []}
        await two.start()
        told, code = await run(one, timeout_s=20)
        assert (told["result"], code, told["waiting_for"], told["absent"]) == ("success", DONE, [], ["pc3"])
        assert paths(told, "sent") == ["a.txt"]
        assert [row["result"] for row in await one.call("history")] == ["success", "failed", "failed"]
        assert len(await one.call("history", failed=True)) == 2


@pytest.mark.asyncio
async def test_what_another_pc_cannot_place_is_a_run_done_in_part(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        (two.folder / "letter.txt").symlink_to(tmp_path)
        one.save("letter.txt", "for the place of a link")
        one.save("a.txt", "a")
        told, code = await run(one, timeout_s=20)
        assert (told["result"], code) == ("partial", PARTLY_DONE)
        [problem] = told["problems"]
        assert (problem["device"], problem["device_id"], problem["path"]) == ("pc2", two.device, "letter.txt")
        states = {item["path"]: (item["state"], item["problem"]) for item in told["items"]}
        assert states == {"a.txt": ("done", None), "letter.txt": ("problem", problem["code"])}
        assert two.read("a.txt") == b"a"
        [row] = await one.call("history", failed=True)
        assert (row["result"], row["problems"]) == ("partial", told["problems"])


@pytest.mark.asyncio
async def test_only_limits_what_is_waited_for_and_told(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        (two.folder / "letter.txt").symlink_to(tmp_path)
        for path in ("letter.txt", "chart.crp", "sales.ecf", "index.ecc"):
            one.save(path, f"{path}\r\n#END\r\nENDOFFILE\r\n")
        await two.holds(4)
        planned, _ = await run(one, only="entries", dry_run=True)
        assert {item["class"] for item in planned["items"]} <= {"entries", "index"}
        for only, expected in (("master", ["chart.crp"]), ("entries", ["index.ecc", "sales.ecf"])):
            told, code = await run(one, only=only, timeout_s=20)
            assert (told["result"], code, paths(told)) == ("success", DONE, expected)
        told, code = await run(one, timeout_s=20)
        assert (code, len(told["items"])) == (PARTLY_DONE, 4)
        with pytest.raises(UsageError, match="entries, master"):
            await run(one, only="letters")


@pytest.mark.asyncio
async def test_a_dry_run_moves_nothing_and_is_no_run(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        pc.save("a.txt", "a")
        await pc.holds(1)
        told, code = await run(pc, dry_run=True)
        assert (told["result"], code) == ("dry-run", DONE)
        assert await pc.call("history") == []


@pytest.mark.asyncio
async def test_what_is_still_to_come_is_planned_by_its_class(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        for pc in (one, two):
            pc.save("letter.txt", f"by {pc.name}")
        (two.folder / "chart.crp").symlink_to(tmp_path)
        one.save("chart.crp", "chart\r\nENDOFFILE\r\n")

        async def planned() -> Any:
            return (await run(two, dry_run=True, only="master"))[0]

        async def is_planned() -> bool:  # and heard that the other has placed its own file
            plan = await planned()
            return paths(plan, "received") == ["chart.crp"] and not paths(plan, "sent")

        await until(is_planned)
        [item] = (await planned())["items"]
        assert (item["size"], item["devices"]) == (18, ["pc1"])
        plan, _ = await run(two, dry_run=True, only="entries")
        assert plan["items"] == []


@pytest.mark.asyncio
async def test_full_reads_what_looks_as_before(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        pc.save("a.txt", "before")
        file, long_ago_s = pc.folder / "a.txt", 1_750_000_000
        os.utime(file, (long_ago_s, long_ago_s))
        await pc.holds(1)
        assert paths((await run(pc, timeout_s=20))[0]) == ["a.txt"]
        with file.open("r+b") as opened:  # the same file, the same length, the same time
            opened.write(b"behind")
        os.utime(file, (long_ago_s, long_ago_s))
        assert paths((await run(pc, timeout_s=20))[0]) == []
        assert paths((await run(pc, timeout_s=20, full=True))[0]) == ["a.txt"]
        contents = [row["content"] for row in await pc.call("log", mandate=MANDATE) if row["path"]]
        assert contents == [content_of(b"before").hex(), content_of(b"behind").hex()]


# -- several -------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_two_runs_at_the_same_time_are_one_too_many(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await two.stop()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(run(one, timeout_s=600))

            async def is_under_way() -> bool:
                return [row["result"] for row in await one.call("history")] == ["running"]

            await until(is_under_way)
            with pytest.raises(P2PSyncError, match="under way already, since 20"):
                await run(one)
            await two.start()
            told, code = await first
        assert (told["result"], code) == ("nothing-new", DONE)
        assert [row["result"] for row in await one.call("history")] == ["nothing-new"]


@pytest.mark.asyncio
async def test_a_run_that_the_end_of_the_program_cut_off_has_failed(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        node = pc.running
        [mandate] = await node.runtime.query(lambda device, _: list(device.mandates))
        number = await node.runtime.call(lambda *_: node.records.begin_run(mandate, 1_750_000_000_000))
        await pc.stop()
        await pc.start()
        [row] = await pc.call("history", failed=True)
        assert (row["id"], row["started"], row["ended"]) == (str(number), "2025-06-15T15:06:40Z", None)
        assert (row["result"], row["message"]) == ("failed", "p2psync ended before this run did.")


@pytest.mark.asyncio
async def test_old_runs_are_found_by_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "HISTORY_MAX", 2)
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        numbers = [(await run(pc))[0]["id"] for _ in range(3)]
        assert [row["id"] for row in await pc.call("history")] == numbers[:0:-1]
        [oldest] = await pc.call("history", run=numbers[0])
        assert oldest["id"] == numbers[0]
        for wrong in ("99", "x", "-1"):
            with pytest.raises(UsageError, match=f"no run|{wrong} is no run"):
                await pc.call("history", run=wrong)


@pytest.mark.asyncio
async def test_all_mandates_run_side_by_side_and_the_worst_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ALONE_S", 0.05)
    async with company(tmp_path, "payroll") as (one, two):
        with pytest.raises(UsageError, match="no mandate called Nope"):
            await run(one, mandate="Nope")
        await one.call("mandate.create", name="Alone", folder=str(tmp_path / "alone"))
        (tmp_path / "alone" / "a.txt").write_text("a")
        await two.stop()
        told, code = await run(one)
        assert (told["result"], code, told["waiting_for"]) == ("failed", WAITING, ["pc2"])
        assert [part["mandate"] for part in told["runs"]] == ["Alone", "Cargo"]
        assert told["runs"][0]["result"] == "success"
        assert [(item["mandate"], item["path"]) for item in told["items"]] == [("Alone", "a.txt")]
        assert told["id"].split(",") == [part["id"] for part in told["runs"]]
        waited, code = await run(one, "wait")
        assert (waited["result"], code, waited["id"]) == ("failed", WAITING, None)


@pytest.mark.asyncio
async def test_without_a_mandate_there_is_nothing_to_run(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        for operation in ("sync", "wait"):
            with pytest.raises(P2PSyncError, match="p2psync mandate create"):
                await run(pc, operation)
        assert await pc.call("history") == []


def part(result: str, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": None,
        "result": result,
        "waiting_for": [],
        "absent": [],
        "problems": [],
        "message": "",
        "items": [],
    }
    return {"mandate": result, **told, **more}


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((DONE, DONE), DONE),
        ((DONE, PARTLY_DONE), PARTLY_DONE),
        ((PARTLY_DONE, WAITING), WAITING),
        ((WAITING, FAILED, DONE), FAILED),
    ],
)
def test_of_several_the_worst_exit_code_counts(codes: tuple[int, ...], expected: int) -> None:
    results = {DONE: "success", PARTLY_DONE: "partial", WAITING: "failed", FAILED: "failed"}
    together = runs._together([(part(results[code]), code) for code in codes])
    assert together.exit_code == expected
    assert isinstance(together.data, dict)
    assert together.data["result"] == results[expected]


def test_one_answer_tells_all_that_the_parts_tell() -> None:
    problem = {"path": "a.txt", "code": "locked"}
    together = runs._together(
        [
            (part("partial", mandate="A", id="1", waiting_for=["z"], problems=[problem], message="One."), PARTLY_DONE),
            (part("failed", mandate="B", id="2", waiting_for=["y", "z"], absent=["x"], message="Two."), WAITING),
        ]
    )
    assert isinstance(together, OperationResult)
    assert isinstance(together.data, dict)
    told = {key: together.data[key] for key in ("id", "waiting_for", "absent", "message", "problems")}
    assert told == {
        **{"id": "1,2", "waiting_for": ["y", "z"], "absent": ["x"], "message": "One. Two."},
        "problems": [{**problem, "mandate": "A"}],
    }
