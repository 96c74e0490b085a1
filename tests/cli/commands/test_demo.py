"""The demo, whole: real daemons, everything holds, in time, and nothing of it stays."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from p2psync.cli.demo.show import Outcome, Show
from p2psync.cli.exits import CommandFailed
from tests.cli.machine import Machine, run

SECONDS_MAX = 30


def test_everything_holds_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    result = Machine(tmp_path, "any").shell("demo", "--devices", "3", "--json")
    assert result.code == 0, result
    told = json.loads(result.out)
    assert told["held"]
    assert told["seconds"] < SECONDS_MAX
    assert len(told["checks"]) >= 12
    assert told["figures"]["saves"] == 21
    assert "8. " in result.err
    assert list(tmp_path.iterdir()) == []


def test_programs_read_the_same_in_every_language(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def play(self: Show) -> Outcome:
        self.outcome.check("every save on {pc} arrived", True, pc="PC 1")
        return self.outcome

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Show, "play", play)
    said = {lang: run("--lang", lang, "demo", "--json") for lang in ("en", "de")}
    checks = [{"promise": "every save on PC 1 arrived", "held": True}]
    assert [json.loads(one.out)["checks"] for one in said.values()] == [checks, checks]
    assert "every save on PC 1 arrived" not in run("--lang", "de", "demo").out


def test_a_demo_of_which_something_did_not_hold_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def play(self: Show) -> Outcome:
        self.outcome.check("the moon is cheese", False)
        return self.outcome

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Show, "play", play)
    result = run("demo", "--devices", "2")
    assert result.code == 1
    assert "NOT   the moon is cheese" in result.out
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_cannot_go_on_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def play(self: Show) -> Outcome:
        raise CommandFailed("PC 1 did not start", 4)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Show, "play", play)
    result = run("demo", "--keep")
    assert result.code == 1
    assert "PC 1 did not start" in result.err


@pytest.mark.parametrize("words", [["demo", "--devices", "1"], ["demo", "--devices", "many"], ["demo", "more"]])
def test_wrong_usage(words: list[str]) -> None:
    assert run(*words).code == 2
