"""A folder in the file manager of each system: by which command, and what is said where there is none."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from p2psync.daemon.programs.file_manager import command, open_folder
from p2psync.errors import FolderError, P2PSyncError
from p2psync.system import screen
from tests.daemon.file_managers import fake_file_manager, needs_programs


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ("xdg-open", "/f/Cargo AG")),
        ("freebsd14", ("xdg-open", "/f/Cargo AG")),
        ("darwin", ("open", "-a", "Finder", "/f/Cargo AG")),
        ("win32", ()),
    ],
)
def test_each_system_has_its_command(platform: str, expected: tuple[str, ...]) -> None:
    assert command(platform, "/f/Cargo AG") == expected


@needs_programs
def test_the_file_manager_gets_the_folder_and_nothing_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    monkeypatch.setenv("P2PSYNC_PROXY", "secret")
    folder = tmp_path / "Cargo; $(touch x) & Ltd"
    folder.mkdir()
    open_folder(folder)
    assert opened() == [str(folder)]


@needs_programs
def test_what_goes_wrong_is_told_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch, then="exit 3")
    with pytest.raises(P2PSyncError, match=rf"could not open the folder \(exit code 3\).*{tmp_path}"):
        open_folder(tmp_path)
    assert opened() == [str(tmp_path)]
    with pytest.raises(FolderError, match="is not there"):
        open_folder(tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(P2PSyncError, match=rf"No file manager could be started .*{tmp_path}"):
        open_folder(tmp_path)
    for name in screen.SCREENS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(P2PSyncError, match=f"without a screen.*{tmp_path}"):
        open_folder(tmp_path)
    assert opened() == [str(tmp_path)]


@needs_programs
def test_a_file_manager_that_goes_on_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    fake_file_manager(tmp_path, monkeypatch, then=f'read line < "{gate}"; exit 3')
    monkeypatch.setattr(screen, "WAIT_S", 0.01)
    open_folder(tmp_path)
    (waiting,) = [one for one in threading.enumerate() if one.name == command(sys.platform, "")[0]]
    gate.write_text("go on\n")
    waiting.join(60)
    assert not waiting.is_alive(), "it is taken notice of when it ends"


def test_windows_opens_it_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "startfile", started.append, raising=False)
    open_folder(tmp_path)
    assert started == [os.path.join(tmp_path, "")]

    def refuse(_: str) -> None:
        raise OSError(1155, "No application is associated")

    monkeypatch.setattr(os, "startfile", refuse)
    with pytest.raises(P2PSyncError, match=r"No file manager could be started \(No application is associated\)"):
        open_folder(tmp_path)
    monkeypatch.delattr(os, "startfile")
    with pytest.raises(P2PSyncError, match="No file manager could be started"):
        open_folder(tmp_path)
