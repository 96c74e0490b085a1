"""Members: invite devices, join, see who belongs, and where they can be reached."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from p2psync.cli import progress, rendering, tickets
from p2psync.cli.command import Session, command, tell
from p2psync.cli.commands.mandates import MANDATE, PERSON, ROLES
from p2psync.cli.exits import TIMED_OUT, WRONG_USAGE, CommandFailed
from p2psync.cli.values import absolute, parse_count, parse_duration, quoted
from p2psync.cli.wording import Group, wrong
from p2psync.i18n import _

USES_MAX = 100
ANSWER_S = 15.0
"""How much longer than its own timeout a call that waits may take."""


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    command(
        app,
        "invite",
        help=_(
            "Make a ticket for a new device.\n\nOnly the ticket is printed: one line. Whoever "
            "has it can join once, until it expires, while this device is on. Give it to nobody else. "
            "With --code it is a number and two words, to be said over the telephone; one wrong try ends it."
        ),
        example="p2psync invite Cargo --role payroll\np2psync invite Cargo --role reader --save ticket.p2pticket --qr\n"
        "p2psync invite Cargo --role payroll --code",
    )(invite)
    command(
        app,
        "invites",
        help=_("List open invitations, or cancel one."),
        example="p2psync invites Cargo\np2psync invites Cargo --cancel 4f1d2c",
    )(invites)
    command(
        app,
        "join",
        help=_(
            "Join a mandate with a ticket.\n\nThe ticket is the line itself, a file that holds it, or - for standard "
            "input (other users of this PC can see the words of a command). If the inviting device is off, or an admin "
            "has to approve, the same command goes on later. A code that was said over the telephone does as well, "
            "while the inviting device is on. With --show nothing is sent or stored: it tells who invites to what, and "
            "the fingerprint to compare by telephone."
        ),
        example="p2psync join P2P1... --folder ~/Cargo.crsync\n"
        "p2psync join ticket.p2pticket --show\np2psync join ticket.p2pticket --folder ~/Cargo.crsync\n"
        "p2psync join 4217-tamiro-marilu --folder ~/Cargo.crsync",
    )(join)
    command(
        app,
        "devices",
        help=_(
            "List the devices of a mandate.\n\nAn admin can also change what one of them may do, let a waiting one "
            "in, or refuse one from now on. --person tells all members who works at a device: an admin says it of "
            "any, everybody of the own one."
        ),
        example="p2psync devices Cargo\np2psync devices Cargo --role JK4QX2A=reader\n"
        "p2psync devices Cargo --person 'JK4QX2A=Anna Müller'\np2psync devices Cargo --revoke JK4QX2A",
    )(devices)
    _add_peer_commands(app)


def _add_peer_commands(app: typer.Typer) -> None:
    group = typer.Typer(
        cls=Group,
        no_args_is_help=True,
        help=_("Say where other devices are reached."),
        rich_markup_mode=None,
    )
    app.add_typer(group, name="peer")
    command(
        group,
        "add",
        help=_(
            "Tell where a device of the mandate listens.\n\nFor networks in which devices do not find each other by "
            "themselves. The address is tried from now on."
        ),
        example="p2psync peer add Cargo 192.168.1.20:4710",
    )(peer_add)
    command(group, "list", help=_("List the addresses given."), example="p2psync peer list Cargo")(peer_list)
    command(
        group,
        "remove",
        help=_("Forget an address."),
        example="p2psync peer remove Cargo 192.168.1.20:4710",
    )(peer_remove)


def invite(
    session: Session,
    mandate: MANDATE,
    role: Annotated[str, typer.Option("--role", metavar=ROLES, help=_("What the new device will do."))],
    admin: Annotated[bool, typer.Option("--admin", help=_("The new device may invite and revoke others."))] = False,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="TIME",
            help=_("How long it can be used: 30m, 24h, 7d. If not said, 24h; a code 10m."),
            show_default=False,
        ),
    ] = None,
    uses: Annotated[str, typer.Option("--uses", metavar="N", help=_("How many devices may join with it."))] = "1",
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help=_("Write it into a .p2pticket file too."), show_default=False),
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help=_("Show it as a QR code too, on stderr."))] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help=_("An admin must approve the new device."))] = False,
    code: Annotated[bool, typer.Option("--code", help=_("A short code to be said, instead of a ticket."))] = False,
) -> int:
    if code and (qr or save is not None):
        raise CommandFailed(_("A code is to be said: --code goes without --save and --qr."), WRONG_USAGE)
    made = session.call(
        "invite",
        **{"mandate": mandate, "role": role, "admin": admin, "confirm": confirm, "code": code},
        **({} if expires is None else {"expires_s": int(parse_duration(expires))}),
        **{"uses": parse_count("--uses", uses, 1, USES_MAX)},
    )
    if save is not None:
        file = tickets.file_named(save)
        _save(file, made.data["ticket"], _ticket_comment(mandate, role, made.data["expires"]))
        tell(_("Written into {file}").format(file=file))
    if qr:
        tell(qr_text(made.data["ticket"]))
    if not (session.as_json or code):
        tell(_("Whoever has this ticket can join: hand it over yourself, never by plain e-mail; delete it afterwards."))
    return session.show(made, lambda data: str(data["ticket"]))


def _ticket_comment(mandate: str, role: str, expires: str) -> str:
    return "\n".join(
        [
            _("An invitation to the mandate {mandate}, as {role}.").format(mandate=mandate, role=role),
            _("It can be used until {expires} while the inviting PC is on:").format(expires=expires),
            "p2psync join FILE --folder DIR",
            _("Whoever has this ticket can join: hand it over yourself, never by plain e-mail; delete it afterwards."),
        ]
    )


def _save(path: Path, ticket: str, comment: str) -> None:
    """Readable by this user alone: whoever has it can join."""
    from p2psync.pair.ticket import encode_file, parse

    try:
        with suppress(FileNotFoundError):
            path.unlink()
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(encode_file(parse(ticket), comment))
    except OSError as error:
        raise CommandFailed(
            _("The ticket could not be written into {file}: {reason}. The ticket: {ticket}").format(
                file=path, reason=error.strerror or error, ticket=ticket
            )
        ) from None


def qr_text(ticket: str) -> str:
    """A QR code as lines of text; upper case letters and digits make it small."""
    import io

    import segno

    out = io.StringIO()
    segno.make(ticket, error="m", micro=False).terminal(out, compact=True)
    return out.getvalue().rstrip("\n")


def invites(
    session: Session,
    mandate: MANDATE,
    cancel: Annotated[
        str | None,
        typer.Option("--cancel", metavar="ID", help=_("Make this ticket worthless."), show_default=False),
    ] = None,
) -> int:
    if cancel is None:
        return session.show(session.call("invites", mandate=mandate), rendering.invites)
    cancelled = session.call("invites.cancel", mandate=mandate, id=cancel)
    return session.show(cancelled, lambda row: _("Ticket {id} is worthless now.").format(id=row["id"]))


def join(
    session: Session,
    ticket: Annotated[
        str,
        typer.Argument(
            metavar="TICKET|FILE|CODE|-", help=_("The ticket, its file, a recovery file, a code, or - for stdin.")
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help=_("The folder on this PC; made if it is not there. Required, but with --show."),
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="TEXT", help=_("What the others call this device."), show_default=False),
    ] = None,
    person: PERSON = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help=_("How long to wait for the inviting device."))
    ] = "60s",
    show: Annotated[
        bool, typer.Option("--show", help=_("Only tell what the ticket says: who invites to what, and as what."))
    ] = False,
) -> int:
    if folder is None and not show:
        raise wrong("p2psync join", _("{name} is missing.").format(name="--folder DIR"))
    text = tickets.ticket_text(ticket)
    if show or folder is None:
        return session.show(session.call("join.show", ticket=text), tickets.told)
    timeout_s = parse_duration(timeout)
    if not session.as_json and tickets.looks_right(text):
        tell(_("Looking for the device that made this ticket ..."))
    asked = {"ticket": text, "folder": absolute(folder), "name": name, "person": person, "timeout_s": timeout_s}
    joined = session.call("join", timeout_s + ANSWER_S, **asked)
    if joined.exit == TIMED_OUT:
        if not session.as_json:
            raise CommandFailed(tickets.joined(joined.data), TIMED_OUT)
        return session.show(joined, tickets.joined)
    session.show(joined, tickets.joined)
    if not joined.data.get("already"):
        _receive(session, joined.data["id"])
    return joined.exit


def _receive(session: Session, mandate: str) -> None:
    """A person at a terminal sees the first replica come; it comes all the same if he does not stay to look."""
    try:
        if not progress.first_replica(session.client, mandate, not session.as_json):
            tell(_("The files come as soon as another PC of the mandate is on. See: p2psync status"))
    except KeyboardInterrupt:
        tell(_("The files go on coming. See: p2psync status"))


def devices(
    session: Session,
    mandate: MANDATE,
    revoke: Annotated[
        str | None,
        typer.Option("--revoke", metavar="DEVICE", help=_("Refuse this device from now on."), show_default=False),
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="DEVICE", help=_("Let a waiting device in."), show_default=False),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            metavar="DEVICE=ROLE",
            help=_("Give a device another role; ROLE+admin or ROLE-admin gives or takes the right to admit others."),
            show_default=False,
        ),
    ] = None,
    primary: Annotated[
        str | None,
        typer.Option(
            "--primary",
            metavar="DEVICE",
            help=_("Among several accounting devices, this one's version wins."),
            show_default=False,
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            "--person",
            metavar="DEVICE=TEXT",
            help=_("Tell all members who works at a device; DEVICE= takes that away."),
            show_default=False,
        ),
    ] = None,
) -> int:
    acts = {"revoke": revoke, "approve": approve, "role": role, "primary": primary, "person": person}
    wanted = [(act, value) for act, value in acts.items() if value is not None]
    if len(wanted) > 1:
        raise CommandFailed(
            _("One change at a time: give only one of --revoke, --approve, --role, --primary, --person."), WRONG_USAGE
        )
    if not wanted:
        return session.show(session.call("devices", mandate=mandate), rendering.devices)
    act, value = wanted[0]
    device, more = (value, {}) if act not in ("role", "person") else _parted(act, value)
    changed = session.call(f"devices.{act}", mandate=mandate, device=device, **more)
    if act == "revoke" and not session.as_json:
        tell(_("It gets nothing more, from anybody. What it has already stays on it: nobody can take that back."))
        text = _(
            "If there is a recovery file, it finds nobody any more: renew it with p2psync mandate recovery {mandate} "
            "--renew FILE --save NEW-FILE"
        )
        tell(text.format(mandate=quoted(mandate)))
    return session.show(changed, rendering.devices)


def _parted(act: str, text: str) -> tuple[str, dict[str, str]]:
    """The device, and what it is to be given."""
    device, equals, given = text.rpartition("=") if act == "role" else text.partition("=")
    if not equals or not device:
        form = "DEVICE=ROLE" if act == "role" else "DEVICE=TEXT"
        raise CommandFailed(_("{text!r} is not of the form {form}.").format(text=text, form=form), WRONG_USAGE)
    return device, {act: given}


ADDRESS = Annotated[
    str, typer.Argument(metavar="HOST:PORT", help=_("Where the device listens (p2psync status there)."))
]


def peer_add(session: Session, mandate: MANDATE, address: ADDRESS) -> int:
    return session.show(session.call("peer.add", mandate=mandate, address=address), rendering.addresses)


def peer_list(session: Session, mandate: MANDATE) -> int:
    return session.show(session.call("peer.list", mandate=mandate), rendering.addresses)


def peer_remove(session: Session, mandate: MANDATE, address: ADDRESS) -> int:
    return session.show(session.call("peer.remove", mandate=mandate, address=address), rendering.addresses)
