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
from p2psync.cli.progress import Load

OFF = {"connected": False, "behind_files": 9, "behind_bytes": 900}


class Daemon(Client):
    """Says how many files are to come, one fewer each time, and one to go to the only PC that is connected."""

    def __init__(self, left: int, *peers: dict[str, Any]) -> None:
        super().__init__(Path())
        self.left = left
        self.peers = peers or ({"connected": True, "behind_files": 1, "behind_bytes": 5}, OFF)
        self.asked = threading.Event()

    def call(self, name: str, arguments: dict[str, Any] | None = None, timeout_s: float = 1) -> Reply:
        if self.left < 0:
            raise CommandFailed("It is gone.")
        self.left = left = max(self.left - 1, 0)  # the bar asks, too, beside who waits
        if left <= 2:
            self.asked.set()
        coming = {"files": left, "bytes": 10 * left}
        return Reply(
            {
                "mandates": [
                    {"to_receive": coming, "in_sync": not left, "files": 7, "bytes": 70, "peers": list(self.peers)}
                ]
            },
            0,
        )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In the test itself: what pytest sets up before it has another stderr."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setattr(progress, "QUIET_S", 0)
    monkeypatch.setattr(progress, "LOOK_EVERY_S", 0.001)
    return made


def test_what_is_left_is_what_is_to_come_and_to_go() -> None:
    assert progress.left_over(Daemon(5), None) == Load(5, 45)
    assert progress.left_over(Daemon(5, OFF), None) == Load(4, 40)
    assert progress.left_over(Daemon(-1), None) == Load(0, 0)


def test_how_far_it_is_is_told_in_files_and_bytes() -> None:
    assert progress.told("Receiving", Load(1234, 500_000), Load(4000, 9_500_000)) == (
        "Receiving: 1’234 of 4’000 files, 500 kB of 9.5 MB"
    )


def test_a_bar_is_drawn_while_the_work_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, daemon = at_a_terminal(monkeypatch), Daemon(5)
    with progress.shown(daemon, None, "Syncing"):
        assert daemon.asked.wait(30)
    assert "of 5 files" in terminal.getvalue()


@pytest.mark.parametrize(("stderr", "wanted"), [(io.StringIO(), True), (Terminal(), False)])
def test_elsewhere_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, wanted: bool) -> None:
    daemon = Daemon(5)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "QUIET_S", 0)
    with progress.shown(daemon, None, "Syncing", wanted):
        pass
    assert progress.first_replica(daemon, "Cargo", wanted)
    assert (daemon.left, stderr.getvalue()) == (5, "")


def test_short_work_shows_nothing_and_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setattr(progress, "QUIET_S", 600)
    with progress.shown(Daemon(5), None, "Syncing"):
        pass
    assert terminal.getvalue() == ""


def test_at_a_terminal_the_first_replica_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, daemon = at_a_terminal(monkeypatch), Daemon(200)
    assert progress.first_replica(daemon, "Cargo")
    assert daemon.left <= 0
    assert "Receiving" in terminal.getvalue()


def test_a_first_replica_that_nobody_gives_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch)
    monkeypatch.setattr(progress, "ALONE_S", 0.01)
    assert not progress.first_replica(Daemon(10**9, OFF), "Cargo")
    assert not progress.first_replica(Daemon(-1), "Cargo")


def test_what_a_full_run_has_still_to_read_is_part_of_the_work() -> None:
    going = {"files": 10, "bytes": 100, "run": {"read": {"files": 4, "bytes": 30}}}
    assert progress._reading(going) == Load(6, 70)
    assert progress._reading({**going, "run": {"read": None}}) == progress._reading({"run": None}) == Load()
