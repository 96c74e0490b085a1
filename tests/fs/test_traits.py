"""What disks are found to be like: this one, played ones, and real ones of another system."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.entry import EXECUTABLE, HIDDEN
from p2psync.core.relpath import Folding, Platform
from p2psync.fs import traits as module
from p2psync.fs.traits import SYSTEMS_OWN, Traits, probe, racy_for_s
from tests.fs.mounted import FATS, fat


def test_the_disk_of_the_tests_is_of_this_system(tmp_path: Path) -> None:
    assert probe(tmp_path) == SYSTEMS_OWN
    assert os.listdir(tmp_path) == []


def test_a_disk_that_folds_is_found_out(tmp_path: Path) -> None:
    (tmp_path / module._PROBE.swapcase()).touch()
    assert probe(tmp_path).folding == Folding(case_insensitive=True)
    (tmp_path / module._DECOMPOSED).touch()
    assert probe(tmp_path) == replace(SYSTEMS_OWN, folding=Folding(True, True), composes=True)


@pytest.mark.parametrize("refuses", [True, False])
def test_a_disk_without_modes_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: bool) -> None:
    def chmod(path: Path, mode: int) -> None:
        if refuses:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", chmod)
    assert probe(tmp_path) == replace(SYSTEMS_OWN, mode_bits=0)


@pytest.mark.parametrize(
    ("line", "keeps"),
    [
        ("36 27 {} / /x rw,nosuid shared:1 - vfat /dev/sdb1 rw,fmask=0022", False),
        ("36 27 {} / /x rw - fuseblk /dev/sdb1 rw", False),
        ("36 27 {} / /x rw - fuse.sshfs host: rw", False),
        ("36 27 {} / /x rw - ext4 /dev/sda1 rw", True),
        ("36 27 0:4000 / /x rw - vfat /dev/sdb1 rw", True),
        ("what is this", True),
    ],
)
def test_inode_numbers_are_trusted_where_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, keeps: bool
) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 0 0:1 / / rw - tmpfs none rw\n{line.format(f'{os.major(device)}:{os.minor(device)}')}\n")
    monkeypatch.setattr(module, "MOUNTS", mounts)
    assert probe(tmp_path).keeps_inodes is keeps
    monkeypatch.setattr(module, "MOUNTS", tmp_path / "none")
    assert probe(tmp_path).keeps_inodes


@pytest.mark.parametrize("kind", FATS)
def test_a_stick_is_found_out(tmp_path: Path, kind: str) -> None:
    with fat(kind, tmp_path / "stick", tmp_path / "image") as stick:
        found = probe(stick.folder)
        assert found == Traits(Platform.WINDOWS, Folding(case_insensitive=True), mode_bits=0, keeps_inodes=False)
        assert os.listdir(stick.folder) == []


def test_bits_that_a_disk_does_not_keep_are_carried(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    plain = (tmp_path / "f").stat()
    (tmp_path / "f").chmod(0o755)
    program = (tmp_path / "f").stat()
    assert SYSTEMS_OWN.mode(plain, HIDDEN | EXECUTABLE) == HIDDEN
    assert SYSTEMS_OWN.mode(program, 0) == EXECUTABLE
    fat_like = Traits(mode_bits=0)
    for carried in (0, EXECUTABLE, HIDDEN, EXECUTABLE | HIDDEN):
        assert fat_like.mode(plain, carried) == fat_like.mode(program, carried) == carried


def test_an_inode_that_says_nothing_is_none(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    found = (tmp_path / "f").stat()
    assert SYSTEMS_OWN.stat(found).inode == found.st_ino
    assert Traits(keeps_inodes=False).stat(found) == replace(SYSTEMS_OWN.stat(found), inode=0)


@pytest.mark.parametrize(
    ("mtime_ns", "read_ns", "racy_s"),
    [
        (1_000_000_001, 1_019_000_001, 0.011),
        (1_000_000_001, 1_020_000_001, 0.0),
        (1_000_000_001, 1_000_000_001, 0.030),
        (5_000_000_000, 6_900_000_000, 0.110),
        (5_000_000_000, 7_000_000_000, 0.0),
        (9_000_000_001, 5_000_000_000, 0.0),
    ],
)
def test_a_stat_is_trusted_when_a_later_save_would_change_it(mtime_ns: int, read_ns: int, racy_s: float) -> None:
    assert racy_for_s(mtime_ns, read_ns) == pytest.approx(racy_s)
