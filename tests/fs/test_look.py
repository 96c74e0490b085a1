"""What stands at a path, and when a stat says enough."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from p2psync.core.change import Change, pack_changes, unpack_changes
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, EXECUTABLE, HIDDEN, Entry, Kind
from p2psync.core.ids import EMPTY_CONTENT
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath
from p2psync.engine.events import Seen
from p2psync.fs import look as looking
from p2psync.fs.exchange import FileLocked
from p2psync.fs.look import LOOKS_MAX, disk_problem, is_listed, look, matches
from p2psync.fs.traits import SYSTEMS_OWN
from tests.fs.disk import OLD_NS, a_file

F = RelPath("f")


@pytest.fixture(name="file")
def a_real_file(tmp_path: Path) -> Path:
    (tmp_path / "f").write_bytes(b"bytes")
    os.utime(tmp_path / "f", ns=(OLD_NS, OLD_NS))
    return tmp_path / "f"


def test_each_kind_of_thing(tmp_path: Path, file: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(file)
    assert look(file, F, 0, SYSTEMS_OWN) == Seen(F, a_file(b"bytes"), SYSTEMS_OWN.stat(file.lstat()))
    assert look(tmp_path, F, 0, SYSTEMS_OWN) == Seen(F, EMPTY_DIRECTORY)
    assert look(tmp_path / "gone", F, 0, SYSTEMS_OWN) == Seen(F, ABSENT)
    assert look(file / "below", F, 0, SYSTEMS_OWN) == Seen(F, ABSENT)
    assert look(tmp_path / "link", F, 0, SYSTEMS_OWN) == Problem(F, Code.SYMBOLIC_LINK)
    assert look(tmp_path / "pipe", F, 0, SYSTEMS_OWN) == Problem(F, Code.SPECIAL_FILE)


def test_a_file_that_changes_while_it_is_read_is_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def read_and_change(path: Path, between: object) -> object:
        reads.append(path)
        os.utime(path, ns=(OLD_NS, OLD_NS + len(reads)))
        return EMPTY_CONTENT

    monkeypatch.setattr(looking, "content_of_file", read_and_change)
    assert look(file, F, 0, SYSTEMS_OWN) == Problem(F, Code.STILL_CHANGING)
    assert len(reads) == LOOKS_MAX


def test_a_file_that_cannot_be_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, between: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(looking, "content_of_file", refuse)
    assert look(file, F, 0, SYSTEMS_OWN) == Problem(F, Code.UNREADABLE, "Permission denied")


def test_an_equal_stat_says_enough_unless_it_is_fresh(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expect = a_file(b"BYTES")
    assert matches(file, expect, SYSTEMS_OWN.stat(file.lstat()), SYSTEMS_OWN), "not read"
    assert not matches(file, expect, None, SYSTEMS_OWN)
    monkeypatch.setattr(time, "time_ns", lambda: OLD_NS + 10_000_000)
    assert not matches(file, expect, SYSTEMS_OWN.stat(file.lstat()), SYSTEMS_OWN)


def test_a_disk_with_coarse_times_is_trusted_later(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_second = OLD_NS - OLD_NS % 1_000_000_000
    os.utime(file, ns=(whole_second, whole_second))
    monkeypatch.setattr(time, "time_ns", lambda: whole_second + 1_000_000_000)
    assert not matches(file, a_file(b"BYTES"), SYSTEMS_OWN.stat(file.lstat()), SYSTEMS_OWN)


def test_what_differs_is_no_match(tmp_path: Path, file: Path) -> None:
    assert matches(file, a_file(b"bytes", mtime_ns=1), None, SYSTEMS_OWN), "time alone is no difference"
    assert not matches(file, a_file(b"other"), None, SYSTEMS_OWN)
    assert not matches(file, a_file(b"longer than that"), None, SYSTEMS_OWN)
    assert not matches(file, a_file(b"bytes", mode=EXECUTABLE), SYSTEMS_OWN.stat(file.lstat()), SYSTEMS_OWN)
    assert not matches(tmp_path, a_file(b""), None, SYSTEMS_OWN)


def test_bits_that_this_system_does_not_keep_are_carried(file: Path) -> None:
    file.chmod(0o755)
    assert matches(file, replace(a_file(b"bytes"), mode=HIDDEN | EXECUTABLE), None, SYSTEMS_OWN)


@pytest.mark.parametrize("year", [-290_000, 1_600, 1_969, 2_100, 2_300, 290_000])
def test_a_date_that_no_change_can_state_is_the_nearest_that_it_can(year: int) -> None:
    mtime_ns = (year - 1970) * 31_556_952_000_000_000
    stat = SYSTEMS_OWN.stat(cast(os.stat_result, SimpleNamespace(st_size=1, st_mtime_ns=mtime_ns, st_ino=7)))
    assert abs(stat.mtime_ns - mtime_ns) == max(0, abs(mtime_ns) - (1 << 63) + 1)
    entry = Entry(Kind.FILE, 1, stat.mtime_ns, 0, EMPTY_CONTENT)
    hashes, rows = pack_changes((Change(F, entry, ()),))
    assert unpack_changes([hashes, rows], 1)[0].entry == entry


def test_a_file_of_another_age_is_looked_at_as_any_other(file: Path) -> None:
    os.utime(file, ns=(1 << 63, 1 << 63))
    stat = SYSTEMS_OWN.stat(file.lstat())
    seen = look(file, F, 0, SYSTEMS_OWN)
    assert isinstance(seen, Seen)
    assert (seen.stat, seen.entry.mtime_ns) == (stat, stat.mtime_ns)
    assert stat.mtime_ns < 1 << 63
    assert matches(file, a_file(b"BYTES"), stat, SYSTEMS_OWN), "not read"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "full"), Code.DISK_FULL),
        (OSError(errno.EROFS, "ro"), Code.READ_ONLY),
        (FileLocked(errno.EBUSY, "open"), Code.LOCKED),
        (OSError(errno.ENAMETOOLONG, "long"), Code.NAME_TOO_LONG),
        (OSError(errno.EIO, "io"), Code.DISK_ERROR),
        (OSError("no number"), Code.DISK_ERROR),
    ],
)
def test_what_a_failure_means(error: OSError, code: Code) -> None:
    assert disk_problem(F, error).code is code


def test_windows_says_locked_in_its_own_way() -> None:
    error = PermissionError(errno.EACCES, "used by another process")
    error.winerror = 32  # type: ignore[attr-defined, unused-ignore]
    assert disk_problem(F, error).code is Code.LOCKED


def test_where_names_are_folded_only_the_very_name_is_listed(tmp_path: Path) -> None:
    (tmp_path / "e\u0301").touch()
    assert is_listed(tmp_path / "E", replace(SYSTEMS_OWN, folding=Folding())), "there, no other name answers"
    folds = replace(SYSTEMS_OWN, folding=Folding(case_insensitive=True))
    names = ["e\u0301", "E\u0301", "\u00e9", "gone/x"]
    assert [is_listed(tmp_path / name, folds) for name in names] == [True, False, False, False]
    assert is_listed(tmp_path / "\u00e9", replace(folds, composes=True))
