"""The table as a picture: a row for each case, a dot for each tool at its median, a bar from its best to its worst.

It needs matplotlib, which the project's extra `bench` installs.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.report import Document, Row

COLOURS = ("#0b6e4f", "#d1495b", "#edae49", "#30638e", "#7a7a7a", "#8d6a9f", "#b08968")
MARKS = "osD^xPv"
BAND = "#f3f3f3"
ROW_HEIGHT_INCHES = 0.5
ROW_SHARE = 0.8
"""How much of its row the tools of a case take, one above the other."""
WIDTH_INCHES = 9.0
DOTS_PER_INCH = 150
FORMATS = ("png", "svg")


def why_not() -> str | None:
    """Why no picture can be drawn; None if one can."""
    if importlib.util.find_spec("matplotlib") is None:
        return "needs matplotlib (pip install 'p2psync[bench]')"
    return None


def draw(result: Document, directory: Path) -> list[Path]:
    """Write speed.png and speed.svg of what was timed, and return where. Raises ValueError if nothing was."""
    rows = [row for row in result["rows"] if row["seconds"]]
    if not rows:
        raise ValueError("nothing was timed")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys(row["case"] for row in rows))
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    figure = Figure(figsize=(WIDTH_INCHES, 1.2 + ROW_HEIGHT_INCHES * len(cases)), layout="constrained")
    axes = figure.add_subplot()
    for number, tool in enumerate(tools):
        aside = ROW_SHARE * (number - (len(tools) - 1) / 2) / len(tools)
        own = [row for row in rows if row["tool"] == tool]
        _dots(axes, own, [cases.index(row["case"]) + aside for row in own], number)
    _label(axes, [next(row for row in rows if row["case"] == case) for case in cases])
    figure.legend(loc="outside upper center", ncols=len(tools), frameon=False)
    with mpl.rc_context({"svg.hashsalt": "p2psync", "svg.fonttype": "none"}):
        paths = [directory / f"speed.{kind}" for kind in FORMATS]
        for path in paths:
            figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _dots(axes: Axes, rows: list[Row], heights: list[float], number: int) -> None:
    """One tool, in every case that it was in; bars go from its best to its worst."""
    medians = [row["seconds"]["median"] for row in rows]
    below = [row["seconds"]["median"] - row["seconds"]["min"] for row in rows]
    above = [row["seconds"]["max"] - row["seconds"]["median"] for row in rows]
    mark, colour = MARKS[number % len(MARKS)], COLOURS[number % len(COLOURS)]
    axes.errorbar(medians, heights, xerr=[below, above], label=rows[0]["tool"], fmt=mark, color=colour, markersize=5)


def _label(axes: Axes, of_cases: list[Row]) -> None:
    """The first case stands at the top; every other one on a band, so that the eye finds along it."""
    axes.set_xscale("log")
    axes.set_xlabel("time until the bytes are seen on the other PC (less is better)")
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms")
    axes.set_yticks(range(len(of_cases)), [f"{row['title']}, {row['line']}   {row['workload']}" for row in of_cases])
    axes.set_ylim(len(of_cases) - 0.5, -0.5)
    for place in range(0, len(of_cases), 2):
        axes.axhspan(place - 0.5, place + 0.5, color=BAND, zorder=0)
    axes.grid(axis="x", alpha=0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
