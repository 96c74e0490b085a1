"""What goes on, and what is tried again by itself and when: `status --tasks`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from p2psync.cli.rendering import table
from p2psync.cli.reports import why
from p2psync.cli.values import files, moment
from p2psync.i18n import _

Row = Mapping[str, Any]
SOON_S = 60.0
"""What is tried so soon again needs no time of day."""


def tasks(answer: Row, now_s: float | None = None) -> str:
    """The meeting hosts that are not reached, then a paragraph for each mandate."""
    now = time.time() if now_s is None else now_s
    head = (_("TASK"), _("STATE"), _("NEXT ATTEMPT"))
    absent = [host for host in answer["rendezvous"] if not host["connected"]]
    hosts = [table(head, (_host(host, now) for host in absent), "")] if absent else []
    parts = ["\n".join([*hosts, *(f"! {host['problem']}" for host in absent if host["problem"])])] if absent else []
    for mandate in answer["mandates"]:
        rows = [(_what(task), _state(task), _next(task, now)) for task in mandate["tasks"]]
        parts.append(f"{mandate['name']}\n{table(head, rows, _('Nothing goes on, and nothing is planned.'))}")
    return "\n\n".join(parts) or _("No mandate yet. Make one with: p2psync mandate create NAME --folder DIR")


def _host(host: Row, now_s: float) -> tuple[str, str, str]:
    what = _("Visit the meeting host {url}").format(url=host["url"])
    return what, _("failed") if host["problem"] else _("not connected yet"), _when(host["next_attempt"], now_s)


def _what(task: Row) -> str:
    texts = {
        "run": _("Run ({why})"),
        "receive": _("Receive {files}"),
        "send": _("Send {files} to {device}"),
        "connect": _("Reach {device}"),
        "place": _("Place {files} here"),
    }
    facts = {"why": why(task), "files": files(task["files"] or 0), "device": task["device"]}
    return str(texts.get(task["task"], task["task"])).format(**facts)


def _state(task: Row) -> str:
    texts = {
        "queued": _("queued"),
        "running": _("under way"),
        "waiting": _("waiting for {devices}").format(devices=", ".join(task["waiting_for"])),
        "done": _("done"),
        "partial": _("partly done"),
        "failed": _("failed"),
    }
    parts = [str(texts.get(task["state"], task["state"])), *([moment(task["time"])] if task["time"] else [])]
    return ", ".join(parts) + (f": {task['message']}" if task["message"] else "")


def _next(task: Row, now_s: float) -> str:
    if task["state"] == "waiting" and task["next_attempt"] is None:
        return _("as soon as it is there")
    return _when(task["next_attempt"], now_s)


def _when(text: str | None, now_s: float) -> str:
    """At which time, or that it is soon."""
    soon = text is not None and datetime.fromisoformat(text).timestamp() - now_s <= SOON_S
    return _("within a minute") if soon else moment(text, now_s)
