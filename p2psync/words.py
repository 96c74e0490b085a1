"""What the daemon names by a word of the interface, in words for people: the same in a terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping

from p2psync.i18n import _

Texts = Mapping[str, str]


def kinds() -> Texts:
    """What a line of the log tells of."""
    return {
        "file": _("saved"),
        "absent": _("removed"),
        "directory": _("made a folder"),
        "posted": _("marked as posted"),
        "undone": _("took a mark back"),
        "received": _("received"),
        "genesis": _("created the mandate"),
        "admit": _("admitted"),
        "revoke": _("revoked"),
        "leave": _("left the mandate"),
        "hosts": _("named the meeting hosts"),
        "role": _("gave a role"),
        "rules": _("changed the rules"),
        "owner": _("gave a file to"),
        "give": _("gave a file of its own to"),
        "person": _("said who works at"),
        "attach": _("set who may attach files"),
        "primary": _("made primary"),
        "rename": _("renamed the mandate"),
        "share": _("shared the mandate"),
        "secret": _("renewed the secret"),
        "freeze": _("froze a period"),
        "unfreeze": _("unfroze a period"),
        "current": _("books complete until"),
        "issue": _("invited"),
        "cancel": _("cancelled an invitation"),
    }


def reasons() -> Texts:
    """Why a version is kept."""
    return {
        "current": _("it stands in the folder now"),
        "replaced": _("it was replaced"),
        "removed": _("it was removed"),
        "conflict": _("it lost a conflict"),
        "refused": _("this change was not allowed"),
        "damaged": _("the disk damaged it"),
        "set-aside": _("it differed from the mandate's when this PC joined"),
        "edited": _("it was saved on this PC"),
        "log": _("it was saved earlier"),
        "posted": _("it was marked as posted"),
    }


def results() -> Texts:
    """How a run ended."""
    return {
        "nothing-new": _("nothing new"),
        "success": _("done"),
        "partial": _("partly done"),
        "failed": _("failed"),
        "running": _("under way"),
    }


def standings() -> Texts:
    """How an attached file stands."""
    return {
        "current": _("up to date"),
        "busy": _("being written"),
        "publishing": _("being published"),
        "refused": _("not allowed"),
        "delivering": _("being delivered"),
        "waiting": _("waits for you"),
        "open": _("open in a program"),
        "held": _("held back"),
        "gone": _("file is gone"),
        "removed": _("removed by others"),
        "returned": _("older version"),
        "collides": _("another file"),
    }


def categories() -> Texts:
    """Of accounts."""
    return {
        "assets": _("assets"),
        "liabilities": _("liabilities"),
        "expense": _("expense"),
        "income": _("income"),
        "operating": _("operating"),
        "other": _("other"),
    }


def left_out() -> Texts:
    """Why a file stays open when its period is frozen; `file` is to be filled in."""
    return {
        "across": _("! {file} has bookings of other periods too: it stays open."),
        "restricted": _("! {file} stays open: members who may not see it would read its name."),
    }


def flags() -> Texts:
    """What only master data of another program say of a record; some with their `value`."""
    return {
        "deleted_by_master": _("deleted"),
        "blocked": _("blocked"),
        "cash": _("cash"),
        "project": _("project"),
        "blocked_from": _("blocked from {value}"),
        "collective": _("collective account: {value}"),
        "cost_type": _("cost type {value}"),
        "default_cost_centre": _("cost centre {value}"),
        "postable_from": _("from {value}"),
        "postable_to": _("until {value}"),
    }


def classes() -> Texts:
    """What is exchanged, by the classes of rules."""
    return {
        "master data": _("chart of accounts, master data"),
        "entries": _("bookings"),
        "index": _("index of bookings"),
        "opaque": _("programs' own files"),
        "other": _("all other files"),
    }


def parts() -> Texts:
    """Up is to the others, down is from them."""
    return {
        "changes": _("↑↓ sends and receives"),
        "adds": _("↑↓ sends new ones and receives"),
        "own": _("↑ sends its own, ↓ receives others"),
        "receives": _("↓ receives"),
        "nothing": _("not exchanged"),
    }


def masters() -> Texts:
    """Whose version of a file wins."""
    return {"accounting": _("accounting"), "owner": _("its owner")}
