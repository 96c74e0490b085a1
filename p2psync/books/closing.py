"""Which files belong to an accounting period, for whoever closes it.

A chart belongs to the period that it states, a file of bookings to the days in its name, else to the days of its lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from p2psync.books.entries import DATE, EntriesFile
from p2psync.books.text import read_date
from p2psync.core.period import Period
from p2psync.core.relpath import RelPath


class Belonging(Enum):
    """How a file lies to a period."""

    INSIDE = "inside"
    ACROSS = "across"
    """It has days of other periods too, so that it cannot be closed with this one."""
    OUTSIDE = "outside"


def belonging(span: Period | None, period: Period) -> Belonging:
    """`span`: the first and last day that a file is about; None if nobody can say."""
    if span is None or not span.overlaps(period):
        return Belonging.OUTSIDE
    return Belonging.INSIDE if period.includes(span) else Belonging.ACROSS


def span_of(read: EntriesFile) -> Period | None:
    """From the first to the last day of the lines; None without any."""
    texts = {row.split("\t", DATE + 1)[DATE].strip() for row in read.raws()}
    days = [day for text in texts if (day := read_date(text)) is not None]
    return Period(min(days), max(days)) if days else None


def overlapping(charts: Mapping[RelPath, Period]) -> list[tuple[RelPath, RelPath]]:
    """Charts, by path, that have days in common: a mandate has one accounting, and one chart for each day. Sorted."""
    paths = sorted(charts)
    return [(a, b) for at, a in enumerate(paths) for b in paths[at + 1 :] if charts[a].overlaps(charts[b])]


def known_periods(spans: Iterable[Period | None]) -> list[Period]:
    """The periods that charts and names state, each once, sorted."""
    return sorted({span for span in spans if span is not None})
