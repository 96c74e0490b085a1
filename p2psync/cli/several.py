"""One thing done in several mandates at once: what fails in one is told, and stops none of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from p2psync.cli.client import Reply
from p2psync.cli.command import tell
from p2psync.cli.exits import DONE, PARTLY_DONE, CommandFailed
from p2psync.i18n import _

ALSO = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="MANDATE", help=_("The same in this mandate, too; as often as you like.")),
]


def in_each(mandates: Sequence[str], act: Callable[[str], Reply]) -> tuple[list[tuple[str, Any]], int]:
    """The answers with the mandates they are of, and the exit code. Raises CommandFailed if none succeeded."""
    answers: list[tuple[str, Any]] = []
    failures: list[CommandFailed] = []
    for mandate in dict.fromkeys(mandates):
        try:
            answers.append((mandate, act(mandate).data))
        except CommandFailed as failure:
            failures.append(failure)
            tell(f"{mandate}: {failure}")
    if not answers:
        raise failures[-1]
    return answers, PARTLY_DONE if failures else DONE
