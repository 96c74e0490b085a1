"""Only regular files are opened, without waiting, without following links, without being in anybody's way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from p2psync.fs.exchange import FileLocked
from p2psync.fs.reading import open_shared, windows_handle


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"bytes")
    with open_shared(tmp_path / "f") as file:
        assert file.read() == b"bytes"


def test_neither_pipe_nor_link_nor_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe would make its reader wait for ever."""
    opened: list[int] = []
    closed: list[int] = []
    open_, close = os.open, os.close

    def noted_open(path: Any, *arguments: Any, **named: Any) -> int:
        descriptor = open_(path, *arguments, **named)
        if tmp_path in Path(path).parents:
            opened.append(descriptor)
        return descriptor

    def noted_close(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    monkeypatch.setattr(os, "open", noted_open)
    monkeypatch.setattr(os, "close", noted_close)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "f").write_bytes(b"elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "f")
    (tmp_path / "d").mkdir()
    for name in ("pipe", "link", "gone"):
        with pytest.raises(OSError):  # noqa: PT011
            open_shared(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        open_shared(tmp_path / "d")
    assert len(opened) == 2
    assert set(opened) <= set(closed), "nothing is left open"


class FakeKernel:
    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.calls: list[tuple[Any, ...]] = []

    def CreateFileW(self, *arguments: Any) -> int:
        self.calls.append(arguments)
        return self.handle


def test_on_windows_everything_is_shared() -> None:
    kernel = FakeKernel(7)
    assert windows_handle(Path("f"), kernel, lambda: 0) == 7
    assert kernel.calls == [("f", 0x80000000, 7, None, 3, 0x00200000, None)]
    with pytest.raises(FileLocked):
        windows_handle(Path("f"), FakeKernel(-1), lambda: 32)
