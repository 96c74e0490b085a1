"""A bar is shown on a terminal only, for work that lasts, and what is left is what `status` says."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from p2psync.cli import progress
from p2psync.cli.client import Client, Reply
from p2psync.cli.exits import CommandFailed


class Daemon(Client):
    """Says how many files are left, one fewer each time."""

    def __init__(self, left: int) -> None:
        super().__init__(Path())
        self.left = left
        self.asked = threading.Event()

    def call(self, name: str, arguments: dict[str, Any] | None = None, timeout_s: float = 1) -> Reply:
        if self.left < 0:
            raise CommandFailed("It is gone.")
        self.left -= 1
        if self.left <= 2:
            self.asked.set()
        one = {"to_receive": {"files": self.left}, "to_send": {"files": 1}}
        return Reply({"mandates": [one]}, 0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_left_is_what_is_to_come_and_to_go() -> None:
    assert progress.left_over(Daemon(5), None) == 5
    assert progress.left_over(Daemon(-1), None) == 0


def test_a_bar_is_drawn_while_the_work_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, daemon = Terminal(), Daemon(5)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "QUIET_S", 0)
    monkeypatch.setattr(progress, "LOOK_EVERY_S", 0.001)
    with progress.shown(daemon, None, "Syncing"):
        assert daemon.asked.wait(30)
    assert "files to go" in terminal.getvalue()


@pytest.mark.parametrize(("stderr", "wanted"), [(io.StringIO(), True), (Terminal(), False)])
def test_elsewhere_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, wanted: bool) -> None:
    daemon = Daemon(5)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "QUIET_S", 0)
    with progress.shown(daemon, None, "Syncing", wanted):
        pass
    assert (daemon.left, stderr.getvalue()) == (5, "")


def test_short_work_shows_nothing_and_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "QUIET_S", 600)
    with progress.shown(Daemon(5), None, "Syncing"):
        pass
    assert terminal.getvalue() == ""
