"""Backups and losses: last week's folder is not published over today's, and a database can be made anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, company, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

DATABASE = "p2psync.db"


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with company(lab, root, "payroll") as two:
        yield two


def test_a_folder_restored_from_an_older_copy_publishes_nothing_old(pcs: list[Pc], tmp_path: Path) -> None:
    a, b = pcs
    for name in ("edited", "deleted", "untouched", "Cargo.crp"):
        a.save(name, f"{name}, last week\r\nENDOFFILE\r\n")
    agree(a, b)
    a.restart()
    agree(a, b)
    shutil.copytree(a.folder, tmp_path / "copy", symlinks=True)
    a.restart()
    b.save("edited", "edited by b today")
    a.save("Cargo.crp", "today\r\nENDOFFILE\r\n")
    a.save("new", "made today")
    (a.folder / "deleted").unlink()
    wanted = agree(a, b)
    told = _told(b)
    a.stop()
    shutil.rmtree(a.folder)
    shutil.copytree(tmp_path / "copy", a.folder, symlinks=True)
    a.start()
    assert agree(a, b) == wanted
    assert "deleted" not in wanted
    assert _told(b) == told
    assert b.run("conflicts", "Cargo") == []
    a.save("edited", "edited again")
    b.has("edited", "edited again")


def test_a_restored_folder_in_which_somebody_worked_before_the_start(pcs: list[Pc], tmp_path: Path) -> None:
    """Content that the mandate never had is not published over today's either; it is kept and shown."""
    a, b = pcs
    a.save("worked on", "last week")
    agree(a, b)
    shutil.copytree(b.folder, tmp_path / "copy", symlinks=True)
    b.restart()
    a.save("worked on", "today")
    agree(a, b)
    b.stop()
    shutil.rmtree(b.folder)
    shutil.copytree(tmp_path / "copy", b.folder, symlinks=True)
    b.save("worked on", "last week, and then some")
    b.save("never seen", "made in the restored folder")
    b.start()
    b.has("worked on", "today")
    a.has("never seen", "made in the restored folder")
    agree(a, b)
    assert b.problems()["worked on"] == "set-aside"
    kept = [row for row in b.run("versions", "Cargo", "worked on") if row["size"] == len("last week, and then some")]
    assert kept
    b.run("restore", "Cargo", "worked on", "--version", kept[0]["id"], "--to", tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "last week, and then some"


def test_a_lost_database_is_made_anew_from_the_folder_and_the_peers(pcs: list[Pc]) -> None:
    a, b = pcs
    a.save("before the loss", "by a")
    wanted = agree(a, b)
    told = _told(b)
    a.stop()
    for file in a.home.glob(f"{DATABASE}*"):
        file.unlink()
    b.save("meanwhile", "by b")
    (b.folder / "untouched").unlink()
    a.start()
    found = agree(a, b)
    assert found.keys() == wanted.keys() - {"untouched"} | {"meanwhile"}
    assert a.problems()[""] == "database-rebuilt"
    assert [row for row in _told(b) if row not in told and row[0] == a.device] == []
    a.save("after", "by a, in a new log")
    b.has("after", "by a, in a new log")
    assert a.invite("reader")


def test_a_damaged_database_is_set_aside_and_made_anew(pcs: list[Pc]) -> None:
    a, b = pcs
    wanted = agree(a, b)
    b.stop()
    garbage = b"\xa5" * 70_000
    with (b.home / DATABASE).open("r+b") as file:
        file.write(garbage)
    b.start()
    assert agree(a, b) == wanted
    assert b.problems()[""] == "database-rebuilt"
    aside = [file for file in b.home.iterdir() if file.is_file() and file.read_bytes()[:1000] == garbage[:1000]]
    assert len(aside) == 1
    assert aside[0].name != DATABASE
    assert "database.rebuilt" in (b.home / "p2psync.log").read_text()
    b.save("after the damage", "by b")
    a.has("after the damage", "by b")
    assert [a.run("conflicts", "Cargo"), b.run("conflicts", "Cargo")] == [[], []]


def test_a_database_that_is_damaged_while_it_is_in_use(pcs: list[Pc]) -> None:
    """The daemon may end; the next start makes it anew."""
    a, b = pcs
    wanted = agree(a, b)
    with (b.home / DATABASE).open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    b.save("provokes", "a look into the database")
    b.stop()
    b.start()
    b.has("provokes", "a look into the database")
    until(lambda: a.read("provokes") is not None, "a gets it, now or after the start")
    assert agree(a, b).keys() == wanted.keys() | {"provokes"}


def test_a_whole_pc_restored_from_last_weeks_backup(pcs: list[Pc], tmp_path: Path) -> None:
    """It works on before it meets the others: its log says two things then, and nothing of either is lost."""
    a, b = pcs
    a.save("weekly", "last week")
    a.save("kept", "last week")
    agree(a, b)
    a.stop()
    for place in (a.home, a.folder):
        shutil.copytree(place, tmp_path / place.name, symlinks=True)
    a.start()
    a.save("weekly", "today")
    a.save("made today", "before the loss")
    (a.folder / "kept").unlink()
    wanted = agree(a, b)
    a.stop()
    b.stop()
    for place in (a.home, a.folder):
        shutil.rmtree(place)
        shutil.copytree(tmp_path / place.name, place, symlinks=True)
    a.start()
    a.save("after the restore", "while nobody else is there")
    until(lambda: "after the restore" in {row["path"] for row in a.log()}, "it is in the log")
    assert a.read("weekly") == b"last week"
    b.start()
    a.has("weekly", "today")
    a.has("kept", None)
    assert agree(a, b).keys() == wanted.keys() | {"after the restore"}
    assert [a.run("conflicts", "Cargo"), b.run("conflicts", "Cargo")] == [[], []]
    until(lambda: all("log-forked" in _codes(pc) for pc in (a, b)), "both say that the log has branches")
    a.save("weekly", "tomorrow")
    b.has("weekly", "tomorrow")
    assert b.run("log", "Cargo", "--verify")["ok"]


def test_a_copied_pc_is_pointed_out_and_all_goes_on(pcs: list[Pc], tmp_path: Path) -> None:
    a, b = pcs
    agree(a, b)
    b.stop()
    shutil.copytree(b.home, tmp_path / "c.home")
    b.start()
    agree(a, b)
    copy = Pc(b.lab, "c", tmp_path)
    try:
        copy.start()
        until(
            lambda: "device-cloned" in {row["code"] for row in a.status()["problem_list"]}, "a sees the same PC twice"
        )
        a.save("goes on", "all the same")
        b.has("goes on", "all the same")
    finally:
        copy.kill()


def test_one_folder_serves_one_mandate(pcs: list[Pc], tmp_path: Path) -> None:
    a, _b = pcs
    for folder in (a.folder, a.folder / "sub"):
        refused = a.ask("mandate", "create", "Second", "--folder", folder)
        assert refused.exit in (1, 2), refused
        assert str(a.folder) in refused.said
    assert [row["name"] for row in a.run("mandate", "list")] == ["Cargo"]
    cloud = tmp_path / "Dropbox" / "Cargo.crsync"
    assert "Dropbox" in a.ask("mandate", "create", "Second", "--folder", cloud).said
    second = a.ask("up")
    assert second.exit in (1, 2)
    assert str(a.home) in second.said


def _codes(pc: Pc) -> set[str]:
    return {row["code"] for row in pc.status()["problem_list"]}


def _told(pc: Pc) -> list[tuple[str, str, str]]:
    return sorted((row["device"], row["path"], str(row["content"])) for row in pc.log())
