"""Deliveries go on from wherever they were cut off, and what a program still writes into the old file is an edit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from p2psync.core.ids import content_of
from p2psync.daemon.programs import bridging, delivering
from p2psync.daemon.programs.bridging import Bridging
from p2psync.engine.bridge import Attachment
from tests.daemon.homes import MANDATE
from tests.daemon.patience import until
from tests.daemon.program_files import NAME, Program, chart, content, programs


@pytest.mark.asyncio
async def test_what_a_program_writes_late_is_an_edit_of_what_it_had_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a system that does not tell which files are open."""
    monkeypatch.setattr(bridging, "is_open", lambda file: False)
    monkeypatch.setattr(delivering, "is_open", lambda file: False)
    monkeypatch.setattr(delivering, "WATCH_OUT_S", 0.5)
    async with programs(tmp_path) as (one, two):
        with two.file.open("r+b") as held:
            one.save("second")
            await two.holds("second")
            held.write(chart("late!"))

        async def conflict() -> bool:
            return bool(await one.pc.call("conflicts"))

        await until(conflict, "the late write is a conflict with what was delivered")
        assert content("late!") in await two.versions()
        await two.alone()


@pytest.mark.asyncio
async def test_what_was_written_late_and_torn_is_kept_and_not_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bridging, delivering):
        monkeypatch.setattr(module, "is_open", lambda file: False)
    monkeypatch.setattr(delivering, "WATCH_OUT_S", 0.5)
    async with programs(tmp_path) as (one, two):
        with two.file.open("r+b") as held:
            one.save("second")
            await two.holds("second")
            held.truncate(9)

        async def kept() -> bool:
            return content_of(chart("first")[:9]).hex() in await two.versions()

        await until(kept, "it is kept")
        await two.alone()
        assert await one.pc.call("conflicts") == []
        assert one.read() == two.read() == chart("second")


@pytest.mark.asyncio
async def test_what_came_out_and_is_open_still_is_watched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = True
    monkeypatch.setattr(delivering, "is_open", lambda file: opened)
    monkeypatch.setattr(delivering, "WATCH_OUT_S", 0.2)
    monkeypatch.setattr(delivering, "LOOK_AGAIN_S", 0.2)
    async with programs(tmp_path) as (one, two):
        one.save("second")
        await two.holds("second")
        await asyncio.sleep(1.5)  # longer than it is watched otherwise
        assert len(list(two.file.parent.iterdir())) == 2
        opened = False
        await two.alone()


@pytest.mark.asyncio
async def test_a_file_that_is_detached_leaves_nothing_behind(tmp_path: Path) -> None:
    async with programs(tmp_path) as (one, two):
        one.save("second")
        await two.holds("second")
        await two.pc.call("detach", file=str(two.file))
        assert [file.name for file in two.file.parent.iterdir()] == [NAME]
        one.save("third")
        await two.pc.has(NAME, chart("third"))
        assert two.read() == chart("second")


@pytest.mark.asyncio
async def test_bytes_that_are_not_here_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with programs(tmp_path) as (one, two):
        with monkeypatch.context() as patched:
            asked = asyncio.Event()
            loop = asyncio.get_running_loop()

            def nowhere(*_: object) -> bool:
                loop.call_soon_threadsafe(asked.set)
                return False

            patched.setattr(delivering, "prepare", nowhere)
            one.save("second")
            await asyncio.wait_for(asked.wait(), 30)
        one.save("third")
        await two.holds("third")
        await two.alone()


# -- the end of the program, at every point ----------------------------------------------------------------------------


@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.asyncio
async def test_a_delivery_that_was_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, noted: bool
) -> None:
    async with programs(tmp_path) as (one, two):
        await _cut_off(monkeypatch, one, two, number, noted)
        assert two.read() in (chart("first"), chart("second")), "whole, whatever it is"
        monkeypatch.undo()
        await two.pc.start()
        await two.holds("second")
        await two.alone()
        assert await one.pc.call("conflicts") == []
        assert content("first") in await two.versions()


@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.asyncio
async def test_a_save_while_the_device_is_off_in_the_midst_of_a_delivery_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, noted: bool
) -> None:
    async with programs(tmp_path) as (one, two):
        await _cut_off(monkeypatch, one, two, number, noted)
        two.save("saved meanwhile")
        monkeypatch.undo()
        await two.pc.start()

        async def published() -> bool:
            return content("saved meanwhile") in await one.versions() or one.read() == chart("saved meanwhile")

        await until(published, "it is announced")
        await two.pc.call("deliver", mandate=MANDATE)
        assert {content("second"), content("saved meanwhile")} <= await two.versions()
        await two.alone()


async def _cut_off(patch: pytest.MonkeyPatch, one: Program, two: Program, number: int, noted: bool) -> None:
    """Stop `two` in the midst of a delivery of what `one` saves.

    From the given note of it on nothing happens any more, as after a kill; `noted`: it was still written.
    """
    running = two.pc.running.bridging
    reached = asyncio.Event()
    change = Bridging.change
    count = 0

    async def change_or_hang(self: Bridging, row: Attachment, **fields: object) -> Attachment:
        nonlocal count
        if self is not running or "delivery" not in fields:
            return await change(self, row, **fields)
        count += 1
        if count == number and noted:
            await change(self, row, **fields)
        if count >= number:
            reached.set()
            await asyncio.Event().wait()
        return await change(self, row, **fields)

    patch.setattr(Bridging, "change", change_or_hang)
    one.save("second")
    await asyncio.wait_for(reached.wait(), 30)
    await two.pc.stop()
