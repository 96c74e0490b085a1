"""A delivery replaces a program's file whole or not at all, at whatever step it is cut off."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.entry import EXECUTABLE, Entry, FileStat, Kind
from p2psync.core.ids import content_of
from p2psync.core.relpath import parse
from p2psync.engine.bridge import Delivery, Stage
from p2psync.fs.contents import Contents
from p2psync.fs.delivery import Overtaken, Recovered, discard, part_name, prepare, put, recover
from p2psync.fs.exchange import EXCHANGE, ExchangeUnsupported, FileLocked
from p2psync.fs.staging import Staging
from p2psync.fs.traits import SYSTEMS_OWN
from p2psync.fs.versions import Versions
from tests.fs.disk import Places

OLD, NEW, SAVED = b"old version", b"new version", b"saved meanwhile"
ENTRY = Entry(Kind.FILE, len(NEW), 1_700_000_000_000_000_000, 0, content_of(NEW))
READY = Delivery(Stage.READY, part_name(Path("Cargo.crp"), "0a"), content_of(NEW), (), content_of(OLD), ())


class Desk:
    """A program's folder with its file, and a mandate's that has the new version."""

    def __init__(self, root: Path) -> None:
        places = Places(root / "mandate")
        places.root.mkdir(exist_ok=True)
        (places.root / "Cargo.crp").write_bytes(NEW)
        known = {content_of(NEW): [parse("Cargo.crp")]}
        staging, versions = Staging(places.staging), Versions(places.versions)
        self.contents = Contents(places, staging, versions, lambda asked: {c: known[c] for c in asked if c in known})
        self.folder = root / "program"
        self.folder.mkdir()
        self.target = self.folder / "Cargo.crp"
        self.target.write_bytes(OLD)
        self.part = self.folder / READY.part
        self.aside = self.folder / (READY.part + ".out")

    @property
    def stat(self) -> FileStat:
        return SYSTEMS_OWN.stat(self.target.stat())

    def prepare(self, entry: Entry = ENTRY) -> bool:
        return prepare(self.contents, content_of(NEW), entry, self.target, self.part)

    def files(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.folder.iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


class NoExchange:
    """A disk that cannot exchange two files; `meddle` happens between two renames, the number of which fails."""

    def __init__(self, meddle: Callable[[], object] = lambda: None, fails: int = 0) -> None:
        self._meddle = meddle
        self._fails = fails
        self._moves = 0

    def swap(self, staged: Path, target: Path) -> None:
        raise ExchangeUnsupported(errno.ENOTSUP, "no", str(target))

    def move_new(self, source: str | Path, target: str | Path) -> None:
        self._moves += 1
        if self._moves == 2:
            self._meddle()
        if self._moves == self._fails:
            raise FileLocked(errno.EBUSY, "in use", str(target))
        EXCHANGE.move_new(source, target)


def test_a_version_takes_the_place_of_the_file_and_what_it_held_comes_out(desk: Desk) -> None:
    desk.target.chmod(0o640)
    assert desk.prepare(replace(ENTRY, mode=EXECUTABLE))
    out = put(desk.part, desk.target, desk.stat)
    assert out == desk.part
    assert desk.files() == {"Cargo.crp": NEW, desk.part.name: OLD}
    assert desk.target.stat().st_mtime_ns == ENTRY.mtime_ns
    assert desk.target.stat().st_mode & 0o777 == 0o750, "who may read it stays as it was"


def test_a_file_that_is_not_there_is_made(desk: Desk) -> None:
    desk.target.unlink()
    assert desk.prepare()
    assert put(desk.part, desk.target, None) is None
    assert desk.files() == {"Cargo.crp": NEW}


def test_nothing_is_left_of_a_copy_that_cannot_be_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not prepare(desk.contents, content_of(b"nowhere"), ENTRY, desk.target, desk.part)

    def full(path: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("p2psync.fs.delivery.sync_file", full)
    with pytest.raises(OSError, match="No space"):
        desk.prepare()
    assert desk.files() == {"Cargo.crp": OLD}


def test_a_save_in_the_meantime_stops_it(desk: Desk) -> None:
    stat = desk.stat
    desk.prepare()
    desk.target.write_bytes(SAVED)
    with pytest.raises(Overtaken):
        put(desk.part, desk.target, stat)
    with pytest.raises(Overtaken):
        put(desk.part, desk.target, None)
    desk.target.unlink()
    with pytest.raises(Overtaken):
        put(desk.part, desk.target, stat)
    assert desk.files() == {desk.part.name: NEW}


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_a_disk_that_cannot_exchange_does_it_in_steps(desk: Desk, fails: int) -> None:
    desk.prepare()
    stat = desk.stat
    if not fails:
        assert put(desk.part, desk.target, stat, NoExchange()) == desk.aside
        assert desk.files() == {"Cargo.crp": NEW, desk.aside.name: OLD}
    else:
        with pytest.raises(FileLocked):
            put(desk.part, desk.target, stat, NoExchange(fails=fails))
        assert desk.files() == {"Cargo.crp": OLD, desk.part.name: NEW}


def test_a_save_between_two_steps_stays_and_what_was_there_lies_aside(desk: Desk) -> None:
    desk.prepare()
    with pytest.raises(Overtaken):
        put(desk.part, desk.target, desk.stat, NoExchange(lambda: desk.target.write_bytes(SAVED)))
    assert recover(READY, desk.target) == Recovered(False, desk.aside)
    assert desk.files() == {"Cargo.crp": SAVED, desk.aside.name: OLD, desk.part.name: NEW}
    discard(desk.aside)
    assert desk.files() == {"Cargo.crp": SAVED}


# -- what a crash leaves ---------------------------------------------------------------------------------------------


def test_a_copy_that_was_being_made_goes(desk: Desk) -> None:
    desk.part.write_bytes(NEW[:3])
    assert recover(replace(READY, stage=Stage.PREPARING), desk.target) == Recovered(False, None)
    assert desk.files() == {"Cargo.crp": OLD}


@pytest.mark.parametrize(
    ("files", "delivered", "out", "left"),
    [
        ({"target": OLD, "part": NEW}, False, None, {"target": OLD}),
        ({"target": NEW, "part": OLD}, True, "part", {"target": NEW, "part": OLD}),
        ({"target": SAVED, "part": OLD}, True, "part", {"target": SAVED, "part": OLD}),
        ({"target": NEW, "part": SAVED}, True, "part", {"target": NEW, "part": SAVED}),
        ({"part": NEW, "aside": OLD}, False, None, {"target": OLD}),
        ({"target": NEW, "aside": OLD}, True, "aside", {"target": NEW, "aside": OLD}),
        ({"target": SAVED, "part": NEW, "aside": OLD}, False, "aside", {"target": SAVED, "part": NEW, "aside": OLD}),
        ({"target": NEW}, True, None, {"target": NEW}),
        ({"target": OLD}, False, None, {"target": OLD}),
        ({}, False, None, {}),
    ],
)
def test_a_delivery_that_was_cut_off_is_finished_or_undone(
    desk: Desk, files: dict[str, bytes], delivered: bool, out: str | None, left: dict[str, bytes]
) -> None:
    places = {"target": desk.target, "part": desk.part, "aside": desk.aside}
    desk.target.unlink()
    for name, data in files.items():
        places[name].write_bytes(data)
    expected = Recovered(delivered, places[out] if out is not None else None)
    for _ in range(2):
        assert recover(READY, desk.target) == expected, "to be cut off in it changes nothing"
        assert {name: place.read_bytes() for name, place in places.items() if place.exists()} == left


def test_what_came_out_is_found_again(desk: Desk) -> None:
    done = replace(READY, stage=Stage.DONE)
    assert recover(done, desk.target) == Recovered(True, None)
    desk.part.write_bytes(OLD)
    assert recover(done, desk.target) == Recovered(True, desk.part)


def test_what_came_out_is_removed_in_the_end(desk: Desk) -> None:
    desk.part.write_bytes(OLD)
    for _ in range(2):
        discard(desk.part)
    assert desk.files() == {"Cargo.crp": OLD}


def test_the_name_of_a_copy_is_short_and_hidden() -> None:
    name = part_name(Path("/books") / ("é" * 100 + ".crp"), "0a")
    assert name.startswith(".é")
    assert name.endswith(".0a.p2psync-part")
    assert len(name.encode()) < 150
