"""The exit codes are a contract with scripts."""

from __future__ import annotations

from p2psync.cli import exits
from p2psync.daemon.operations import result
from p2psync.daemon.operations.result import OperationResult


def test_the_codes_are_those_of_the_command_line() -> None:
    ours = (result.DONE, result.FAILED, result.WRONG_USAGE, result.PARTLY_DONE, result.WAITING)
    theirs = (exits.DONE, exits.FAILED, exits.WRONG_USAGE, exits.PARTLY_DONE, exits.TIMED_OUT)
    assert ours == theirs == (0, 1, 2, 3, 5)


def test_a_result_is_a_success_unless_it_says_otherwise() -> None:
    assert OperationResult({}).exit_code == result.DONE
