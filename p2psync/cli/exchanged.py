"""What is exchanged in a mandate, kind by kind, and what this PC's role does with it: `status --what`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from p2psync import words
from p2psync.cli.rendering import table
from p2psync.i18n import _

Row = Mapping[str, Any]
ORDER = ("master data", "entries", "index", "opaque", "other")
"""What the next kind needs comes before it."""
WRITING = ("changes", "adds", "own")


def kinds(mandates: Sequence[Row]) -> str:
    """A paragraph for each mandate."""
    return "\n\n".join(_of_mandate(mandate) for mandate in mandates)


def _of_mandate(mandate: Row) -> str:
    rules = [rule for rule in mandate["rules"] if "parts" in rule]
    rules.sort(key=lambda rule: ORDER.index(rule["class"]) if rule["class"] in ORDER else len(ORDER))
    classes = words.classes()
    rows = (
        (classes.get(rule["class"], rule["class"]), rule["pattern"], _part(rule, mandate["role"]), _writers(rule))
        for rule in rules
    )
    head = (_("KIND"), _("FILES"), _("THIS PC"), _("CHANGED BY"))
    return "\n".join([f"{mandate['name']} ({mandate['role']})", table(head, rows, "")])


def _part(rule: Row, role: str) -> str:
    part = str(rule["parts"].get(role, "nothing"))
    return words.parts().get(part, part)


def _writers(rule: Row) -> str:
    writers = ", ".join(role for role, part in rule["parts"].items() if part in WRITING)
    if rule["mode"] == "prefer":
        master = words.masters()["owner"] if rule["master"] == "owner" else rule["master"]
        return _("{roles}; in a conflict {master} wins").format(roles=writers, master=master)
    return writers
