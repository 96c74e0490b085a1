"""Every operation of a daemon: its name, what it is for, and its arguments.

The addresses of the HTTP interface, and its description, are made from this table; the values of arguments are
checked by the operations themselves, which other ways lead to too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from p2psync.core.value import value


class Form(Enum):
    """What a value may be."""

    TEXT = "text"
    TEXTS = "list of texts"
    FLAG = "true or false"
    COUNT = "whole number"
    SECONDS = "seconds"


@value
class Argument:
    name: str
    form: Form = Form.TEXT
    required: bool = False


@value
class Operation:
    """One thing that a daemon can be asked to do."""

    name: str
    """As "conflicts.keep"; its address is /api/conflicts/keep."""
    summary: str
    arguments: tuple[Argument, ...] = ()
    reads: bool = False
    """True if it changes nothing: then GET does it too."""
    waits: bool = False
    """True if it may wait for other devices; it is given up when whoever asked goes away."""
    outlives_page: bool = False
    """But not when a page has gone that asked: it is loaded anew now and then, and what was found is kept for it."""

    @property
    def path(self) -> str:
        return "/api/" + self.name.replace(".", "/")

    def from_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Arguments as they stand in an address, read as their forms where they are of them."""
        forms = {one.name: one.form for one in self.arguments}
        return {name: _read(forms.get(name, Form.TEXT), text) for name, text in query.items()}


def _read(form: Form, text: str) -> Any:
    """The text itself where it is not of the form: the operation then says so."""
    try:
        match form:
            case Form.FLAG:
                return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
            case Form.COUNT:
                return int(text)
            case Form.SECONDS:
                return float(text)
            case Form.TEXTS:
                return text.split(",")
            case Form.TEXT:
                return text
    except ValueError:
        return text


def _required(*names: str) -> tuple[Argument, ...]:
    return tuple(Argument(name, required=True) for name in names)


_M = _required("mandate")
_ANY = (Argument("mandate"),)
_TIMEOUT = Argument("timeout_s", Form.SECONDS)


def operations() -> Sequence[Operation]:
    """All of them, sorted as the command line lists them."""
    return (*_of_mandates(), *_of_members(), *_of_files(), *_of_books(), *_of_attachments(), *_of_the_daemon())


def _of_mandates() -> tuple[Operation, ...]:
    return (
        Operation("status", "How things are: this device, its mandates, their peers.", _ANY, reads=True),
        Operation(
            "mandate.create",
            "Make a mandate on this device; it stays local until it is shared.",
            (
                *_required("name"),
                *(Argument("folder"), Argument("role"), Argument("restrict", Form.TEXTS)),
                *(Argument("accounting"), Argument("allow_cloud", Form.FLAG), Argument("person")),
            ),
        ),
        Operation("mandate.list", "The mandates of this device.", reads=True),
        Operation("mandate.show", "One mandate.", _M, reads=True),
        Operation("mandate.files", "Its bookkeeping files, by the PC that they come from.", _M, reads=True),
        Operation("mandate.open", "Show its folder in this PC's file manager.", _M),
        Operation("mandate.rename", "Give a mandate another name, on all devices.", _required("mandate", "name")),
        Operation("mandate.recovery", "The text of the mandate's recovery file.", (*_M, Argument("old"))),
        Operation("mandate.recovery.saved", "The recovery file is safe: forget its key on this device.", _M),
        Operation("mandate.leave", "Forget a mandate on this device.", (*_M, Argument("wipe", Form.FLAG))),
        Operation("share", "Let other devices find and join a mandate.", _M),
        Operation("seen", "A person has looked at what had happened: it is no problem any more.", _M),
        Operation("rules", "Which files belong to whom.", _M, reads=True),
        Operation(
            "rules.attach",
            "Who attaches and detaches programs' files: admins, or all.",
            _required("mandate", "who"),
        ),
        Operation("rules.set", "Change one rule: PATTERN=MODE[:MASTER].", _required("mandate", "setting")),
        Operation(
            "rules.open",
            "Which fields of the master data others than the master may change: account.cash,...",
            (*_M, Argument("fields")),
        ),
    )


def _of_members() -> tuple[Operation, ...]:
    return (
        Operation(
            "invite",
            "Make a ticket, or a spoken code, for a new device.",
            (
                *_required("mandate", "role"),
                *(Argument("admin", Form.FLAG), Argument("expires_s", Form.COUNT)),
                *(Argument("uses", Form.COUNT), Argument("confirm", Form.FLAG), Argument("code", Form.FLAG)),
            ),
        ),
        Operation("invites", "Open invitations.", _M, reads=True),
        Operation("invites.cancel", "Make a ticket worthless.", _required("mandate", "id")),
        Operation(
            "join",
            "Become a member by a ticket or a code.",
            (Argument("ticket"), Argument("folder"), Argument("name"), Argument("person"), _TIMEOUT),
            waits=True,
        ),
        Operation(
            "join.show",
            "What a ticket, a code or a recovery file says, before anybody is asked.",
            (Argument("ticket"),),  # by POST alone: a ticket stands in no address
        ),
        Operation("devices", "The members of a mandate.", _M, reads=True),
        Operation("devices.revoke", "Refuse a device from now on.", _required("mandate", "device")),
        Operation("devices.approve", "Let in a device that waits for approval.", _required("mandate", "device")),
        Operation(
            "devices.person",
            "Say who works at a device; an empty text takes that away.",
            (*_required("mandate", "device"), Argument("person")),
        ),
        Operation("devices.primary", "Let one accounting device break ties.", _required("mandate", "device")),
        Operation("devices.role", "Give a device another role.", _required("mandate", "device", "role")),
        Operation("peer.add", "Where a device may be reached.", _required("mandate", "address")),
        Operation("peer.list", "The addresses given.", _M, reads=True),
        Operation("peer.remove", "Forget an address.", _required("mandate", "address")),
    )


def _of_files() -> tuple[Operation, ...]:
    return (
        Operation(
            "sync",
            "One run: rescan, exchange, and wait until each connected member has placed what was known then.",
            (
                *_ANY,
                *(Argument("only"), Argument("full", Form.FLAG), Argument("dry_run", Form.FLAG), _TIMEOUT),
            ),
            waits=True,
        ),
        Operation("sync.cancel", "End the runs that are under way.", _ANY),
        Operation("schedule", "When runs are started by themselves, and when is exchanged.", _ANY, reads=True),
        Operation(
            "schedule.set",
            "Change that, the hours in which anything is exchanged, and a mandate's interval.",
            (*_ANY, Argument("incremental"), Argument("full"), Argument("active"), Argument("interval")),
        ),
        Operation("pause", "Exchange, place and deliver nothing for now.", (*_ANY, Argument("until"))),
        Operation("resume", "Go on.", _ANY),
        Operation(
            "limit",
            "How many bytes per second may leave this network and come into it, and what percent of a processor "
            "reading everything may take.",
            reads=True,
        ),
        Operation(
            "limit.set", "Change that: 500K, 2M, 25%, or off.", (Argument("up"), Argument("down"), Argument("cpu"))
        ),
        Operation("wait", "Wait until all is in sync.", (*_ANY, _TIMEOUT), reads=True, waits=True),
        Operation("conflicts", "Open conflicts.", _ANY, reads=True),
        Operation("conflicts.keep", "Choose which version stands.", _required("mandate", "path", "keep")),
        Operation("versions", "Kept versions of a file.", _required("mandate", "path"), reads=True),
        Operation(
            "restore",
            "Bring a version back into the folder, or into another file.",
            (*_required("mandate", "path"), *(Argument("version"), Argument("at"), Argument("to"))),
        ),
        Operation("log", "Who changed what, when.", _M, reads=True),
        Operation("log.verify", "Check the chain and every signature of the log.", _M, reads=True),
        Operation(
            "verify",
            "Every byte here against the log, and the replicas with each other; what a disk damaged is brought back.",
            (*_M, Argument("repair", Form.FLAG), _TIMEOUT),
            waits=True,
            outlives_page=True,
        ),
        Operation(
            "verify.last", "What the last of these checks found, and when; null if there was none.", _M, reads=True
        ),
        Operation("log.export", "The log with its blocks, for an archive.", _M, reads=True),
        Operation(
            "history",
            "Runs and their items.",
            (*_ANY, Argument("run"), Argument("failed", Form.FLAG)),
            reads=True,
        ),
    )


def _of_books() -> tuple[Operation, ...]:
    return (
        Operation("chart", "A chart of accounts in the folder.", (*_M, Argument("file")), reads=True),
        Operation(
            "chart.import",
            "Take master data over from another accounting program's export.",
            (
                *_required("mandate", "file"),
                *(Argument("format"), Argument("keep_missing", Form.FLAG), Argument("dry_run", Form.FLAG)),
                Argument("follow", Form.FLAG),
            ),
        ),
        Operation("chart.unfollow", "Take an export over by itself no longer.", _M),
        Operation(
            "chart.set",
            "Change an open field of the master data.",
            (*_required("mandate", "record", "number", "field"), Argument("value")),
        ),
        Operation(
            "chart.remove",
            "Remove a record that the master marked as deleted.",
            _required("mandate", "record", "number"),
        ),
        Operation("check", "Bookings against their charts of accounts.", (*_M, Argument("file")), reads=True),
        Operation(
            "pending",
            "Bookings that wait to be posted, by file and period; with the lines of each file that wait.",
            (*_ANY, Argument("all", Form.FLAG), Argument("lines", Form.FLAG)),
            reads=True,
        ),
        Operation(
            "posted",
            "Mark bookings as posted, or take that back.",
            (*_M, *(Argument("file"), Argument("content"), Argument("undo", Form.FLAG))),
        ),
        Operation(
            "period",
            "The accounting periods, frozen or not; how far the books are.",
            _M,
            reads=True,
        ),
        Operation("period.preview", "What freezing a period would freeze.", _required("mandate", "period"), reads=True),
        Operation(
            "period.freeze",
            "Let nobody change the files of a period any more.",
            (*_required("mandate", "period"), Argument("seen")),
        ),
        Operation("period.unfreeze", "Let them be changed again.", _required("mandate", "period")),
        Operation(
            "period.current",
            "Say up to which day the books are complete.",
            (*_required("mandate", "until"), Argument("note")),
        ),
    )


def _of_attachments() -> tuple[Operation, ...]:
    return (
        Operation(
            "attach",
            "Link programs' own files, anywhere on this PC, to a mandate.",
            (
                *_required("mandate"),
                *(Argument("files", Form.TEXTS), Argument("role"), Argument("use"), Argument("ask", Form.FLAG)),
                *(Argument("checked", Form.FLAG), Argument("siblings", Form.FLAG)),
                Argument("allow_cloud", Form.FLAG),
            ),
        ),
        Operation(
            "attach.follow",
            "Whether files of a new period join a mandate by themselves on this PC, as they do.",
            (*_M, Argument("off", Form.FLAG)),
        ),
        Operation("attached", "The attached files, and how they stand.", _ANY, reads=True),
        Operation("detach", "Link a file no longer; it stays as it is.", (*_required("file"), Argument("mandate"))),
        Operation(
            "inbox",
            "What arrived and was not delivered to its program yet; with the lines of bookings that would change.",
            (*_ANY, Argument("lines", Form.FLAG)),
            reads=True,
        ),
        Operation(
            "deliver",
            "Put what arrived in the place of the programs' files.",
            (*_M, *(Argument("file"), Argument("anyway", Form.FLAG))),
        ),
        Operation("migrate", "Let a file belong to another device.", (*_required("file", "to"), Argument("mandate"))),
    )


def _of_the_daemon() -> tuple[Operation, ...]:
    return (
        Operation("ping", "Whether the daemon is there, and of which version.", reads=True),
        Operation("doctor", "Whether all is well with what this device needs of its PC and its network.", reads=True),
        Operation("stop", "End the daemon."),
    )
