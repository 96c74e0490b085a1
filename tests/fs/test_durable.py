"""Few things are flushed singly, many by one flush of the file system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from p2psync.fs import durable
from p2psync.fs.durable import SINGLY_MAX, flush_bytes, start_writeback, sync_directories, sync_file, sync_files


@pytest.fixture(name="flushed")
def what_is_flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    flushed: list[str] = []
    monkeypatch.setattr(durable, "sync_file", lambda path: flushed.append(path.name))
    monkeypatch.setattr(durable, "_sync_file_system", lambda root: not flushed.append(f"all of {root.name}"))  # type: ignore[func-returns-value]
    return flushed


def test_a_few_are_flushed_singly_and_many_at_once(flushed: list[str]) -> None:
    sync_files([Path("a"), Path("b")], Path("root"))
    sync_directories([Path("d")], Path("root"))
    assert flushed == ["a", "b", "d"]
    flushed.clear()
    many = [Path(str(n)) for n in range(SINGLY_MAX + 1)]
    sync_files(many, Path("root"))
    sync_directories(many, Path("root"))
    assert flushed == ["all of root"] * 2


def test_without_syncfs_each_is_flushed(flushed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_sync_file_system", lambda root: False)
    sync_files([Path(str(n)) for n in range(SINGLY_MAX + 1)], Path("root"))
    assert len(flushed) == SINGLY_MAX + 1


def test_real_files_and_directories(tmp_path: Path) -> None:
    for number in range(SINGLY_MAX + 1):
        (tmp_path / str(number)).write_bytes(b"x")
    sync_files(list(tmp_path.iterdir()), tmp_path)
    sync_file(tmp_path / "0")
    sync_directories([tmp_path, tmp_path / "gone"], tmp_path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_files([tmp_path / "gone"], tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sync_file_range is of Linux")
def test_early_writeback_harms_nothing(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"bytes")
    start_writeback(fd, 0, 0)
    flush_bytes(fd)
    os.close(fd)
    assert (tmp_path / "f").read_bytes() == b"bytes"
