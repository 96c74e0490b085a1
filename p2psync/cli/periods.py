"""How answers about accounting periods look to people."""

from __future__ import annotations

from collections.abc import Sequence

from p2psync import words
from p2psync.cli.rendering import Row, table
from p2psync.cli.values import moment, quoted
from p2psync.i18n import _, ngettext


def periods(answer: Row) -> str:
    """`period`: each period, what came too late, and how far the books are."""
    lines = [
        table(
            (_("PERIOD"), _("STATE"), _("FILES")),
            ((one["period"], _state(one), str(len(one["files"]))) for one in answer["periods"]),
            _("No chart of accounts in the folder states a period."),
        )
    ]
    lines += [_current(answer["current_until"])] if answer["current_until"] else []
    lines += [_late(one) for one in answer["late"]]
    return "\n".join(lines)


def current(answer: Row) -> str:
    """`period --current-until`."""
    said = _current(answer)
    if answer["until"] > answer["time"][: len(answer["until"])]:
        said += "\n" + _("! That day is still to come. If it is a mistake, say it again with the right day.")
    return said


def planned(answer: Row) -> str:
    """What a freeze would name, before anybody says yes."""
    count = len(answer["files"])
    head = ngettext("Freezing {period} closes {n} file:", "Freezing {period} closes {n} files:", count)
    lines = [head.format(period=answer["period"], n=count), *(f"  {one['path']}" for one in answer["files"])]
    texts = words.left_out()
    if not count:
        text = _("! The folder has no file of this period. To open it again: {command}")
        command = f"p2psync period {quoted(answer['mandate'])} --unfreeze {quoted(answer['period'])}"
        lines.append(text.format(command=command))
    return "\n".join([*lines, *(texts[one["reason"]].format(file=one["path"]) for one in answer["left_out"])])


def frozen(answer: Row) -> str:
    """`period --freeze`."""
    count = len(answer["files"])
    text = ngettext(
        "{period} is frozen with {n} file; later changes are set aside on all devices.",
        "{period} is frozen with {n} files; later changes are set aside on all devices.",
        count,
    )
    return text.format(period=answer["period"], n=count)


def activated(rows: Sequence[Row]) -> str:
    """`period --activate`."""
    return "\n".join(frozen(row) for row in rows) or _("No period before it is open.")


def unfrozen(answer: Row) -> str:
    """`period --unfreeze`."""
    return _("{period} is open again. What was set aside stays so until it is restored.").format(
        period=answer["period"]
    )


def _state(one: Row) -> str:
    by = one["frozen"]
    return _("frozen by {name}, {time}").format(name=by["name"], time=moment(by["time"])) if by else _("open")


def _current(said: Row) -> str:
    text = _("The books are complete until {day}, says {name} ({time}).")
    told = text.format(day=said["until"], name=said["name"], time=moment(said["time"]))
    return "\n".join([told, *([_("Accounting says: {note}").format(note=said["note"])] if said.get("note") else [])])


def _late(one: Row) -> str:
    removed = _("! {file}: removed by {name} ({time}), too late for {period}; it stays.")
    saved = _("! {file}: saved by {name} ({time}), too late for {period}; kept on that PC as a version.")
    text = removed if one["kind"] == "absent" else saved
    return text.format(file=quoted(one["path"]), name=one["name"], time=moment(one["time"]), period=one["period"])


def current_in_several(rows: Sequence[Row]) -> str:
    """`period --current-until --also`."""
    return "\n".join(f"{row['mandate']}: {current(row)}" for row in rows)
