"""A new file system for each case, which leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.disk import as_it_is, fresh
from tests.fs.mounted import need_loop_device


def test_the_disk_as_it_is_is_the_directory_itself(tmp_path: Path) -> None:
    with as_it_is(tmp_path) as place:
        assert place == tmp_path


def test_a_fresh_disk_is_another_one_and_is_gone_afterwards(tmp_path: Path) -> None:
    need_loop_device()
    with fresh(tmp_path) as place:
        (place / "file").write_bytes(b"x" * 4096)
        assert place.stat().st_dev != tmp_path.stat().st_dev
        assert os.statvfs(place).f_bavail > 0
    assert list(tmp_path.iterdir()) == []


def test_a_fresh_disk_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with pytest.raises(FileExistsError), fresh(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["disk"]
