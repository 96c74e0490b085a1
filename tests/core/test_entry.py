"""Two states of a path are the same if a user would call them so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, EXECUTABLE, HIDDEN, MODE_MASK, Entry, FileStat, Kind
from p2psync.core.ids import content_of

FILE = Entry(Kind.FILE, 3, 1_000, 0, content_of(b"one"))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (FILE, True),
        (replace(FILE, mtime_ns=2_000), True),
        (replace(FILE, content=content_of(b"two")), False),
        (replace(FILE, mode=EXECUTABLE), False),
        (replace(FILE, mode=HIDDEN), False),
        (ABSENT, False),
        (EMPTY_DIRECTORY, False),
    ],
)
def test_content_and_mode_make_a_difference_and_time_does_not(other: Entry, same: bool) -> None:
    assert FILE.same_as(other) is same
    assert other.same_as(FILE) is same


def test_nothing_and_an_empty_directory_have_no_bytes() -> None:
    assert Entry(Kind.ABSENT, 0, 0, 0, None) == ABSENT
    assert Entry(Kind.DIRECTORY, 0, 0, 0, None) == EMPTY_DIRECTORY


def test_nothing_is_no_directory() -> None:
    assert not ABSENT.same_as(EMPTY_DIRECTORY)
    assert ABSENT.same_as(Entry(Kind.ABSENT))


def test_the_numbers_of_the_block_format() -> None:
    assert [(kind.name, kind.value) for kind in Kind] == [("ABSENT", 0), ("FILE", 1), ("DIRECTORY", 2)]
    assert (EXECUTABLE, HIDDEN, MODE_MASK) == (1, 2, 3)


def test_a_stat_is_equal_only_as_a_whole() -> None:
    stat = FileStat(3, 1_000, 7)
    assert stat == FileStat(3, 1_000, 7)
    assert stat not in (FileStat(4, 1_000, 7), FileStat(3, 1_001, 7), FileStat(3, 1_000, 8))
