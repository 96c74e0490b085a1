"""The exit codes that scripts rely on."""

from __future__ import annotations

from p2psync.cli import exits
from p2psync.cli.exits import FAILED, CommandFailed


def test_each_code_is_as_promised() -> None:
    codes = (exits.DONE, exits.FAILED, exits.WRONG_USAGE, exits.PARTLY_DONE, exits.NOT_RUNNING, exits.TIMED_OUT)
    assert codes == (0, 1, 2, 3, 4, 5)


def test_a_failure_is_a_sentence_with_a_code() -> None:
    assert CommandFailed("It is so.").exit_code == FAILED
    assert str(CommandFailed("It is so.", 4)) == "It is so."
