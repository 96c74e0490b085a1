"""Kept files lie under the ids of their contents, once each."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.ids import content_of
from p2psync.fs.versions import Versions

OLD = content_of(b"old")


@pytest.fixture(name="versions")
def some_versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "versions")


def a_file(tmp_path: Path, data: bytes = b"old") -> Path:
    (tmp_path / "book.crp").write_bytes(data)
    return tmp_path / "book.crp"


def test_a_file_is_adopted_by_renaming_it(versions: Versions, tmp_path: Path) -> None:
    file = a_file(tmp_path)
    inode = file.stat().st_ino
    lies = versions.adopt(file, OLD)
    assert lies == versions.path(OLD) == tmp_path / "versions" / OLD.hex()[:2] / OLD.hex()[2:]
    assert (lies.stat().st_ino, file.exists()) == (inode, False)
    assert versions.has(OLD)


def test_what_is_kept_already_is_not_kept_twice(versions: Versions, tmp_path: Path) -> None:
    first = versions.adopt(a_file(tmp_path), OLD).stat().st_ino
    assert versions.adopt(a_file(tmp_path), OLD).stat().st_ino == first
    assert not (tmp_path / "book.crp").exists()
    assert list(versions.iterate()) == [OLD]


def test_what_a_file_manager_leaves_is_no_version(versions: Versions, tmp_path: Path) -> None:
    kept = versions.adopt(a_file(tmp_path), OLD)
    for stray in (kept.parent.parent / ".DS_Store", kept.parent / "Thumbs.db", kept.with_name("x" * len(kept.name))):
        stray.write_bytes(b"")
    assert list(versions.iterate()) == [OLD]


def test_a_copy_is_made_only_of_what_was_meant(versions: Versions, tmp_path: Path) -> None:
    file = a_file(tmp_path, b"saved again")
    assert not versions.copy_in(file, OLD)
    assert not versions.has(OLD)
    assert list(versions.iterate()) == []
    file.write_bytes(b"old")
    assert versions.copy_in(file, OLD)
    assert versions.copy_in(file, OLD)
    assert file.read_bytes() == b"old"
    with pytest.raises(FileNotFoundError):
        versions.copy_in(tmp_path / "gone", content_of(b"gone"))


def test_a_copy_is_another_file(versions: Versions, tmp_path: Path) -> None:
    """A program that overwrites its file in place must not change what is kept."""
    file = a_file(tmp_path)
    versions.copy_in(file, OLD)
    with file.open("r+b") as program:
        program.write(b"NEW")
    assert versions.path(OLD).read_bytes() == b"old"


def test_all_are_listed_in_the_order_of_their_ids(versions: Versions, tmp_path: Path) -> None:
    for number in range(20):
        data = b"%d" % number
        versions.adopt(a_file(tmp_path, data), content_of(data))
    assert list(versions.iterate()) == sorted(content_of(b"%d" % number) for number in range(20))


def test_bytes_are_kept_as_they_are_once(versions: Versions) -> None:
    versions.put(b"old", OLD)
    inode = versions.path(OLD).stat().st_ino
    versions.put(b"old", OLD)
    assert versions.path(OLD).read_bytes() == b"old"
    assert versions.path(OLD).stat().st_ino == inode
    assert list(versions.iterate()) == [OLD]
