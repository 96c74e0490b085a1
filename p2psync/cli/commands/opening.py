"""A ticket that is opened by a double click: the page asks about it; and making that so on this PC."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from p2psync.cli import background, tickets
from p2psync.cli.command import Session, command, tell
from p2psync.cli.exits import CommandFailed
from p2psync.cli.wording import Group
from p2psync.i18n import _


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    command(
        app,
        "open",
        help=_(
            "Show a ticket's file on the page.\n\nIt tells who invites to what, and as what, and joins when you press "
            "the button. p2psync is started if it does not run. Where there is no browser, the address of the page is "
            "printed; it works once. A double click on the file does the same after: p2psync service associate"
        ),
        example="p2psync open ticket.p2pticket",
    )(open_ticket)
    group = typer.Typer(
        cls=Group,
        no_args_is_help=True,
        help=_("Fit p2psync into this PC's system."),
        rich_markup_mode=None,
    )
    app.add_typer(group, name="service")
    command(
        group,
        "associate",
        help=_(
            "Let a double click on a .p2pticket file open it.\n\nFor this user alone, on Linux and Windows. --remove "
            "takes back exactly what was set."
        ),
        example="p2psync service associate\np2psync service associate --remove",
    )(associate)


def open_ticket(
    session: Session, file: Annotated[Path, typer.Argument(metavar="FILE", help=_("The ticket's file."))]
) -> int:
    text = tickets.file_text(file.expanduser())
    if not session.client.is_running():
        background.start(session.home, ())
    # Whoever double-clicked sees no terminal: what is wrong with the file is told on the page too.
    wrong = _refusal(session, text)
    url = str(session.call("web", ticket=text).data["url"])
    from p2psync.system.screen import show_page

    opened = show_page(url)
    if wrong is not None:
        raise wrong
    session.show_data({"url": url, "opened": opened}, _told)
    return 0


def _refusal(session: Session, text: str) -> CommandFailed | None:
    try:
        session.call("join.show", ticket=text)
    except CommandFailed as error:
        return error
    return None


def _told(opening: dict[str, Any]) -> str:
    return _("The ticket is shown in your browser.") if opening["opened"] else str(opening["url"])


def associate(
    session: Session,
    remove: Annotated[bool, typer.Option("--remove", help=_("Take it back."))] = False,
) -> int:
    from p2psync.system import registering

    if not registering.is_known(sys.platform):
        raise CommandFailed(
            _("This system cannot be told what opens a file. Drop it onto the page instead, or use: p2psync open FILE")
        )
    act = registering.dissociate if remove else registering.associate
    try:
        missing = act(session.home, _("Invitation to a p2psync mandate"))
    except OSError as error:
        text = _("This user's settings cannot be changed: {reason} ({file})")
        raise CommandFailed(text.format(reason=error.strerror or error, file=error.filename or "-")) from None
    for name in missing:
        tell(_("{program} is not installed; until it has run, not every file manager notices.").format(program=name))
    text = (
        _("A double click on a .p2pticket file no longer opens p2psync.")
        if remove
        else _("A double click on a .p2pticket file opens it with p2psync now.")
    )
    session.show_data({"associated": not remove, "missing": list(missing)}, lambda _data: text)
    return 0
