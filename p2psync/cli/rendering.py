"""How the daemon's answers look to people: short, in plain words, with what to do next."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from p2psync.checkup import Sign, said_of
from p2psync.cli.bounds import limit_lines, rest_text
from p2psync.cli.values import files, moment, quoted, short, short_device, size
from p2psync.core.problem import NEWS, Code, Problem
from p2psync.findings import check_names
from p2psync.i18n import _, ngettext
from p2psync.remedies import described

Row = Mapping[str, Any]
PROBLEMS_SHOWN = 20
AWAITED_SHOWN = 3


def table(head: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> str:
    """Columns side by side; `empty` where there are no rows."""
    lines = [list(row) for row in rows]
    if not lines:
        return empty
    widths = [max(_width(row[i]) for row in (head, *lines)) for i in range(len(head))]
    return "\n".join(_line(row, widths) for row in (head, *lines))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(bool(unicodedata.combining(c)) for c in text)


def problem_lines(problem: Row, mandate: str) -> list[str]:
    """A problem, and what to do about it. A newer daemon may name a kind that this command does not know."""
    with suppress(ValueError):
        one = Problem(problem.get("path") or "", Code(problem["code"]), problem.get("detail") or "")
        found = described(one, quoted(mandate), short_device(problem.get("device")))
        return [f"! {found.sentence}", f"  -> {found.remedy}"]
    return [f"! {problem.get('path')}: {problem['code']} {problem.get('detail') or ''}".rstrip()]


# -- status --------------------------------------------------------------------------------------------


def status(answer: Row) -> str:
    """`status`: this device, then a paragraph for each mandate."""
    device, mandates = answer["device"], answer["mandates"]
    lines = [_("This device: {name} ({id})").format(name=device["name"], id=short_device(device["id"]))]
    if device.get("mdns_problem"):
        found = said_of(Sign.MDNS_FAILED, {"reason": device["mdns_problem"]})
        lines += [f"! {found.sentence}", f"  -> {found.remedy}"]
    if limits := device.get("limits"):
        lines += limit_lines(limits)
    if not mandates:
        lines += ["", _("No mandate yet. Make one with: p2psync mandate create NAME --folder DIR")]
        lines += [_("Or join one with the ticket that you got: p2psync join TICKET --folder DIR")]
    lines += [_host_line(host) for host in answer.get("rendezvous", ())]
    for mandate in mandates:
        lines += ["", *_mandate_lines(mandate)]
    return "\n".join(lines)


def _host_line(host: Row) -> str:
    if host["problem"]:
        return f"! {host['problem']}"
    if not host["connected"]:
        return _("o Meeting host {url}: not connected yet").format(url=host["url"])
    if host.get("proxy"):
        return _("* Meeting host {url}: connected through {proxy}").format(url=host["url"], proxy=host["proxy"])
    if not host["relay"]:
        return _("* Meeting host {url}: connected; it does not relay").format(url=host["url"])
    return _("* Meeting host {url}: connected").format(url=host["url"])


def _mandate_lines(mandate: Row) -> list[str]:
    title = f"{mandate['name']} ({mandate['role']}): {state(mandate)}"
    lines = [title, f"  {mandate['folder']}  {files(mandate['files'])}, {size(mandate['bytes'])}"]
    if mandate["state"] == "local":
        lines.append(
            "  " + _("Nobody else has it yet. Share it with: p2psync share {name}").format(name=quoted(mandate["name"]))
        )
    lines += [f"  {line}" for line in _peer_lines(mandate["peers"])]
    lines += [f"  {line}" for refused in mandate.get("refused", ()) for line in _refusal_lines(refused)]
    lines += [f"  {line}" for line in _books_lines(mandate)]
    told = (waiting_line(mandate), findings_line(mandate), *_asked_lines(mandate))
    lines += [f"  {line}" for line in told if line]
    if mandate["conflicts"]:
        count = mandate["conflicts"]
        text = ngettext(
            "! {n} conflict to look at: p2psync conflicts {name}",
            "! {n} conflicts to look at: p2psync conflicts {name}",
            count,
        )
        lines.append("  " + text.format(n=count, name=quoted(mandate["name"])))
    problems = mandate.get("problem_list") or []
    lines += [f"  {line}" for problem in problems[:PROBLEMS_SHOWN] for line in problem_lines(problem, mandate["name"])]
    if any(problem["code"] in NEWS for problem in problems):
        command = f"p2psync seen {quoted(mandate['name'])}"
        lines += ["  " + _("Tick off what happened, when you have looked at it: {command}").format(command=command)]
    more = mandate["problems"] - min(len(problems), PROBLEMS_SHOWN)
    if more > 0:
        text = ngettext("and {n} problem more; all of them: --json", "and {n} problems more; all of them: --json", more)
        lines.append("  " + text.format(n=more))
    return lines


def _books_lines(mandate: Row) -> list[str]:
    until, frozen = mandate.get("current_until"), mandate.get("frozen") or []
    lines = [_("Books complete until {day}").format(day=until)] if until else []
    lines += [_("Accounting says: {note}").format(note=mandate["current_note"])] if mandate.get("current_note") else []
    lines += [_("Frozen periods: {periods}").format(periods=", ".join(frozen))] if frozen else []
    if mandate.get("checks") is None:
        return lines
    what = checks(mandate["checks"])
    told = _("Bookings are checked for: {what}").format(what=what)
    return [*lines, told if what else _("Bookings are not checked: there is no chart of accounts")]


def waiting_line(mandate: Row) -> str:
    """What waits to be posted, and where to see it; "" for nothing."""
    lines, several = mandate["pending"], mandate.get("pending_files", 0)
    command = f"p2psync pending {quoted(mandate['name'])}"
    if lines and mandate["role"] != "accounting":
        text = ngettext(
            "* {n} booking waits for accounting: {command}", "* {n} bookings wait for accounting: {command}", lines
        )
        return text.format(n=lines, command=f"{command} --all")
    if lines:
        text = ngettext("* {n} booking to post: {command}", "* {n} bookings to post: {command}", lines)
        return text.format(n=lines, command=command)
    if several:
        text = ngettext("* {n} file to look at: {command}", "* {n} files to look at: {command}", several)
        return text.format(n=several, command=command)
    return ""


def findings_line(mandate: Row) -> str:
    """That something is wrong in bookings that wait; "" for nothing."""
    count = mandate.get("findings", 0)
    if not count:
        return ""
    text = ngettext(
        "! {n} thing is wrong in bookings that wait: {command}",
        "! {n} things are wrong in bookings that wait: {command}",
        count,
    )
    return text.format(n=count, command=f"p2psync check {quoted(mandate['name'])}")


def _asked_lines(mandate: Row) -> list[str]:
    """Who waits to be let in, what waits to be delivered, and the chart of accounts that is missing."""
    name = quoted(mandate["name"])
    counts = {one["what"]: one["count"] for one in mandate.get("actions") or []}
    newcomers, inbox = counts.get("newcomers", 0), counts.get("inbox", 0)
    asks = ngettext(
        "* {n} device asks to be let in: p2psync devices {name}",
        "* {n} devices ask to be let in: p2psync devices {name}",
        newcomers,
    )
    waits = ngettext(
        "* {n} file arrived and waits to be delivered: p2psync inbox {name}",
        "* {n} files arrived and wait to be delivered: p2psync inbox {name}",
        inbox,
    )
    lacks = _("* There is no chart of accounts (.crp) yet: p2psync attach FILE --mandate {name}")
    told = ((asks, newcomers), (waits, inbox), (lacks, counts.get("chart", 0)))
    return [text.format(n=n, name=name) for text, n in told if n]


def state(mandate: Row) -> str:
    """One mandate's state in a few words."""
    receiving = mandate["to_receive"]
    connected = [peer for peer in mandate["peers"] if peer["connected"]]
    sending = max((peer["behind_files"] or 0 for peer in connected), default=0)
    if mandate["state"] == "local":
        return _("only on this PC")
    if mandate["health"] == "action":
        return _("needs you")
    if mandate.get("rests"):
        return rest_text(mandate["rests"])
    resting = [peer["name"] for peer in mandate["peers"] if peer.get("resting")]
    if resting and not connected:
        return _("in reach, but exchanges nothing just now: {devices}").format(devices=", ".join(resting))
    if mandate["peers"] and not connected:
        return _("waiting for {devices}").format(devices=awaited(mandate["peers"]))
    if receiving["files"]:
        return _("receiving, {files} to come ({size})").format(
            files=files(receiving["files"]), size=size(receiving["bytes"])
        )
    if sending:
        return _("sending, {files} left").format(files=files(sending))
    return _("in sync") if mandate["in_sync"] else _("working")


def awaited(devices: Sequence[Row]) -> str:
    """Those that are not there, and since when, as far as is known; of many only how many."""
    if len(devices) > AWAITED_SHOWN:
        return ngettext("{n} device", "{n} devices", len(devices)).format(n=len(devices))
    return "; ".join(
        _("{device}, last seen {seen}").format(device=one["name"], seen=moment(one["last_seen"]))
        if one["last_seen"]
        else one["name"]
        for one in devices
    )


def _refusal_lines(refused: Row) -> list[str]:
    text = _("  -> Compare the clocks: this PC's says {time} (UTC), and more than a day's difference is too much.")
    return [f"! {refused['reason']}", text.format(time=refused["clock"][:16].replace("T", " "))]


def _peer_lines(peers: Sequence[Row]) -> list[str]:
    return [line for peer in peers for line in (_peer_line(peer), *reason_lines(peer))]


def reason_lines(peer: Row) -> list[str]:
    """Why it is not reached in a better way."""
    lines = []
    for better in peer.get("not_better", ()):
        text = _("  not by {way}: {reason}")
        lines.append(text.format(way=way_name(better["way"]), reason=better["reason"]))
    return lines


def way_name(way: str) -> str:
    """How two devices are connected, in words."""
    ways = {
        "lan": _("local network"),
        "direct": _("direct"),
        "punched": _("a hole in the routers"),
        "webrtc": _("WebRTC"),
        "relay": _("relay"),
    }
    return ways.get(way, way)


def _peer_line(peer: Row) -> str:
    about = [peer.get("person"), peer["role"], short_device(peer["device"])]
    who = f"{peer['name']} ({', '.join(one for one in about if one)})"
    behind = peer.get("behind_files") or 0
    lacks = ", " + _("{files} behind").format(files=files(behind)) if behind else ""
    if peer["connected"]:
        return _("* {who}: connected ({way})").format(who=who, way=way_name(peer["path"])) + lacks
    if peer.get("resting"):
        return _("o {who}: in reach, but exchanges nothing just now").format(who=who) + lacks
    if not peer["last_seen"]:  # what it has from others is not known here
        return _("o {who}: not seen yet").format(who=who)
    text = _("o {who}: waiting for it, last seen {seen}") if behind else _("o {who}: not connected, last seen {seen}")
    return text.format(who=who, seen=moment(peer["last_seen"])) + lacks


# -- mandates ------------------------------------------------------------------------------------------


def mandates(rows: Sequence[Row]) -> str:
    """`mandate list`."""
    return table(
        (_("NAME"), _("STATE"), _("ROLE"), _("FOLDER"), _("ID")),
        ((m["name"], shown_state(m), m["role"] or "-", m["folder"] or "-", short(m["id"])) for m in rows),
        _("No mandate yet. Make one with: p2psync mandate create NAME --folder DIR"),
    )


def mandate(row: Row) -> str:
    """`mandate show`."""
    lines = [
        _("Mandate   {name} ({id})").format(name=row["name"], id=row["id"]),
        _("State     {state}").format(state=shown_state(row)),
        _("Role      {role}").format(role=row["role"]),
        _("Folder    {folder}").format(folder=row["folder"]),
    ]
    if "files" in row:
        lines.append(_("Holds     {files}, {size}").format(files=files(row["files"]), size=size(row["bytes"])))
    if "checks" in row:
        none = _("none: there is no chart of accounts")
        lines.append(_("Checks    {what}").format(what=checks(row["checks"]) or none))
    return "\n".join(lines)


def checks(names: Sequence[str]) -> str:
    """What bookings are checked for; "" for nothing."""
    texts = check_names()
    return ", ".join(texts.get(one, one) for one in names)


def shown_state(row: Row) -> str:
    """Of a mandate; of a shared one, with how many."""
    if row["state"] == "shared" and row.get("members"):
        count = row["members"]
        return ngettext("shared ({n} device)", "shared ({n} devices)", count).format(n=count)
    return {"local": _("local"), "shared": _("shared")}.get(row["state"]) or str(row["state"])


def overview(answer: Row) -> str:
    """`overview`: a line for each mandate."""
    return table(
        (_("MANDATE"), _("STATE"), _("PENDING"), _("CONFLICTS"), _("PROBLEMS"), _("LAST SYNC"), _("YOUR ACTION")),
        (
            (
                *(m["name"], state(m), str(m["pending"]), str(m["conflicts"]), str(m["problems"])),
                *(moment(m["last_sync"]), _action(m)),
            )
            for m in answer["mandates"]
        ),
        _("No mandate yet. Make one with: p2psync mandate create NAME --folder DIR"),
    )


def _action(mandate: Row) -> str:
    """The most urgent thing that is asked of the person, how to do it, and how many more there are."""
    asked = mandate.get("actions") or []
    if not asked:
        return "-"
    name = quoted(mandate["name"])
    commands = {
        "update": _("update p2psync"),
        "conflicts": f"p2psync conflicts {name}",
        "problems": f"p2psync status {name}",
        "newcomers": f"p2psync devices {name}",
        "inbox": f"p2psync inbox {name}",
        "chart": f"p2psync attach FILE --mandate {name}",
        "post": f"p2psync pending {name}",
    }
    first, more = asked[0], len(asked) - 1
    told = f"{commands.get(first['what'], first['what'])} ({first['count']})"
    return _("{action}, and {n} more").format(action=told, n=more) if more else told


# -- members -------------------------------------------------------------------------------------------


def devices(rows: Sequence[Row]) -> str:
    """`devices`."""
    return table(
        (_("NAME"), _("ROLE"), _("STATE"), _("LAST SEEN"), _("LET IN BY"), _("FINGERPRINT"), _("DEVICE")),
        (
            (
                *(_called(d), role_of(d), _membership(d), _seen(d)),
                *(_let_in(d), d.get("fingerprint") or "-", short_device(d["device"])),
            )
            for d in rows
        ),
        _("No devices."),
    )


def _called(device: Row) -> str:
    """A device's name, and who works there."""
    return f"{device['name']} ({device['person']})" if device.get("person") else str(device["name"])


def role_of(device: Row) -> str:
    extra = [_("admin")] if device["admin"] else []
    extra += [_("primary")] if device.get("primary") else []
    return ", ".join([device["role"] or "-", *extra])


def _membership(device: Row) -> str:
    if device.get("this_device"):
        return _("this device")
    if device["state"] == "waiting":
        return _("waits for approval")
    texts = {"member": _("member"), "revoked": _("revoked"), "left": _("has left")}
    return texts.get(device["state"]) or str(device["state"])


def _let_in(device: Row) -> str:
    admitted = device.get("admitted")
    return f"{admitted['name']}, {moment(admitted['time'])}" if admitted else "-"


def _seen(device: Row) -> str:
    if device.get("this_device"):
        return _("now")
    return _("connected") if device.get("path") else moment(device["last_seen"])


def invites(rows: Sequence[Row]) -> str:
    """`invites`."""
    return table(
        (_("ID"), _("ROLE"), _("EXPIRES"), _("USES LEFT"), _("CODE")),
        (
            (
                i["id"],
                role_of({"admin": False, **i}),
                moment(i["expires"]),
                str(i["uses_left"]),
                _spoken(i.get("number")),
            )
            for i in rows
        ),
        _("No open invitation. Make one with: p2psync invite MANDATE --role ROLE"),
    )


def _spoken(number: int | None) -> str:
    """Of a code no more than its number: the words are said once."""
    return "-" if number is None else f"{number}-..."


def recovery_saved(answer: Row) -> str:
    """`mandate recovery`."""
    text = _(
        "The recovery key of {mandate} is in {file}. Whoever has that file can make himself an admin: keep it offline. "
        "This PC has forgotten the key."
    )
    return text.format(mandate=answer["mandate"], file=answer["file"])


def addresses(rows: Sequence[Row]) -> str:
    """`peer list`."""
    return "\n".join(r["address"] for r in rows) or _(
        "No address was given. The other PCs are found by themselves in the local network."
    )
