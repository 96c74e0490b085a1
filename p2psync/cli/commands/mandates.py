"""Mandates: make, list, rename, share and leave them; their rules; all of them in one table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from p2psync.cli import bridges, holdings, rendering, ruling
from p2psync.cli.command import Session, command, say
from p2psync.cli.exits import CommandFailed
from p2psync.cli.values import absolute, quoted, short_device
from p2psync.cli.wording import Group
from p2psync.errors import UsageError
from p2psync.i18n import _

MANDATE = Annotated[str, typer.Argument(metavar="MANDATE", help=_("Name or id of the mandate."))]
OPTIONAL_MANDATE = Annotated[
    str | None, typer.Argument(metavar="MANDATE", help=_("Name or id; all mandates if left out."), show_default=False)
]
PERSON = Annotated[
    str | None,
    typer.Option("--person", metavar="TEXT", help=_("Who works at this PC; all members see it."), show_default=False),
]
ROLES = "accounting|invoicing|payroll|banking|reader|keeper"
ROLE_HELP = _("What this device does: accounting, invoicing, payroll, banking, reader or keeper.")


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    group = typer.Typer(
        cls=Group, no_args_is_help=True, help=_("Make, list, rename and leave mandates."), rich_markup_mode=None
    )
    app.add_typer(group, name="mandate")
    _add_mandate_commands(group)
    _add_commands(app)


def _add_mandate_commands(group: typer.Typer) -> None:
    command(
        group,
        "create",
        help=_(
            "Make a mandate on this device.\n\nIts folder becomes what the devices of the mandate share; files that "
            "lie in it already are kept and published. Nobody else gets anything until you share it."
        ),
        example="p2psync mandate create Cargo --folder ~/Cargo.crsync --role accounting\n"
        'p2psync mandate create Cargo --accounting "Cargo 2025.cre"',
    )(create)
    command(group, "list", help=_("List the mandates of this device."), example="p2psync mandate list")(list_all)
    command(
        group,
        "show",
        help=_("Show one mandate."),
        example="p2psync mandate show Cargo\np2psync mandate show Cargo --files",
    )(show)
    command(
        group,
        "open",
        help=_("Open a mandate's folder in this PC's file manager."),
        example="p2psync mandate open Cargo",
    )(open_folder)
    command(
        group,
        "rename",
        help=_("Give a mandate another name, on all its devices. The folders keep their names."),
        example='p2psync mandate rename Cargo "Cargo Ltd"',
    )(rename)
    command(
        group,
        "recovery",
        help=_(
            "Save the recovery key of a mandate, for the day when the only admin's PC is lost.\n\nThe file makes "
            "whoever has it an admin: keep it offline. It is handed out once, by the PC that made the mandate. With it "
            "a new PC gets back in: p2psync join FILE --folder DIR\n\nAfter a device was revoked, the file "
            "finds nobody any more: renew it then, on any PC of the mandate."
        ),
        example="p2psync mandate recovery Cargo --save /media/stick/cargo.recovery\n"
        "p2psync mandate recovery Cargo --renew /media/stick/cargo.recovery --save /media/stick/new.recovery",
    )(recovery)
    command(
        group,
        "leave",
        help=_(
            "Leave a mandate: this device gets and gives nothing more.\n\nThe folder and its files stay, unless --wipe "
            "deletes them. The last admin cannot leave while others are members."
        ),
        example="p2psync mandate leave Cargo",
    )(leave)


def _add_commands(app: typer.Typer) -> None:
    command(
        app,
        "share",
        help=_(
            "Let other devices find and join a mandate.\n\nUntil then nothing of it leaves this PC. Who joins needs a "
            "ticket: p2psync invite MANDATE --role ROLE."
        ),
        example="p2psync share Cargo",
    )(share)
    command(
        app,
        "rules",
        help=_(
            "Show or set which files belong to whom.\n\nThe first line that fits a file counts. Modes: prefer (the "
            "master wins a conflict), enforce (only the master may change), newest, manual, merge, once (new files "
            "are shared, and nobody changes or removes one). Masters: accounting or owner."
        ),
        example="p2psync rules Cargo\np2psync rules Cargo --set '*.crp=enforce:accounting'\n"
        "p2psync rules Cargo --set 'iso20022/*=once'\n"
        "p2psync rules Cargo --open account.cash\np2psync rules Cargo --attach admins",
    )(rules)
    command(
        app,
        "overview",
        help=_("All mandates in one table.\n\nWhat is pending, in conflict, or wrong, and when each was in sync."),
        example="p2psync overview",
    )(overview)


def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("What the mandate is called, for people."))],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help=_("The folder; NAME.crsync among your documents if left out."),
            show_default=False,
        ),
    ] = None,
    role: Annotated[str, typer.Option("--role", metavar=ROLES, help=ROLE_HELP)] = "accounting",
    restrict: Annotated[
        list[str] | None,
        typer.Option(
            "--restrict",
            metavar="PATTERN=ROLE,...",
            help=_("Only these roles (and admins and keepers) ever learn of such files. Cannot be done later."),
            show_default=False,
        ),
    ] = None,
    accounting: Annotated[
        Path | None,
        typer.Option(
            "--accounting",
            metavar="FILE",
            help=_("Your accounting file (.cre or .crp): its chart is attached, and the files that its index names."),
            show_default=False,
        ),
    ] = None,
    allow_cloud: Annotated[
        bool, typer.Option("--allow-cloud", help=_("Though the file lies in a folder that a cloud service keeps."))
    ] = False,
    person: PERSON = None,
) -> int:
    made = session.call(
        "mandate.create",
        **{"name": name, "folder": absolute(folder) if folder else None, "role": role, "restrict": restrict or None},
        **{"accounting": absolute(accounting) if accounting else None, "allow_cloud": allow_cloud},
        person=person,
    )
    return session.show(made, _created)


def _created(row: rendering.Row) -> str:
    made = _("Made {name} in {folder}.\nIt is only on this PC. Share it with: p2psync share {typed}").format(
        name=row["name"], folder=row["folder"], typed=quoted(row["name"])
    )
    return f"{made}\n{bridges.linked(row)}" if "attached" in row else made


def list_all(session: Session) -> int:
    return session.show(session.call("mandate.list"), rendering.mandates)


def show(
    session: Session,
    mandate: MANDATE,
    files: Annotated[
        bool,
        typer.Option("--files", help=_("Its bookkeeping files, by the PC that they come from, and who lacks them.")),
    ] = False,
) -> int:
    if files:
        return session.show(session.call("mandate.files", mandate=mandate), holdings.shown)
    return session.show(session.call("mandate.show", mandate=mandate), rendering.mandate)


def open_folder(session: Session, mandate: MANDATE) -> int:
    opened = session.call("mandate.open", mandate=mandate)
    return session.show(opened, lambda row: _("Opened {folder} in the file manager.").format(folder=row["folder"]))


def rename(
    session: Session,
    mandate: MANDATE,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("The new name."))],
) -> int:
    renamed = session.call("mandate.rename", mandate=mandate, name=name)
    return session.show(renamed, lambda row: _("It is called {name} now.").format(name=row["name"]))


def recovery(
    session: Session,
    mandate: MANDATE,
    save: Annotated[Path, typer.Option("--save", metavar="FILE", help=_("Where to write it; not on this PC's disk."))],
    renew: Annotated[
        Path | None,
        typer.Option(
            "--renew", metavar="FILE", help=_("The file that you have: it is written anew."), show_default=False
        ),
    ] = None,
) -> int:
    answer = session.call("mandate.recovery", mandate=mandate, old=_text_of(renew) if renew else None)
    try:
        write_private(save, answer.data["text"])
    except FileExistsError:
        raise CommandFailed(_("{file} is there already. Choose another name.").format(file=save)) from None
    except OSError as error:
        raise CommandFailed(
            _("The recovery file {file} could not be written: {reason}").format(file=save, reason=error.strerror)
        ) from error
    done = answer if renew else session.call("mandate.recovery.saved", mandate=mandate)
    done.data["file"] = str(save)
    if renew:
        del done.data["text"]
        return session.show(done, _renewed)
    return session.show(done, rendering.recovery_saved)


def _renewed(row: rendering.Row) -> str:
    text = _("The recovery key of {mandate} is in {file} too, with what is needed today. Destroy the older file.")
    return text.format(mandate=row["mandate"], file=row["file"])


def _text_of(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8", errors="replace")
    except OSError as error:
        text = _("{file} cannot be read: {reason}")
        raise CommandFailed(text.format(file=path, reason=error.strerror or error)) from error


def write_private(path: Path, text: str) -> None:
    """A new file that this user alone can read, on the disk before this returns. Raises OSError."""
    with open(os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def leave(
    session: Session,
    mandate: MANDATE,
    wipe: Annotated[bool, typer.Option("--wipe", help=_("Delete the folder with all its files and versions."))] = False,
) -> int:
    left = session.call("mandate.leave", mandate=mandate, wipe=wipe)
    return session.show(left, _left)


def _left(row: rendering.Row) -> str:
    text = _("Left. The folder was deleted: {folder}") if row["wiped"] else _("Left. The files stay in {folder}")
    if row["told"]:
        return text.format(folder=row["folder"])
    more = _(
        "No other PC was in reach to hear of it. So that they do not wait for this one, an admin types: "
        "p2psync devices {mandate} --revoke {device}"
    )
    named = more.format(mandate=quoted(row["name"]), device=short_device(row["device"]))
    return f"{text.format(folder=row['folder'])}\n{named}"


def share(session: Session, mandate: MANDATE) -> int:
    shared = session.call("share", mandate=mandate)
    if session.as_json:
        return session.show(shared, rendering.mandate)
    name = shared.data["name"]
    text = _("{name} is shared. Invite others with: p2psync invite {typed} --role ROLE")
    say(text.format(name=name, typed=quoted(name)))
    say(
        _(
            "In case the only admin's PC is lost, save its recovery key: p2psync mandate recovery {typed} --save FILE"
        ).format(typed=quoted(name))
    )
    return shared.exit


def rules(
    session: Session,
    mandate: MANDATE,
    setting: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="PATTERN=MODE[:MASTER]",
            help=_("Change the rule for such files, or add one."),
            show_default=False,
        ),
    ] = None,
    opened: Annotated[
        str | None,
        typer.Option(
            "--open",
            metavar="FIELD,...",
            help=_("Fields of the master data that others than the master may change; '' for none."),
            show_default=False,
        ),
    ] = None,
    attach: Annotated[
        str | None,
        typer.Option(
            "--attach",
            metavar="admins|all",
            help=_("Who attaches and detaches programs' files; all at first. What is attached stays so."),
            show_default=False,
        ),
    ] = None,
) -> int:
    if sum(given is not None for given in (setting, opened, attach)) > 1:
        raise UsageError(_("--set, --open and --attach change one thing each: give one of them at a time."))
    if opened is not None:
        session.call("rules.open", mandate=mandate, fields=opened)
    if attach is not None:
        session.call("rules.attach", mandate=mandate, who=attach)
    if setting is None:
        return session.show(session.call("rules", mandate=mandate), ruling.rules)
    return session.show(session.call("rules.set", mandate=mandate, setting=setting), ruling.rules)


def overview(session: Session) -> int:
    return session.show(session.call("status"), rendering.overview)
