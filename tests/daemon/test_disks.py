"""Folders on disks of other systems and on disks in trouble: real ones, mounted for the test by root."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.ids import content_of, parse_mandate
from p2psync.core.relpath import Platform, parse, to_disk
from p2psync.daemon import runtime
from p2psync.daemon.disk import folders, ground
from p2psync.engine import settle
from p2psync.fs import inspector, observer, reading, stable, traits
from p2psync.fs.exchange import EXCHANGE, Exchange, windows_error
from p2psync.fs.traits import Traits
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until
from tests.fs.mounted import FATS, drive, fat, filled, small_disk

ODD = {"odd: name?.txt", "trailing.", "CON", 'say "so"', "back\\slash", "Ünïcödé.txt", "日本語"}
"""Their spelling on a stick has letters above ASCII."""


async def told(pc: Pc) -> int:
    """How many changes of files the log holds."""
    return len([row for row in await pc.call("log", mandate=MANDATE) if row["path"]])


async def looked_through(pc: Pc) -> None:
    await pc.running.folders.look_through(parse_mandate((await pc.status())["id"]))


async def problems(pc: Pc) -> dict[str, str]:
    return {p["path"]: p["code"] for p in (await pc.status())["problem_list"]}


async def shows(pc: Pc, **wanted: str) -> None:
    """Wait until these problems are shown, by path, and no others."""

    async def holds() -> bool:
        return await problems(pc) == wanted

    await until(holds, f"{pc.name} shows {wanted}")


def reads_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of a folder that are read from now on."""
    found: list[str] = []
    real = stable.read_stable

    def spy(path: str, *more: object, **named: object) -> object:
        if Path(path).is_relative_to(folder):
            found.append(os.path.relpath(path, folder))
        return real(path, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(inspector, "read_stable", spy)
    return found


@pytest.fixture
def often_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a drive is there is seen soon."""
    monkeypatch.setattr(folders, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(observer, "RETURN_S", 0.2)
    monkeypatch.setattr(observer, "PRESENCE_S", 0.2)


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
            one.save("plain.txt", "edited by one")
            (one.folder / "program.sh").unlink()
            await two.has("plain.txt", "edited by one")
            await two.has("program.sh", None)
            await two.in_sync(1)
            await two.call("restore", mandate=MANDATE, path="plain.txt")
            await one.has("plain.txt", "edited on the stick")
            for name, kept in (("plain.txt", "edited by one"), ("program.sh", "edited on the stick")):
                listed = await two.call("versions", mandate=MANDATE, path=name)
                assert content_of(kept.encode()).hex() in {row["content"] for row in listed}
            left = {path.name.partition("-")[0] for path in (two.folder / ".p2psync" / "staging").iterdir()}
            assert left <= {"late", "watched"}, "watched for late writes, and nothing aside"


# -- full ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_does_not_fit_comes_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "pc2.crsync"):
        async with company(tmp_path, "payroll") as (one, two):
            one.save("edited", "before")
            await two.has("edited", "before")
            files = {"edited": 5_000, "small": 5_000, "new/large": 3 << 20}
            with filled(two.folder / ".p2psync"):
                for name, size in files.items():
                    one.save(name, os.urandom(size))
                await shows(two, **dict.fromkeys(files, "disk-full"))
                assert two.files() == {"edited": b"before"}
            for name in files:
                await two.has(name, one.read(name))
            await shows(two)


@pytest.mark.asyncio
async def test_a_disk_that_is_full_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LOOK_EVERY_S", 0.2)
    with small_disk(tmp_path / "pc2.crsync"):
        async with company(tmp_path, "payroll") as (one, two):
            one.save("a.txt", "before")
            await two.has("a.txt", "before")
            await two.stop()
            with filled(two.folder / ".p2psync"):
                await two.start()
                await shows(two, **{"": "disk-full"})
                one.save("a.txt", "after")
            await two.has("a.txt", "after")
            await shows(two)
            assert one.files() == two.files()


@pytest.mark.asyncio
async def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """What is fetched lies in staging already; placing it needs what the disk does not have."""
    with small_disk(tmp_path / "pc2.crsync", "64m,nr_inodes=60"):
        async with company(tmp_path, "payroll") as (one, two):
            fillers = []
            with contextlib.suppress(OSError):
                for number in range(100):
                    fillers.append(two.folder / ".p2psync" / f"filler {number}")
                    fillers[-1].touch()
            fillers[0].unlink()  # for the file; the directory that it lies in needs another
            one.save("a/b.txt", "new")
            await shows(two, **{"a/b.txt": "disk-full"})
            for filler in fillers:
                filler.unlink(missing_ok=True)
            await two.has("a/b.txt", "new")
            await shows(two)


@pytest.mark.asyncio
async def test_a_version_that_could_not_be_kept_is_kept_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "pc2.crsync"):
        async with company(tmp_path, "payroll") as (one, two):
            two.save("a.ecf", "#FSC\tfirst\r\n")
            await one.has("a.ecf", "#FSC\tfirst\r\n")
            with filled(two.folder / ".p2psync"):
                with (two.folder / "a.ecf").open("r+b") as program:  # in place: that needs no room
                    program.write(b"#FSC\tagain\r\n")
                await one.has("a.ecf", "#FSC\tagain\r\n")
                await shows(two, **{"a.ecf": "disk-full"})
            await shows(two)
            two.save("a.ecf", "#FSC\tthird\r\n")
            await one.has("a.ecf", "#FSC\tthird\r\n")
            listed = await two.call("versions", mandate=MANDATE, path="a.ecf")
            contents = [content_of(f"#FSC\t{word}\r\n".encode()).hex() for word in ("third", "again", "first")]
            assert [row["content"] for row in listed] == contents


@pytest.mark.asyncio
async def test_a_database_that_cannot_grow_is_told_of_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "DISK_RETRY_S", 0.5)
    with small_disk(tmp_path / "pc2.home", "16m"):
        async with company(tmp_path, "payroll") as (one, two):
            with filled(tmp_path / "pc2.home"):
                for number in range(30):
                    one.save(f"one {number}", "x" * 100)
                    two.save(f"two {number}", "y" * 100)
                await shows(two, **{str(tmp_path / "pc2.home" / "p2psync.db"): "disk-full"})
            for number in range(30):
                await two.has(f"one {number}", "x" * 100)
                await one.has(f"two {number}", "y" * 100)
            await shows(two)
            await two.in_sync(1)
            assert one.files() == two.files()


# -- read-only, and gone -------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_disk_that_becomes_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / "pc2.crsync") as disk:
        async with company(tmp_path, "payroll") as (one, two):
            for name in ("edited", "removed"):
                one.save(name, "before")
                await two.has(name, "before")
            with disk.read_only():
                one.save("edited", "after")
                one.save("sub/new", "new")
                (one.folder / "removed").unlink()
                await shows(two, **dict.fromkeys(("edited", "sub/new", "removed"), "read-only"))
                assert two.files() == {"edited": b"before", "removed": b"before"}
            await two.has("edited", "after")
            await two.has("sub/new", "new")
            await two.has("removed", None)
            await shows(two)
            assert one.files() == two.files()


@pytest.mark.usefixtures("often_looked_at")
@pytest.mark.asyncio
async def test_a_drive_that_is_pulled_out_while_it_is_written_to(tmp_path: Path) -> None:
    with drive(tmp_path / "pc2.crsync", tmp_path / "store") as disk:
        async with company(tmp_path, "payroll") as (one, two):
            for number in range(50):
                one.save(f"{number}.txt", f"{number}")
            await two.has("49.txt", "49")
            count = await told(one)
            disk.pull_out(by_force=True)
            one.save("meanwhile.txt", "by one")

            async def is_missed() -> bool:
                return (await problems(two)).get("") == "folder-marker-gone"

            await until(is_missed)
            await looked_through(one)
            assert list(two.folder.iterdir()) == [], "nothing is written where the drive was"
            assert len(one.files()) == 51
            (tmp_path / "store" / "7.txt").write_text("edited elsewhere")
            disk.plug_in()
            await two.has("meanwhile.txt", "by one")
            await one.has("7.txt", "edited elsewhere")
            await shows(two)
            await two.in_sync(1)
            assert one.files() == two.files()
            assert await told(one) == count + 2


@pytest.mark.usefixtures("often_looked_at")
@pytest.mark.asyncio
async def test_a_drive_is_taken_out_like_any_other_while_nothing_is_written(tmp_path: Path) -> None:
    with drive(tmp_path / "pc2.crsync", tmp_path / "store") as disk:
        async with company(tmp_path, "payroll") as (one, two):
            one.save("2025/a.crp", "before")
            await two.has("2025/a.crp", "before")
            two.save("b.txt", "by two")
            await one.has("b.txt", "by two")
            await two.in_sync(1)
            await until(lambda: held_open(two.folder) == [])
            disk.pull_out()
            one.save("2025/a.crp", "after")

            async def is_missed() -> bool:
                return (await problems(two)).get("") == "folder-marker-gone"

            await until(is_missed)
            disk.plug_in()
            await two.has("2025/a.crp", "after")
            await shows(two)


def held_open(folder: Path) -> list[str]:
    """What this process has open in a folder."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(str(descriptor.readlink()))
    return [path for path in found if Path(path).is_relative_to(folder)]


# -- as on Windows, on any disk ------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_file_that_a_program_keeps_to_itself_waits_and_all_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sharing violation, as the system says it when a file is opened, exchanged or moved away."""
    monkeypatch.setattr(settle, "LOCKED_PATIENCE_S", 0.0)
    async with company(tmp_path, "payroll") as (one, two):
        for name in ("edited", "removed", "own"):
            one.save(name, "before")
            await two.has(name, "before")
        await one.in_sync(1)
        with monkeypatch.context() as windows:
            sharing_violations(windows, {str(two.folder / name) for name in ("edited", "removed", "own")})
            one.save("edited", "after")
            (one.folder / "removed").unlink()
            one.save("other", "another file")
            (two.folder / "own").write_bytes(b"saved and kept open")
            await two.has("other", "another file")
            await shows(two, edited="locked", removed="locked", own="locked")
            assert two.files()["edited"] == two.files()["removed"] == b"before"
            assert one.files()["own"] == b"before"
        await two.has("edited", "after")
        await two.has("removed", None)
        await one.has("own", "saved and kept open")
        await shows(two)
        assert one.files() == two.files()


def sharing_violations(windows: pytest.MonkeyPatch, locked: set[str]) -> None:
    """Whoever opens these files, or changes what stands at their names, hears what Windows says of it."""
    swap, move_new, open_it = type(EXCHANGE).swap, type(EXCHANGE).move_new, reading._open_descriptor

    def check(*paths: str | Path) -> None:
        for path in paths:
            if str(path) in locked:
                raise windows_error(32, path)

    def swaps(self: Exchange, staged: Path, target: Path) -> None:
        check(target)
        swap(self, staged, target)

    def moves(self: Exchange, source: str | Path, target: str | Path) -> None:
        check(source, target)
        move_new(self, source, target)

    def opens(path: str | Path) -> int:
        check(path)
        return open_it(path)

    windows.setattr(type(EXCHANGE), "swap", swaps)
    windows.setattr(type(EXCHANGE), "move_new", moves)
    windows.setattr(reading, "_open_descriptor", opens)


@pytest.mark.asyncio
async def test_names_that_only_the_receiver_cannot_have_are_spelled_otherwise_there_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probed(staging: Path) -> Traits:
        found = traits.probe(staging)
        return replace(found, names=Platform.WINDOWS) if "pc2" in str(staging) else found

    monkeypatch.setattr(ground, "probe", probed)
    async with company(tmp_path, "payroll") as (one, two):
        names = ODD | {"CON.d/aux", "ab:c/d?"}
        for name in names:
            one.save(name, name)
        await two.holds(len(names))
        spelled = {to_disk(parse(name), Platform.WINDOWS): name.encode() for name in names}
        await until(lambda: two.files() == spelled, "all are placed")
        assert not spelled.keys() & (names - {"Ünïcödé.txt", "日本語"}), "none of them is as Windows refuses it"
        two.save(to_disk(parse("CON"), Platform.WINDOWS), "edited there")
        (two.folder / to_disk(parse("ab:c/d?"), Platform.WINDOWS)).unlink()
        await one.has("CON", "edited there")
        await one.has("ab:c/d?", None)
        await shows(two)
        await shows(one)
        assert one.files().keys() == names - {"ab:c/d?"}
