"""What keeps p2psync back: how much of the line and of a processor it may take, and why a mandate rests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from p2psync.cli.values import moment, size
from p2psync.i18n import _

Row = Mapping[str, Any]


def limit_lines(limits: Row) -> list[str]:
    """Nothing where p2psync may take all."""
    lines = []
    if limits["up"] is not None or limits["down"] is not None:
        text = _("To and from places outside of this network: up {up}, down {down}")
        lines.append(text.format(up=_rate(limits["up"]), down=_rate(limits["down"])))
    if share := limits.get("cpu"):
        lines.append(_("Reading everything: at most {share} of one processor").format(share=f"{share}%"))
    return lines


def _rate(bytes_per_s: int | None) -> str:
    return _("{size} per second").format(size=size(bytes_per_s)) if bytes_per_s else _("no limit")


def rest_text(rest: Row) -> str:
    """Why nothing is exchanged, and until when."""
    if rest["until"] is None:
        return _("paused until p2psync resume")
    texts = {"person": _("paused until {time}"), "interval": _("next exchange at {time}")}
    text = texts.get(rest["why"], _("rests outside of its hours until {time}"))
    return text.format(time=moment(rest["until"]))


def exchange_text(mandate: Row) -> str:
    """When a mandate is exchanged."""
    if mandate.get("interval", "off") == "off":
        return _("on each change")
    next_text = _("next at {time}").format(time=moment(mandate["exchange"])) if mandate["exchange"] else _("now")
    return _("every {interval}, {next}").format(interval=mandate["interval"], next=next_text)
