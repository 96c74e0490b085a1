"""What the daemon names by a word of the interface, in words for people who look at the page."""

from __future__ import annotations

from collections.abc import Mapping

from p2psync.core.rules import Role
from p2psync.i18n import _

Texts = Mapping[str, str]


def names_in_words() -> Mapping[str, Texts]:
    """What the daemon names by a word of the interface, in words for people."""
    return {
        "views": _views(),
        "places": places(),
        "roles": _roles(),
        "ways": {"lan": _("local network"), "direct": _("direct"), "webrtc": _("WebRTC"), "relay": _("relay")},
        "masters": {"accounting": _("accounting"), "owner": _("its owner")},
        "classes": _classes(),
        "parts": _parts(),
        "standings": _standings(),
        "reasons": _reasons(),
        "memberships": _memberships(),
        "left_out": _left_out(),
        "lists": _lists(),
        "categories": _categories(),
        "flags": _flags(),
        "endings": _endings(),
        "results": _results(),
        "missing": _missing(),
        "items": {"done": _("done"), "waiting": _("still to be moved"), "problem": _("see above")},
        "kinds": _kinds(),
        "actions": _actions(),
        "plans": {"incremental": _("for changes"), "full": _("all files")},
        "health": {"ok": _("OK:"), "warning": _("note:"), "error": _("wrong:")},
    }


def places() -> Texts:
    """What the page's first row of links leads to."""
    return {
        "mandates": _("Mandates"),
        "overview": _("Overview"),
        "history": _("Past runs"),
        "pc": _("This PC"),
        "new": _("New mandate or join"),
    }


def _views() -> Texts:
    return {
        "files": _("Files"),
        "devices": _("Devices"),
        "books": _("Books"),
        "accounts": _("Chart of accounts"),
        "exchange": _("Synchronise"),
        "verify": _("Verify"),
        "log": _("Log"),
        "settings": _("Name, leave"),
    }


def _roles() -> Texts:
    return {
        Role.ACCOUNTING.value: _("accounting"),
        Role.INVOICING.value: _("invoicing"),
        Role.PAYROLL.value: _("payroll"),
        Role.BANKING.value: _("banking"),
        Role.READER.value: _("reader"),
        Role.KEEPER.value: _("keeper"),
    }


def _classes() -> Texts:
    return {
        "master data": _("chart of accounts, master data"),
        "entries": _("bookings"),
        "index": _("index of bookings"),
        "opaque": _("programs' own files"),
        "other": _("all other files"),
    }


def _parts() -> Texts:
    """Up is to the others, down is from them."""
    return {
        "changes": _("↑↓ sends and receives"),
        "adds": _("↑↓ sends new ones and receives"),
        "own": _("↑ sends its own, ↓ receives others"),
        "receives": _("↓ receives"),
        "nothing": _("not exchanged"),
    }


def _standings() -> Texts:
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


def _reasons() -> Texts:
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


def _memberships() -> Texts:
    return {"waiting": _("asks to be let in"), "left": _("has left"), "revoked": _("revoked")}


def _left_out() -> Texts:
    return {
        "across": _("! {file} has bookings of other periods too: it stays open."),
        "restricted": _("! {file} stays open: members who may not see it would read its name."),
    }


def _lists() -> Texts:
    return {
        "accounts": _("Accounts"),
        "vat_codes": _("VAT codes"),
        "cost_centres": _("Cost centres"),
        "cost_objects": _("Cost objects"),
        "payment_terms": _("Payment terms"),
    }


def _categories() -> Texts:
    return {
        "assets": _("assets"),
        "liabilities": _("liabilities"),
        "expense": _("expense"),
        "income": _("income"),
        "operating": _("operating"),
        "other": _("other"),
    }


def _flags() -> Texts:
    return {
        "deleted_by_master": _("deleted"),
        "blocked": _("blocked"),
        "cash": _("cash"),
        "project": _("project"),
        "blocked_from": _("blocked from {value}"),
        "collective": _("collective account: {value}"),
        "postable_from": _("from {value}"),
        "postable_to": _("until {value}"),
    }


def _endings() -> Texts:
    return {
        "nothing-new": _("Nothing new: all is in sync."),
        "success": _("Done: all connected devices have the same files."),
        "partial": _("Partly done: some files could not be placed."),
        "failed": _("Not done."),
        "running": _("Under way."),
    }


def _results() -> Texts:
    return {
        "nothing-new": _("nothing new"),
        "success": _("done"),
        "partial": _("partly done"),
        "failed": _("failed"),
        "running": _("under way"),
    }


def _missing() -> Texts:
    return {
        "share": _("{mandate} is only on this PC: share it first."),
        "members": _("{mandate} has no other device yet: invite one."),
        "accounting": _("In {mandate} no device does the accounting: an admin gives one that role."),
    }


def _kinds() -> Texts:
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


def _actions() -> Texts:
    return {
        "update": _("update p2psync"),
        "conflicts": _("choose a version"),
        "problems": _("look at problems"),
        "newcomers": _("let devices in"),
        "inbox": _("deliver files"),
        "chart": _("attach a chart of accounts"),
        "post": _("post bookings"),
    }
