"""The meeting host: this process becomes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from p2psync.cli.command import Session, command, say, tell
from p2psync.cli.wording import Group
from p2psync.errors import UsageError
from p2psync.i18n import _

LISTEN = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help=_("Where PCs connect to; port 443 on all addresses if left out. The same port is used for TCP and UDP."),
        show_default=False,
    ),
]
CERTIFICATE = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        metavar="FILE",
        help=_("The host's certificate with its chain, PEM; one is made and kept in the home if left out."),
        show_default=False,
    ),
]
KEY = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help=_("The certificate's private key, PEM; in the same file if left out."),
        show_default=False,
    ),
]
REDIS = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL",
        help=_("A Redis over which several hosts share their visitors: redis://HOST:PORT/0."),
        show_default=False,
    ),
]
RELAY = Annotated[
    bool, typer.Option("--relay/--no-relay", help=_("Pass data on where PCs cannot reach each other directly."))
]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    group = typer.Typer(
        cls=Group,
        no_args_is_help=True,
        help=_("Run a host where PCs find each other across the Internet."),
        rich_markup_mode=None,
    )
    app.add_typer(group, name="rendezvous")
    command(
        group,
        "serve",
        help=_(
            "Run a meeting host in this terminal.\n\nIt prints one line beginning with 'ready' once it serves, with "
            "its address: PCs use it with p2psync up --rendezvous ADDRESS. It passes on what it cannot read, and "
            "keeps nothing on disk but its key."
        ),
        example="p2psync rendezvous serve\n"
        "p2psync rendezvous serve --certificate /etc/ssl/meet.pem --key /etc/ssl/private/meet.key",
    )(serve)


def serve(
    session: Session,
    listen: LISTEN = None,
    certificate: CERTIFICATE = None,
    key: KEY = None,
    redis: REDIS = None,
    relay: RELAY = True,
) -> int:
    from p2psync.rendezvous import certificate as certificates
    from p2psync.rendezvous import process
    from p2psync.rendezvous.ports import parse_listen
    from p2psync.rendezvous.relay import RelaySettings
    from p2psync.rendezvous.server import Settings

    if key is not None and certificate is None:
        raise UsageError(_("--key goes with --certificate: name both."))
    host, port = parse_listen(listen or "")
    shown = certificates.given(certificate, key) if certificate is not None else certificates.own(session.home)
    settings = Settings(shown, host, port, RelaySettings(allowed=relay), redis)
    return process.run(settings, lambda server: _ready(session, server), tell)


def _ready(session: Session, server: Any) -> None:
    address = server.address
    if session.as_json:
        say(json.dumps({"url": address.url, "pin": server.pin_text, "port": server.port}))
    else:
        say(f"ready {address}")
        tell(_("PCs use it with: p2psync up --rendezvous '{address}'").format(address=address))
    if not server.settings.certificate.self_signed:
        tell(_("Its key, for those who want to name it: #{pin}").format(pin=server.pin_text))
