"""Folders on disks of other systems and on disks in trouble: real ones, mounted for the test by root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.core.ids import parse_mandate
from p2psync.core.relpath import Platform, parse, to_disk
from p2psync.fs import inspector, stable
from tests.daemon.homes import MANDATE, Pc, company
from tests.fs.mounted import FATS, fat

ODD = {"odd: name?.txt", "trailing.", "CON", 'say "so"', "back\\slash", "Ünïcödé.txt", "日本語"}
"""Their spelling on a stick has letters above ASCII."""


async def told(pc: Pc) -> int:
    """How many changes the log holds."""
    return len(await pc.call("log", mandate=MANDATE))


async def looked_through(pc: Pc) -> None:
    await pc.running.folders.look_through(parse_mandate((await pc.status())["id"]))


def reads_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of a folder that are read from now on."""
    found: list[str] = []
    real = stable.read_stable

    def spy(path: str, *more: object) -> object:
        if Path(path).is_relative_to(folder):
            found.append(os.path.relpath(path, folder))
        return real(path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(inspector, "read_stable", spy)
    return found


@pytest.mark.parametrize("kind", FATS)
@pytest.mark.asyncio
async def test_a_stick_changes_nothing_by_what_it_cannot_keep(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No executable bit, times of two seconds, new inode numbers each time, and few names."""
    names = {"plain.txt", "program.sh"} | (set() if kind == "fusefat" else ODD)
    with fat(kind, tmp_path / "pc2.crsync", tmp_path / "image") as stick:
        async with company(tmp_path, "payroll") as (one, two):
            for name in sorted(names):
                one.save(name, name)
            (one.folder / "program.sh").chmod(0o755)
            await one.holds(len(names))
            await two.holds(len(names))
            await two.in_sync(1)
            spelled = {to_disk(parse(name), Platform.WINDOWS): name.encode() for name in names}
            assert two.files() == spelled
            count = await told(one)
            reads = reads_below(two.folder, monkeypatch)
            await looked_through(two)
            await two.stop()
            stick.pull_out()
            stick.plug_in()
            for file in sorted(two.folder.iterdir(), reverse=True):
                file.lstat()  # inode numbers are made up in the order in which files are met
            await two.start()
            await looked_through(two)
            await two.in_sync(1)
            assert reads == []
            assert two.files() == spelled
            assert await told(one) == count
            two.save("program.sh", "edited on the stick")
            two.save("plain.txt", "edited on the stick")
            await one.has("program.sh", "edited on the stick")
            await one.has("plain.txt", "edited on the stick")
            assert os.access(one.folder / "program.sh", os.X_OK)
            assert not os.access(one.folder / "plain.txt", os.X_OK)
            assert await told(one) == count + 2
            assert one.files().keys() == names
