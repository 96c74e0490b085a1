"""What the page says, in the language that is set: it has no words of its own."""

from __future__ import annotations

from collections.abc import Mapping

from p2psync.api.beginning_texts import beginning_texts
from p2psync.api.names import names_in_words, places
from p2psync.api.rule_texts import rule_texts
from p2psync.api.view_texts import view_texts
from p2psync.checkup import signs
from p2psync.core.problem import NEWS, Code
from p2psync.findings import check_names, texts_of_findings
from p2psync.i18n import _, language, ngettext
from p2psync.remedies import words

Forms = tuple[str, str]
"""For one thing, and for several."""


def told() -> Mapping[str, object]:
    """All words for the page's JavaScript; `{n}` and the like stand for what it fills in."""
    return {
        "language": language(),
        "problems": {code.value: words(code)._asdict() for code in Code},
        "news": sorted(code.value for code in NEWS),
        "signs": {code: words._asdict() for code, words in signs().items()},
        "findings": texts_of_findings(),
        "texts": {
            **{**_states(), **_peers(), **_conflicts(), **_bookings(), **_monitoring(), **_others()},
            **view_texts(),
            **rule_texts(),
            **beginning_texts(),
        },
        "names": names_in_words(),
        "checks": check_names(),
        "tasks": {"kinds": _tasks(), "states": _task_states(), "triggers": _triggers()},
        "counts": _counts(),
        "events": _events(),
    }


def frame() -> Mapping[str, str]:
    """What stands in the page before its JavaScript runs."""
    return {
        "lang": language(),
        "asking": _("Asking p2psync …"),
        "lately": _("What happened lately"),
        **places(),
        "no_script": _("This page needs JavaScript. This command tells the same:"),
    }


def _states() -> Mapping[str, str]:
    return {
        "local": _("only on this PC until it is shared"),
        "is-local": _("local"),
        "action": _("needs you"),
        "receiving": _("receiving, {files} to come ({size})"),
        "sending": _("sending, {files} left"),
        "alone": _("waiting for {devices}"),
        "others-rest": _("in reach, but exchanges nothing just now: {devices}"),
        "absent": _("{device}, last seen {seen}"),
        "in-sync": _("all the same everywhere"),
        "working": _("working"),
        "paused": _("paused"),
        "paused-until": _("paused until {time}"),
        "rests-until": _("rests outside of its hours until {time}"),
        "next-exchange": _("next exchange at {time}"),
        "pause": _("Pause"),
        "resume": _("Go on"),
    }


def _peers() -> Mapping[str, str]:
    return {
        "pc": _("PC"),
        "role": _("role"),
        "connection": _("connection"),
        "connected": _("connected ({way})"),
        "off": _("not connected, last seen {time}"),
        "awaited": _("waiting for it, last seen {time}"),
        "never": _("not seen yet"),
        "other-rests": _("in reach, but exchanges nothing just now"),
        "behind": _("{files} behind"),
    }


def _conflicts() -> Mapping[str, str]:
    return {
        "conflicts": _("Changed in two places at once: which version shall stand?"),
        "stands": _("stands now: by {name}, {time}, {size}"),
        "aside": _("kept aside: by {name}, {time}, {size}"),
        "removed": _("removed"),
        "keep": _("Keep this one"),
    }


def _bookings() -> Mapping[str, str]:
    return {
        "counted": _("{period}: {new} new, {changed} changed, {removed} removed"),
        "uncounted": _("changed, and cannot be counted: {reason}"),
        "look": _("Files of bookings to look at"),
        "mark-posted": _("Mark as posted"),
        "open-folder": _("Open folder"),
        "folder-opened": _("The folder is open in the file manager of {device}."),
        "inbox": _("Arrived, and not in its program's file yet"),
        "is-waiting": _("waits for your word"),
        "is-gone": _("its program's file was removed; it can be put back"),
        "is-older": _(
            "its program's file is an older version, as out of a backup: deliver it to have the mandate's version, or "
            "save it in the program to have the older one everywhere"
        ),
        "would-change": _("{new} new, {changed} changed, {removed} removed"),
        "show-lines": _("Show the bookings"),
        "hide-lines": _("Hide the bookings"),
        "no-lines": _("Its bookings cannot be listed on this PC now."),
        **_lines(),
        "deliver": _("Deliver"),
        "deliver-anyway": _("Deliver all the same"),
        "complete-until": _("Books complete until {day}"),
        "accounting-says": _("Accounting says: {note}"),
        "frozen": _("Frozen periods: {periods}"),
        "checked-for": _("Bookings are checked for: {what}"),
        "unchecked": _("Bookings are not checked: there is no chart of accounts"),
    }


def _lines() -> Mapping[str, str]:
    """Of bookings that a delivery would bring, change or take."""
    return {
        "line": _("line"),
        "date": _("date"),
        "debit": _("debit"),
        "credit": _("credit"),
        "voucher": _("voucher"),
        "text": _("text"),
        "amount": _("amount"),
    }


def _monitoring() -> Mapping[str, str]:
    return {
        "monitoring": _("Monitoring"),
        "task": _("task"),
        "state": _("state"),
        "next": _("next attempt"),
        "host": _("Visit the meeting host {url}"),
        "host-off": _("not connected yet"),
        "full": _(", full"),
        "soon": _("within a minute"),
        "when-there": _("as soon as it is there"),
    }


def _tasks() -> Mapping[str, str]:
    return {
        "run": _("Run ({why})"),
        "receive": _("Receive {files}"),
        "send": _("Send {files} to {device}"),
        "connect": _("Reach {device}"),
        "place": _("Place {files} here"),
    }


def _task_states() -> Mapping[str, str]:
    return {
        "queued": _("queued"),
        "running": _("under way"),
        "waiting": _("waiting for {devices}"),
        "done": _("done"),
        "partial": _("partly done"),
        "failed": _("failed"),
    }


def _triggers() -> Mapping[str, str]:
    """Why there is a run."""
    return {
        "manual": _("asked for"),
        "nightly": _("nightly"),
        "monthly": _("monthly"),
        "returned": _("long absence"),
        "interval": _("interval"),
    }


def _others() -> Mapping[str, str]:
    return {
        "holds": _("{files}, {size}"),
        "problems": _("What is wrong, and what to do"),
        "news": _("What has happened"),
        "seen": _("I have seen this"),
        "whole-folder": _("the whole folder"),
        "no-mandate": _("No mandate yet."),
        "off-line": _("p2psync is not running."),
    }


def _counts() -> Mapping[str, Forms]:
    one, several = _counted(1), _counted(2)
    return {what: (text, several[what]) for what, text in one.items()}


def _counted(n: int) -> Mapping[str, str]:
    return {
        "bookings": ngettext("{n} booking to post", "{n} bookings to post", n),
        "devices": ngettext("{n} device", "{n} devices", n),
        "shared": ngettext("shared ({n} device)", "shared ({n} devices)", n),
        "newcomers": ngettext("{n} device asks to be let in:", "{n} devices ask to be let in:", n),
        "actions": ngettext("{n} thing to do", "{n} things to do", n),
        "versions": ngettext("{n} kept version", "{n} kept versions", n),
        "entries": ngettext("{n} signed entry", "{n} signed entries", n),
        "findings": ngettext("{n} finding", "{n} findings", n),
        "not-understood": ngettext("! {n} line was not understood.", "! {n} lines were not understood.", n),
        "files": ngettext("{n} file", "{n} files", n),
        "more": ngettext("and {n} more", "and {n} more", n),
        "more-lines": ngettext("and {n} more line", "and {n} more lines", n),
        "bytes": ngettext("{n} byte", "{n} bytes", n),
    }


def _events() -> Mapping[str, str]:
    """What is worth a line; of all else the page shows what has come of it."""
    return {
        "peer.joined": _("{mandate}: {device} is connected."),
        "peer.left": _("{mandate}: {device} is not connected any more."),
        "newcomer.waits": _("{mandate}: {name} asks to be let in. See: p2psync devices MANDATE"),
        "newcomer.approved": _("{mandate}: {device} was let in."),
        "newcomer.declined": _("{mandate}: {device} was not let in."),
        "entries.marked": _("{mandate}: {device} marked bookings as posted."),
        "books.current": _("{mandate}: the books are complete until {until}."),
        "books.frozen": _("{mandate}: frozen periods now: {periods}"),
        "place.refused": _("{mandate}: {path} could not be stored here."),
        "folder.failed": _("{mandate}: the folder cannot be used: {reason}"),
    }
