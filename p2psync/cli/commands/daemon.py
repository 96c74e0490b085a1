"""The daemon: run it, start, stop and restart it in the background, see how things are, open its page."""

from __future__ import annotations

from typing import Annotated

import typer

from p2psync.cli import background, exchanged, foreground, monitoring, rendering
from p2psync.cli.command import Session, command
from p2psync.cli.commands.mandates import OPTIONAL_MANDATE
from p2psync.cli.foreground import Up
from p2psync.i18n import _

LISTEN = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help=_("Where other devices connect to; a free port on all addresses if left out."),
        show_default=False,
    ),
]
WEB = Annotated[
    str | None,
    typer.Option(
        "--web",
        metavar="HOST:PORT|off",
        help=_("Where the web page is; a free port on this PC alone if left out."),
        show_default=False,
    ),
]
NAME = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="TEXT",
        help=_("What this device is called; if left out, as before, or as the PC."),
        show_default=False,
    ),
]
NO_MDNS = Annotated[bool, typer.Option("--no-mdns", help=_("Neither announce this device nor look for others."))]
RENDEZVOUS = Annotated[
    list[str] | None,
    typer.Option(
        "--rendezvous",
        metavar="URL",
        help=_(
            "A meeting host, wss://HOST:PORT#KEY; may be given several times. It holds until others are named, "
            "or 'off'."
        ),
        show_default=False,
    ),
]
PROXY = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        metavar="URL",
        help=_(
            "The only way out to the Internet, http://HOST:PORT or socks5://HOST:PORT, also with USER:PASSWORD@; "
            "'off': none; 'system': as other programs, which is what holds until one is named. A password is safer "
            "in the environment, as P2PSYNC_PROXY."
        ),
        show_default=False,
    ),
]
NO_PORT_MAPPING = Annotated[
    bool,
    typer.Option(
        "--no-port-mapping",
        help=_("Do not ask the home router, by UPnP, to let in members who are not in this network."),
    ),
]
LOG = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="normal|detailed",
        help=_(
            "How much the log says: 'detailed' notes each message and each file too, until p2psync ends. Also: "
            "P2PSYNC_LOG."
        ),
        show_default=False,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    command(
        app,
        "up",
        help=_(
            "Run p2psync in this terminal.\n\nIt prints one line beginning with 'ready' once it serves, "
            "with the address of its web page: that address lets one browser in, once."
        ),
        example="p2psync up\np2psync up --listen 0.0.0.0:4710 --name 'Office PC'",
    )(up)
    command(
        app,
        "start",
        help=_("Run p2psync in the background.\n\nIf it runs already, nothing happens."),
        example="p2psync start",
    )(start)
    command(app, "stop", help=_("End p2psync.\n\nWhat is being written is finished first."), example="p2psync stop")(
        stop
    )
    command(
        app,
        "restart",
        help=_("End p2psync and start it again.\n\nIn the background, whether it ran or not."),
        example="p2psync restart",
    )(restart)
    command(
        app,
        "status",
        help=_(
            "Show how things are.\n\nThe mandates, what is still to be moved, which devices are connected, and what is "
            "wrong with what to do about it."
        ),
        example="p2psync status\np2psync status Cargo --json\np2psync status Cargo --what\np2psync status --tasks",
    )(status)
    command(
        app,
        "web",
        help=_("Print an address of the web page.\n\nIt lets one browser in, once."),
        example="p2psync web",
    )(web)


def up(
    session: Session,
    listen: LISTEN = None,
    web: WEB = None,
    name: NAME = None,
    no_mdns: NO_MDNS = False,
    rendezvous: RENDEZVOUS = None,
    proxy: PROXY = None,
    no_port_mapping: NO_PORT_MAPPING = False,
    log: LOG = None,
) -> int:
    asked = Up(
        session.home, session.as_json, listen, web, name, no_mdns, tuple(rendezvous or ()), proxy, no_port_mapping, log
    )
    return foreground.run(session.home, asked)


def start(
    session: Session,
    listen: LISTEN = None,
    web: WEB = None,
    name: NAME = None,
    no_mdns: NO_MDNS = False,
    rendezvous: RENDEZVOUS = None,
    proxy: PROXY = None,
    no_port_mapping: NO_PORT_MAPPING = False,
    log: LOG = None,
) -> int:
    if session.client.is_running():
        return _show_started(session, False)
    background.start(session.home, _options(listen, web, name, rendezvous, no_mdns, no_port_mapping, log), proxy)
    return _show_started(session, True)


def stop(session: Session) -> int:
    stopped = background.stop(session.home)
    text = _("p2psync has ended.") if stopped else _("p2psync was not running.")
    session.show_data({"stopped": stopped}, lambda _data: text)
    return 0


def restart(
    session: Session,
    listen: LISTEN = None,
    web: WEB = None,
    name: NAME = None,
    no_mdns: NO_MDNS = False,
    rendezvous: RENDEZVOUS = None,
    proxy: PROXY = None,
    no_port_mapping: NO_PORT_MAPPING = False,
    log: LOG = None,
) -> int:
    background.stop(session.home)
    background.start(session.home, _options(listen, web, name, rendezvous, no_mdns, no_port_mapping, log), proxy)
    return _show_started(session, True)


def _show_started(session: Session, new: bool) -> int:
    text = _("p2psync is running. See how things are: p2psync status") if new else _("p2psync is running already.")
    session.show_data({"running": True, "started": new}, lambda _data: text)
    return 0


def _options(
    listen: str | None,
    web: str | None,
    name: str | None,
    rendezvous: list[str] | None,
    no_mdns: bool,
    no_port_mapping: bool,
    log: str | None,
) -> list[str]:
    """The same options for `up`, but for the proxy."""
    given = {"--listen": listen, "--web": web, "--name": name, "--log": log}
    words = [f"{option}={value}" for option, value in given.items() if value is not None]
    words += ["--no-mdns"] if no_mdns else []
    words += ["--no-port-mapping"] if no_port_mapping else []
    return words + [f"--rendezvous={url}" for url in rendezvous or ()]


def status(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    what: Annotated[
        bool, typer.Option("--what", help=_("Which files are exchanged, and what this PC does with each kind."))
    ] = False,
    tasks: Annotated[
        bool, typer.Option("--tasks", help=_("What goes on, what is tried again by itself, and when."))
    ] = False,
) -> int:
    if what:
        mandates = session.call("status", mandate=mandate).data["mandates"]
        kinds = [{**one, "rules": session.call("rules", mandate=one["id"]).data} for one in mandates]
        session.show_data(kinds, exchanged.kinds)
        return 0
    return session.show(session.call("status", mandate=mandate), monitoring.tasks if tasks else rendering.status)


def web(session: Session) -> int:
    return session.show(session.call("web"), lambda row: str(row["url"]))
