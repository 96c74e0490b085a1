"""What is watched is known again after a crash, whatever else the crash left in the list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.entry import EXECUTABLE, Entry, FileStat, Kind
from p2psync.core.ids import BlockHash, ChangeId, content_of
from p2psync.core.relpath import RelPath
from p2psync.fs.watchlist import NAME, Note, Watchlist

ENTRY = Entry(Kind.FILE, 3, 1_700_000_000_123_456_789, EXECUTABLE, content_of(b"old"))
PLAIN = Note(RelPath("a.txt"), "", ENTRY, FileStat(3, 5, 7), (), None)
FULL = Note(
    *(RelPath("d/ä\udcff \n.crp"), "late-1-2", ENTRY, FileStat(3, 5, 7)),
    *(
        (ChangeId(BlockHash(b"b" * 32), 3), ChangeId(BlockHash(b"c" * 32), 0)),
        content_of(b"l"),
        content_of(b"b"),
        False,
    ),
    content_of(b"o"),
)


@pytest.fixture
def watchlist(tmp_path: Path) -> Watchlist:
    return Watchlist(tmp_path)


def test_what_was_added_is_read_in_order(watchlist: Watchlist, tmp_path: Path) -> None:
    assert list(watchlist.read()) == []
    for note in (FULL, PLAIN, FULL):
        watchlist.add(note)
    assert list(Watchlist(tmp_path).read()) == [FULL, PLAIN, FULL]
    assert watchlist.length == 3


def test_it_is_written_anew_and_goes_when_nothing_is_watched(watchlist: Watchlist, tmp_path: Path) -> None:
    for _ in range(3):
        watchlist.add(PLAIN)
    watchlist.replace([FULL])
    assert (list(watchlist.read()), watchlist.length) == ([FULL], 1)
    watchlist.replace([])
    watchlist.replace([])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", ["", "{", "null", "[]", "{}", '{"path": 1}', "\xff"])
def test_what_cannot_be_understood_is_left_out(watchlist: Watchlist, tmp_path: Path, bad: str) -> None:
    watchlist.add(PLAIN)
    with (tmp_path / NAME).open("a", encoding="latin-1") as file:
        file.write(bad + "\n")
    watchlist.add(FULL)
    assert list(watchlist.read()) == [PLAIN, FULL]


def test_a_short_id_is_none(watchlist: Watchlist, tmp_path: Path) -> None:
    watchlist.add(replace(PLAIN, late=content_of(b"late")))
    file = tmp_path / NAME
    file.write_text(file.read_text().replace(content_of(b"late").hex(), "ab"))
    assert list(watchlist.read()) == []


def test_a_disk_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    watchlist = Watchlist(tmp_path / "missing")
    watchlist.add(PLAIN)
    watchlist.replace([PLAIN])
    assert list(watchlist.read()) == []
