"""What this PC runs by itself when something happens; set here, by the file in the home, and by nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from p2psync.cli.command import Session, command
from p2psync.cli.exits import WRONG_USAGE, CommandFailed
from p2psync.cli.rendering import Row
from p2psync.i18n import _

HOOKS_FILE = "hooks.json"
EVENTS = ("on_mark_current",)


def add_to(app: typer.Typer) -> None:
    """Make this command part of the app."""
    command(
        app,
        "hook",
        help=_(
            "Show or set what this PC runs when something happens.\n\non_mark_current: accounting said up to which day "
            "the books are complete. The program gets the facts as JSON on its standard input, has a minute, and is "
            "run once for each mark; if it fails, status says so. Only you on this PC can set it, no other device and "
            "no web page."
        ),
        example="p2psync hook\np2psync hook on_mark_current /usr/local/bin/tell-client Cargo\n"
        "p2psync hook on_mark_current --off",
    )(hook)


def hook(
    session: Session,
    event: Annotated[
        str | None, typer.Argument(metavar="EVENT", help=_("on_mark_current."), show_default=False)
    ] = None,
    program: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROGRAM...",
            help=_("What to run, with its arguments; before some that begin with a dash, write --."),
            show_default=False,
        ),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help=_("Run nothing any more."))] = False,
) -> int:
    if event is not None and event not in EVENTS:
        text = _("There is no event {name}. Choose one of: {events}")
        raise CommandFailed(text.format(name=event, events=", ".join(EVENTS)), WRONG_USAGE)
    if (off or program) and (event is None or (off and program)):
        raise CommandFailed(_("Say of which event, and either a program or --off."), WRONG_USAGE)
    file = session.home / HOOKS_FILE
    if off:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
    elif event is not None and program:
        _write(file, {event: [_found(program[0]), *program[1:]]})
    session.show_data(_read(file), _shown)
    return 0


def _found(program: str) -> str:
    """Where it lies, whatever the daemon's own search path says."""
    found = shutil.which(os.path.expanduser(program))
    if found is None:
        raise CommandFailed(_("There is no program {name}.").format(name=program), WRONG_USAGE)
    return os.path.abspath(found)


def _write(file: Path, said: dict[str, list[str]]) -> None:
    """Whole, and for this user alone."""
    fresh = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as writer:
            json.dump(said, writer, ensure_ascii=False)
        fresh.replace(file)
    except OSError as error:
        text = _("{file} cannot be written: {reason}")
        raise CommandFailed(text.format(file=file, reason=error.strerror or error)) from error


def _read(file: Path) -> dict[str, list[str] | None]:
    try:
        said = json.loads(file.read_text("utf-8"))
        return {event: said.get(event) for event in EVENTS}
    except FileNotFoundError:
        return dict.fromkeys(EVENTS)
    except (OSError, ValueError, AttributeError) as error:
        raise CommandFailed(_("{file} cannot be read: {reason}").format(file=file, reason=error)) from error


def _shown(row: Row) -> str:
    return "\n".join(f"{event}: {_words(words) if words else _('nothing')}" for event, words in row.items())


def _words(words: list[str]) -> str:
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(words)
    import shlex

    return shlex.join(words)
