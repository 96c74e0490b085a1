"""Disks, names and clocks that are in the way: each is shown with its file, and everything else goes on."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, company, office, pause, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

YEAR_S = 365 * 86_400
MIB = 1 << 20


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with company(lab, root, "payroll") as two:
        yield two


# -- folders that are not there ----------------------------------------------------------------------------------------


def test_a_folder_that_goes_while_the_daemon_runs(pcs: list[Pc]) -> None:
    """A drive that is unplugged is no deletion."""
    a, b = pcs
    a.save("kept.txt", "on both")
    agree(a, b)
    away = b.folder.with_suffix(".unplugged")
    b.folder.rename(away)
    until(lambda: b.problems().get("") in ("folder-gone", "folder-marker-gone"), "b misses its folder", 30)
    a.save("meanwhile.txt", "by a")
    assert b.ask("sync", "Cargo", "--timeout", "20s").exit != 0
    pause(2)
    assert a.read("kept.txt") == b"on both"
    (away / "while away.txt").write_bytes(b"by b, unplugged")
    away.rename(b.folder)
    b.has("meanwhile.txt", "by a")
    a.has("while away.txt", "by b, unplugged")
    agree(a, b)
    assert "" not in b.problems()


def test_a_folder_that_is_not_there_at_the_start(pcs: list[Pc]) -> None:
    """An empty mount point in its place is no deletion either."""
    a, b = pcs
    wanted = agree(a, b)
    away = b.folder.with_suffix(".unplugged")
    b.stop()
    b.folder.rename(away)
    b.folder.mkdir()
    b.start()
    until(lambda: b.problems().get("") == "folder-marker-gone", "b does not take the empty one for its folder")
    pause(1)
    assert a.files() == wanted
    assert list(b.folder.iterdir()) == [], "nothing is written into a folder that is not ours"
    b.folder.rmdir()
    away.rename(b.folder)
    assert agree(a, b) == wanted
    assert "" not in b.problems()


# -- files that cannot be read or written ------------------------------------------------------------------------------


def test_files_that_may_not_be_read_or_written(pcs: list[Pc]) -> None:
    a, b = pcs
    b.is_confined = True
    b.restart()
    try:
        a.save("fixed/inside.txt", "first")
        agree(a, b)
        (b.folder / "fixed").chmod(0o555)
        b.save("closed.txt", "not for everybody")
        (b.folder / "closed.txt").chmod(0o000)
        a.save("fixed/inside.txt", "second")
        a.save("fixed/new.txt", "new")
        a.save("goes on.txt", "all the same")
        b.has("goes on.txt", "all the same")
        until(lambda: {"fixed/inside.txt", "fixed/new.txt"} <= b.problems().keys(), "b says what it cannot place")
        assert b.problems()["fixed/new.txt"] == "read-only"
        assert b.read("fixed/inside.txt") == b"first"
        (b.folder / "closed.txt").write_bytes(b"not for everybody, changed")
        until(lambda: b.problems().get("closed.txt") == "unreadable", "b says what it cannot read")
        assert b.status()["health"] == "action"
        ran = a.ask("sync", "Cargo", "--timeout", "20s")
        assert (ran.exit, ran.data["result"]) == (3, "partial"), ran
        assert {row["path"] for row in ran.data["problems"]} >= {"fixed/new.txt"}
        (b.folder / "fixed").chmod(0o755)
        (b.folder / "closed.txt").chmod(0o644)
        a.has("closed.txt", "not for everybody, changed")
        b.has("fixed/inside.txt", "second")
        agree(a, b)
        until(lambda: b.problems() == {}, "nothing is wrong any more")
    finally:
        b.is_confined = False
        b.restart()


def test_a_full_disk(lab: Lab, tmp_path: Path) -> None:
    with disk(tmp_path / "b.crsync") as resize, company(lab, tmp_path, "payroll") as (a, b):
        a.save("note.txt", "before")
        agree(a, b)
        resize("6m")
        a.save("big.bin", os.urandom(12 * MIB))
        until(lambda: b.problems().get("big.bin") == "disk-full", "b says that its disk is full")
        a.save("note.txt", "small enough")
        b.has("note.txt", "small enough")
        assert b.read("big.bin") is None
        resize("64m")
        agree(a, b)
        until(lambda: b.problems() == {}, "nothing is wrong any more")


def test_a_folder_that_may_not_be_written_at_the_start(pcs: list[Pc]) -> None:
    a, b = pcs
    wanted = agree(a, b)
    b.stop()
    closed = [b.folder, *(path for path in b.folder.rglob("*") if path.is_dir())]
    for path in closed:
        path.chmod(0o555)
    b.is_confined = True
    try:
        b.start()
        until(lambda: b.problems().get("") == "read-only", "b says that it may not write")
        assert a.files() == wanted
        for path in closed:
            path.chmod(0o755)
        a.save("writable again.txt", "by a")
        b.has("writable again.txt", "by a")
        agree(a, b)
        until(lambda: b.problems() == {}, "nothing is wrong any more")
    finally:
        b.is_confined = False
        b.restart()


@contextmanager
def disk(folder: Path) -> Iterator[Callable[[str], None]]:
    """A small disk of its own for a folder; yields what changes its size."""
    folder.mkdir(parents=True)

    def mount(*words: str) -> None:
        subprocess.run(["mount", *words, str(folder)], check=True)

    mount("-t", "tmpfs", "-o", "size=64m", "none")
    try:
        yield lambda size: mount("-o", f"remount,size={size}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# -- what is no file, and names ----------------------------------------------------------------------------------------


def test_links_and_special_files(pcs: list[Pc], tmp_path: Path) -> None:
    a, b = pcs
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "private.txt").write_bytes(b"not of the mandate")
    a.save("directory/inside.txt", "in a directory")
    agree(a, b)
    with ExitStack() as stack:
        (b.folder / "link to file").symlink_to(outside / "private.txt")
        (b.folder / "link to directory").symlink_to(outside)
        (b.folder / "dangling").symlink_to("nowhere")
        os.mkfifo(b.folder / "pipe")
        here = stack.enter_context(socket.socket(socket.AF_UNIX))
        here.bind(str(b.folder / "socket"))
        b.save("ordinary.txt", "goes on")
        a.has("ordinary.txt", "goes on")
        links = dict.fromkeys(("link to file", "link to directory", "dangling"), "symbolic-link")
        until(lambda: b.problems() == {**links, "pipe": "special-file", "socket": "special-file"}, "each is told")
        assert a.problems() == {}
        a.save("link to directory/in.txt", "through the link?")
        a.save("pipe", "a file of that name")
        a.save("link to file", "a file of that name")
        a.save("more.txt", "goes on")
        b.has("more.txt", "goes on")
        pause(1)
        assert sorted(path.name for path in outside.iterdir()) == ["private.txt"], "written through a link"
        assert (outside / "private.txt").read_bytes() == b"not of the mandate"
        shutil.rmtree(b.folder / "directory")
        (b.folder / "directory").symlink_to(outside)
        until(lambda: "directory" in b.problems(), "told too")
        pause(3)
        assert a.read("directory/inside.txt") == b"in a directory"
        for name in (*links, "pipe", "socket", "directory"):
            (b.folder / name).unlink()
    until(lambda: b.problems() == {}, "nothing is wrong any more")
    found = agree(a, b)
    assert found.keys() >= {"link to directory/in.txt", "pipe", "link to file"}
    assert "directory/inside.txt" not in found, "now it is gone for good: the link held its place"


def test_names(pcs: list[Pc]) -> None:
    """Whatever this disk can hold and UTF-8 can say goes through, whole."""
    a, b = pcs
    strange = [
        "CON",
        "aux.txt",
        "aa:b",
        "trailing. ",
        "trailing.",
        'say "so"?',
        "back\\slash",
        "tab\tand\nline",
        "-rf",
        "~",
    ]
    strange += [
        "é".encode().decode(),
        "e\u0301",
        "Ünï/cödé",
        "case",
        "Case",
        "CASE",
        "日本語",
        "🧾",
        ".hidden",
        "n" * 255,
    ]
    strange += ["é" * 127, "/".join(["deep"] * 40)]
    for number, name in enumerate(strange):
        a.save(name, f"number {number}")
    (a.folder / "empty").write_bytes(b"")
    (a.folder / "empty directory").mkdir()
    found = agree(a, b)
    assert set(strange) <= found.keys()
    assert {"empty", "empty directory/"} <= found.keys()
    assert (b.folder / "empty").stat().st_size == 0


def test_names_that_cannot_be_exchanged(pcs: list[Pc]) -> None:
    a, b = pcs
    bytes_name = os.fsdecode(b"caf\xe9.txt")
    (b.folder / bytes_name).write_bytes(b"no text")
    (b.folder / "Crésus.cre").write_bytes(b"a live database")
    long = "/".join(["d" * 200] * 6)
    b.save(f"{long}/deep.txt", "beyond what all systems can hold")
    b.save("fine.txt", "goes on")
    a.has("fine.txt", "goes on")
    until(lambda: len(b.problems()) >= 3, "each is told")
    problems = b.problems()
    assert "live-database" in problems.values()
    assert "name-not-text" in problems.values()
    assert "name-too-long" in problems.values()
    assert a.problems() == {}
    assert not any("caf" in name or "ddd" in name or ".cre" in name for name in a.files())
    shutil.rmtree(b.folder / ("d" * 200))
    (b.folder / bytes_name).rename(b.folder / "café.txt")
    (b.folder / "Crésus.cre").unlink()
    a.has("café.txt", "no text")
    until(lambda: b.problems() == {}, "nothing is wrong any more")
    agree(a, b)


def test_what_p2psyncignore_names(pcs: list[Pc]) -> None:
    a, b = pcs
    a.save(".p2psyncignore", "*.bak\n/private/\n")
    b.has(".p2psyncignore", "*.bak\n/private/\n")
    b.save("old.bak", "of b alone")
    b.save("private/diary.txt", "of b alone")
    b.save("public.txt", "for all")
    a.has("public.txt", "for all")
    pause(1)
    assert a.read("old.bak") is None
    assert a.read("private/diary.txt") is None
    assert b.problems() == {}
    for name in ("old.bak", "private/diary.txt"):
        (b.folder / name).unlink()
    (b.folder / "private").rmdir()
    agree(a, b)


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("years", [-20, 9])
def test_a_clock_that_is_years_off(lab: Lab, tmp_path: Path, years: int) -> None:
    """Nothing is decided by clocks: the PCs meet, and the last edit counts; the wrong one is pointed out."""
    with office(lab, tmp_path, "a", "b") as (a, b):
        a.create()
        b.stop()
        b.clock_off_s = years * YEAR_S
        b.start()
        joined = b.ask("join", "-", "--folder", b.folder, given=a.invite("payroll", "--expires", "8d"))
        if years > 0 and joined.exit:
            assert "expired" in joined.said
            b.clock_off_s = 0
            b.restart()
            b.join(a.invite("payroll"))
            b.clock_off_s = years * YEAR_S
            b.restart()
        a.save("letter.txt", "first, by a")
        b.has("letter.txt", "first, by a")
        b.save("letter.txt", "second, by b")
        a.has("letter.txt", "second, by b")
        a.save("letter.txt", "third, by a")
        b.has("letter.txt", "third, by a")
        agree(a, b)
        assert a.run("conflicts", "Cargo") == []
        until(lambda: a.problems().get("") == "clock-wrong", "it is pointed out")
