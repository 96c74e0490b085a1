"""The table as a picture: a row for each case, a dot for each tool at its median, a bar from its best to its worst.

It needs matplotlib, which the project's extra `bench` installs.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.report import Document, Row

COLOURS = ("#0b6e4f", "#d1495b", "#edae49", "#30638e", "#7a7a7a", "#8d6a9f", "#b08968")
MARKS = "osD^xPv"
ROW_HEIGHT_INCHES = 0.42
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
    figure = Figure(figsize=(WIDTH_INCHES, 1.2 + ROW_HEIGHT_INCHES * len(cases)), layout="constrained")
    axes = figure.add_subplot()
    for number, tool in enumerate(dict.fromkeys(row["tool"] for row in rows)):
        _dots(axes, [row for row in rows if row["tool"] == tool], cases, number)
    _label(axes, [next(row for row in rows if row["case"] == case) for case in cases])
    with mpl.rc_context({"svg.hashsalt": "p2psync", "svg.fonttype": "none"}):
        paths = [directory / f"speed.{kind}" for kind in FORMATS]
        for path in paths:
            figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _dots(axes: Axes, rows: list[Row], cases: list[str], number: int) -> None:
    """One tool, in every case that it was in."""
    medians = [row["seconds"]["median"] for row in rows]
    spreads: list[list[float]] = [
        [row["seconds"]["median"] - row["seconds"]["min"] for row in rows],
        [row["seconds"]["max"] - row["seconds"]["median"] for row in rows],
    ]
    look: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "fmt": MARKS[number % len(MARKS)]}
    axes.errorbar(
        medians, [cases.index(row["case"]) for row in rows], xerr=spreads, label=rows[0]["tool"], alpha=0.9, **look
    )


def _label(axes: Axes, of_cases: list[Row]) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("seconds until the bytes are seen on the other PC: median, best and worst (less is better)")
    axes.set_yticks(range(len(of_cases)), [f"{row['workload']}  {row['title']}, {row['line']}" for row in of_cases])
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=5, frameon=False)
