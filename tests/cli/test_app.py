"""All commands hang together: the common options stand anywhere, mistakes are wrong usage, and help is always there."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync import __version__
from tests.cli.machine import Machine, run


def test_without_a_command_the_help_is_shown() -> None:
    result = run()
    assert "Commands:" in result.out + result.err
    assert run("--help").code == 0


def test_the_version() -> None:
    assert run("--version").out == f"p2psync {__version__}\n"


@pytest.mark.parametrize(
    "words", [["bogus"], ["status", "--bogus"], ["mandate"], ["share"], ["invite", "Cargo"], ["--json"]]
)
def test_what_is_typed_wrong_is_wrong_usage(words: list[str]) -> None:
    result = run(*words)
    assert result.code == 2
    assert "Traceback" not in result.err


def test_common_options_stand_before_or_behind_the_command(tmp_path: Path) -> None:
    for words in (["--home", str(tmp_path), "--json", "status"], ["status", "--home", str(tmp_path), "--json"]):
        result = run(*words)
        assert result.code == 4
        assert result.data == {"error": result.err.strip(), "exit": 4}
        assert str(tmp_path) in result.err


def test_the_home_behind_the_command_counts_more(tmp_path: Path) -> None:
    result = run("--home", str(tmp_path / "a"), "status", "--home", str(tmp_path / "b"))
    assert str(tmp_path / "b") in result.err


def test_every_command_says_what_to_do_when_no_daemon_runs(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "off")
    commands = [
        *(["status"], ["web"], ["overview"], ["share", "C"], ["rules", "C"], ["mandate", "list"], ["devices", "C"]),
        *(["invite", "C", "--role", "reader"], ["invites", "C"], ["peer", "list", "C"], ["sync"], ["wait"]),
        *(["conflicts"], ["history"], ["log", "C"], ["versions", "C", "a"], ["restore", "C", "a"]),
        ["join", "P2P1X", "--folder", str(tmp_path / "f")],
    ]
    for words in commands:
        result = machine.run(*words)
        assert (result.code, result.out) == (4, ""), words
        assert "p2psync start" in result.err, words
