"""A mandate's folder: made ready or refused with a sentence, marked, and recognised again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import MandateId
from p2psync.core.problem import Code
from p2psync.core.relpath import OWN_DIRECTORY, Platform, RelPath, parse
from p2psync.errors import FolderError, InvalidPath
from p2psync.fs import folder as folder_module
from p2psync.fs.folder import Folder, Marker
from p2psync.fs.traits import Traits

MANDATE = MandateId(bytes(range(16)))
MARKER = Marker(MANDATE, b"e" * 16)


def prepared(root: Path) -> Folder:
    folder = Folder(root)
    folder.prepare()
    folder.write_marker(MARKER)
    return folder


# -- making it ready ----------------------------------------------------------------------------------------------


def test_a_new_folder_gets_its_own_directory_and_keeps_what_it_holds(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "Cargo.crsync"
    root.mkdir(parents=True)
    (root / "a.crp").write_text("kept")
    folder = Folder(root)
    for _ in range(2):
        folder.prepare()
    assert (root / "a.crp").read_text() == "kept"
    assert folder.staging.is_dir()
    assert folder.versions.is_dir()
    assert sorted(os.listdir(folder.staging)) == []


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    Folder(tmp_path / "new" / "Cargo").prepare()
    assert (tmp_path / "new" / "Cargo" / ".p2psync" / "staging").is_dir()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "Cargo").write_text("")
    with pytest.raises(FolderError, match="is a file"):
        Folder(tmp_path / "Cargo").prepare()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [(errno.EROFS, "may not write"), (errno.EACCES, "may not write"), (errno.ENOSPC, "is full"), (errno.EIO, "cannot")],
)
def test_a_disk_that_refuses_to_be_written_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, sentence: str
) -> None:
    def refuse(self: Path, data: bytes) -> NoReturn:
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(FolderError, match=sentence):
        Folder(tmp_path / "Cargo").prepare()


def test_the_folders_of_two_mandates_lie_apart(tmp_path: Path) -> None:
    root = tmp_path / "Cargo"
    for other in (root, root / "inner", tmp_path):
        with pytest.raises(FolderError, match="another mandate"):
            Folder(root).prepare([other])
    Folder(root).prepare([tmp_path / "Cargo2", tmp_path / "other"])


def test_a_link_does_not_hide_that_two_folders_are_one(tmp_path: Path) -> None:
    (tmp_path / "Cargo").mkdir()
    (tmp_path / "link").symlink_to("Cargo")
    with pytest.raises(FolderError, match="another mandate"):
        Folder(tmp_path / "link").prepare([tmp_path / "Cargo"])


def test_a_folder_inside_one_that_another_device_marked_is_refused(tmp_path: Path) -> None:
    prepared(tmp_path / "Cargo")
    with pytest.raises(FolderError, match="another mandate"):
        Folder(tmp_path / "Cargo" / "sub").prepare()


def test_a_cloud_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work" / ".stfolder").mkdir(parents=True)
    for root, service in ((tmp_path / "Dropbox" / "Cargo", "Dropbox"), (tmp_path / "work" / "Cargo", "Syncthing")):
        with pytest.raises(FolderError, match=service):
            Folder(root).prepare()
        assert not root.exists()


def test_its_own_directory_must_not_lead_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "Cargo").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "Cargo" / ".p2psync").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderError, match="same disk"):
        Folder(tmp_path / "Cargo").prepare()


def test_a_file_in_place_of_its_own_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".p2psync").write_text("")
    with pytest.raises(FolderError, match="cannot be used"):
        Folder(tmp_path).prepare()


# -- the marker ---------------------------------------------------------------------------------------------------


def test_the_marker_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    assert folder.is_there()
    assert Folder(tmp_path).read_marker() == MARKER
    again = Marker(MANDATE, b"f" * 16)
    folder.write_marker(again)
    assert Folder(tmp_path).read_marker() == again
    assert sorted(os.listdir(folder.own)) == ["marker", "staging", "versions"]


def test_a_marker_is_never_missing_while_it_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared(tmp_path)
    troubles = []
    real_replace, real_read = Path.replace, Folder.read_marker

    def replace(self: Path, target: Path) -> Path:
        troubles.append(folder.trouble())
        replaced = real_replace(self, target)
        troubles.append(folder.trouble())
        return replaced

    monkeypatch.setattr(Path, "replace", replace)
    folder.write_marker(Marker(MANDATE, b"f" * 16))
    monkeypatch.undo()

    def renewed_before(self: Folder) -> Marker | None:
        monkeypatch.setattr(Folder, "read_marker", renewed_after)
        folder.write_marker(Marker(MANDATE, b"h" * 16))
        return real_read(self)

    def renewed_after(self: Folder) -> Marker | None:
        monkeypatch.setattr(Folder, "read_marker", real_read)
        found = real_read(self)
        folder.write_marker(Marker(MANDATE, b"g" * 16))
        return found

    monkeypatch.setattr(Folder, "read_marker", renewed_before)
    troubles += [folder.trouble(), folder.trouble()]
    assert troubles == [None] * 4
    (folder.own / "marker").write_bytes((folder.own / "marker").read_bytes().replace(b"67" * 16, b"66" * 16))
    assert folder.trouble() == Code.FOLDER_MARKER_GONE, "the epoch before last is another past"


def test_a_marker_is_read_again_only_after_it_was_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, marker = prepared(tmp_path), tmp_path / OWN_DIRECTORY / "marker"
    reads: list[Path] = []
    real_read = Folder.read_marker

    def read(self: Folder) -> Marker | None:
        reads.append(self.root)
        return real_read(self)

    monkeypatch.setattr(Folder, "read_marker", read)
    assert [folder.trouble() for _ in range(3)] == [None] * 3
    assert len(reads) == 3, "it was written so lately that it may have been written again"
    monkeypatch.setattr(folder_module, "racy_for_s", lambda changed_ns, now_ns: 0.0)
    assert [folder.trouble() for _ in range(3)] == [None] * 3
    assert len(reads) == 4
    other = tmp_path / "other"
    other.write_bytes(marker.read_bytes().replace(b"65" * 16, b"66" * 16))
    before = marker.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(marker)
    assert folder.trouble() == Code.FOLDER_MARKER_GONE
    folder.write_marker(MARKER)
    assert [folder.trouble() for _ in range(3)] == [None] * 3
    marker.unlink()
    assert folder.trouble() == Code.FOLDER_MARKER_GONE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": 1, "mandate": "00", "epoch": ""}',
        b'{"format": 1, "mandate": 7, "epoch": "00"}',
        b'{"format": 2, "mandate": "%s", "epoch": "%s"}' % (b"00" * 16, b"00" * 16),
        b'{"format": 1, "mandate": "%s", "epoch": "%s"}' % (b"00" * 16, b"00" * 15),
    ],
)
def test_a_damaged_marker_is_none(tmp_path: Path, raw: bytes) -> None:
    folder = prepared(tmp_path)
    (folder.own / "marker").write_bytes(raw)
    assert folder.read_marker() is None
    assert folder.trouble() == Code.FOLDER_MARKER_GONE


def test_an_unplugged_drive_is_not_there(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "drive")
    (tmp_path / "drive").rename(tmp_path / "unplugged")
    assert folder.trouble() == Code.FOLDER_GONE
    (tmp_path / "drive").mkdir()
    assert folder.trouble() == Code.FOLDER_MARKER_GONE
    (tmp_path / "drive").rmdir()
    (tmp_path / "unplugged").rename(tmp_path / "drive")
    assert folder.is_there()


def test_another_folder_in_its_place_is_not_it(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "Cargo")
    (tmp_path / "Cargo").rename(tmp_path / "away")
    Folder(tmp_path / "Cargo").prepare()
    Folder(tmp_path / "Cargo").write_marker(Marker(MANDATE, b"o" * 16))
    assert folder.trouble() == Code.FOLDER_MARKER_GONE
    assert Folder(tmp_path / "Cargo").is_there()


# -- names --------------------------------------------------------------------------------------------------------

parts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(st.lists(parts, min_size=1, max_size=3).map("/".join), st.sampled_from(Platform))
def test_every_path_has_one_place_and_is_read_back(text: str, platform: Platform) -> None:
    try:
        rel = parse(text)
    except InvalidPath:
        return
    folder = Folder(Path("/data/Cargo"), Traits(names=platform))
    where = folder.where(rel)
    assert where.startswith("/data/Cargo/")
    assert folder.spelled(where.removeprefix("/data/Cargo/")) == rel


def test_paths_and_names_belong_together() -> None:
    folder = Folder(Path("/data/Cargo"), Traits(names=Platform.LINUX))
    assert folder.path(RelPath("a/b.txt")) == Path("/data/Cargo/a/b.txt")
    assert folder.where("") == "/data/Cargo/"
    with pytest.raises(InvalidPath):
        folder.spelled(".p2psync/marker")


def test_a_disk_that_takes_names_apart_is_read_composed() -> None:
    folder = Folder(Path("/data/Cargo"), Traits(names=Platform.MACOS, composes=True))
    assert folder.spelled("Mu\u0308ller.crp") == "M\u00fcller.crp"
