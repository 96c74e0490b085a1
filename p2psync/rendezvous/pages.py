"""What a host shows to browsers and to programs that watch it: totals only, nothing about anybody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from p2psync import __version__

HTML: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>p2psync rendezvous</title>
<h1>p2psync rendezvous</h1>
<p>This host lets the PCs of a bookkeeping mandate find each other. It passes on what they say to each other sealed, and
keeps nothing of it. {state}</p>
</html>
"""


class Figure(NamedTuple):
    """One number, or one for each of several labels."""

    name: str
    kind: str
    """counter or gauge"""
    help: str
    value: float | Mapping[str, float]
    label: str = ""


def health(figures: Iterable[Figure], well: bool) -> str:
    """JSON: whether all is well, and the gauges. What is wrong, the operator reads in the log: this page is public."""
    gauges = {f.name.removeprefix("p2psync_rendezvous_"): f.value for f in figures if f.kind == "gauge"}
    return json.dumps({"status": "ok" if well else "degraded", "version": __version__, **gauges})


def exposition(figures: Iterable[Figure]) -> str:
    """The text that Prometheus reads."""
    lines = []
    for figure in figures:
        lines += [f"# HELP {figure.name} {figure.help}", f"# TYPE {figure.name} {figure.kind}"]
        if isinstance(figure.value, Mapping):
            lines += [f'{figure.name}{{{figure.label}="{key}"}} {_number(v)}' for key, v in figure.value.items()]
        else:
            lines.append(f"{figure.name} {_number(figure.value)}")
    return "\n".join(lines) + "\n"


def html(well: bool) -> str:
    return HTML.format(state="All is well." if well else "Not all is well now.")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
