"""Whether all is well with what p2psync needs: asks the daemon, and looks itself where none runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from p2psync.checkup import PROBLEMS, Sign, State, said_of
from p2psync.cli.client import Reply
from p2psync.cli.command import Session, command
from p2psync.cli.exits import NOT_RUNNING, CommandFailed
from p2psync.cli.rendering import reason_lines, way_name
from p2psync.cli.values import moment, quoted, short_device, size
from p2psync.core.problem import Code, Problem
from p2psync.i18n import _, ngettext
from p2psync.remedies import Words, described

LOOKING_S = 120.0
"""Hosts that do not answer are waited for."""

Row = Mapping[str, Any]


def add_to(app: typer.Typer) -> None:
    """Make this command part of the app."""
    command(
        app,
        "doctor",
        help=_(
            "Find out what is wrong, and what to do.\n\nLooks at this PC's clock, network, router, folders and disks, "
            "at the meeting hosts, and at the way to each member. Ends with exit code 3 if something is wrong, and 4 "
            "if p2psync is not running: then only what can be seen without it is told."
        ),
        example="p2psync doctor\np2psync doctor --json",
    )(doctor)


def doctor(session: Session) -> int:
    reply = _looked(session)
    session.show_data([_told(row) for row in reply.data], text)
    return reply.exit


def _looked(session: Session) -> Reply:
    try:
        return session.call("doctor", LOOKING_S)
    except CommandFailed as failure:
        if failure.exit_code != NOT_RUNNING:
            raise
    from p2psync.daemon import examining

    return Reply([one.row for one in examining.alone(session.home)], NOT_RUNNING)


def _told(row: Row) -> dict[str, Any]:
    """With what it says to people: in `message`, and in `remedy` what to do, "" if the message has that too."""
    found = _words(row)
    return {**row, "message": found.sentence, "remedy": found.remedy}


def _words(row: Row) -> Words:
    """A newer daemon may find what this command does not know."""
    facts = dict(row["facts"])
    try:
        sign = Sign(row["code"])
        if sign in PROBLEMS:
            problem = Problem("", Code(facts["code"]), facts["detail"] or "")
            said = described(problem, quoted(facts["mandate"]), short_device(facts["device"]))
            return Words(f"{facts['mandate']}: {said.sentence}", said.remedy)
    except ValueError:
        return Words(f"{row['code']}: {row['about']} {facts}", "")
    if "free_bytes" in facts:
        facts["free"] = size(facts["free_bytes"])
    if "path" in facts:
        facts["way"], facts["seen"] = way_name(facts["path"] or ""), moment(facts["last_seen"])
    return said_of(sign, facts)


def text(rows: Sequence[Row]) -> str:
    """A paragraph for each finding, and how many of them need somebody."""
    labels = {
        State.OK.value: _("ok"),
        State.WARNING.value: _("warning"),
        State.ERROR.value: _("ERROR"),
    }
    width = max(map(len, labels.values())) + 2
    lines = []
    for row in rows:
        lines.append(str(labels.get(row["state"], row["state"])).ljust(width) + row["message"])
        lines += [" " * width + f"-> {row['remedy']}"] if row["remedy"] else []
        lines += [" " * (width - 2) + line for line in reason_lines(row["facts"])]
    return "\n".join([*lines, "", _summary(rows)])


def _summary(rows: Sequence[Row]) -> str:
    errors = sum(row["state"] == State.ERROR.value for row in rows)
    if not errors:
        return _("Nothing is wrong.")
    return ngettext("{n} thing is wrong.", "{n} things are wrong.", errors).format(n=errors)
