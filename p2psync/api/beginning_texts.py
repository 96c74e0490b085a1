"""What the page says to who makes a mandate, or joins one."""

from __future__ import annotations

from p2psync.i18n import _
from p2psync.words import Texts


def beginning_texts() -> Texts:
    """By the names under which the page's JavaScript asks for them."""
    return {
        "create": _("Make a mandate"),
        "create-why": _("A mandate is what belongs together: the accounting of a company, and its files of bookings."),
        "name-hint": _("A name that tells it from others, as the company's."),
        "accounting-file": _("accounting file, with its folders"),
        "accounting-hint": _(
            "The .cre or .crp; its chart is attached, and the files that its index names. May be empty."
        ),
        "own-person": _("who works at this PC"),
        "own-person-hint": _("All members see it. May be empty."),
        "folder-hint": _("Empty: a folder of its own among your documents."),
        "create-it": _("Make it"),
        "created": _("Made {mandate} in {folder}. It is only on this PC until you share it."),
        "join": _("Join a mandate"),
        "join-why": _("With the ticket or the code that you got from somebody who is in it."),
        "ticket-or-code": _("ticket or code"),
        **_tickets(),
        "join-it": _("Join"),
        "joined": _(
            "You are a member of {mandate} now, as {role}. Compare by telephone the fingerprint of the PC that "
            "invited you: {fingerprint}"
        ),
    }


def _tickets() -> Texts:
    """What a ticket says before its holder joins."""
    return {
        "ticket-file": _("or the ticket's file"),
        "ticket-file-hint": _("It can also be dropped anywhere on this page."),
        "look-at-it": _("See what it says"),
        "not-said": _("not said in the ticket"),
        "invited-by": _("invited by"),
        "ticket-until": _("valid until"),
        "compare-first": _(
            "Compare the fingerprint by telephone before you join; the names are only what the ticket says."
        ),
        "code-unsaid": _(
            "A code says nothing by itself: of which mandate it is, by whom and as what, you hear when you have joined."
        ),
        "recovery-file": _("This is a recovery file: whoever joins with it becomes an admin."),
        "already-member": _("This device is a member of it already."),
        "join-folder-hint": _("The folder on this PC; made if it is not there."),
        "other-ticket": _("Another ticket"),
        "seeking": _("Looking for the device that made this ticket ..."),
    }
