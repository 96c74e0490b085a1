"""What a batch puts is written, verified, timed and flushed before the first name changes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from p2psync.core.entry import EXECUTABLE
from p2psync.core.problem import Code
from p2psync.core.relpath import Folding, RelPath
from p2psync.engine.effects import PlaceItem
from p2psync.fs import readying, staging
from p2psync.fs.batch import Batch
from p2psync.fs.readying import flush_ready, write_given, write_others
from p2psync.fs.traits import SYSTEMS_OWN
from tests.fs.disk import OLD_NS, Disk, create
from tests.fs.meddling import fail


@pytest.fixture(name="disk")
def a_disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def ready(disk: Disk, *items: PlaceItem) -> Batch:
    batch = Batch(items, Folding())
    write_given(batch, disk.staging, disk.local, SYSTEMS_OWN)
    write_others(batch, disk.staging, disk.local, SYSTEMS_OWN)
    flush_ready(batch, disk.staging)
    return batch


def test_what_was_given_is_written_once_for_each_path_with_its_own_attributes(disk: Disk) -> None:
    disk.given(b"same")
    batch = ready(disk, create("a", b"same", OLD_NS), create("b", b"same", OLD_NS + 1, EXECUTABLE))
    staged = [Path(batch.ready[RelPath(name)].staged) for name in "ab"]
    assert [file.read_bytes() for file in staged] == [b"same"] * 2
    assert [file.stat().st_mtime_ns for file in staged] == [OLD_NS, OLD_NS + 1]
    assert [bool(file.stat().st_mode & 0o100) for file in staged] == [False, True]
    assert [one.stat for one in batch.ready.values()] == [SYSTEMS_OWN.stat(file.stat()) for file in staged]
    disk.staging.recover(disk.versions)
    assert disk.in_staging() == [], "what a crash leaves of it is nothing worth keeping"


def test_a_system_without_calls_for_descriptors(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "CAN_USE_DESCRIPTORS", False)
    disk.given(b"new")
    batch = ready(disk, create("a", b"new", OLD_NS, EXECUTABLE))
    file = Path(batch.ready[RelPath("a")].staged)
    assert (file.stat().st_mtime_ns, file.stat().st_mode & 0o100) == (OLD_NS, 0o100)


def test_what_waits_already_is_not_written_again(disk: Disk) -> None:
    disk.staged(b"new")
    disk.given(b"new")
    batch = ready(disk, create("a", b"new"))
    assert batch.ready[RelPath("a")].staged == disk.staging.where(batch.ready[RelPath("a")].content)
    assert disk.local.given, "it was not even asked for"


def test_what_is_nowhere_is_told_and_the_rest_gets_ready(disk: Disk) -> None:
    disk.given(b"here")
    batch = ready(disk, create("gone", b"nowhere"), create("a", b"here"))
    problem = batch.outcomes[RelPath("gone")].problem
    assert problem is not None
    assert problem.code is Code.CONTENT_MISSING
    assert batch.ready.keys() == {"a"}


def test_a_disk_that_gets_full_leaves_nothing_half_written(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "write_all", lambda fd, data: fail(errno.ENOSPC)())
    disk.given(b"new")
    batch = ready(disk, create("a", b"new"))
    problem = batch.outcomes[RelPath("a")].problem
    assert problem is not None
    assert problem.code is Code.DISK_FULL
    assert os.listdir(disk.staging.root) == []


def test_everything_is_flushed_before_it_counts_as_ready(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(readying, "sync_files", lambda paths, root: flushed.extend(paths))
    disk.given(b"one", b"two")
    batch = ready(disk, create("a", b"one"), create("b", b"two"))
    assert flushed == [one.staged for one in batch.ready.values()]
