"""How a mandate's rules look to people."""

from __future__ import annotations

from collections.abc import Sequence

from p2psync import words
from p2psync.cli.rendering import Row, table
from p2psync.i18n import _


def rules(rows: Sequence[Row]) -> str:
    """`rules`: first match wins; then who alone may read what."""
    head, classes = (_("FILES"), _("KIND"), _("IN A CONFLICT"), _("MASTER")), words.classes()
    shown = [
        (r["pattern"], classes.get(r["class"], r["class"]), _mode(r["mode"]), r["master"] or "-")
        for r in rows
        if "mode" in r
    ]
    lines = [table(head, shown, "")]
    lines += [
        _("Only {roles} (and admins and keepers) get: {pattern}").format(
            roles=", ".join(r["readers"]), pattern=r["pattern"]
        )
        for r in rows
        if "readers" in r
    ]
    lines += [
        _("Fields of the master data that others than the master may change: {fields}").format(
            fields=", ".join(r["open_fields"])
        )
        for r in rows
        if "open_fields" in r
    ]
    lines += [_("Programs' files are attached and detached by admins alone.") for r in rows if "attach" in r]
    return "\n".join(lines)


def _mode(mode: str) -> str:
    texts = {
        "prefer": _("the master's version wins"),
        "enforce": _("only the master may change it"),
        "newest": _("the version with most saves wins"),
        "manual": _("a person decides"),
        "merge": _("all versions are merged"),
        "once": _("written once, nobody changes or removes it"),
    }
    return f"{mode}: {texts[mode]}" if mode in texts else mode
