"""A double click on a ticket's file leads to p2psync for this user, as the system itself says; and back again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from p2psync.system import registering
from p2psync.system.filetype import CLASS, CLASSES, DESKTOP_FILE, MIME_TYPE, SUFFIX, program
from p2psync.system.registering import Desktop, associate, dissociate, is_known, put_keys, take_keys

linux = pytest.mark.skipif(sys.platform != "linux", reason="the rules of Linux' file managers")
needs_gio = pytest.mark.skipif(
    shutil.which("gio") is None or shutil.which("update-mime-database") is None,
    reason="needs gio and shared-mime-info",
)


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has nothing yet."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def files(user: Path) -> dict[str, bytes]:
    return {str(path.relative_to(user)): path.read_bytes() for path in user.rglob("*") if path.is_file()}


@linux
def test_what_was_set_is_taken_back_and_nothing_else(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(user / "none"))
    defaults = user / "XDG_CONFIG_HOME" / "mimeapps.list"
    defaults.parent.mkdir()
    defaults.write_bytes(b"[Default Applications]\ntext/plain=\xff.desktop\n")
    before = files(user)
    missing = associate(user / "home", "Invitation")
    assert missing == ("update-mime-database", "update-desktop-database")
    assert set(files(user)) - set(before) == {
        f"XDG_DATA_HOME/applications/{DESKTOP_FILE}",
        "XDG_DATA_HOME/mime/packages/p2psync-ticket.xml",
    }
    assert f"{MIME_TYPE}={DESKTOP_FILE}".encode() in defaults.read_bytes()
    once = files(user)
    associate(user / "home", "Invitation")
    assert files(user) == once
    dissociate(user / "home", "Invitation")
    assert files(user) == before
    dissociate(user / "home", "Invitation")
    assert files(user) == before


@linux
def test_a_list_of_defaults_that_p2psync_made_goes_with_it(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(user / "none"))
    associate(user / "home", "Invitation")
    dissociate(user / "home", "Invitation")
    assert files(user) == {}


@linux
def test_a_list_of_defaults_that_lies_elsewhere_stays_a_link(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(user / "none"))
    target = user / "dotfiles"
    target.write_text("[Default Applications]\n")
    config = user / "XDG_CONFIG_HOME"
    config.mkdir()
    (config / "mimeapps.list").symlink_to(target)
    associate(user / "home", "Invitation")
    assert (config / "mimeapps.list").is_symlink()
    assert MIME_TYPE in target.read_text()


@linux
@needs_gio
def test_the_system_itself_leads_a_ticket_to_the_program(user: Path) -> None:
    noted, python = user / "noted", user / "a python"
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{noted}.new"\nmv "{noted}.new" "{noted}"\n')
    python.chmod(0o755)
    Desktop(os.environ).put(program(str(python), str(user / "my $home")), "Invitation")
    ticket = user / f"for Zoé; $(x){SUFFIX}"
    ticket.write_text("P2P1")
    assert f"standard::content-type: {MIME_TYPE}" in gio("info", "-a", "standard::content-type", str(ticket))
    assert DESKTOP_FILE in gio("mime", MIME_TYPE).splitlines()[0]
    gio("launch", str(Desktop(os.environ).entry), str(ticket))
    wait_for(noted)
    words = ["-P", "-m", "p2psync", "--home", str(user / "my $home"), "open", str(ticket)]
    assert noted.read_text().splitlines() == words
    Desktop(os.environ).take()
    assert DESKTOP_FILE not in gio("mime", MIME_TYPE)
    assert MIME_TYPE not in gio("info", "-a", "standard::content-type", str(ticket))


def gio(*words: str) -> str:
    done = subprocess.run(["gio", *words], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def wait_for(path: Path) -> None:
    """The launcher does not wait for the program."""
    from tests.cli.machine import until

    until(path.exists, f"{path} is there")


class MemoryRegistry:
    """Keys that exist as soon as one below them does, as in Windows."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, str]] = {}

    def read(self, path: str, name: str) -> str | None:
        return self.keys.get(path, {}).get(name)

    def write(self, path: str, name: str, text: str) -> None:
        parts = path.split("\\")
        for n in range(1, len(parts) + 1):
            self.keys.setdefault("\\".join(parts[:n]), {})
        self.keys[path][name] = text

    def remove(self, path: str, name: str) -> None:
        del self.keys[path][name]

    def prune(self, path: str) -> None:
        if self.keys.get(path) == {} and not any(key.startswith(path + "\\") for key in self.keys):
            del self.keys[path]


def test_windows_values_are_taken_back_but_for_those_of_others() -> None:
    registry = MemoryRegistry()
    registry.write(CLASSES, "theirs", "x")
    before = {path: dict(values) for path, values in registry.keys.items()}
    words = program("python.exe", "C:\\home")
    put_keys(registry, words, "Invitation")
    assert registry.read(rf"{CLASSES}\{SUFFIX}", "") == CLASS
    take_keys(registry, program("python.exe", "C:\\other home"), "Einladung")
    assert registry.keys == before
    put_keys(registry, words, "Invitation")
    registry.write(rf"{CLASSES}\{SUFFIX}", "", "editor.ticket")
    take_keys(registry, words, "Invitation")
    assert registry.read(rf"{CLASSES}\{SUFFIX}", "") == "editor.ticket"
    assert registry.read(rf"{CLASSES}\{CLASS}\shell\open\command", "") is None


def test_macos_has_no_rule() -> None:
    assert [is_known(platform) for platform in ("linux", "win32", "darwin")] == [True, True, False]


def test_windows_explorer_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registry, told = MemoryRegistry(), Mock(return_value=())
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(registering, "WindowsRegistry", lambda: registry)
    monkeypatch.setattr(registering, "_tell_shell", told)
    assert associate(tmp_path, "Invitation") == ()
    command = registry.read(rf"{CLASSES}\{CLASS}\shell\open\command", "")
    assert command is not None
    assert command.endswith('open "%1"')
    dissociate(tmp_path, "Invitation")
    assert not any(SUFFIX in path for path in registry.keys)
    assert told.call_count == 2
