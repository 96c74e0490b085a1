"""One accounting for each mandate, and one mandate for each accounting: told when a chart of accounts is attached."""

from __future__ import annotations

import asyncio
from pathlib import Path

from p2psync.books.completeness import MASTER, suffix_of
from p2psync.books.crp import CHART_BYTES_MAX, Chart, read_chart
from p2psync.core.ids import MandateId
from p2psync.core.relpath import RelPath
from p2psync.daemon.programs.shelf import Shelf
from p2psync.errors import CodecError, FolderError, UsageError
from p2psync.fs.reading import open_shared


async def require_one(shelf: Shelf, mandate: MandateId, name: str, path: RelPath, file: Path) -> Chart | None:
    """The chart in a file that is to be called `path` in a mandate; None if it is none, or states no period.

    Raises UsageError if the mandate has another chart for some of its days.
    """
    chart = await asyncio.to_thread(_chart, file) if suffix_of(path) == MASTER else None
    if chart is None or chart.period is None:
        return None
    for other in await _charts(shelf, mandate):
        if other[0].casefold() != path.casefold() and other[1].period and other[1].period.overlaps(chart.period):
            raise UsageError(
                "{mandate} has a chart of accounts for {period} already: {path}. A mandate is one accounting, with one "
                "chart for each period. Make another mandate for another one: p2psync mandate create NAME --folder DIR",
                mandate=name,
                period=other[1].period,
                path=other[0],
            )
    return chart


async def twins(shelf: Shelf, others: dict[MandateId, str], chart: Chart) -> list[str]:
    """The names of other mandates that have a chart with this title for this period, sorted."""
    found = []
    for mandate, name in others.items():
        known = {(one.title, one.period) for _, one in await _charts(shelf, mandate)}
        found += [name] if (chart.title, chart.period) in known else []
    return sorted(found)


async def _charts(shelf: Shelf, mandate: MandateId) -> list[tuple[RelPath, Chart]]:
    """None while its folder is away."""
    try:
        several = await shelf.charts(mandate)
    except FolderError:
        return []
    return [(one.path, one.read) for one in several if isinstance(one.read, Chart)]


def _chart(file: Path) -> Chart | None:
    try:
        with open_shared(file) as reader:
            return read_chart(reader.read(CHART_BYTES_MAX + 1))
    except (OSError, CodecError):
        return None
