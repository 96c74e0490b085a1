"""Bulk is written and flushed in portions, and a slow drive is not flushed all the time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from p2psync.fs import writeback as module
from p2psync.fs.writeback import FLUSH_BYTES, PORTION_BYTES, RESTS, RESTS_SLOW, SLOW_S, Writeback


@dataclass
class Drive:
    """What it was asked for, and how long a flush takes."""

    flush_s: float = 0.0
    now_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    def begin(self, fd: int, offset: int, length: int) -> None:
        self.asked.append("begin")

    def flush(self, fd: int) -> None:
        self.asked.append("flush")
        self.now_s += self.flush_s


@pytest.fixture(name="drive")
def a_drive(monkeypatch: pytest.MonkeyPatch) -> Drive:
    drive = Drive()
    monkeypatch.setattr(module, "start_writeback", drive.begin)
    monkeypatch.setattr(module, "flush_bytes", drive.flush)
    return drive


def write(drive: Drive, writeback: Writeback, portions: int, each_s: float = 0.0) -> list[str]:
    """What the drive is asked for meanwhile."""
    drive.asked.clear()
    for _ in range(portions):
        drive.now_s += each_s
        writeback.wrote(7, PORTION_BYTES)
    return list(drive.asked)


def test_little_is_left_to_the_system(drive: Drive) -> None:
    writeback = Writeback(lambda: drive.now_s)
    for _ in range(9):
        writeback.wrote(7, PORTION_BYTES // 10)
    assert drive.asked == []


def test_writing_begins_early_and_ends_soon(drive: Drive) -> None:
    writeback = Writeback(lambda: drive.now_s)
    assert FLUSH_BYTES == 2 * PORTION_BYTES
    assert write(drive, writeback, 4) == ["begin", "flush", "begin", "flush"]


def test_what_merely_begins_waits_for_no_flush(drive: Drive) -> None:
    writeback = Writeback(lambda: drive.now_s)
    for _ in range(9):
        writeback.begin(7, PORTION_BYTES // 2)
    assert drive.asked == ["begin"] * 4
    assert write(drive, writeback, 2) == ["begin", "flush"], "nor does it count for one"


@pytest.mark.parametrize(("flush_s", "rests"), [(2**-6, RESTS), (2**-5, RESTS_SLOW)])
def test_a_drive_rests_and_a_slow_one_for_long(drive: Drive, flush_s: float, rests: int) -> None:
    assert (flush_s < SLOW_S) == (rests == RESTS)
    drive.flush_s = flush_s
    writeback = Writeback(lambda: drive.now_s)
    assert write(drive, writeback, 2) == ["begin", "flush"]
    assert write(drive, writeback, rests - 1, each_s=flush_s) == ["begin"] * (rests - 1)
    assert write(drive, writeback, 1, each_s=flush_s) == ["flush"]
