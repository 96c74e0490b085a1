"""Whether bookings may go on to accounting's program: never before the chart of their period is there.

A mandate may be stricter: then only bookings in which nothing is wrong go on. A mandate that works without any chart
of accounts has nothing to wait for.
"""

from __future__ import annotations

from dataclasses import field

from p2psync.books.finding import Findings, Trouble
from p2psync.core.value import value
from p2psync.errors import CodecError

WAITING = frozenset({Trouble.CHART_MISSING, Trouble.NO_CHART})
"""What is over once a chart arrives."""


@value
class Hold:
    """Why bookings are held."""

    findings: Findings = field(default_factory=Findings)
    """What is wrong in them, or which chart is missing."""
    why: CodecError | None = None
    """Why they cannot be checked at all."""


def hold_of(findings: Findings, why: CodecError | None, is_checked: bool, strict: bool) -> Hold | None:
    """None if they may go on.

    `why`: the reason why the file cannot be read; `is_checked`: whether there is anything to check it against;
    `strict`: only what is checked and right goes on.
    """
    if strict and (why is not None or findings):
        return Hold(findings, why)
    if strict and not is_checked:
        return Hold(why=CodecError("There is no chart of accounts to check it against."))
    missing = tuple(one for one in findings.items if one.trouble in WAITING)
    return Hold(Findings(missing)) if missing else None
