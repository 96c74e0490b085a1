"""Each system's two steps: real on this one, by the arguments they pass on the others."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from p2psync.fs.exchange import (
    EXCHANGE,
    ExchangeUnsupported,
    FileLocked,
    LinkExchange,
    LinuxExchange,
    MacExchange,
    WindowsExchange,
    exchange_for,
    windows_error,
)

A, B = Path("/f/staging/a"), Path("/f/b")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the real call of Linux")


class FakeLibrary:
    """Notes each call; answers with the results given, in their order."""

    def __init__(self, *results: int) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._results = list(results)

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            self.calls.append((name, *arguments))
            return self._results.pop(0)

        return call


def two_files(root: Path) -> tuple[Path, Path]:
    for name in "ab":
        (root / name).write_bytes(name.encode())
    return root / "a", root / "b"


# -- this system ----------------------------------------------------------------------------------------------------


def test_swap_exchanges_two_files_and_keeps_their_inodes(tmp_path: Path) -> None:
    a, b = two_files(tmp_path)
    inodes = a.stat().st_ino, b.stat().st_ino
    EXCHANGE.swap(a, b)
    assert (a.read_bytes(), b.read_bytes()) == (b"b", b"a")
    assert (b.stat().st_ino, a.stat().st_ino) == inodes


def test_swap_with_what_is_gone_moves_nothing(tmp_path: Path) -> None:
    a, b = two_files(tmp_path)
    b.unlink()
    with pytest.raises(FileNotFoundError):
        EXCHANGE.swap(a, b)
    assert a.read_bytes() == b"a"


@pytest.mark.parametrize("exchange", [EXCHANGE, LinkExchange()], ids=["system", "link"])
def test_move_new_refuses_a_taken_name(tmp_path: Path, exchange: LinkExchange) -> None:
    a, b = two_files(tmp_path)
    with pytest.raises(FileExistsError):
        exchange.move_new(a, b)
    assert (a.read_bytes(), b.read_bytes()) == (b"a", b"b")
    exchange.move_new(a, tmp_path / "c")
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]


@linux_only
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_a_file_system_without_the_flags(tmp_path: Path, number: int) -> None:
    a, b = two_files(tmp_path)
    exchange = LinuxExchange(FakeLibrary(-1, -1, -1), lambda: number)
    with pytest.raises(ExchangeUnsupported):
        exchange.swap(a, b)
    with pytest.raises(FileExistsError):
        exchange.move_new(a, b)
    exchange.move_new(a, tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"a"


def test_a_disk_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    a, b = two_files(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(FileExistsError):
        LinkExchange().move_new(a, b)
    LinkExchange().move_new(a, tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"a"


def test_a_library_without_the_call(tmp_path: Path) -> None:
    a, b = two_files(tmp_path)
    with pytest.raises(ExchangeUnsupported):
        LinuxExchange(object(), lambda: 0).swap(a, b)


# -- all systems, by what they are asked ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "kind"),
    [("linux", LinuxExchange), ("darwin", MacExchange), ("win32", WindowsExchange), ("freebsd14", LinkExchange)],
)
def test_the_platform_chooses(platform: str, kind: type) -> None:
    assert type(exchange_for(platform, FakeLibrary(), lambda: 0)) is kind


def test_linux_asks_renameat2() -> None:
    library = FakeLibrary(0, 0)
    exchange = exchange_for("linux", library)
    exchange.swap(A, B)
    exchange.move_new(A, B)
    paths = (-100, b"/f/staging/a", -100, b"/f/b")
    assert library.calls == [("renameat2", *paths, 2), ("renameat2", *paths, 1)]


def test_macos_asks_renamex_np() -> None:
    library = FakeLibrary(0, 0)
    exchange = exchange_for("darwin", library)
    exchange.swap(A, B)
    exchange.move_new(A, B)
    assert library.calls == [("renamex_np", b"/f/staging/a", b"/f/b", 2), ("renamex_np", b"/f/staging/a", b"/f/b", 4)]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_an_error_carries_its_number_and_path(platform: str) -> None:
    exchange = exchange_for(platform, FakeLibrary(-1, -1), lambda: errno.EACCES)
    for step in (exchange.swap, exchange.move_new):
        with pytest.raises(PermissionError) as caught:
            step(A, B)
        assert caught.value.filename == str(B)


def test_macos_without_swap_on_this_volume() -> None:
    exchange = exchange_for("darwin", FakeLibrary(-1), lambda: errno.ENOTSUP)
    with pytest.raises(ExchangeUnsupported):
        exchange.swap(A, B)


def test_windows_replaces_with_a_backup_that_takes_the_staged_name() -> None:
    library = FakeLibrary(1, 1, 1)
    exchange = exchange_for("win32", library, lambda: 0)
    exchange.swap(A, B)
    exchange.move_new(A, B)
    backup = str(A) + ".out"
    assert library.calls == [
        ("ReplaceFileW", str(B), str(A), backup, 2, None, None),
        ("MoveFileExW", backup, str(A), 8),
        ("MoveFileExW", str(A), str(B), 8),
    ]


def test_windows_puts_back_what_a_half_replacement_moved_away() -> None:
    library = FakeLibrary(0, 1)
    exchange = exchange_for("win32", library, lambda: 1177)
    with pytest.raises(FileLocked):
        exchange.swap(A, B)
    assert library.calls[1:] == [("MoveFileExW", str(A) + ".out", str(B), 8)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (32, FileLocked),
        (1175, FileLocked),
        (2, FileNotFoundError),
        (183, FileExistsError),
        (5, PermissionError),
        (1, ExchangeUnsupported),
        (9999, OSError),
    ],
)
def test_windows_errors_become_what_placing_judges_by(code: int, kind: type[OSError]) -> None:
    assert type(windows_error(code, B)) is kind
    assert windows_error(112, B).errno == errno.ENOSPC
