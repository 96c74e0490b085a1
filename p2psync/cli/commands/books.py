"""Bookkeeping: the chart of accounts, mistakes in bookings, and what waits to be posted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from p2psync.cli import bookkeeping, masters
from p2psync.cli.command import Session, command
from p2psync.cli.commands.mandates import MANDATE, OPTIONAL_MANDATE
from p2psync.cli.exits import WRONG_USAGE, CommandFailed
from p2psync.cli.several import ALSO, in_each
from p2psync.cli.values import absolute
from p2psync.cli.wording import Group
from p2psync.i18n import _

READ_S = 120.0
"""How long it may take to read a mandate's files of bookings for the first time."""
FILE = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE", help=_("This file, as it is called inside the mandate's folder."), show_default=False
    ),
]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    command(
        app,
        "pending",
        help=_(
            "List the bookings that wait to be posted.\n\nBy file and accounting period: how many lines are new, "
            "changed or removed since the file was last marked as posted. A file that cannot be read has no number. "
            "--all lists every file, with how far it has come: published, delivered to accounting, posted. --lines "
            "lists the bookings themselves, at most 200 of each file."
        ),
        example="p2psync pending\np2psync pending Cargo --lines\np2psync pending Cargo --all",
    )(pending)
    command(
        app,
        "posted",
        help=_(
            "Mark bookings as posted.\n\nAfter accounting's program has taken them: all that waits, or one file. "
            "All devices of the mandate see who did it and when. p2psync itself posts nothing. Only a device with the "
            "role accounting may."
        ),
        example='p2psync posted Cargo\np2psync posted Cargo "Cargo (01-01-2025 ~ 31-12-2025).ecf" --undo\n'
        "p2psync posted Cargo --also Muster",
    )(posted)
    command(
        app,
        "check",
        help=_(
            "Hold bookings to the chart of accounts.\n\nEach line whose account or VAT code is unknown, or whose date "
            "lies in no accounting period, is shown with its number. Exit code 3: something was found."
        ),
        example='p2psync check Cargo\np2psync check Cargo "Cargo (01-01-2025 ~ 31-12-2025).ecf"',
    )(check)
    _add_chart_to(app)


def _add_chart_to(app: typer.Typer) -> None:
    group = typer.Typer(
        cls=Group, no_args_is_help=True, help=_("Accounts, cost centres and payment terms."), rich_markup_mode=None
    )
    app.add_typer(group, name="chart")
    command(
        group,
        "show",
        help=_(
            "Show the accounts of a chart of accounts (.crp).\n\nOf several charts, that of the latest period; where "
            "there is none, what was imported. Names are in the language of --lang where the chart has it, else in the "
            "one that accounting works in."
        ),
        example='p2psync chart show Cargo\np2psync chart show Cargo "Cargo 2025.crp" --vat --lang de',
    )(show)
    command(
        group,
        "import",
        help=_(
            "Take master data over from another accounting program.\n\nFrom an XML or CSV file with accounts, cost "
            "centres, cost objects and payment terms (docs/master-export.md). All members get them; only accounting "
            "may do that. A file with a mistake, or one that leaves out what the master has not marked as deleted, is "
            "not taken over at all. With --follow, again whenever the file is written anew. Exit code 1: nothing was "
            "taken over."
        ),
        example="p2psync chart import Cargo accounts.xml --dry-run\np2psync chart import Cargo accounts.csv --follow",
    )(import_export)
    command(
        group,
        "unfollow",
        help=_("Take an export over by itself no longer.\n\nWhat was taken over stays."),
        example="p2psync chart unfollow Cargo",
    )(unfollow)
    command(
        group,
        "set",
        help=_(
            "Change a field of imported master data.\n\nOne that the mandate's rules open to others than the master "
            "(p2psync rules MANDATE --open account.cash). It holds until the master changes its own value."
        ),
        example="p2psync chart set Cargo account 1000 cash true",
    )(set_field)
    command(
        group,
        "remove",
        help=_("Remove a record of imported master data.\n\nOnly one that the master marked as deleted."),
        example="p2psync chart remove Cargo account 1050",
    )(remove)


def pending(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    everything: Annotated[bool, typer.Option("--all", help=_("Every file of bookings, posted or not."))] = False,
    lines: Annotated[
        bool, typer.Option("--lines", help=_("Each line of bookings that is new, was changed or removed."))
    ] = False,
) -> int:
    answer = session.call("pending", READ_S, mandate=mandate, all=everything, lines=lines)
    return session.show(answer, bookkeeping.progress if everything else bookkeeping.pending)


def posted(
    session: Session,
    mandate: MANDATE,
    file: FILE = None,
    undo: Annotated[
        bool, typer.Option("--undo", help=_("Take the mark back: what was marked before it stands again."))
    ] = False,
    also: ALSO = None,
) -> int:
    if also and (file is not None or undo):
        raise CommandFailed(_("In several mandates, all that waits is marked: name no file."), WRONG_USAGE)
    if also:
        answers, code = in_each([mandate, *also], lambda one: session.call("posted", READ_S, mandate=one))
        session.show_data([row for _mandate, rows in answers for row in rows], bookkeeping.posted_in_several)
        return code
    answer = session.call("posted", READ_S, mandate=mandate, file=file, undo=undo)
    return session.show(answer, bookkeeping.undone if undo else bookkeeping.posted)


def check(session: Session, mandate: MANDATE, file: FILE = None) -> int:
    return session.show(session.call("check", READ_S, mandate=mandate, file=file), bookkeeping.checked)


def show(
    session: Session,
    mandate: MANDATE,
    file: FILE = None,
    centers: Annotated[bool, typer.Option("--centers", help=_("The cost centres instead of the accounts."))] = False,
    vat: Annotated[bool, typer.Option("--vat", help=_("The VAT codes instead of the accounts."))] = False,
    terms: Annotated[bool, typer.Option("--terms", help=_("The payment terms instead of the accounts."))] = False,
) -> int:
    chosen = {bookkeeping.centres: centers, bookkeeping.vat_codes: vat, bookkeeping.terms: terms}
    parts = [part for part, wanted in chosen.items() if wanted]
    answer = session.call("chart", READ_S, mandate=mandate, file=file)
    return session.show(answer, lambda data: bookkeeping.chart(data, parts or [bookkeeping.accounts]))


def import_export(
    session: Session,
    mandate: MANDATE,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("What your accounting program exported."))],
    written: Annotated[
        str | None,
        typer.Option("--format", metavar="xml|csv", help=_("How it is written; told by its name if left out.")),
    ] = None,
    keep_missing: Annotated[
        bool, typer.Option("--keep-missing", help=_("Keep what the file leaves out, instead of refusing it."))
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Only say what would change."))] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help=_("Take the file over again whenever it is written anew."))
    ] = False,
) -> int:
    answer = session.call(
        "chart.import",
        READ_S,
        **{"mandate": mandate, "file": absolute(file), "format": written},
        **{"keep_missing": keep_missing, "dry_run": dry_run, "follow": follow},
    )
    return session.show(answer, masters.imported)


def unfollow(session: Session, mandate: MANDATE) -> int:
    return session.show(session.call("chart.unfollow", mandate=mandate), masters.unfollowed)


RECORD = Annotated[str, typer.Argument(metavar="RECORD", help=_("account, cost-centre, cost-object or payment-term."))]
NUMBER = Annotated[str, typer.Argument(metavar="NUMBER", help=_("Its number."))]


def set_field(
    session: Session,
    mandate: MANDATE,
    record: RECORD,
    number: NUMBER,
    field: Annotated[str, typer.Argument(metavar="FIELD", help=_("As it is called in the export: cash."))],
    value: Annotated[str, typer.Argument(metavar="VALUE", help=_("Its new value; empty for none."))],
) -> int:
    answer = session.call("chart.set", mandate=mandate, record=record, number=number, field=field, value=value)
    return session.show(answer, masters.changed)


def remove(session: Session, mandate: MANDATE, record: RECORD, number: NUMBER) -> int:
    return session.show(session.call("chart.remove", mandate=mandate, record=record, number=number), masters.removed)
