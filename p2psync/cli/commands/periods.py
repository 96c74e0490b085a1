"""Accounting periods: closing and opening them, and how far the books are."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from p2psync.cli import periods
from p2psync.cli.command import Session, command, tell
from p2psync.cli.commands.books import READ_S
from p2psync.cli.commands.mandates import MANDATE
from p2psync.cli.exits import DONE, FAILED, WRONG_USAGE, CommandFailed
from p2psync.cli.several import ALSO, in_each
from p2psync.i18n import _


def add_to(app: typer.Typer) -> None:
    """Make this command part of the app."""
    command(
        app,
        "period",
        help=_(
            "Show, freeze or unfreeze accounting periods.\n\nA frozen period's files are changed by nobody any more: "
            "what is saved all the same, or was saved before that was known, is set aside on all devices, kept as a "
            "version and reported. An admin may unfreeze. At a new year --activate closes all that is before it. "
            "--current-until tells all members up to which day the books are complete, and --note what they should "
            "know of it; only accounting may say so."
        ),
        example="p2psync period Cargo\np2psync period Cargo --freeze 2025\np2psync period Cargo --activate 2026\n"
        "p2psync period Cargo --current-until 2025-06-30 --also Muster\n"
        "p2psync period Cargo --current-until 2025-06-30 --note 'VAT return of the second quarter is sent'",
    )(period)


def period(
    session: Session,
    mandate: MANDATE,
    freeze: Annotated[
        str | None,
        typer.Option("--freeze", metavar="PERIOD", help=_("Close this period: 2025, or 2024-07-01..2025-06-30.")),
    ] = None,
    unfreeze: Annotated[
        str | None, typer.Option("--unfreeze", metavar="PERIOD", help=_("Open this period again."))
    ] = None,
    activate: Annotated[
        str | None,
        typer.Option("--activate", metavar="PERIOD", help=_("Close all periods before this one, as at a new year.")),
    ] = None,
    current_until: Annotated[
        str | None, typer.Option("--current-until", metavar="DAY", help=_("The books are complete until this day."))
    ] = None,
    note: Annotated[
        str | None,
        typer.Option("--note", metavar="TEXT", help=_("With --current-until: one line for all members.")),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help=_("Freeze without a question."))] = False,
    also: ALSO = None,
) -> int:
    if sum(one is not None for one in (freeze, unfreeze, activate, current_until)) > 1:
        raise CommandFailed(_("Freeze, unfreeze or say how far the books are: one at a time."), WRONG_USAGE)
    if also and current_until is None:
        raise CommandFailed(_("--also is for --current-until: periods are frozen one mandate at a time."), WRONG_USAGE)
    if note is not None and current_until is None:
        raise CommandFailed(_("--note goes with --current-until."), WRONG_USAGE)
    if freeze is not None:
        return _freeze(session, mandate, freeze, yes)
    if activate is not None:
        return _activate(session, mandate, activate, yes)
    if unfreeze is not None:
        return session.show(session.call("period.unfreeze", mandate=mandate, period=unfreeze), periods.unfrozen)
    told = {"until": current_until, "note": note}
    if current_until is not None and also:
        answers, code = in_each([mandate, *also], lambda one: session.call("period.current", mandate=one, **told))
        session.show_data([{"mandate": one, **told} for one, told in answers], periods.current_in_several)
        return code
    if current_until is not None:
        return session.show(session.call("period.current", mandate=mandate, **told), periods.current)
    return session.show(session.call("period", READ_S, mandate=mandate), periods.periods)


def _freeze(session: Session, mandate: str, wanted: str, yes: bool) -> int:
    """What is to be frozen is shown before it is signed; a script is not asked."""
    plan = session.call("period.preview", READ_S, mandate=mandate, period=wanted).data
    tell(periods.planned(plan))
    if not _agreed(session, yes, _("Freeze it?")):
        return FAILED
    arguments = {"mandate": mandate, "period": wanted, "seen": plan["seen"]}
    return session.show(session.call("period.freeze", READ_S, **arguments), periods.frozen)


def _activate(session: Session, mandate: str, wanted: str, yes: bool) -> int:
    """Freeze what ends before a period begins and is open still."""
    begin = session.call("period.preview", READ_S, mandate=mandate, period=wanted).data["begin"]
    known = session.call("period", READ_S, mandate=mandate).data["periods"]
    earlier = [f"{one['begin']}..{one['end']}" for one in known if one["end"] < begin and not one["frozen"]]
    plans = {one: session.call("period.preview", READ_S, mandate=mandate, period=one).data for one in earlier}
    for plan in plans.values():
        tell(periods.planned(plan))
    if plans and not _agreed(session, yes, _("Freeze them?")):
        return FAILED
    done = [
        session.call("period.freeze", READ_S, mandate=mandate, period=one, seen=plan["seen"]).data
        for one, plan in plans.items()
    ]
    session.show_data(done, periods.activated)
    return DONE


def _agreed(session: Session, yes: bool, question: str) -> bool:
    return yes or session.as_json or not sys.stdin.isatty() or typer.confirm(question, err=True)
