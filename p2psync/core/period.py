"""Accounting periods: from a first to a last day, as charts state them and the names of entries files repeat them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_IN_NAME = re.compile(r"\((\d{2})-(\d{2})-(\d{4}) ~ (\d{2})-(\d{2})-(\d{4})\)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """An accounting period; never shorter than a day."""

    begin: date
    end: date
    """Its last day."""

    def __post_init__(self) -> None:
        assert self.begin <= self.end, "a period ends after it began"

    def __contains__(self, day: date) -> bool:
        return self.begin <= day <= self.end

    def __str__(self) -> str:
        """`2025` for a calendar year, else `01.07.2024 ~ 30.06.2025`."""
        year = self.begin.year
        if (self.begin, self.end) == (date(year, 1, 1), date(year, 12, 31)):
            return str(year)
        return f"{day_text(self.begin)} ~ {day_text(self.end)}"

    def includes(self, other: Period) -> bool:
        """Whether every day of the other one lies in it."""
        return self.begin <= other.begin and other.end <= self.end

    def overlaps(self, other: Period) -> bool:
        """Whether they have a day in common."""
        return self.begin <= other.end and other.begin <= self.end


def day_text(day: date) -> str:
    """`31.12.2025`, as these programs write it."""
    return f"{day.day:02}.{day.month:02}.{day.year:04}"


def period_in_name(name: str) -> Period | None:
    """The period that a file's name states: `Cargo (01-01-2025 ~ 31-12-2025).ecf`; None without one."""
    found = _IN_NAME.search(name)
    if found is None:
        return None
    numbers = [int(group) for group in found.groups()]
    try:
        first, last = date(*numbers[2::-1]), date(*numbers[:2:-1])
    except ValueError:
        return None
    return Period(first, last) if first <= last else None


def containing(periods: Iterable[Period], day: date | None) -> Period | None:
    """The period that a day lies in: of several the shortest, of these the first; None if there is none."""
    if day is None:
        return None
    return min((one for one in periods if day in one), key=lambda one: (one.end - one.begin, one), default=None)
