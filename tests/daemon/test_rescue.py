"""A database that is damaged is set aside and made anew from what is kept beside it, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.daemon import rescue
from p2psync.daemon.node import Node
from p2psync.errors import StoreDamaged, StoreError
from tests.daemon.homes import Pc, company, pcs
from tests.daemon.patience import until


def damage(pc: Pc) -> None:
    """What a dying disk does."""
    path = pc.config.home / rescue.DATABASE_FILE
    data = bytearray(path.read_bytes())
    data[100 : len(data) // 2] = os.urandom(len(data) // 2 - 100)
    path.write_bytes(data)
    rescue.mark_damaged(pc.config.home)


@pytest.mark.asyncio
async def test_a_member_with_a_lost_database_goes_on_with_the_others(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        two.save("kept.txt", "before")
        await one.has("kept.txt", "before")
        await two.stop()
        damage(two)
        one.save("kept.txt", "changed while two was off")
        two.save("own.txt", "saved while off")
        await one.in_sync(0)
        await two.start()
        await two.has("kept.txt", "changed while two was off")
        await one.has("own.txt", "saved while off")
        two.save("later.txt", "goes on")
        await one.has("later.txt", "goes on")
        assert [p["code"] for p in (await two.status())["problem_list"]] == ["database-rebuilt"]
        (aside,) = two.config.home.glob("*.damaged-*")
        assert aside.stat().st_size > 0


@pytest.mark.asyncio
async def test_the_only_member_keeps_its_mandate_and_its_files(tmp_path: Path) -> None:
    async with pcs(tmp_path, "alone") as (pc,):
        await pc.create(role="accounting")
        pc.save("chart.crp", "chart\r\nENDOFFILE\r\n")
        await pc.holds(1)
        await pc.call("peer.add", mandate="Cargo", address="192.0.2.1:4000")
        await until(lambda: _addresses(pc) == ("192.0.2.1:4000",))
        before = await pc.call("mandate.show", mandate="Cargo")
        await pc.stop()
        damage(pc)
        await pc.start()
        await pc.holds(1)
        after = await pc.call("mandate.show", mandate="Cargo")
        assert after == before
        assert await pc.call("peer.list", mandate="Cargo") == [{"address": "192.0.2.1:4000"}]
        (itself,) = await pc.call("devices", mandate="Cargo")
        assert itself["admin"] is True


@pytest.mark.asyncio
async def test_members_come_in_after_it_was_made_anew(tmp_path: Path) -> None:
    """What the card holds stands for itself, though files were saved before the last word about members."""
    async with pcs(tmp_path, "old", "new") as (old, new):
        await old.create(role="accounting")
        old.save("before.txt", "saved before the ticket")
        await old.holds(1)
        await old.invite("payroll")
        await until(lambda: b"issue" in b"".join(rescue.read(old.config.home)[0].blocks))
        await old.stop()
        damage(old)
        await old.start()
        await new.join(await old.invite("payroll"))
        await new.has("before.txt", "saved before the ticket")


@pytest.mark.asyncio
async def test_a_database_that_is_gone_is_made_anew_too(tmp_path: Path) -> None:
    async with pcs(tmp_path, "alone") as (pc,):
        await pc.create(role="accounting")
        pc.save("chart.crp", "chart\r\nENDOFFILE\r\n")
        await pc.holds(1)
        await until(lambda: (pc.config.home / rescue.RESCUE_FILE).exists())
        await pc.stop()
        for file in pc.config.home.glob(f"{rescue.DATABASE_FILE}*"):
            file.unlink()
        await pc.start()
        await pc.holds(1)
        assert [p["code"] for p in (await pc.status())["problem_list"]] == ["database-rebuilt"]


@pytest.mark.asyncio
async def test_a_crash_while_it_is_made_anew_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pcs(tmp_path, "alone") as (pc,):
        await pc.create(role="accounting")
        await until(lambda: (pc.config.home / rescue.RESCUE_FILE).exists())
        await pc.stop()
        damage(pc)
        with monkeypatch.context() as crash:
            crash.setattr(rescue, "rebuild", _power_cut)
            with pytest.raises(RuntimeError):
                await Node.start(pc.config)
        await pc.start()
        assert (await pc.status())["name"] == "Cargo"


def _power_cut(*_: object) -> None:
    raise RuntimeError("power cut")


def _addresses(pc: Pc) -> tuple[str, ...]:
    return rescue.read(pc.config.home)[0].addresses


@pytest.mark.asyncio
async def test_damage_found_while_running_ends_the_device_and_is_remembered(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        pc.running.broken(StoreDamaged("torn page"))
        await pc.running.wait_for_end()
        await pc.stop()
        assert (pc.config.home / rescue.DAMAGED_FILE).exists()
        await pc.start()
        assert list(pc.config.home.glob("*.damaged-*"))
        await pc.stop()
        await pc.start()
        assert len(list(pc.config.home.glob("p2psync.db.damaged-*"))) == 1


@pytest.mark.asyncio
async def test_without_what_is_kept_beside_it_nothing_is_touched(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        await pc.stop()
        damage(pc)
        (pc.config.home / rescue.RESCUE_FILE).write_bytes(b"nonsense")
        with pytest.raises(StoreError, match="join the mandates again"):
            await Node.start(pc.config)
        assert (pc.config.home / rescue.DATABASE_FILE).exists()


def test_what_is_kept_is_private(tmp_path: Path) -> None:
    rescue.write(tmp_path, [])
    assert rescue.read(tmp_path) == []
    if os.name == "posix":
        assert (tmp_path / rescue.RESCUE_FILE).stat().st_mode & 0o077 == 0
