"""How answers about bookkeeping files look to people: charts of accounts, mistakes, what waits to be posted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2psync import words
from p2psync.books.master_files import STATED
from p2psync.cli.rendering import Row, checks, table
from p2psync.cli.values import moment, quoted
from p2psync.findings import sentence
from p2psync.i18n import _, language, ngettext

FINDINGS_SHOWN = 30
"""Of each file; --json has more."""
FIELD_CHARACTERS = 40
"""Of one field of a booking; --json has all."""


# -- charts --------------------------------------------------------------------------------------------


def chart(answer: Row, parts: Sequence[Callable[[Row], str]]) -> str:
    """`chart show`: what it is, then the lists that were asked for."""
    head = [f"{answer['title'] or answer['mandate']}  {_days(answer)}", answer["file"]]
    if answer["count"]:
        text = ngettext("! {n} line was not understood.", "! {n} lines were not understood.", answer["count"])
        head.append(text.format(n=answer["count"]))
    if answer["others"]:
        head.append(_("Other charts: {files}").format(files=", ".join(answer["others"])))
    if answer["saved"]:
        text = _("saved by {name}, {time}")
        head.append(text.format(name=answer["saved"]["name"], time=moment(answer["saved"]["time"])))
    if answer.get("followed"):
        head.append(_("taken over by itself from {file}").format(file=answer["followed"]))
    text = _("! {name} still uses the version of {time}.")
    behind = [one for one in answer["devices"] if one["content"] and not one["current"]]
    head += [text.format(name=one["name"], time=moment(one["saved"])) for one in behind]
    head += _deleted(answer)
    return "\n\n".join(["\n".join(head), *(part(answer) for part in parts)])


def _deleted(answer: Row) -> list[str]:
    """What accounting marked as deleted, when, and how many other devices know that; nothing in a chart of its own."""
    together: dict[tuple[str | None, int], list[str]] = {}
    for one in answer.get("deletions") or ():
        day = one["time"] and moment(one["time"], 0.0).partition(" ")[0]  # with its year, today too
        together.setdefault((day, one["confirmed"]), []).append(one["number"])
    dated = _("Deleted by accounting on {day}: {numbers}. Confirmed by {n} of {all} other devices.")
    undated = _("Deleted by accounting: {numbers}. Confirmed by {n} of {all} other devices.")
    return [
        (dated if day else undated).format(day=day, numbers=", ".join(numbers), n=n, all=len(answer["devices"]))
        for (day, n), numbers in together.items()
    ]


def accounts(answer: Row) -> str:
    rows = [
        (
            *(one["number"], _named(one), _category(one) if one["kind"] == "account" else ""),
            *(one["vat_code"] or "-", _remarks_on(one)),
        )
        for one in answer["accounts"]
    ]
    head = (_("ACCOUNT"), _("NAME"), _("CATEGORY"), _("VAT"), _("REMARKS"))
    columns = len(head) if any(row[-1] for row in rows) else len(head) - 1
    return table(head[:columns], (row[:columns] for row in rows), _("The chart has no accounts."))


def _remarks_on(one: Row) -> str:
    """What only master data of another program say of a record."""
    remarks = [text.format(value=one[field]) for field, text in words.flags().items() if one.get(field)]
    return ", ".join(remarks)


def vat_codes(answer: Row) -> str:
    return table(
        (_("VAT CODE"), _("RATE"), _("ACCOUNT"), _("WHAT FOR")),
        (
            (one["code"], _rate(one), one["account"] or "-", " ".join(one["description"].split()))
            for one in answer["vat_codes"]
        ),
        _("The chart has no VAT codes."),
    )


def centres(answer: Row) -> str:
    """Cost centres and cost objects."""
    rows = [
        (one["number"], _named(one), " ".join(filter(None, (one.get("quantity"), one.get("unit")))), _remarks_on(one))
        for one in (*answer["cost_centres"], *answer["cost_objects"])
    ]
    head = (_("COST CENTRE"), _("NAME"), _("QUANTITY"), _("REMARKS"))
    columns = len(head) if any(row[2] or row[3] for row in rows) else 2
    return table(head[:columns], (row[:columns] for row in rows), _("The chart has no cost centres."))


def terms(answer: Row) -> str:
    """Payment terms."""
    return table(
        (_("PAYMENT TERM"), _("NAME"), _("FOR"), _("NET DAYS"), _("DISCOUNTS"), _("REMARKS")),
        (
            (
                *(one["number"], _named(one) or "-", one["side"], one["net_days"] or "-"),
                *(_discounts(one) or "-", _remarks_on(one)),
            )
            for one in answer["payment_terms"]
        ),
        _("The chart has no payment terms."),
    )


def _discounts(one: Row) -> str:
    several = ((one[f"discount_{at}_days"], one[f"discount_{at}_percent"]) for at in (1, 2))
    text = _("{percent} % in {days} days")
    return ", ".join(text.format(days=days, percent=percent) for days, percent in several if days and percent)


def _days(answer: Row) -> str:
    if answer["file"].lower().endswith(STATED):
        return _("(master data of another accounting program)")
    if not answer["period"]:
        return _("(it states no accounting period)")
    return _("from {begin} to {end}").format(begin=answer["begin"], end=answer["end"])


def _named(one: Row) -> str:
    return str(one["names"].get(language()) or one["name"])


def _category(one: Row) -> str:
    return words.categories().get(one["category"] or "", one["category"] or "-")


def _rate(one: Row) -> str:
    return f"{one['rate_percent']} %" if one["rate_percent"] is not None else "-"


# -- checks --------------------------------------------------------------------------------------------


def checked(rows: Sequence[Row]) -> str:
    """`check`: each file with what is wrong in it."""
    lines = [line for row in rows for line in _checked_lines(row)]
    return "\n".join(lines) or _("There are no files of bookings and no chart of accounts in the folder.")


def _checked_lines(row: Row) -> list[str]:
    if row["message"]:
        return [_("! {file} cannot be read: {reason}").format(file=row["file"], reason=row["message"])]
    if not row["count"]:
        return [_("{file}: nothing wrong ({what})").format(file=row["file"], what=_checks(row))]
    text = ngettext("! {file}: {n} finding ({what})", "! {file}: {n} findings ({what})", row["count"])
    shown = row["findings"][:FINDINGS_SHOWN]
    lines = [text.format(file=row["file"], n=row["count"], what=_checks(row)), *(f"  {finding(one)}" for one in shown)]
    more = row["count"] - len(shown)
    if more:
        lines.append("  " + ngettext("and {n} more", "and {n} more", more).format(n=more))
    return lines


def _checks(row: Row) -> str:
    """What a file was checked for."""
    if row["file"].lower().endswith(".crp"):
        return _("whether it can be read")
    return checks(row["checks"]) or _("without a chart of accounts to compare with")


def finding(one: Row) -> str:
    """One line of what is wrong."""
    return sentence(one["code"], one["line"], one["facts"])


# -- pending -------------------------------------------------------------------------------------------


def pending(rows: Sequence[Row]) -> str:
    """`pending`: a line for each file and period, then what has no number, and why."""
    counted = table(
        (_("MANDATE"), _("FILE"), _("PERIOD"), _("NEW"), _("CHANGED"), _("REMOVED"), _("SINCE")),
        (
            (
                *(one["mandate"], one["file"], one["period"] or "-"),
                *(f"+{one['new']}", f"~{one['changed']}", f"-{one['removed']}", moment(one["since"])),
            )
            for one in rows
            if one["new"] is not None
        ),
        "",
    )
    others = list(dict.fromkeys(line for one in rows for line in _remarks(one)))
    lines = [counted, _hint(rows)] if counted else []
    return "\n".join(lines + others + _waiting(rows)) or _("Nothing waits to be posted.")


def _waiting(rows: Sequence[Row]) -> list[str]:
    """The lines of each file once, however many periods it has rows for."""
    files = {(row["mandate"], row["file"]): row for row in rows}
    return [line for row in files.values() for line in differences(row["file"], row)]


def differences(name: str, row: Row) -> list[str]:
    """The lines of bookings of one file that are new, were changed or removed, and how many there are beyond those."""
    shown = [cells for one in row.get("lines") or () for cells in _difference(one)]
    if not shown:
        return []
    head = ("", _("LINE"), _("DATE"), _("DEBIT"), _("CREDIT"), _("VOUCHER"), _("TEXT"), _("AMOUNT"), _("VAT"))
    more = row["left_out"]
    left = [ngettext("and {n} more line", "and {n} more lines", more).format(n=more)] if more else []
    return ["", f"{name}:", *(f"  {line}" for line in (*table(head, shown, "").splitlines(), *left))]


def _difference(one: Row) -> list[tuple[str, ...]]:
    """A line that was changed stands below what it was."""
    before, after = one["before"], one["after"]
    if before and after:
        return [_cells("", before), _cells("~", after)]
    return [_cells("+", after) if after else _cells("-", before)]


def _cells(sign: str, booking: Row) -> tuple[str, ...]:
    fields = ("date", "debit", "credit", "voucher", "text", "amount", "vat_code")
    return (sign, str(booking["line"]), *(_cut(booking[field]) or "-" for field in fields))


def _cut(text: str) -> str:
    return text if len(text) <= FIELD_CHARACTERS else text[: FIELD_CHARACTERS - 1] + "…"


def _hint(rows: Sequence[Row]) -> str:
    """What is to be done about what waits, here or by others."""
    mine = sorted({row["mandate"] for row in rows if row["may_post"]})
    if not mine:
        return _("Accounting posts and marks them. How far each file has come: p2psync pending --all")
    name = quoted(mine[0]) if len(mine) == 1 else _("MANDATE")
    return _("Post them in your accounting program, then mark them: p2psync posted {mandate}").format(mandate=name)


def progress(rows: Sequence[Row]) -> str:
    """`pending --all`: how far each file has come."""
    shown = {(row["mandate"], row["file"]): row for row in rows if row["file"]}
    lines = table(
        (_("MANDATE"), _("FILE"), _("SAVED"), _("BY"), _("STATE")),
        (
            (mandate, file, moment(_of(row["saved"], "time")), _of(row["saved"], "name") or "-", _state(row))
            for (mandate, file), row in shown.items()
        ),
        "",
    )
    others = list(dict.fromkeys(line for row in rows for line in _remarks(row)))
    told = [lines] * bool(lines) + others + _waiting(rows)
    return "\n".join(told) or _("There are no files of bookings in the folder.")


def _of(who: Row | None, what: str) -> str | None:
    return str(who[what]) if who is not None else None


def _state(row: Row) -> str:
    """Published, delivered or posted."""
    if row["posted"]:
        by, time = row["posted"]["name"], moment(row["posted"]["time"])
        return _("posted by {name}, {time}").format(name=by, time=time)
    if row["deliveries"]:
        told = (f"{one['name']}, {moment(one['time'])}" for one in row["deliveries"])
        return _("delivered to {names}").format(names="; ".join(told))
    return _("published") if row["content"] else _("removed")


def posted(rows: Sequence[Row]) -> str:
    """`posted`."""
    if not rows:
        return _("Nothing waits to be posted.")
    lines = [ngettext("Marked {n} file as posted:", "Marked {n} files as posted:", len(rows)).format(n=len(rows))]
    return "\n".join([*lines, *(f"  {row['file']}" for row in rows), _take_back(rows[0])])


def posted_in_several(rows: Sequence[Row]) -> str:
    """`posted --also`."""
    if not rows:
        return posted(rows)
    *lines, _last = posted([{**row, "file": f"{row['mandate']}: {row['file']}"} for row in rows]).splitlines()
    return "\n".join([*lines, _take_back(rows[0])])


def _take_back(row: Row) -> str:
    command = f"p2psync posted {quoted(row['mandate'])} {quoted(row['file'])} --undo"
    return _("To take one back: {command}").format(command=command)


def undone(rows: Sequence[Row]) -> str:
    """`posted --undo`."""
    text = _("{file} is not marked as posted any more; {name} had done it ({time}).")
    return "\n".join(text.format(file=r["file"], name=r["name"], time=moment(r["time"])) for r in rows)


def _remarks(row: Row) -> list[str]:
    return [*_trouble(row), *_unattached(row)]


def _unattached(row: Row) -> list[str]:
    if not row.get("unattached"):
        return []
    text = _("! {file} is in no program's file on this PC. To have it where your accounting program looks: {command}")
    where = quoted(f"DIR/{row['file'].rpartition('/')[2]}")
    return [text.format(file=row["file"], command=f"p2psync attach {where} --mandate {quoted(row['mandate'])}")]


def _trouble(row: Row) -> list[str]:
    if row["findings"]:
        text = ngettext("! {file}: {finding}", "! {file}: {n} findings, the first: {finding}", row["findings"])
        first = finding(row["first_finding"])
        see = _("See: {command}").format(command=f"p2psync check {quoted(row['mandate'])}")
        return [f"{text.format(file=row['file'], n=row['findings'], finding=first)} {see}"]
    if row["rewritten"]:
        text = _("! {file} has the bookings that were posted, but its program wrote them anew: were they taken back?")
        return [text.format(file=row["file"])]
    if row["new"] is not None:
        return []
    reason = finding(row["finding"]) if row["finding"] else row["message"]
    where = row["file"] or row["mandate"]
    return [_("! {file} cannot be counted: {reason}").format(file=where, reason=reason)]
