"""Programs' own files are published and delivered by real devices, and nothing that a program saved is ever lost."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from p2psync.core.ids import content_of
from p2psync.core.relpath import parse
from p2psync.daemon.programs import bridging, delivering
from p2psync.daemon.programs.bridging import Bridging
from p2psync.engine import settle
from p2psync.errors import StoreError
from tests.daemon.homes import MANDATE, company
from tests.daemon.patience import until
from tests.daemon.program_files import NAME, Program, chart, content, programs


@pytest.mark.asyncio
async def test_what_one_program_saves_arrives_in_the_others_file(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        two.file.chmod(0o640)
        one.save("second")
        await two.holds("second")
        assert two.file.stat().st_mode & 0o777 == 0o640
        two.save("third")
        await one.holds("third")
        await one.pc.has(NAME, chart("third"))
        assert {content("first"), content("second"), content("third")} <= await two.versions()
        for program in (one, two):
            await program.alone()
            await program.is_in("current")


@pytest.mark.asyncio
async def test_a_torn_file_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if nobody ever writes its end."""
    monkeypatch.setattr(settle, "PATIENCE_S", 0.5)
    async with programs(tmp_path) as (one, two):
        one.file.write_bytes(chart("second")[:-11])
        await until(lambda: _is_given_up(one), "its end is waited for no more")
        for _ in range(2):  # a look may have been under way
            async with one.pc.running.bridging._turn:
                await one.pc.running.bridging._round()
        assert two.read() == one.pc.read(NAME) == chart("first")
        assert await one.pc.call("inbox") == []
        one.save("second")
        await two.holds("second")
        assert content_of(chart("second")[:-11]).hex() not in await two.versions()


@pytest.mark.asyncio
async def test_what_a_program_saves_is_published_while_it_still_has_the_file_open(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        with one.file.open("r+b") as file:
            file.write(chart("as it is by now"))
            file.flush()
            await two.holds("as it is by now")


@pytest.mark.asyncio
async def test_whoever_wants_to_be_asked_delivers_himself(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        await two.pc.call("detach", file=str(two.file))
        await two.attach(ask=True)
        one.save("second")
        await two.is_in("waiting")
        assert two.read() == chart("first")
        (row,) = await two.pc.call("inbox", mandate=MANDATE)
        assert (row["path"], row["from"], row["content"]) == (NAME, "pc1", content("second"))
        (told,) = await two.pc.call("deliver", mandate=MANDATE)
        assert told["result"] == "delivered"
        assert two.read() == chart("second")
        assert await two.pc.call("inbox") == []
        (told,) = await two.pc.call("deliver", mandate=MANDATE, file=str(two.file))
        assert told["result"] == "current"
        two.save("third")
        await one.holds("third")


@pytest.mark.asyncio
async def test_what_was_edited_at_both_ends_is_a_conflict_and_never_overwritten(tmp_path: Path) -> None:
    async with programs(tmp_path, "payroll") as (one, two):
        await two.pc.stop()
        two.save("theirs")
        one.save("mine")
        await one.pc.has(NAME, chart("mine"))
        await two.pc.start()
        await two.is_in("waiting")
        assert two.read() == chart("theirs"), "accounting won, and the other program keeps its own until it is asked"
        (conflict,) = await one.pc.call("conflicts")
        assert [loser["content"] for loser in conflict["losers"]] == [content("theirs")]
        assert one.read() == chart("mine")
        await two.pc.call("deliver", mandate=MANDATE)
        assert two.read() == chart("mine")
        assert content("theirs") in await two.versions()


@pytest.mark.asyncio
async def test_an_edit_made_before_something_arrived_is_published_with_what_it_was_made_from(tmp_path: Path) -> None:
    """It has not been looked at yet when the other's version stands in the folder."""
    async with programs(tmp_path) as (one, two):
        async with two.pc.running.bridging._turn:
            one.save("mine")
            await two.pc.has(NAME, chart("mine"))
            two.save("theirs")

        async def conflict() -> bool:
            return bool(await one.pc.call("conflicts"))

        await until(conflict, "it is a conflict")
        (found,) = await one.pc.call("conflicts")
        sides = {found["winner"]["content"], *(loser["content"] for loser in found["losers"])}
        assert sides == {content("mine"), content("theirs")}
        for program in (one, two):
            await program.pc.call("deliver", mandate=MANDATE)
        assert one.read() == two.read()
        assert {content("mine"), content("theirs")} <= await two.versions()


@pytest.mark.asyncio
async def test_a_file_that_a_program_has_open_is_left_alone_until_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = True
    monkeypatch.setattr(bridging, "is_open", lambda file: opened)
    monkeypatch.setattr(bridging, "RETRY_S", 0.2)
    async with programs(tmp_path) as (one, two):
        one.save("second")
        await two.is_in("open")
        assert two.read() == chart("first")
        result = await two.pc.ask("deliver", mandate=MANDATE)
        assert result.exit_code == 5
        assert result.data[0]["result"] == "held"  # type: ignore[index]
        assert "open" in result.data[0]["reason"]  # type: ignore[index]
        opened = False
        await two.holds("second")


@pytest.mark.asyncio
async def test_a_reader_gets_what_he_changed_back_and_it_is_kept(tmp_path: Path) -> None:
    async with programs(tmp_path, "reader") as (one, two):
        two.save("not allowed")
        await two.holds("first")
        assert content("not allowed") in await two.versions()
        assert [p["code"] for p in (await two.pc.status())["problem_list"]] == ["edit-refused"]
        two.file.unlink()
        await two.holds("first")
        assert one.read() == chart("first")


@pytest.mark.asyncio
async def test_a_file_that_vanished_is_no_removal(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        two.file.unlink()
        await two.is_in("gone")
        assert one.read() == chart("first")
        (told,) = await two.pc.call("deliver", mandate=MANDATE, file=NAME)
        assert told["result"] == "delivered"
        assert two.read() == chart("first")
        two.file.unlink()
        one.save("second")
        await two.holds("second")


@pytest.mark.asyncio
async def test_a_folder_that_comes_back_is_taken_up_again(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        folder = two.file.parent
        folder.rename(folder.with_name("away"))
        one.save("second")
        await two.pc.has(NAME, chart("second"))
        await until(lambda: _trouble(two) == "folder-gone", "it is told")
        (folder.with_name("away")).rename(folder)
        await two.holds("second")


@pytest.mark.asyncio
async def test_a_removed_file_is_left_where_the_programs_have_it(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        (one.pc.folder / NAME).unlink()
        await two.pc.has(NAME, None)
        await two.is_in("removed")
        assert two.read() == one.read() == chart("first")
        two.save("second")
        await one.holds("second")


@pytest.mark.asyncio
async def test_an_old_version_out_of_a_backup_is_not_published_before_a_question(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        saved = two.file.stat()
        os.utime(one.file, ns=(saved.st_mtime_ns, saved.st_mtime_ns))
        one.save("second")
        await two.holds("second")
        await two.is_in("current")
        backup = tmp_path / "backup"
        backup.write_bytes(chart("first"))
        os.utime(backup, ns=(saved.st_mtime_ns, saved.st_mtime_ns))
        backup.replace(two.file)  # with its old time from the first moment on
        await two.is_in("returned")
        assert one.read() == chart("second")
        await two.pc.call("deliver", mandate=MANDATE)
        assert two.read() == chart("second")
        two.save("first")
        await one.holds("first")


@pytest.mark.asyncio
async def test_a_full_disk_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridging, "RETRY_S", 0.2)
    async with programs(tmp_path) as (one, two):
        with monkeypatch.context() as patched:
            patched.setattr(delivering, "prepare", _full)
            one.save("second")
            await until(lambda: _trouble(two) == "disk-full", "it is told")
            assert two.read() == chart("first")
        await two.holds("second")
        with monkeypatch.context() as patched:
            patched.setattr(bridging, "keep_copy", _full)
            two.save("third")
            await until(lambda: _trouble(two) == "disk-full", "it is told")
        await one.holds("third")


@pytest.mark.asyncio
async def test_a_fault_of_ours_stops_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridging, "RETRY_S", 0.2)
    async with programs(tmp_path) as (one, two):
        with monkeypatch.context() as patched:
            patched.setattr(delivering, "prepare", lambda *_: 1 / 0)
            one.save("second")
            await until(lambda: _trouble(two) == "disk-error", "it is told")
        await two.holds("second")
        assert two.pc.running.broken_by is None


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [StoreError("no disk"), ZeroDivisionError()])
async def test_a_round_that_fails_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(bridging, "RETRY_S", 0.1)
    async with programs(tmp_path) as (one, two):
        failed = 0

        async def fail(*_: object) -> None:
            nonlocal failed
            failed += 1
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(Bridging, "_poll", fail)
            await until(lambda: failed > 8, "it failed again and again")
        assert one.pc.running.broken_by is two.pc.running.broken_by is None
        one.save("second")
        await two.holds("second")


def _full(*_: object) -> bool:
    raise OSError(28, "No space left on device")


def _trouble(program: Program) -> str:
    problems = [one.problem for one in program.pc.running.bridging.standings().values() if one.problem is not None]
    return problems[0].code.value if problems else ""


@pytest.mark.asyncio
async def test_an_edit_that_was_about_to_be_announced_is_announced_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with programs(tmp_path) as (one, two):
        reached = asyncio.Event()

        async def hang(*_: object) -> None:
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(Bridging, "_publish", hang)
        two.save("second")
        await asyncio.wait_for(reached.wait(), 30)
        await two.pc.stop()
        monkeypatch.undo()
        await two.pc.start()
        await one.holds("second")
        assert await one.pc.call("conflicts") == []


@pytest.mark.asyncio
async def test_a_mandate_that_is_left_leaves_the_programs_file_alone(tmp_path: Path) -> None:
    async with programs(tmp_path) as (_, two):
        await two.pc.call("mandate.leave", mandate=MANDATE)
        assert await two.pc.call("attached") == []
        two.save("second")
        await two.pc.stop()
        await two.pc.start()
        assert await two.pc.call("attached") == []
        assert two.read() == chart("second")


@pytest.mark.asyncio
async def test_what_is_saved_after_a_restart_stands_in_the_folder_also_when_nobody_is_there(tmp_path: Path) -> None:
    async with company(tmp_path) as (pc,):
        program = Program(tmp_path, pc)
        program.save("first")
        await program.attach()
        await pc.has(NAME, chart("first"))
        await pc.stop()
        await pc.start()
        program.save("second")
        await pc.has(NAME, chart("second"))


def _is_given_up(program: Program) -> bool:
    (watch,) = program.pc.running.bridging._watches.values()
    sighting = watch.sighting(parse(NAME))
    return sighting is not None and sighting.torn
