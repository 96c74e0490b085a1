"""Whatever a command raises, a person reads a sentence and a script finds an exit code."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from p2psync.cli.ending import guarded
from p2psync.cli.exits import FAILED, NOT_RUNNING, WRONG_USAGE, CommandFailed
from p2psync.cli.home import COMMAND_LOG
from p2psync.errors import ConfigError, HomeInUse, InvalidId, StoreError, UsageError


def raising(error: BaseException) -> Callable[[], int]:
    def act() -> int:
        raise error

    return act


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_says_itself_how_it_ended(tmp_path: Path, result: int | None, code: int) -> None:
    assert guarded(lambda: result, tmp_path, False) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandFailed("it does not run", NOT_RUNNING), NOT_RUNNING),
        (UsageError("not so"), WRONG_USAGE),
        (ConfigError("not there"), WRONG_USAGE),
        (InvalidId("no id"), WRONG_USAGE),
        (HomeInUse("it runs already"), FAILED),
        (StoreError("the disk is full"), FAILED),
    ],
)
def test_what_was_foreseen_is_said_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert guarded(raising(error), tmp_path, False) == code
    said = capsys.readouterr()
    assert said.err == f"{error}\n"
    assert said.out == ""


def test_a_script_that_reads_json_gets_its_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(UsageError("nicht so, Müller")), tmp_path, True) == WRONG_USAGE
    assert json.loads(capsys.readouterr().out) == {"error": "nicht so, Müller", "exit": WRONG_USAGE}


def test_what_a_terminal_obeys_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(UsageError("no \x1b[2J")), tmp_path, True) == WRONG_USAGE
    said = capsys.readouterr()
    assert said.err == "no \ufffd[2J\n"
    assert json.loads(said.out)["error"] == "no \x1b[2J"


def test_an_interrupt_is_no_error_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(KeyboardInterrupt()), tmp_path, False) == FAILED
    assert capsys.readouterr().err == "Stopped by you.\n"
    assert not (tmp_path / COMMAND_LOG).exists()


def test_what_nobody_foresaw_says_where_its_traceback_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(ZeroDivisionError("by zero")), tmp_path, False) == FAILED
    said = capsys.readouterr().err
    assert "by zero" in said
    assert "Traceback" not in said
    assert str(tmp_path / COMMAND_LOG) in said
    assert "ZeroDivisionError" in (tmp_path / COMMAND_LOG).read_text("utf-8")


def test_a_reader_who_has_seen_enough_is_left_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError):
        guarded(raising(OSError(errno.EPIPE, "gone")), tmp_path, False)
