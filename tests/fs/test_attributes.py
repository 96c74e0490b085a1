"""Time, executable bit and hidden, and nobody's permissions beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.entry import EXECUTABLE
from p2psync.fs.attributes import (
    is_read_only,
    set_attributes,
    set_hidden,
    set_mode,
    set_read_only,
    with_executable,
)
from tests.fs.disk import OLD_NS, a_file


def test_a_staged_file_gets_its_time_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    file.chmod(0o640)
    set_attributes(file, a_file(b"x", OLD_NS, EXECUTABLE), EXECUTABLE)
    assert (file.stat().st_mtime_ns, file.stat().st_mode & 0o777) == (OLD_NS, 0o750)
    set_mode(file, 0, EXECUTABLE)
    assert (file.stat().st_mtime_ns, file.stat().st_mode & 0o777) == (OLD_NS, 0o640)


def test_the_permissions_of_what_is_replaced_stay(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    set_mode(file, 0, EXECUTABLE, like=0o100660)
    assert file.stat().st_mode & 0o777 == 0o660


def test_a_disk_without_modes_is_not_asked_for_one(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    file.chmod(0o640)
    set_attributes(file, a_file(b"x", OLD_NS, EXECUTABLE), 0)
    set_mode(file, EXECUTABLE, 0, like=0o100660)
    assert (file.stat().st_mtime_ns, file.stat().st_mode & 0o777) == (OLD_NS, 0o640)


def test_a_time_that_cannot_be_expressed_is_left(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    before = file.stat().st_mtime_ns
    set_attributes(file, a_file(b"x", 1 << 100), EXECUTABLE)
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("before", "executable", "after"),
    [(0o644, True, 0o755), (0o600, True, 0o700), (0o755, False, 0o644), (0o711, True, 0o711), (0o645, False, 0o645)],
)
def test_who_may_read_may_execute(before: int, executable: bool, after: int) -> None:
    assert oct(with_executable(before, executable)) == oct(after)


class FakeKernel:
    def __init__(self, attributes: int, works: bool = True) -> None:
        self.attributes, self.works, self.sets = attributes, works, 0

    def GetFileAttributesW(self, path: str) -> int:
        return self.attributes

    def SetFileAttributesW(self, path: str, attributes: int) -> bool:
        self.attributes = attributes
        self.sets += 1
        return self.works


def test_hidden_on_windows_is_one_bit_among_others() -> None:
    kernel = FakeKernel(0x20)
    set_hidden(Path("f"), True, kernel)
    assert kernel.attributes == 0x22
    set_hidden(Path("f"), True, kernel)
    assert kernel.sets == 1
    set_hidden(Path("f"), False, kernel)
    assert kernel.attributes == 0x20
    with pytest.raises(OSError, match="hidden"):
        set_hidden(Path("f"), True, FakeKernel(0, works=False))


def test_a_file_is_read_only_and_its_owners_again(tmp_path: Path) -> None:
    file = tmp_path / "a.crp"
    file.write_bytes(b"chart")
    file.chmod(0o640)
    assert not is_read_only(file)
    set_read_only(file, True)
    assert (is_read_only(file), file.stat().st_mode & 0o777) == (True, 0o440)
    set_read_only(file, False)
    assert (is_read_only(file), file.stat().st_mode & 0o777) == (False, 0o640)
