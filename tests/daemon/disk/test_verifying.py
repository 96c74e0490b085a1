"""Reading everything again: damage is told from edits, and what cannot be read is no damage."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

from p2psync.core.entry import EMPTY_DIRECTORY, Entry, Kind
from p2psync.core.ids import ContentId, content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import parse
from p2psync.daemon.disk.verifying import Found, Known, read_folder, read_versions
from p2psync.fs.folder import Folder
from p2psync.fs.pacing import Pacer
from p2psync.fs.versions import Versions

UNENDED = threading.Event()


def test_other_bytes_under_the_same_stat_are_damage_and_under_another_an_edit(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "Cargo")
    folder.prepare()
    names = ("damaged.txt", "edited.txt", "gone.txt", "set-back.txt", "sound.txt")
    rows = {name: known(folder, name, "as it was") for name in names}
    for name in ("damaged.txt", "set-back.txt"):
        stat = folder.path(parse(name)).stat()
        folder.path(parse(name)).write_text("as It was")
        os.utime(folder.path(parse(name)), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path, entry, then = rows["damaged.txt"]
    assert then is not None
    rows["damaged.txt"] = path, entry, replace(then, known_ns=time.time_ns())  # as if no program had done it
    folder.path(parse("edited.txt")).write_text("edited")
    folder.path(parse("gone.txt")).unlink()
    (folder.root / "link.txt").symlink_to(tmp_path)
    found = Found()
    read_folder(folder, [*rows.values(), (parse("link.txt"), entry, then), DIRECTORY], found, UNENDED, Pacer())
    assert [seen.path for seen in found.damaged] == ["damaged.txt"]
    assert found.damaged[0].entry.content == content_of(b"as It was")
    assert found.changing == ["edited.txt", "gone.txt", "set-back.txt"], "also if its time was set back"
    assert [(p.path, p.code) for p in found.unreadable] == [("link.txt", Code.SYMBOLIC_LINK)]
    assert (found.files, found.bytes) == (4, 9 + 6 + 9 + 9), "what is gone was not read"


def test_kept_versions_hold_what_their_names_say(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "versions")
    for text in (b"one", b"two"):
        versions.put(text, content_of(text))
    versions.path(content_of(b"one")).write_bytes(b"else")
    found = Found()
    read_versions(versions, found, UNENDED, Pacer())
    assert (found.versions, found.damaged_versions) == (2, [content_of(b"one")])


def test_it_ends_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    folder, versions = Folder(tmp_path / "Cargo"), Versions(tmp_path / "versions")
    folder.prepare()
    versions.put(b"one", content_of(b"one"))
    ended, found = threading.Event(), Found()
    ended.set()
    read_folder(folder, [known(folder, "a.txt", "a")], found, ended, Pacer())
    read_versions(versions, found, ended, Pacer())
    assert (found.files, found.versions) == (0, 0)


def test_a_version_that_went_or_cannot_be_read(tmp_path: Path) -> None:
    class Vanishing(Versions):
        def path(self, content: ContentId) -> Path:
            return tmp_path / ("nowhere" if content == content_of(b"one") else "versions")

    versions = Vanishing(tmp_path / "versions")
    for text in (b"one", b"two"):
        Versions(tmp_path / "versions").put(text, content_of(text))
    found = Found()
    read_versions(versions, found, UNENDED, Pacer())
    assert (found.versions, found.damaged_versions) == (1, [content_of(b"two")])


DIRECTORY: Known = (parse("papers"), EMPTY_DIRECTORY, None)


def known(folder: Folder, name: str, text: str) -> Known:
    """A file that stands there, as this device last saw it."""
    path = folder.path(parse(name))
    path.write_text(text)
    found = path.stat()
    entry = Entry(Kind.FILE, len(text), found.st_mtime_ns, folder.traits.mode(found, 0), content_of(text.encode()))
    return parse(name), entry, folder.traits.stat(found)
