"""Bringing bytes back: whole or not at all, and what stood there is kept."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from p2psync.core.ids import content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon import restoring
from p2psync.daemon.restoring import into_file, into_folder
from p2psync.errors import FolderError
from p2psync.fs.exchange import LinkExchange
from p2psync.fs.folder import Folder
from p2psync.fs.versions import Versions


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "Cargo.crsync")
    made.own.mkdir(parents=True)
    return made


@pytest.fixture
def versions(folder: Folder) -> Versions:
    return Versions(folder.versions)


def test_a_file_that_was_gone_is_there_again(folder: Folder, versions: Versions) -> None:
    came = into_folder(io.BytesIO(b"old"), folder, versions, RelPath("sub/a.crp"), 0)
    assert came is None
    assert (folder.root / "sub" / "a.crp").read_bytes() == b"old"
    assert not list(folder.own.glob("restore-*"))


@pytest.mark.parametrize("exchanges", [True, False])
def test_what_stood_there_is_kept(
    folder: Folder, versions: Versions, exchanges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(restoring, "exchange_for", lambda _platform: LinkExchange())
    (folder.root / "a.crp").write_bytes(b"new")
    came = into_folder(io.BytesIO(b"old"), folder, versions, RelPath("a.crp"), 0)
    assert (folder.root / "a.crp").read_bytes() == b"old"
    assert versions.has(content_of(b"new"))
    assert came is None or came.entry.content == content_of(b"new")
    assert came is not None or not exchanges
    assert not list(folder.own.glob("restore-*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no executable bit")
def test_who_may_read_it_stays_and_whether_it_is_a_program(folder: Folder, versions: Versions) -> None:
    (folder.root / "a.sh").write_bytes(b"new")
    (folder.root / "a.sh").chmod(0o640)
    into_folder(io.BytesIO(b"old"), folder, versions, RelPath("a.sh"), 1)
    assert (folder.root / "a.sh").stat().st_mode & 0o777 == 0o750


def test_a_directory_is_not_replaced(folder: Folder, versions: Versions) -> None:
    (folder.root / "a.crp").mkdir()
    with pytest.raises(FolderError, match="a folder now"):
        into_folder(io.BytesIO(b"old"), folder, versions, RelPath("a.crp"), 0)


class Failing(io.BytesIO):
    def read(self, *_: object) -> bytes:
        raise OSError(5, "the disk fails")


def test_a_failing_disk_leaves_what_stood_there(folder: Folder, versions: Versions, tmp_path: Path) -> None:
    (folder.root / "a.crp").write_bytes(b"new")
    with pytest.raises(OSError, match="the disk fails"):
        into_folder(Failing(), folder, versions, RelPath("a.crp"), 0)
    with pytest.raises(OSError, match="the disk fails"):
        into_file(Failing(), tmp_path / "b.crp")
    assert (folder.root / "a.crp").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Cargo.crsync"]
    assert not list(folder.own.glob("restore-*"))


def test_into_another_file(tmp_path: Path) -> None:
    target = tmp_path / "b.crp"
    target.write_bytes(b"before")
    into_file(io.BytesIO(b"old"), target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["b.crp"]
