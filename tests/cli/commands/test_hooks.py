"""What this PC runs by itself is set by its own user, in a file that nobody else may write."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from p2psync.daemon.programs.hooks import HOOKS_FILE, command
from tests.cli.machine import Result, run


def hook(home: Path, *words: str) -> Result:
    return run("--home", str(home), "hook", *words)


def test_a_command_is_set_shown_and_taken_away(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert hook(home).out == "on_mark_current: nothing\n"
    told = hook(home, "on_mark_current", "--json", "--", sys.executable, "-c", "print(1)")
    assert (told.code, json.loads(told.out)) == (0, {"on_mark_current": [sys.executable, "-c", "print(1)"]})
    assert command(home) == (sys.executable, "-c", "print(1)"), "the daemon reads the same"
    if os.name == "posix":
        assert (home / HOOKS_FILE).stat().st_mode & 0o777 == 0o600
        assert hook(home).out == f"on_mark_current: {sys.executable} -c 'print(1)'\n"
    assert hook(home, "on_mark_current", "--off").out == "on_mark_current: nothing\n"
    assert command(home) is None
    assert hook(home, "on_mark_current", "--off").code == 0


def test_a_mistake_sets_nothing(tmp_path: Path) -> None:
    for words in (
        ("on_full_moon", "--", sys.executable),
        ("on_mark_current", "--", "no-such-program-anywhere"),
        ("on_mark_current", "--off", "--", sys.executable),
        ("--off",),
    ):
        assert hook(tmp_path, *words).code == 2, words
    assert command(tmp_path) is None
    (tmp_path / HOOKS_FILE).write_text("[")
    assert hook(tmp_path).code == 1
