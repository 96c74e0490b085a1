"""Whether a window could be seen, and a page in the user's browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from p2psync.system.screen import SCREENS, browser_command, has_screen, show_page
from tests.daemon.file_managers import fake_file_manager, needs_programs

ADDRESS = "http://127.0.0.1:4710/login/x"


def test_linux_needs_to_know_its_screen() -> None:
    assert has_screen("linux", {"DISPLAY": ":0"})
    assert has_screen("linux", {"WAYLAND_DISPLAY": "wayland-0"})
    assert not has_screen("linux", {"DISPLAY": ""})
    assert has_screen("win32", {})
    assert has_screen("darwin", {})


@pytest.mark.parametrize(
    ("platform", "expected"), [("linux", ("xdg-open", ADDRESS)), ("darwin", ("open", ADDRESS)), ("win32", ())]
)
def test_each_system_has_its_command(platform: str, expected: tuple[str, ...]) -> None:
    assert browser_command(platform, ADDRESS) == expected


@needs_programs
def test_the_browser_gets_the_address_and_nothing_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch)
    monkeypatch.setenv("P2PSYNC_PROXY", "secret")
    assert show_page(ADDRESS)
    assert opened() == [ADDRESS]


@needs_programs
def test_where_there_is_no_browser_nothing_was_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = fake_file_manager(tmp_path, monkeypatch, then="exit 3")
    assert not show_page(ADDRESS)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert not show_page(ADDRESS)
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not show_page(ADDRESS)
    assert len(opened()) == 1


def test_windows_shows_it_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "startfile", started.append, raising=False)
    assert show_page(ADDRESS)
    assert started == [ADDRESS]
    monkeypatch.delattr(os, "startfile")
    assert not show_page(ADDRESS)
