"""What the daemon names by a word of the interface, in words for people who look at the page."""

from __future__ import annotations

from collections.abc import Mapping

from p2psync import words
from p2psync.core.rules import Role
from p2psync.i18n import _
from p2psync.words import Texts


def names_in_words() -> Mapping[str, Texts]:
    """By what is named so, then by the daemon's word."""
    return {
        "views": _views(),
        "places": places(),
        "roles": _roles(),
        "ways": {"lan": _("local network"), "direct": _("direct"), "webrtc": _("WebRTC"), "relay": _("relay")},
        "masters": words.masters(),
        "classes": words.classes(),
        "parts": words.parts(),
        "rulings": _rulings(),
        "standings": words.standings(),
        "reasons": words.reasons(),
        "changes": {
            **{"new": _("new line"), "removed": _("removed line")},
            **{"before": _("before"), "changed": _("changed line")},
        },
        "memberships": _memberships(),
        "left_out": words.left_out(),
        "lists": _lists(),
        "categories": words.categories(),
        "flags": words.flags(),
        "endings": _endings(),
        "results": words.results(),
        "missing": _missing(),
        "items": {"done": _("done"), "waiting": _("still to be moved"), "problem": _("see above")},
        "kinds": words.kinds(),
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
        "rules": _("Rules"),
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


def _rulings() -> Texts:
    """What holds when two PCs change a file at once, by mode and master."""
    return {
        "prefer:accounting": _("accounting's version counts"),
        "prefer:owner": _("its owner's version counts"),
        "enforce:accounting": _("only accounting may change it"),
        "enforce:owner": _("only its owner may change it"),
        "newest": _("the version saved more often counts"),
        "manual": _("a person chooses"),
        "once": _("nobody may change it any more"),
        "merge": _("the lines of both are joined (.ecc)"),
    }


def _memberships() -> Texts:
    return {"waiting": _("asks to be let in"), "left": _("has left"), "revoked": _("revoked")}


def _lists() -> Texts:
    return {
        "accounts": _("Accounts"),
        "vat_codes": _("VAT codes"),
        "cost_centres": _("Cost centres"),
        "cost_objects": _("Cost objects"),
        "payment_terms": _("Payment terms"),
    }


def _endings() -> Texts:
    return {
        "nothing-new": _("Nothing new: all is in sync."),
        "success": _("Done: all connected devices have the same files."),
        "partial": _("Partly done: some files could not be placed."),
        "failed": _("Not done."),
        "running": _("Under way."),
    }


def _missing() -> Texts:
    return {
        "share": _("{mandate} is only on this PC: share it first."),
        "members": _("{mandate} has no other device yet: invite one."),
        "accounting": _("In {mandate} no device does the accounting: an admin gives one that role."),
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
