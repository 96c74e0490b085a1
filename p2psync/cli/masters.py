"""How answers about master data from another accounting program look to people."""

from __future__ import annotations

from p2psync.cli.bookkeeping import FINDINGS_SHOWN, finding
from p2psync.cli.rendering import Row
from p2psync.i18n import _, ngettext

CHANGES_SHOWN = 50
"""Of one import; --json has all."""


def imported(answer: Row) -> str:
    """`chart import`."""
    if answer["count"]:
        text = ngettext(
            "{file} has {n} mistake: nothing was taken over.",
            "{file} has {n} mistakes: nothing was taken over.",
            answer["count"],
        )
        shown = [f"  {finding(one)}" for one in answer["findings"][:FINDINGS_SHOWN]]
        return "\n".join([text.format(file=answer["file"], n=answer["count"]), *shown, *_more(answer["count"], shown)])
    lines = [f"{one['sign']} {one['record']} {one['number']}{_fields(one)}" for one in answer["changes"]]
    kept = [_("kept, though left out: {what}").format(what=_named(one)) for one in answer["missing"]]
    head = (
        _("Taken over: {file}") if answer["taken"] else _("Nothing was taken over; this is what would change: {file}")
    )
    counts = _("{n} records: +{new} ~{changed} -{deleted}").format(
        n=answer["records"], new=answer["new"], changed=answer["changed"], deleted=answer["deleted"]
    )
    shown = lines[:CHANGES_SHOWN]
    return "\n".join([head.format(file=answer["file"]), counts, *shown, *_more(len(lines), shown), *kept])


def unfollowed(answer: Row) -> str:
    """`chart unfollow`."""
    if answer["file"] is None:
        return _("No export was taken over by itself.")
    return _("Not taken over by itself any more: {file}").format(file=answer["file"])


def changed(answer: Row) -> str:
    """`chart set`."""
    fields = ", ".join(f"{name}={value}" for name, value in sorted(answer["fields"].items()))
    return _("Changed: {what} ({fields})").format(what=_named(answer), fields=fields)


def removed(answer: Row) -> str:
    """`chart remove`."""
    return _("Removed: {what}").format(what=_named(answer))


def _named(one: Row) -> str:
    return f"{one['record']} {one['number']}"


def _fields(one: Row) -> str:
    """What is new in a record, and what was there before where it replaces something."""
    told = [
        f"{name}={pair['after'] or '-'}" + (f" ({pair['before']})" if pair["before"] and one["sign"] == "~" else "")
        for name, pair in one["fields"].items()
    ]
    return f": {', '.join(told)}" if told and one["sign"] != "-" else ""


def _more(count: int, shown: list[str]) -> list[str]:
    more = count - len(shown)
    return ["  " + ngettext("and {n} more", "and {n} more", more).format(n=more)] if more > 0 else []
