"""What is given to join with: read from the command line, a file or stdin; what it says, and what came of it."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from p2psync.cli.exits import CommandFailed
from p2psync.cli.rendering import role_of
from p2psync.cli.values import moment
from p2psync.errors import TicketError
from p2psync.i18n import _

TICKET_CHARACTERS_MAX = 112 * 1024
"""What a daemon takes: a ticket with its comment, or a recovery file, which names members."""
REQUEST_BYTES_MAX = 120 * 1024
"""Of it, as it is sent: a daemon takes no request much larger than that."""
SUFFIX = ".p2pticket"

Row = dict[str, Any]


def ticket_text(given: str) -> str:
    """What was meant: the words themselves, what a file holds, or what stands on standard input.

    Raises CommandFailed for a file that is not there or cannot be read.
    """
    if given == "-":
        return _beginning(sys.stdin)
    with suppress(OSError, RuntimeError):  # what is no path at all
        path = Path(given).expanduser()
        if path.exists() or file_named(path).is_file() or path.suffix == SUFFIX or len(path.parts) > 1:
            return file_text(path)
    return given


def file_named(path: Path) -> Path:
    """Where a ticket is written: a double click opens it by the end of its name, so a name without any gets that."""
    path = path.expanduser()
    return path if path.suffix or not path.name else path.with_name(path.name + SUFFIX)


def file_text(path: Path) -> str:
    """What a ticket's file holds; of one that is far too long for a ticket, its beginning. Raises CommandFailed.

    It may be named without the end that it was given when it was written.
    """
    if not path.exists() and file_named(path).is_file():
        path = file_named(path)
    if path.exists() and not path.is_file():
        raise CommandFailed(_("{file} is no file. Give the ticket's file itself.").format(file=path))
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _beginning(file)
    except FileNotFoundError:
        raise CommandFailed(_("There is no file {file}. Check the path of the ticket.").format(file=path)) from None
    except OSError as error:
        text = _("The ticket {file} cannot be read: {reason}")
        raise CommandFailed(text.format(file=path, reason=error.strerror or error)) from None


def _beginning(source: TextIO) -> str:
    """What a daemon can be asked about: it says what is wrong with it. What is no text takes more room on the way."""
    text = source.read(TICKET_CHARACTERS_MAX).replace("\0", "\ufffd")
    while len(json.dumps(text)) > REQUEST_BYTES_MAX:
        text = text[: len(text) // 2]
    return text


def looks_right(text: str) -> bool:
    """Whether it is worth while to look for anybody."""
    from p2psync.pair.code import is_code
    from p2psync.pair.code import parse as parse_code
    from p2psync.pair.ticket import parse

    with suppress(TicketError):
        (parse_code if is_code(text) else parse)(text)
        return True
    return False


def told(answer: Row) -> str:
    """`join --show`."""
    if answer["kind"] == "code":
        return _(
            "A code says nothing by itself: of which mandate it is, by whom and as what, you hear when you have joined."
        )
    rows = [(title, text) for title, text in _facts(answer) if text]
    width = max(len(title) for title, _text in rows)
    return "\n".join([*(f"{title.ljust(width)}  {text}" for title, text in rows), "", *_advice(answer)])


def _facts(answer: Row) -> list[tuple[str, str]]:
    unsaid = _("not said in the ticket")
    by_ticket = answer["kind"] == "ticket"
    return [
        (_("mandate"), answer["mandate"] or unsaid),
        (_("invited by"), (answer["inviter"] or unsaid) if by_ticket else ""),
        (_("fingerprint"), answer["fingerprint"] or ""),
        (_("role"), role_of(answer) if answer["role"] else unsaid),
        (_("valid until"), moment(answer["expires"]) if answer["expires"] else ""),
        (_("folder"), answer["folder"] or ""),
    ]


def _advice(answer: Row) -> list[str]:
    if answer["already"]:
        return [_("This device is a member of it already.")]
    if answer["kind"] == "recovery":
        return [_("This is a recovery file: whoever joins with it becomes an admin.")]
    return [
        _("Compare the fingerprint by telephone before you join; the names are only what the ticket says."),
        _("Nothing was sent. To join: p2psync join TICKET --folder DIR"),
    ]


def joined(answer: Row) -> str:
    """`join`."""
    if "waiting_for" in answer:
        return _awaited(answer)
    text = (
        _("This device is a member of {mandate} already, as {role}.")
        if answer.get("already")
        else _("You are a member of {mandate} now, as {role}.")
    )
    return "\n".join(
        [
            text.format(mandate=answer["mandate"], role=answer["role"]),
            _("The folder: {folder}").format(folder=answer.get("folder", "-")),
            _("Invited by a device with the fingerprint: {print}").format(print=answer["fingerprint"]),
        ]
    )


def _awaited(answer: Row) -> str:
    texts = {
        "approval": _(
            "Still waiting for an admin's approval; the same command goes on from here. Compare by telephone: this PC "
            "has the fingerprint {own}, the inviting one {fingerprint}."
        ),
        "inviter": _("Still waiting for the inviting device ({fingerprint}); the same command goes on from here."),
    }
    if answer["waiting_for"] == "inviter" and answer.get("number"):
        sentence = _("Nobody who answers to the number {number} was found; the same command goes on from here.")
        return sentence.format(number=answer["number"])
    text = texts.get(answer["waiting_for"])
    return (
        text.format(fingerprint=answer.get("fingerprint"), own=answer.get("own_fingerprint"))
        if text
        else str(answer["message"])
    )
