"""How `verify` looks to people: what was read, what is damaged, and who holds the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from p2psync.cli import reports
from p2psync.cli.rendering import problem_lines
from p2psync.cli.values import files, moment, quoted, short, size
from p2psync.i18n import _, ngettext

Row = Mapping[str, Any]
SHOWN_MAX = 20
"""Files of one kind that are listed."""


def last(answer: Row | None, mandate: str) -> str:
    """`verify --last`."""
    if answer is None:
        text = _("It was not verified yet. To do so: {command}")
        return text.format(command=f"p2psync verify {quoted(mandate)}")
    return "\n".join([_("Verified {time}:").format(time=moment(answer["time"])), verified(answer)])


def verified(answer: Row) -> str:
    """What was read first, then what is wrong, then each device."""
    versions = ngettext("{n} kept version", "{n} kept versions", answer["versions"]).format(n=answer["versions"])
    read = _("Read {files} ({size}) and {versions}.")
    lines = [read.format(files=files(answer["files"]), size=size(answer["bytes"]), versions=versions)]
    lines += [*_damage(answer), reports.verified(answer["log"])]
    text = _("Identical on {n}/{all} devices:")
    lines.append(text.format(n=answer["identical"], all=len(answer["replicas"])))
    for replica in answer["replicas"]:
        lines.append(f"  {replica['name']}: {_said(replica)}")
        for problem in replica["problems"][:SHOWN_MAX]:
            lines += ["    " + line for line in problem_lines(problem, answer["mandate"])]
    more = answer["left_out"]
    lines += [ngettext("and {n} more", "and {n} more", more).format(n=more)] if more else []
    return "\n".join(lines)


def _damage(answer: Row) -> Iterator[str]:
    left = [one["path"] for one in answer["damaged"] if not one["repaired"]]
    right = [one["path"] for one in answer["damaged"] if one["repaired"]]
    yield from _listed(_("Damaged on this disk, though nobody saved it:"), left)
    if left:
        command = f"p2psync verify {quoted(answer['mandate'])} --repair"
        text = _("  To bring the right bytes back, from a kept version or another device that is on: {command}")
        yield text.format(command=command)
    yield from _listed(_("Was damaged, and is right again; what stood there is kept as a version:"), right)
    yield from _listed(_("Kept versions that are damaged:"), [short(one) for one in answer["damaged_versions"]])
    yield from _listed(_("Saved just now, and published as ever:"), answer["changing"])
    for problem in answer["unreadable"][:SHOWN_MAX]:
        yield from problem_lines(problem, answer["mandate"])
    if not (answer["damaged"] or answer["damaged_versions"] or answer["unreadable"]):
        yield _("Every byte is as it was saved.")


def _listed(title: str, several: list[str]) -> Iterator[str]:
    if several:
        yield title
        yield from (f"  {one}" for one in several[:SHOWN_MAX])
    if len(several) > SHOWN_MAX:
        yield "  " + _("and {files} more").format(files=files(len(several) - SHOWN_MAX))


def _said(replica: Row) -> str:
    if replica["state"] == "off":
        if replica["last_seen"] is None:
            return _("not connected, and not seen yet")
        return _("not connected, last seen {time}").format(time=moment(replica["last_seen"]))
    if replica["state"] == "this":
        return _("identical (this PC)") if replica["identical"] else _("not as the log says (this PC)")
    return _("identical, as it confirmed") if replica["identical"] else _("has not everything yet")
