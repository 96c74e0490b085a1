"""Bringing bytes back: whole or not at all, and what stood there is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from p2psync.core.entry import EXECUTABLE
from p2psync.core.ids import MandateId, content_of
from p2psync.core.relpath import Folding, RelPath
from p2psync.daemon.disk.restoring import ATTEMPTS, Restorer, into_file
from p2psync.errors import FolderError, P2PSyncError, UsageError
from p2psync.fs import clone
from p2psync.fs.contents import Contents
from p2psync.fs.exchange import EXCHANGE, Exchange, LinkExchange
from p2psync.fs.folder import Folder, Marker
from p2psync.fs.placer import Placer
from p2psync.fs.staging import Staging
from p2psync.fs.traits import SYSTEMS_OWN, Traits
from p2psync.fs.versions import Versions
from p2psync.fs.watchlist import NAME as WATCHLIST
from tests.fs.disk import version
from tests.fs.meddling import Meddling, NoSwap, in_a_process_that_may_die, power_cut
from tests.fs.onlooking import Nobody

OLD, NEW = content_of(b"old"), content_of(b"new")
A = RelPath("a.crp")


class Desk:
    """A mandate's folder in which "old" is a version."""

    def __init__(self, root: Path, exchange: Exchange = EXCHANGE, traits: Traits = SYSTEMS_OWN) -> None:
        self.folder = Folder(root / "Cargo.crsync", traits)
        self.folder.prepare()
        self.folder.write_marker(Marker(MandateId(b"m" * 16), b"e" * 16))
        self.staging, self.versions = Staging(self.folder.staging), Versions(self.folder.versions)
        self.contents = Contents(self.folder, self.staging, self.versions, lambda several: {})
        self.placer = Placer(
            self.folder, self.staging, self.versions, self.contents, exchange=exchange, onlooker=Nobody()
        )
        self.restorer = Restorer(
            self.folder, self.staging, self.contents, self.placer.outs, self.placer.exchange, clock=lambda: 0.0
        )
        self.staging.stage_whole([(OLD, b"old")])
        self.versions.adopt(self.staging.path(OLD), OLD)

    def save(self, path: str, data: bytes) -> Path:
        target = self.folder.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    def restore(self, path: str = A, mode: int = 0) -> bytes | None:
        """What came out."""
        came = self.restorer.into_folder(OLD, RelPath(path), mode)
        return None if came is None or came.content is None else self.versions.path(came.content).read_bytes()

    def kept(self) -> dict[str, bytes]:
        return {content.hex()[:8]: self.versions.path(content).read_bytes() for content in self.versions.iterate()}

    def is_tidy(self) -> bool:
        """Nothing is left beside what is kept and watched."""
        return not {p.name for p in self.folder.staging.iterdir()} - {WATCHLIST} and {
            p.name for p in self.folder.own.iterdir()
        } == {*("staging", "versions", "marker")}


def test_a_file_that_was_gone_is_there_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.restore("sub/deep/a.crp") is None
    assert (desk.folder.root / "sub" / "deep" / "a.crp").read_bytes() == b"old"
    assert desk.is_tidy()


@pytest.mark.parametrize("exchange", [EXCHANGE, NoSwap(), LinkExchange()])
def test_what_stood_there_is_kept(tmp_path: Path, exchange: Exchange) -> None:
    desk = Desk(tmp_path, exchange)
    target = desk.save(A, b"new")
    assert desk.restore() == b"new"
    assert target.read_bytes() == b"old"
    assert desk.kept() == version(b"old") | version(b"new")
    assert desk.is_tidy()


def test_what_a_program_writes_late_into_what_came_out_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.save(A, b"new").open("ab") as program:
        desk.restore()
        program.write(b" and late")
    (late,) = desk.placer.late_writes(60.0)
    assert (late.path, late.entry.content) == (A, content_of(b"new and late"))
    assert version(b"new and late").items() <= desk.kept().items()


def saves(desk: Desk, data: bytes) -> Callable[[], object]:
    return lambda: desk.save(A, data)


def test_a_program_that_saves_in_the_midst_of_it_loses_nothing(tmp_path: Path) -> None:
    meddling = NoSwap()
    desk = Desk(tmp_path, meddling)
    desk.save(A, b"new")
    meddling.acts.extend([None, None, saves(desk, b"newer")])  # it is not free, it went aside, and now another stands
    assert desk.restore() == b"newer"
    assert (desk.folder.root / A).read_bytes() == b"old"
    assert desk.kept() == version(b"old") | version(b"new") | version(b"newer")
    assert desk.is_tidy()


def test_a_file_that_comes_and_goes_is_given_up(tmp_path: Path) -> None:
    meddling = Meddling()
    desk = Desk(tmp_path, meddling)
    (desk.folder.root / A).write_bytes(b"new")
    for _attempt in range(ATTEMPTS):
        meddling.acts.extend([saves(desk, b"new"), lambda: (desk.folder.root / A).unlink()])
    with pytest.raises(FileExistsError, match="comes and goes"):
        desk.restore()
    assert desk.is_tidy()


@pytest.mark.parametrize("step", range(5))
def test_a_power_cut_leaves_the_old_or_the_new(tmp_path: Path, step: int) -> None:
    desk = Desk(tmp_path, NoSwap(*[None] * step, power_cut))
    target = desk.save(A, b"new")
    died = in_a_process_that_may_die(desk.restore)
    assert died == (step < 4)
    Desk(tmp_path).placer.recover()
    assert target.read_bytes() in (b"old", b"new")
    assert target.read_bytes() == b"new" or version(b"new").items() <= desk.kept().items()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no executable bit")
def test_who_may_read_it_stays_and_whether_it_is_a_program(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    target = desk.save("a.sh", b"new")
    target.chmod(0o640)
    desk.restore("a.sh", EXECUTABLE)
    assert target.stat().st_mode & 0o777 == 0o750


def test_a_save_of_a_user_it_looks_like(tmp_path: Path) -> None:
    """Watched as any other: the placer's word for its own files is not given."""
    desk = Desk(tmp_path)
    before_ns = desk.save(A, b"new").stat().st_mtime_ns
    desk.restore()
    assert (desk.folder.root / A).stat().st_mtime_ns >= before_ns


# -- what is in the way ------------------------------------------------------------------------------------------------


def test_only_files_are_replaced(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "private").write_bytes(b"not of the mandate")
    (desk.folder.root / "directory").mkdir()
    (desk.folder.root / "link").symlink_to(outside / "private")
    (desk.folder.root / "dangling").symlink_to("nowhere")
    (desk.folder.root / "elsewhere").symlink_to(outside)
    os.mkfifo(desk.folder.root / "pipe")
    refusals = {
        "directory": "it is a folder now",
        "link": "it is a symbolic link now",
        "dangling": "it is a symbolic link now",
        "elsewhere": "it is a symbolic link now",
        "elsewhere/private": "leads out of the folder",
        "elsewhere/new": "leads out of the folder",
        "pipe": "no ordinary file",
    }
    for path, reason in refusals.items():
        with pytest.raises(FolderError, match=reason):
            desk.restore(path)
    assert [path.name for path in outside.iterdir()] == ["private"]
    assert (outside / "private").read_bytes() == b"not of the mandate"
    assert (desk.folder.root / "link").readlink() == outside / "private"
    assert desk.kept() == version(b"old")
    assert desk.is_tidy()


def test_a_link_that_comes_in_the_midst_goes_back(tmp_path: Path) -> None:
    meddling = Meddling()
    desk = Desk(tmp_path, meddling)
    target = desk.save(A, b"new")

    def becomes_a_link() -> None:
        target.unlink()
        target.symlink_to("nowhere")

    meddling.acts.extend([None, becomes_a_link])
    with pytest.raises(FolderError, match="symbolic link"):
        desk.restore()
    assert target.readlink() == Path("nowhere")
    assert desk.is_tidy()


def test_a_name_that_answers_to_another_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, traits=Traits(folding=Folding(case_insensitive=True)))
    desk.save(A, b"new")
    monkeypatch.setattr(os, "listdir", lambda path: ["A.CRP", ".p2psync"])
    with pytest.raises(FolderError, match="for the same"):
        desk.restore()
    assert (desk.folder.root / A).read_bytes() == b"new"


# -- when it fails -----------------------------------------------------------------------------------------------------


def full(fd: int, data: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_failing_disk_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    target = desk.save(A, b"new")
    monkeypatch.setattr(clone, "write_all", full)
    with pytest.raises(OSError, match="No space"):
        desk.restore()
    with pytest.raises(OSError, match="No space"):
        into_file(desk.contents, OLD, tmp_path / "b.crp")
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["Cargo.crsync"]
    assert desk.is_tidy()


def test_a_file_in_place_of_the_directory_is_left(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.save("sub", b"a file")
    with pytest.raises((FolderError, OSError)):
        desk.restore("sub/a.crp")
    assert (desk.folder.root / "sub").read_bytes() == b"a file"
    assert desk.is_tidy()


def test_bytes_that_are_not_here_are_not_made_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.versions.path(OLD).write_bytes(b"rotten")
    with pytest.raises(P2PSyncError, match="not on this PC"):
        desk.restore()
    with pytest.raises(P2PSyncError, match="not on this PC"):
        into_file(desk.contents, OLD, tmp_path / "b.crp")
    assert not (tmp_path / "b.crp").exists()
    assert desk.is_tidy()


# -- into another file -------------------------------------------------------------------------------------------------


def test_into_another_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    into_file(desk.contents, OLD, tmp_path / "b.crp")
    assert (tmp_path / "b.crp").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Cargo.crsync", "b.crp"]
    with pytest.raises(FileNotFoundError):
        into_file(desk.contents, OLD, tmp_path / "none" / "b.crp")


def test_a_file_that_is_there_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "file").write_bytes(b"before")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "directory").mkdir()
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # it came after the look
    for late in (False, True):
        for name in ("file", "link", "directory"):
            with pytest.raises(UsageError, match="is there already"):
                into_file(desk.contents, OLD, tmp_path / name)
        if not late:
            monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"before"
    assert (tmp_path / "link").readlink() == Path("nowhere")
    assert not (tmp_path / "nowhere").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Cargo.crsync", "directory", "file", "link"]
