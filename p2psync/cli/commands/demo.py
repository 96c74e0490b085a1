"""`p2psync demo`: several real daemons on this machine, to see what p2psync does before trusting it with anything."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated

import typer

from p2psync.cli.command import Session, command, say, tell
from p2psync.cli.exits import DONE, FAILED, CommandFailed
from p2psync.cli.values import parse_count
from p2psync.i18n import _

DEVICES_MAX = 6
CAST = ("accounting", "payroll", "invoicing", "accounting", "payroll", "invoicing")


def add_to(app: typer.Typer) -> None:
    """Make this command part of the app."""
    command(
        app,
        "demo",
        help=_(
            "Show p2psync at work on this machine.\n\nSeveral real daemons find each other, pair by ticket, exchange "
            "invented bookkeeping files, meet a conflict and a power cut. It takes less than 30 seconds, leaves "
            "nothing behind, and ends with exit code 1 if anything did not hold."
        ),
        example="p2psync demo\np2psync demo --devices 2 --web",
    )(demo)


def demo(
    session: Session,
    devices: Annotated[
        str, typer.Option("--devices", metavar="N", help=_("How many PCs take part, from 2 to 6."))
    ] = "3",
    keep: Annotated[bool, typer.Option("--keep", help=_("Leave the folders where they are, to look into."))] = False,
    web: Annotated[
        bool, typer.Option("--web", help=_("Stay when it is over, and print the addresses of the PCs' pages."))
    ] = False,
) -> int:
    from p2psync.cli.demo.show import Show, summary
    from p2psync.cli.demo.stage import stage

    count = parse_count("--devices", devices, 2, DEVICES_MAX)
    narrate = tell if session.as_json else say
    begun_s = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(FAILED))
    cast = [(f"PC {number} ({role})", role) for number, role in enumerate(CAST[:count], 1)]
    with stage(cast, keep) as (root, pcs):
        narrate(_("p2psync demo: {n} PCs on this machine, in {folder}").format(n=count, folder=root))
        try:
            outcome = Show(pcs, narrate).play()
        except CommandFailed as failure:
            raise CommandFailed(_("The demo could not go on: {why}").format(why=failure), FAILED) from None
        took_s = time.monotonic() - begun_s
        session.show_data(
            {
                "held": outcome.held,
                "seconds": round(took_s, 1),
                "checks": [check.told() for check in outcome.checks],
                "figures": outcome.figures(),
            },
            lambda _data: summary(outcome, took_s),
        )
        if web:
            _stay(narrate, [(pc.name, str(pc.call("web")["url"])) for pc in pcs])
        if keep:
            narrate(_("The folders stay in {folder}").format(folder=root))
    return DONE if outcome.held else FAILED


def _stay(narrate: Callable[[str], None], pages: Sequence[tuple[str, str]]) -> None:
    """Until Ctrl-C."""
    narrate(_("Each address opens the page of one PC, once. End with Ctrl-C."))
    for name, page in pages:
        narrate(f"   {name}: {page}")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
