"""Folders before and after they are at work: which may be used, what is made in them, and what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.ids import MandateId
from p2psync.core.problem import Code
from p2psync.daemon.disk.ground import (
    Found,
    Past,
    abandon,
    extent_of,
    lock_of,
    look_at,
    past_of,
    prepare,
    remove_empty,
    was_swapped,
)
from p2psync.errors import FolderError
from p2psync.fs.folder import Folder, Marker
from p2psync.fs.traits import SYSTEMS_OWN

MANDATE, OTHER = MandateId(b"m" * 16), MandateId(b"o" * 16)
EPOCH, NEXT, STRANGE = b"e" * 16, b"n" * 16, b"s" * 16


def marked(root: Path, mandate: MandateId = MANDATE, epoch: bytes = EPOCH) -> Folder:
    folder = Folder(root)
    folder.prepare()
    folder.write_marker(Marker(mandate, epoch))
    return folder


@pytest.mark.parametrize(
    ("epoch", "epochs", "past"),
    [
        (EPOCH, (EPOCH, NEXT), Past.KNOWN),
        (NEXT, (EPOCH, NEXT), Past.KNOWN),
        (STRANGE, (EPOCH, NEXT), Past.OTHER),
        (None, (EPOCH,), Past.OTHER),
        (EPOCH, (), Past.NONE),
        (None, (), Past.NONE),
    ],
)
def test_the_marker_tells_of_the_past(epoch: bytes | None, epochs: tuple[bytes, ...], past: Past) -> None:
    assert past_of(None if epoch is None else Marker(MANDATE, epoch), epochs) is past


def test_what_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    root = tmp_path / "new" / "Cargo"
    made = prepare(root, None, [])
    assert made[-1] == tmp_path / "new"
    remove_empty(made)
    assert list(tmp_path.iterdir()) == []
    root.mkdir(parents=True)
    (root / "a.crp").write_text("kept")
    made = prepare(root, None, [])
    remove_empty(made)
    assert [path.name for path in root.iterdir()] == ["a.crp"]


def test_a_folder_has_one_mandate(tmp_path: Path) -> None:
    marked(tmp_path / "Cargo")
    for mandate in (None, OTHER):
        with pytest.raises(FolderError, match="belongs to another mandate"):
            prepare(tmp_path / "Cargo", mandate, [])
    assert prepare(tmp_path / "Cargo", MANDATE, []) == []
    lock = lock_of(Folder(tmp_path / "Cargo"))
    assert lock is not None
    with lock, pytest.raises(FolderError, match="in use by another p2psync"):
        prepare(tmp_path / "Cargo", MANDATE, [])


def test_a_look_tells_what_is_there_or_what_is_wrong(tmp_path: Path) -> None:
    root = tmp_path / "Cargo"
    assert look_at(root, MANDATE, fresh=False) is Code.FOLDER_GONE
    root.mkdir()
    assert look_at(root, MANDATE, fresh=False) is Code.FOLDER_MARKER_GONE
    assert list(root.iterdir()) == [], "an empty mount point is left as it is"
    marked(root, OTHER)
    assert look_at(root, MANDATE, fresh=False) is Code.FOLDER_MARKER_GONE
    marked(root)
    found = look_at(root, MANDATE, fresh=False)
    assert isinstance(found, Found)
    assert (found.marker, found.folder.traits) == (Marker(MANDATE, EPOCH), SYSTEMS_OWN)
    fresh = look_at(root, OTHER, fresh=True)
    assert isinstance(fresh, Found)


def test_another_folder_of_the_mandate_was_put_in_its_place(tmp_path: Path) -> None:
    folder = marked(tmp_path / "Cargo")
    assert not was_swapped(folder, MANDATE)
    Folder(folder.root).write_marker(Marker(MANDATE, STRANGE))
    assert was_swapped(folder, MANDATE)
    Folder(folder.root).write_marker(Marker(OTHER, STRANGE))
    assert not was_swapped(folder, MANDATE)
    folder.root.rename(tmp_path / "unplugged")
    assert not was_swapped(folder, MANDATE)


def test_its_extent_grows_and_tells_of_every_write(tmp_path: Path) -> None:
    root = tmp_path / "Cargo"
    extents = [extent_of(root)]
    for act in (root.mkdir, (root / "d").mkdir, (root / "d" / "a").touch):
        act()
        extents.append(extent_of(root))
    assert [count for count, _ in extents] == [0, 1, 2, 3]
    (root / "d" / "a").write_bytes(b"more")
    assert extent_of(root) > extents[-1]


def test_an_abandoned_folder_is_an_ordinary_one_or_gone(tmp_path: Path) -> None:
    folder = marked(tmp_path / "Cargo")
    (folder.root / "a.crp").write_text("a user's")
    (folder.staging / "half").write_text("done")
    abandon(folder.root, wipe=False)
    assert sorted(path.name for path in folder.own.iterdir()) == ["versions"]
    assert (folder.root / "a.crp").exists()
    abandon(folder.root, wipe=True)
    assert not folder.root.exists()
