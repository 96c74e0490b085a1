"""How answers about programs' own files look to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from p2psync import words
from p2psync.cli.bookkeeping import differences
from p2psync.cli.rendering import table
from p2psync.cli.values import moment, quoted, size
from p2psync.i18n import _, ngettext

Row = Mapping[str, Any]


def linked(answer: Row) -> str:
    """`attach FILE`."""
    lines = [_("Attached: {file}, {how}").format(file=one["file"], how=how(one["mode"])) for one in answer["attached"]]
    lines += [_("Not attached: {reason}").format(reason=one["reason"]) for one in answer["refused"]]
    text = _("! {mandate} has a chart of accounts with the same title and period as {file}: is it the same company?")
    lines += [text.format(**one) for one in answer["twins"]]
    if answer["proposed"]:
        lines += ["", _("The index beside it names these, too. To attach them, add --siblings:")]
        lines += [f"  {file}" for file in answer["proposed"]]
    if answer["missing"]:
        lines += ["", _("The index beside it names these, too. They are neither here nor in the mandate yet:")]
        lines += [f"  {file}" for file in answer["missing"]]
        lines += [_("Attach them on the PCs whose programs write them.")]
    return "\n".join(lines)


def how(mode: str) -> str:
    """What becomes of a version that arrives."""
    texts = {
        "auto": _("what arrives is delivered"),
        "checked": _("what arrives is delivered once nothing is wrong in it"),
        "ask": _("what arrives waits for your word"),
    }
    return texts.get(mode, mode)


def attached(rows: Sequence[Row]) -> str:
    """`attach` without a file."""
    shown = table(
        (_("MANDATE"), _("FILE"), _("STATE"), _("PUBLISHED"), _("DELIVERED")),
        ((r["mandate"], r["file"], state(r["state"]), moment(r["published"]), moment(r["delivered"])) for r in rows),
        _("No file is attached. See: p2psync attach --help"),
    )
    alone = sorted({r["mandate"] for r in rows if not r["follows"]})
    return "\n".join([shown, *_reasons(rows), *(follows({"mandate": one, "follows": False}) for one in alone)])


def follows(answer: Row) -> str:
    """`attach --no-follow`, and what `attach` says of it later."""
    if answer["follows"]:
        return _("Files of a new period join {mandate} by themselves.").format(mandate=answer["mandate"])
    command = f"p2psync attach --mandate {quoted(answer['mandate'])} --follow"
    text = _("Files of a new period do not join {mandate} by themselves here. To let them: {command}")
    return text.format(mandate=answer["mandate"], command=command)


def inbox(rows: Sequence[Row]) -> str:
    """`inbox`."""
    if not rows:
        return _("Nothing waits: all that arrived for attached files is in them.")
    shown = table(
        (_("MANDATE"), _("FILE"), _("SAVED"), _("BY"), _("BOOKINGS"), _("SIZE"), _("STATE")),
        (
            (
                *(r["mandate"], r["path"], moment(r["received"]), r["from"] or "-"),
                *(_bookings(r), size(r["size"]), state(r["state"])),
            )
            for r in rows
        ),
        "",
    )
    command = f"p2psync deliver {quoted(rows[0]['mandate'])}"
    lines = [line for row in rows for line in differences(row["path"], row)]
    return "\n".join([shown, *_reasons(rows), *lines, "", _("To deliver: {command}").format(command=command)])


def _bookings(row: Row) -> str:
    """How many would come, change and go."""
    return "-" if row["new"] is None else f"+{row['new']} ~{row['changed']} -{row['removed']}"


def delivered(rows: Sequence[Row]) -> str:
    """`deliver`."""
    if not rows:
        return _("No file is attached. See: p2psync attach --help")
    texts = {
        "delivered": _("delivered: {file}"),
        "current": _("has it already: {file}"),
        "held": _("not delivered: {file}: {reason}"),
    }
    lines = [texts[row["result"]].format(file=row["file"], reason=row["reason"]) for row in rows]
    count = sum(row["result"] == "delivered" for row in rows)
    return "\n".join([*lines, ngettext("{n} file delivered.", "{n} files delivered.", count).format(n=count)])


def detached(answer: Row) -> str:
    """`detach`."""
    return _("Detached: {file}. It stays as it is.").format(file=answer["file"])


def migrated(answer: Row) -> str:
    """`migrate`."""
    return _("{path} belongs to {device} now.").format(path=answer["path"], device=answer["name"])


def state(word: str) -> str:
    """How an attached file stands."""
    return words.standings().get(word, word)


def _reasons(rows: Sequence[Row]) -> list[str]:
    return [f"  {row['path']}: {row['reason']}" for row in rows if row["reason"]]
