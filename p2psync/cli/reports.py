"""How answers about files look to people: runs, conflicts, versions, the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from p2psync import words
from p2psync.cli.bounds import exchange_text, limit_lines, rest_text
from p2psync.cli.rendering import awaited, problem_lines, table
from p2psync.cli.values import files, moment, quoted, short, short_device, size
from p2psync.i18n import _, ngettext

Row = Mapping[str, Any]
ITEMS_SHOWN = 30
MANUAL = "manual"
"""The rule under which a person decides which version stands."""


# -- runs ----------------------------------------------------------------------------------------------


def run(answer: Row) -> str:
    """`sync`: how a run ended, and what it moved."""
    items = _items(answer["items"], ITEMS_SHOWN)
    return "\n".join([_ending(answer), *_reasons(answer), *([_("Since the run before:"), *items] if items else [])])


def waited(answer: Row) -> str:
    """`wait`."""
    return "\n".join([_ending(answer), *_reasons(answer)])


def history(rows: Sequence[Row]) -> str:
    """`history`, newest first."""
    return table(
        (_("RUN"), _("MANDATE"), _("STARTED"), _("WHY"), _("RESULT"), _("FILES")),
        (
            (r["id"], r["mandate"], moment(r["started"]), why(r), result(r["result"]), str(len(r["items"])))
            for r in rows
        ),
        _("No runs yet. Files are exchanged all the time; a run is what p2psync sync does."),
    )


def failed(rows: Sequence[Row]) -> str:
    """`history --failed`."""
    return history(rows) if rows else _("No run failed, or was done in part only.")


def why(row: Row) -> str:
    """Who or what started a run, and whether it read every file again."""
    texts = {
        "manual": _("asked for"),
        "nightly": _("nightly"),
        "monthly": _("monthly"),
        "returned": _("long absence"),
        "interval": _("interval"),
    }
    trigger = str(row.get("trigger", "manual"))
    return texts.get(trigger, trigger) + (_(", full") if row.get("full") else "")


def past_run(rows: Sequence[Row]) -> str:
    """`history --run`."""
    return "\n\n".join("\n".join([f"{r['id']}  {r['mandate']}  {moment(r['started'])}", run(r)]) for r in rows)


def planned(answer: Row) -> str:
    """`sync --dry-run`."""
    items = _items(answer["items"], ITEMS_SHOWN)
    lines = [_("Nothing was done. A run would move:"), *items] if items else [_("There is nothing to exchange.")]
    if answer.get("reads"):
        lines.append(_reading(_("A full run would read {files} ({size}) of this PC again. {when}"), answer))
    return "\n".join(lines)


def announced(answer: Row) -> str:
    """`sync --full`, before it begins; `answer` is its plan."""
    return _reading(_("This reads {files} ({size}) of this PC again; it may be ended at any time. {when}"), answer)


def _reading(text: str, answer: Row) -> str:
    reads = answer["reads"]
    return text.format(files=files(reads["files"]), size=size(reads["bytes"]), when=full_when())


def cancelled(rows: Sequence[Row]) -> str:
    """`sync --cancel`."""
    if not rows:
        return _("No run is under way.")
    text = _("Cancelled in {mandate}. A full run goes on where it was, the next time.")
    return "\n".join(text.format(mandate=row["mandate"]) for row in rows)


def full_when() -> str:
    """When a full run is needed."""
    return _(
        "It is needed after a backup was restored, when a disk is in doubt, or for a difference that nobody can "
        "explain; every month there is one by itself."
    )


def result(word: str) -> str:
    """How a run ended."""
    return words.results().get(word, word)


def _ending(answer: Row) -> str:
    texts = {
        "nothing-new": _nothing_new(answer),
        "success": _("Done: all connected devices have the same files."),
        "partial": _("Partly done: some files could not be placed."),
        "failed": _not_done(answer),
        "running": _("Under way."),
    }
    return texts.get(answer["result"]) or str(answer["result"])


def _nothing_new(answer: Row) -> str:
    """With whom it was compared, and when, where that is known."""
    devices, ended = ", ".join(answer.get("confirmed") or ()), answer.get("ended")
    if not devices or not ended:
        return _("Nothing new: all is in sync.")
    text = _("Nothing new: all is in sync (checked {time} with {devices}).")
    return text.format(time=moment(ended), devices=devices)


def _not_done(answer: Row) -> str:
    waiting = answer.get("waiting_for") or []
    if waiting:
        text = _("Not done: waiting for {devices}. See whether it is on: p2psync status")
        seen = answer.get("last_seen") or {}
        devices = awaited([{"name": name, "last_seen": seen.get(name)} for name in waiting])
        return "\n".join([text.format(devices=devices), *_searched(answer)])
    return _("Not done: {reason}").format(reason=answer["message"]) if answer.get("message") else _("Not done.")


def _searched(answer: Row) -> list[str]:
    """Where nobody was found."""
    searched = answer.get("searched")
    if not searched:
        return []
    hosts = searched["hosts"]
    places = [_("known addresses"), *([_("the local network")] if searched["local_network"] else [])]
    places += [host["url"] for host in hosts if host["connected"]]
    lines = [_("Looked for it at: {places}").format(places=", ".join(places))]
    if not searched["local_network"]:
        lines.append(_("The local network was not searched: mDNS is off, or does not work there."))
    missed = _("The meeting host {url} is out of reach.")
    return lines + [missed.format(url=host["url"]) for host in hosts if not host["connected"]]


def _reasons(answer: Row) -> list[str]:
    lines = []
    absent = answer.get("absent") or []
    if absent:
        lines.append(_("Not connected, gets it later: {devices}").format(devices=", ".join(absent)))
    for problem in answer.get("problems") or []:
        where = [_("On {device}:").format(device=problem["device"])] if problem.get("device") else []
        lines += [*where, *problem_lines(problem, problem.get("mandate") or answer.get("mandate") or "")]
    if answer.get("message") and answer["result"] != "failed":
        lines.append(answer["message"])
    return lines + [_missing(step) for step in answer.get("missing") or ()]


def _missing(step: Row) -> str:
    """A step that was not taken yet, without which little can be exchanged."""
    texts = {
        "share": _("{mandate} is only on this PC: share it with: p2psync share {typed}"),
        "members": _("{mandate} has no other device yet: invite one with: p2psync invite {typed} --role ROLE"),
        "accounting": _(
            "In {mandate} no device does the accounting. An admin gives the role with: "
            "p2psync devices {typed} --role DEVICE=accounting"
        ),
    }
    text = texts.get(step["what"]) or str(step["what"])
    return text.format(mandate=step["mandate"], typed=quoted(step["mandate"]))


def _items(items: Sequence[Row], limit: int) -> list[str]:
    lines = [f"  {_mark(item)} {item['path']}{_remark(item)}" for item in items[:limit]]
    if len(items) > limit:
        lines.append("  " + _("and {files} more").format(files=files(len(items) - limit)))
    return lines


def _mark(item: Row) -> str:
    return "->" if item["direction"] == "sent" else "<-"


def _remark(item: Row) -> str:
    """How big it is, with whom it was exchanged, and what is wrong."""
    remarks = [_("removed")] if item["kind"] == "absent" else []
    remarks += [size(item["size"])] if item.get("size") is not None else []
    devices = ", ".join(item.get("devices") or ())
    way = _("to {devices}") if item["direction"] == "sent" else _("from {devices}")
    remarks += [way.format(devices=devices)] if devices else []
    remarks += {"waiting": [_("still to be moved")], "problem": [_("see above")]}.get(item.get("state", ""), [])
    return f"  ({', '.join(remarks)})" if remarks else ""


# -- conflicts -----------------------------------------------------------------------------------------


def conflicts(rows: Sequence[Row]) -> str:
    """`conflicts`: each path with the version that stands and those that were kept aside."""
    if not rows:
        return _("No open conflicts.")
    lines = [ngettext("{n} open conflict:", "{n} open conflicts:", len(rows)).format(n=len(rows))]
    for row in rows:
        lines += ["", f"{row['mandate']}  {row['path']}", *_choices(row)]
    first = rows[0]
    keep = f"p2psync conflicts {quoted(first['mandate'])} {quoted(first['path'])} --keep"
    stands, aside = (f"{keep} {short(one['id'])}" for one in (first["winner"], first["losers"][0]))
    lines += ["", _("All versions are safe.")]
    if first["rule"] == MANUAL:
        lines.append(_("No PC replaces its own until a person chooses: {command}").format(command=stands))
    else:
        lines.append(_("If what stands is right, close the conflict: {command}").format(command=stands))
        lines.append(_("If the other one is right, let it stand everywhere: {command}").format(command=aside))
    return "\n".join(lines)


def _choices(row: Row) -> list[str]:
    """The versions of a path; where a person decides, none stands before the others."""
    if row["rule"] == MANUAL:
        return [f"  {_version(one)}" for one in (row["winner"], *row["losers"])]
    stands = _("stands:     {version}").format(version=_version(row["winner"]))
    aside = [_("kept aside: {version}").format(version=_version(loser)) for loser in row["losers"]]
    return [f"  {line}" for line in (stands, *aside)]


def _version(one: Row) -> str:
    what = size(one["size"]) if one["content"] else _("removed")
    by = one.get("name") or short_device(one["device"])
    return _("{id}  by {device}, {time}, {what}").format(
        id=short(one["id"]), device=by, time=moment(one["time"]), what=what
    )


def kept(answer: Row) -> str:
    """`conflicts --keep`."""
    return _("{path}: version {id} stands now, on all devices.").format(path=answer["path"], id=short(answer["kept"]))


def seen(answer: Row) -> str:
    """`seen`."""
    count = answer["seen"]
    if not count:
        return _("There was nothing to tick off.")
    return ngettext(
        "Ticked off {n} thing that had happened.", "Ticked off {n} things that had happened.", count
    ).format(n=count)


# -- versions ------------------------------------------------------------------------------------------


def versions(rows: Sequence[Row]) -> str:
    """`versions`, newest first."""
    return table(
        (_("ID"), _("SAVED"), _("BY"), _("SIZE"), _("WHY IT IS KEPT")),
        ((short(r["id"]), moment(r["time"]), r.get("name") or "-", size(r["size"]), reason(r["reason"])) for r in rows),
        _("No versions of this file are kept. Give its path inside the mandate's folder."),
    )


def reason(word: str) -> str:
    """Why a version is kept."""
    return words.reasons().get(word, word)


def restored(answer: Row) -> str:
    """`restore`."""
    if not answer["changed"]:
        return _("{path} holds that version already.").format(path=answer["path"])
    return _("Restored {path} (saved {time}) into {to}.").format(
        path=answer["path"], time=moment(answer["time"]), to=answer["to"]
    )


# -- the log -------------------------------------------------------------------------------------------


def log(rows: Sequence[Row]) -> str:
    """`log`: who changed what, when."""
    return table(
        (_("TIME"), _("DEVICE"), _("NO."), _("WHAT"), _("FILE")),
        (
            (
                moment(r["time"]),
                r.get("name") or short_device(r["device"]),
                str(r["seq"]),
                _what(r),
                r["path"] or r.get("about") or "",
            )
            for r in rows
        ),
        _("Nothing was written into the log yet."),
    )


def _what(row: Row) -> str:
    what = words.kinds().get(row["kind"]) or str(row["kind"])
    return what if row.get("accepted", True) else _("{what} (refused)").format(what=what)


def schedule(answer: Row) -> str:
    """`schedule`."""
    lines = [
        _("Looking for changes: {plan}").format(plan=answer["incremental"]),
        _("Reading every file again: {plan}").format(plan=answer["full"]),
        _("Hours of activity: {hours}").format(hours=answer["active"]),
    ]
    kinds = {"incremental": _("for changes"), "full": _("all files")}
    rows = [(m["mandate"], exchange_text(m), m["full"], m["next"]) for m in answer["mandates"]]
    shown = (
        (name, exchange, full, f"{moment(due['at'])}, {kinds.get(due['kind'], due['kind'])}" if due else "-")
        for name, exchange, full, due in rows
    )
    titles = (_("MANDATE"), _("EXCHANGE"), _("FULL RUN"), _("NEXT RUN"))
    return "\n".join([*lines, table(titles, shown, "")]).rstrip()


def resting(rows: Sequence[Row]) -> str:
    """`pause` and `resume`: each mandate with whether it rests."""
    return "\n".join(f"{row['mandate']}: {rest_text(row) if row['why'] else _('goes on')}" for row in rows)


def limits(answer: Row) -> str:
    """`limit`."""
    return "\n".join(limit_lines(answer)) or _("There is no limit.")


def verified(answer: Row) -> str:
    """`log --verify`."""
    if answer["ok"]:
        entries = ngettext("{n} signed entry", "{n} signed entries", answer["blocks"]).format(n=answer["blocks"])
        devices = ngettext("{n} device", "{n} devices", answer["devices"]).format(n=answer["devices"])
        text = _("The log is whole: {entries} by {devices}, every signature and link verified.")
        return text.format(entries=entries, devices=devices)
    bad = answer["first_bad"]
    return _("The log is not whole. First bad entry: no. {seq} by {device}: {reason}").format(
        seq=bad["seq"], device=bad.get("name") or short_device(bad["device"]), reason=bad["reason"]
    )
