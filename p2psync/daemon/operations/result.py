"""What an operation returns, and the exit code that belongs to it."""

from __future__ import annotations

from typing import Final

from p2psync.core.value import value

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2
PARTLY_DONE: Final = 3
WAITING: Final = 5


@value
class OperationResult:
    """The answer to one call."""

    data: object
    """Ready for JSON."""
    exit_code: int = DONE
    """As the command line ends: DONE, FAILED, PARTLY_DONE or WAITING; `data` tells more."""
