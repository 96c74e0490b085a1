"""Programs' own files: attach, detach, inbox, deliver; and whose a file is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from p2psync.cli import bridges
from p2psync.cli.command import Session, command
from p2psync.cli.commands.books import READ_S
from p2psync.cli.commands.mandates import MANDATE, OPTIONAL_MANDATE
from p2psync.cli.exits import WRONG_USAGE, CommandFailed
from p2psync.cli.values import absolute
from p2psync.i18n import _

DELIVER_TIMEOUT_S = 120.0
NAMED_MANDATE = Annotated[
    str | None,
    typer.Option("--mandate", metavar="MANDATE", help=_("Name or id of the mandate."), show_default=False),
]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    command(
        app,
        "attach",
        help=_(
            "Link a program's own file to a mandate.\n\nThe file may lie anywhere on this PC. Each whole version that "
            "the program saves is published; what arrives from the others takes its place, unless a program has it "
            "open. Where there is no file yet, name one that the mandate has: it is put there. An edit is never "
            "overwritten: what was changed in two places is a conflict. An attached file that is attached again with "
            "--ask or --checked is delivered so from then on. A new period's files join by themselves, unless "
            "--no-follow was said for the mandate. Without FILE: the files that are attached, and how they stand. "
            "Exit code 3: some could not be attached."
        ),
        example='p2psync attach "C:\\Books\\Cargo 2025.crp" --mandate Cargo\np2psync attach Cargo.crp --mandate Cargo '
        "--siblings\np2psync attach Cargo.ecf --mandate Cargo --ask\np2psync attach --mandate Cargo --no-follow",
    )(attach)
    command(
        app,
        "detach",
        help=_("Link a file no longer.\n\nIt stays where it is, and so does what the mandate has."),
        example='p2psync detach "C:\\Books\\Cargo 2025.crp"',
    )(detach)
    command(
        app,
        "inbox",
        help=_(
            "List what was not delivered yet.\n\nIt arrived and is not in its program's file, with the reason. "
            "BOOKINGS counts the lines that would come, change and go there; --lines lists them. What waits for your "
            "word waits until you deliver it, and newer versions take its place meanwhile."
        ),
        example="p2psync inbox Cargo\np2psync inbox Cargo --lines",
    )(inbox)
    command(
        app,
        "deliver",
        help=_(
            "Deliver what arrived, now.\n\nIt takes the place of the programs' files; what they held is kept as a "
            "version. Bookings wait for the chart of accounts of their period. Exit code 3: some could not be "
            "delivered; 5: none could, see the reasons."
        ),
        example='p2psync deliver Cargo\np2psync deliver Cargo "Cargo 2025.crp"\n'
        'p2psync deliver Cargo "Cargo (01-01-2025 ~ 31-12-2025).ecf" --anyway',
    )(deliver)
    command(
        app,
        "migrate",
        help=_(
            "Let a file belong to another device.\n\nIn a conflict the version of a file's owner wins. Do that when a "
            "program moves to a new PC. For admins; a file of its own any device gives to one of a role that may own "
            "it. If both happens at the same time, the admin's word counts."
        ),
        example='p2psync migrate "Cargo.ecs" --mandate Cargo --to PAYROLL-PC',
    )(migrate)


def attach(
    session: Session,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help=_("Files that your program writes and reads."), show_default=False),
    ] = None,
    mandate: NAMED_MANDATE = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            metavar="accounting|invoicing|payroll|banking",
            help=_("Which program produces it; told by its name if left out."),
            show_default=False,
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help=_("Deliver only when you say so (p2psync deliver)."))] = False,
    checked: Annotated[
        bool, typer.Option("--checked", help=_("Deliver bookings only once nothing is wrong in them (p2psync check)."))
    ] = False,
    use: Annotated[
        str | None,
        typer.Option(
            "--use",
            metavar="mine|theirs",
            help=_("Which one shall stand where the mandate has another file of that name."),
            show_default=False,
        ),
    ] = None,
    siblings: Annotated[
        bool, typer.Option("--siblings", help=_("Attach the files that its index names, too."))
    ] = False,
    allow_cloud: Annotated[
        bool, typer.Option("--allow-cloud", help=_("Though the file lies in a folder that a cloud service keeps."))
    ] = False,
    follow: Annotated[
        bool | None,
        typer.Option(
            "--follow/--no-follow",
            help=_("Whether files of a new period join the mandate by themselves on this PC, as they do."),
            show_default=False,
        ),
    ] = None,
) -> int:
    if follow is not None:
        told = session.call("attach.follow", mandate=_named(mandate), off=not follow)
        if not files:
            return session.show(told, bridges.follows)
    if not files:
        return session.show(session.call("attached", mandate=mandate), bridges.attached)
    linked = session.call(
        "attach",
        **{"mandate": _named(mandate), "files": [absolute(file) for file in files], "role": role, "use": use},
        **{"ask": ask, "checked": checked, "siblings": siblings, "allow_cloud": allow_cloud},
    )
    return session.show(linked, bridges.linked)


def _named(mandate: str | None) -> str:
    if mandate is None:
        raise CommandFailed(_("Say which mandate, with --mandate MANDATE."), WRONG_USAGE)
    return mandate


def detach(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("An attached file."))],
) -> int:
    return session.show(session.call("detach", file=absolute(file)), bridges.detached)


def inbox(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    lines: Annotated[
        bool, typer.Option("--lines", help=_("Each line of bookings that a delivery would bring, change or take."))
    ] = False,
) -> int:
    return session.show(session.call("inbox", READ_S, mandate=mandate, lines=lines), bridges.inbox)


def deliver(
    session: Session,
    mandate: MANDATE,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help=_("This one only, by its place or its name."), show_default=False),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help=_("Also bookings that are held for what is wrong in them."))
    ] = False,
) -> int:
    named = _placed(file) if file else None
    told = session.call("deliver", DELIVER_TIMEOUT_S, mandate=mandate, file=named, anyway=anyway)
    return session.show(told, bridges.delivered)


def migrate(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help=_("An attached file, or one of the mandate's folder."))],
    to: Annotated[str, typer.Option("--to", metavar="DEVICE", help=_("Its new owner, by name or id."))],
    mandate: NAMED_MANDATE = None,
) -> int:
    moved = session.call("migrate", file=_placed(file), to=to, mandate=mandate)
    return session.show(moved, bridges.migrated)


def _placed(text: str) -> str:
    """A file of this directory by its whole place; any other name is one inside the mandate's folder."""
    file = Path(text).expanduser()
    return absolute(file) if file.exists() else text
