"""All commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from p2psync import __version__
from p2psync.cli.command import AS_JSON, HOME, LANG
from p2psync.cli.commands import (
    attachments,
    books,
    daemon,
    demo,
    doctor,
    files,
    hooks,
    mandates,
    members,
    opening,
    periods,
    rendezvous,
)
from p2psync.cli.wording import Group
from p2psync.i18n import _

MODULES = (daemon, doctor, mandates, members, opening, files, attachments, books, periods, hooks, demo, rendezvous)


def make_app() -> typer.Typer:
    """The command with all its commands, its help in the language that is set."""
    app = typer.Typer(
        cls=Group,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["--help", "-h"]},
        help=_(
            "Keeps the folder of a bookkeeping mandate the same on all its PCs, directly from PC to PC.\n\n"
            "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done, 4 p2psync is not running, 5 timed out or "
            "waiting for a device."
        ),
        epilog=_("Example:") + "\n\n\b\n  p2psync start\n  p2psync mandate create Cargo --folder ~/Cargo.crsync",
    )
    app.callback()(_root)
    for module in MODULES:
        module.add_to(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"p2psync {__version__}")
        raise typer.Exit


VERSION = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help=_("Print the version and end."))
]


def _root(
    ctx: typer.Context, home: HOME = None, as_json: AS_JSON = False, lang: LANG = None, version: VERSION = False
) -> None:
    ctx.obj = {"home": home, "as_json": as_json}


app = make_app()
