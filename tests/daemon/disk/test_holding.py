"""What waits before the engine hears of it: files that go back to what they were, and what is made of several."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from p2psync.core.entry import ABSENT, Entry, FileStat
from p2psync.core.ids import ContentId, MandateId, content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents.reading import Reading
from p2psync.daemon.disk.holding import HOLD_S, RESTORING_S, TOLERANCE_NS, WRITTEN_S, Holding
from p2psync.daemon.logs import EventLog
from p2psync.engine.events import Seen
from p2psync.fs.contents import Contents
from p2psync.fs.folder import Folder, FolderVanished, Marker
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from tests.fs.disk import OLD_NS, a_file

MARKER = Marker(MandateId(b"m" * 16), b"e" * 16)
R = RelPath


class Log:
    """What the database says of some paths: what stands there, and what stood there once."""

    def __init__(self) -> None:
        self.bases: dict[RelPath, Entry] = {}
        self.pasts: dict[RelPath, list[Entry]] = {}

    def get_many(self, paths: Iterable[RelPath]) -> Mapping[RelPath, tuple[Entry, FileStat | None]]:
        return {path: (self.bases[path], None) for path in paths if path in self.bases}

    def is_known(self, paths: Iterable[RelPath]) -> set[RelPath]:
        return self.pasts.keys() & set(paths)

    def past(self, path: RelPath, content: ContentId) -> Sequence[Entry]:
        return [entry for entry in self.pasts.get(path, ()) if entry.content == content]


class Desk:
    """A folder in which each file was saved twice."""

    def __init__(
        self,
        root: Path,
        *,
        edits: bool = True,
        restoring: bool = False,
        is_written: Callable[[Path], bool] | None = None,
    ) -> None:
        self.now_s = 1000.0
        self.folder = Folder(root / "Cargo")
        self.folder.prepare()
        self.folder.write_marker(MARKER)
        self.log = Log()
        for name in ("a", "b", "c", "d", "gone"):
            self.log.pasts[R(name)] = [a_file(f"old {name}".encode())]
            if name != "gone":
                self.log.bases[R(name)] = a_file(f"new {name}".encode(), OLD_NS + 1)
        contents = Contents(
            self.folder, Staging(self.folder.staging), Versions(self.folder.versions), lambda several: {}
        )
        reading = cast(Reading, self.log)
        self.holding = Holding(
            *(self.folder, contents, reading, EventLog(None)),
            edits=edits,
            restoring=restoring,
            is_written=is_written,
            clock=lambda: self.now_s,
        )

    def old(self, *names: str, off_ns: int = 0) -> list[Seen]:
        return [Seen(R(name), a_file(f"old {name}".encode(), OLD_NS + off_ns)) for name in names]

    def is_ours(self) -> bool:
        """Whether the marker is still the one that this device knows."""
        return self.folder.read_marker() == MARKER


@pytest.fixture(name="desk")
def a_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_one_file_that_goes_back_waits_and_is_told_then(desk: Desk) -> None:
    """An undo by hand."""
    assert desk.holding.judge(desk.old("a")) == {"a": HOLD_S}
    desk.now_s += 3.0
    assert desk.holding.judge(desk.old("a")) == {"a": HOLD_S - 3.0}
    desk.now_s += HOLD_S - 3.0
    assert desk.holding.judge(desk.old("a")) == {}
    assert desk.is_ours()


def test_however_many_go_back_without_a_marker_are_told(desk: Desk) -> None:
    """A person brought them: only the marker of another past tells of a backup."""
    names = ("a", "b", "c", "d", "gone")
    assert desk.holding.judge(desk.old(*names)) == dict.fromkeys(names, HOLD_S)
    desk.now_s += HOLD_S
    assert desk.holding.judge(desk.old(*names)) == {}
    assert desk.is_ours()


def test_a_file_that_is_edited_meanwhile_goes_back_no_more(desk: Desk) -> None:
    desk.holding.judge(desk.old("a", "b"))
    desk.now_s += HOLD_S / 2
    assert desk.holding.judge([Seen(R("a"), a_file(b"edited", time.time_ns()))]) == {}
    assert desk.holding.judge(desk.old("a", "b")) == {"a": HOLD_S, "b": HOLD_S / 2}, "it waits anew"
    assert desk.is_ours()


def test_what_is_none_of_the_past_does_not_wait(desk: Desk) -> None:
    seen = [
        Seen(R("a"), a_file(b"old a", OLD_NS + TOLERANCE_NS + 1)),  # saved at another time
        Seen(R("b"), a_file(b"never seen")),
        Seen(R("c"), a_file(b"new c", OLD_NS + 1)),  # just as it stands there
        Seen(R("unknown"), a_file(b"old a")),
        Seen(R("d"), a_file(b"old d", time.time_ns())),  # an undo by a program
    ]
    assert desk.holding.judge(seen) == {}
    assert desk.is_ours()


def test_times_that_archives_and_disks_cut_off_are_the_same(desk: Desk) -> None:
    assert desk.holding.judge(desk.old("a", off_ns=-TOLERANCE_NS)) == {"a": HOLD_S}


def test_after_a_folder_of_another_past_was_opened_each_file_counts(tmp_path: Path) -> None:
    """A copying program that made a pause, as for a question to its user, and goes on."""
    desk = Desk(tmp_path, edits=False, restoring=True)
    assert desk.holding.judge(desk.old("a", "b", "c")) == {}, "until the first scan ended nothing is an edit anyway"
    desk.holding.scanned()
    desk.now_s += RESTORING_S - 1.0
    with pytest.raises(FolderVanished):
        desk.holding.judge(desk.old("d"))
    desk.folder.write_marker(MARKER)
    desk.now_s += 1.0
    assert desk.holding.judge(desk.old("d")) == {"d": HOLD_S}


def test_a_bookkeeping_file_is_copied_before_it_is_told_of(desk: Desk) -> None:
    crp = desk.folder.root / "Cargo.crp"
    crp.write_bytes(b"first")
    first, second = (Seen(R("Cargo.crp"), a_file(data, time.time_ns())) for data in (b"first", b"second"))
    assert desk.holding.judge([first]) == {}
    assert (desk.folder.staging / content_of(b"first").hex()).read_bytes() == b"first"
    assert desk.holding.judge([second]) == {"Cargo.crp": 0.0}, "it holds something else by now"
    assert desk.holding.judge([Seen(R("Cargo.crp"), ABSENT)]) == {}
    os.remove(crp)
    assert desk.holding.judge([second]) == {"Cargo.crp": 0.0}


def test_where_signs_do_not_tell_bookings_wait_until_their_program_has_closed_them(tmp_path: Path) -> None:
    """And no longer than a program may think; whatever has an end of its own does not wait."""
    asked: list[str] = []

    def is_written(file: Path) -> bool:
        asked.append(file.name)
        if file.name == "c.ecf":
            raise PermissionError
        return file.name != "b.ecf"

    desk = Desk(tmp_path, is_written=is_written)
    now_ns = time.time_ns()
    saved = {"a.ecf": now_ns, "b.ecf": now_ns, "c.ecf": now_ns, "d.crp": now_ns, "e.txt": now_ns, "f.ecs": OLD_NS}
    for name in saved:
        (desk.folder.root / name).write_bytes(b"text")
    held = desk.holding.judge([Seen(R(name), a_file(b"text", mtime_ns)) for name, mtime_ns in saved.items()])
    assert held == {"a.ecf": WRITTEN_S}
    assert asked == ["a.ecf", "b.ecf", "c.ecf"]
    assert Desk(tmp_path / "told").holding.judge([Seen(R("a.ecf"), a_file(b"text", now_ns))]) == {"a.ecf": 0.0}
