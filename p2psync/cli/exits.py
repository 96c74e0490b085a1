"""Exit codes, and the one exception with which a command ends early."""

from __future__ import annotations

DONE = 0
FAILED = 1
WRONG_USAGE = 2
PARTLY_DONE = 3
NOT_RUNNING = 4
TIMED_OUT = 5


class CommandFailed(Exception):
    """A command cannot do what it was asked to; says what happened, to what, and what to do next."""

    def __init__(self, sentence: str, exit_code: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
