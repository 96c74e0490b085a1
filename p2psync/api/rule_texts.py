"""What the page's view of a mandate's rules says."""

from __future__ import annotations

from p2psync.i18n import _
from p2psync.words import Texts


def rule_texts() -> Texts:
    """By the names under which the page's JavaScript asks for them."""
    return {
        "rules": _("Which version of a file counts"),
        "rules-why": _(
            "For each file, the first line that fits its name holds. In a conflict, when two PCs change a file at "
            "once, no version is lost: what does not count is kept."
        ),
        "who-counts": _("in a conflict"),
        "only-roles": _("Only {roles} (and admins and keepers) get: {pattern}"),
        "owner-is": _("A file's owner is the PC that brought it first; it or an admin can give it to another PC."),
        "change-rule": _("Change a rule"),
        "pattern-hint": _(
            "As in: *.crp for all such files, or Invoices/* for a folder. A new one goes before all others."
        ),
        "only-admins": _("Only an admin can change this: {names}."),
        "who-attaches": _("Who attaches programs' files"),
        "attached-stays": _("It holds on every PC of the mandate. What is attached already stays attached."),
        "may-attach": _("attaching and detaching is for"),
        "everybody": _("everybody"),
        "admins-alone": _("admins alone"),
        **_open_fields(),
    }


def _open_fields() -> Texts:
    return {
        "open-fields": _("What other PCs may change in master data"),
        "open-fields-why": _(
            "Master data that were taken over from another accounting program belong to accounting. Fields that are "
            "named here can be changed elsewhere, too; that holds until accounting changes them."
        ),
        "no-open-fields": _("Nothing: only accounting changes master data."),
        "fields-are": _("Others may change: {fields}"),
        "fields": _("fields"),
        "fields-hint": _("As in: account.cash, payment-term.blocked. Empty: none."),
    }
