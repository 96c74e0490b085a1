"""A file that some program has open is told apart from one that nobody has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from p2psync.fs import openness
from p2psync.fs.openness import is_held, is_locked, is_open, is_shared_out, is_written

PROGRAM = "import sys; file = open(sys.argv[1], sys.argv[2]); print(flush=True); sys.stdin.read()"
LOCKER = (
    "import fcntl, sys; file = open(sys.argv[1], 'rb'); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True); "
    "sys.stdin.read()"
)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux shows open files")


class Opened:
    """Another program that has a file open."""

    def __init__(self, *words: str) -> None:
        self._words = (sys.executable, "-c", *words)

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self._process.communicate(b"")


@linux
@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_a_program_that_has_it_open(tmp_path: Path, mode: str) -> None:
    file, other = tmp_path / "a.crp", tmp_path / "b.crp"
    file.write_bytes(b"x")
    other.write_bytes(b"x")
    assert not is_open(file)
    with Opened(PROGRAM, str(file), mode):
        assert is_open(file)
        assert not is_open(other)
    assert not is_open(file)


@linux
@pytest.mark.parametrize(("mode", "writes"), [("rb", False), ("r+b", True), ("ab", True), ("wb", True)])
def test_a_program_that_writes_is_told_from_one_that_reads(tmp_path: Path, mode: str, writes: bool) -> None:
    file = tmp_path / "a.ecf"
    assert not is_written(file)
    file.write_bytes(b"x")
    assert not is_written(file)
    with Opened(PROGRAM, str(file), mode):
        assert is_written(file) is writes
    assert not is_written(file)


@linux
def test_what_we_have_open_ourselves_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "a.crp"
    file.write_bytes(b"x")
    with file.open("rb"):
        assert not is_open(file)
    found = file.stat()
    with file.open("rb"):
        assert is_held((found.st_dev, found.st_ino), Path("/proc"), own=0), "as if we were somebody else"


@linux
def test_a_lock_is_seen_also_where_the_files_of_a_process_are_not(tmp_path: Path) -> None:
    file = tmp_path / "a.crp"
    file.write_bytes(b"x")
    found = file.stat()
    place = (found.st_dev, found.st_ino)
    assert not is_locked(place, Path("/proc"))
    with Opened(LOCKER, str(file)):
        assert is_locked(place, Path("/proc"))


def test_the_table_of_locks_is_read_as_the_system_writes_it(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("1: FLOCK  ADVISORY  WRITE 708 08:11:524299 0 EOF\n2: -> POSIX x\n")
    device = os.makedev(8, 17)
    assert is_locked((device, 524299), tmp_path)
    assert not is_locked((device, 52429), tmp_path)
    assert not is_locked((device, 524299), tmp_path / "none")
    assert not is_held((device, 1), tmp_path / "none", 1)


def test_nothing_is_open_where_nothing_stands(tmp_path: Path) -> None:
    assert not is_open(tmp_path / "none")


class Kernel:
    """What Windows would answer."""

    def __init__(self, handle: int, error: int = 0) -> None:
        self.handle, self.error = handle, error
        self.shares: list[int] = []
        self.closed: list[int] = []

    def CreateFileW(self, path: str, access: int, share: int, *_: Any) -> int:
        self.shares.append(share)
        return self.handle

    def CloseHandle(self, handle: int) -> None:
        self.closed.append(handle)


def test_windows_gives_a_file_alone_only_if_nobody_has_it(tmp_path: Path) -> None:
    free = Kernel(7)
    assert not is_shared_out(tmp_path / "a", free, lambda: 0)
    assert (free.shares, free.closed) == ([0], [7])
    assert is_shared_out(tmp_path / "a", Kernel(-1), lambda: 32)
    with pytest.raises(OSError, match="Windows error 5"):
        is_shared_out(tmp_path / "a", Kernel(-1), lambda: 5)


def test_where_the_system_does_not_tell_what_for_open_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(openness, "is_open", lambda path: path == tmp_path / "a.ecf")
    assert is_written(tmp_path / "a.ecf")
    assert not is_written(tmp_path / "b.ecf")
