"""When a run is due by itself: nightly, on some days of the week, monthly on a day of its own, or every few minutes.

Plans are in wall-clock time of a zone; moments are aware and in UTC, so that a change of the clock neither skips a run
nor starts it twice: a time that the clock skips is as much later, of one that it shows twice the first one counts. On
the day of a full run there is no incremental one. The zone and the moment are handed in: nothing here reads a clock.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from blake3 import blake3

from p2psync.core.value import value
from p2psync.errors import UsageError

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(len(WEEK)))
OWN_DAYS = 28
"""Days that every month has."""
HORIZON = timedelta(days=64)
"""Longer than two months: every plan has a run within it."""

DAY_MINUTES = 24 * 60

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_INTERVAL = re.compile(r"(\d{1,6})\s*([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Kind(StrEnum):
    """How much a run looks at."""

    INCREMENTAL = "incremental"
    FULL = "full"


@value
class Plan:
    """Days and a time of the day."""

    at: time
    days: frozenset[int] = EVERY_DAY
    """Of the week, 0 for Monday; at least one."""
    day_of_month: int | None = None
    """1 to 31, instead of days of the week; in a shorter month its last day."""

    def __str__(self) -> str:
        """As `parse_plan` reads it."""
        if self.day_of_month is not None:
            return f"monthly {self.day_of_month} {self.at:%H:%M}"
        named = ",".join(WEEK[day] for day in sorted(self.days))
        return f"{self.at:%H:%M}" if self.days == EVERY_DAY else f"{named} {self.at:%H:%M}"

    def includes(self, day: date) -> bool:
        """Whether there is a run on this day."""
        if self.day_of_month is None:
            return day.weekday() in self.days
        return day.day == min(self.day_of_month, calendar.monthrange(day.year, day.month)[1])


@value
class Schedule:
    """What runs by itself; None: never."""

    incremental: Plan | None = None
    full: Plan | None = None


@value
class Run:
    """A run that is due at a moment."""

    at: datetime
    """Aware, in UTC."""
    kind: Kind


@value
class Window:
    """A part of each day; over midnight if it ends before it begins, the whole day if both are the same time."""

    begin: time
    end: time

    def __str__(self) -> str:
        """As `parse_window` reads it."""
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def is_open(self, now: datetime, zone: tzinfo) -> bool:
        """Whether the clock on the wall shows a time within it; the end is outside."""
        shown = now.astimezone(zone).time()
        if self.begin < self.end:
            return self.begin <= shown < self.end
        return not self.end <= shown < self.begin

    def next_change(self, now: datetime, zone: tzinfo) -> datetime:
        """The first moment after `now`, in UTC, at which it opens or closes."""
        today = now.astimezone(zone).date()
        days = (today + timedelta(days=days) for days in range(3))
        changes = (moment(day, at, zone) for day in days for at in sorted({self.begin, self.end}))
        return next(change for change in changes if change > now)

    def next_opening(self, now: datetime, zone: tzinfo) -> datetime:
        """`now` if it is open, else the moment in UTC when it opens."""
        if self.is_open(now, zone):
            return now.astimezone(UTC)
        today = now.astimezone(zone).date()
        openings = (moment(today + timedelta(days=days), self.begin, zone) for days in range(3))
        return next(opening for opening in openings if opening > now)


@value
class Interval:
    """Parts of each day, from midnight on, all as long as each other; the last one ends with the day."""

    minutes: int
    """1 to DAY_MINUTES."""

    def __str__(self) -> str:
        """As `parse_interval` reads it."""
        hours, minutes = divmod(self.minutes, 60)
        return f"{self.minutes}m" if minutes else f"{hours}h"

    def begun(self, now: datetime, zone: tzinfo) -> datetime:
        """When the part that `now` is in began, in UTC."""
        midnight = moment(now.astimezone(zone).date(), time(), zone)
        length = timedelta(minutes=self.minutes)
        return midnight + (now - midnight) // length * length

    def next_begin(self, now: datetime, zone: tzinfo) -> datetime:
        """The first moment after `now`, in UTC, at which a part begins."""
        tomorrow = moment(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
        following = self.begun(now, zone) + timedelta(minutes=self.minutes)
        return min(following, tomorrow) if tomorrow > now else following


def next_run(schedule: Schedule, after: datetime, zone: tzinfo) -> Run | None:
    """The first run after a moment (aware); None if nothing is planned."""
    for ahead in (timedelta(days=2), HORIZON):
        runs = [run for run in _runs(schedule, after, after + ahead, zone) if run.at > after]
        if runs:
            return min(runs, key=_order)
    return None


def missed_run(schedule: Schedule, since: datetime, now: datetime, zone: tzinfo) -> Run | None:
    """One run for all that were due after `since` and up to `now`, as while a PC was off; None if none was.

    It is a full one if any of them was, and due since the last of them.
    """
    begin = max(since, now - HORIZON)
    due = [run for run in _runs(schedule, begin, now, zone) if since < run.at <= now]
    if not due:
        return None
    kind = Kind.FULL if any(run.kind is Kind.FULL for run in due) else Kind.INCREMENTAL
    return Run(max(run.at for run in due), kind)


def moment(day: date, at: time, zone: tzinfo) -> datetime:
    """When the clock on the wall shows this time on this day, in UTC."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def own_day(seed: bytes) -> int:
    """A day of the month, 1 to OWN_DAYS, always the same for a seed: so that not everybody has full runs at once."""
    return 1 + int.from_bytes(blake3(b"p2psync own day\0" + seed).digest()[:8], "big") % OWN_DAYS


def parse_plan(text: str, own: int) -> Plan:
    """`02:00`, `mon,thu 02:00`, `monthly 15 02:00`; `monthly 02:00` means the day `own`.

    Raises UsageError that says what a plan looks like.
    """
    *days, at = text.strip().lower().split() or [""]
    clock = _parse_time(at)
    if clock is not None and not days:
        return Plan(clock)
    if clock is not None and days[0] == "monthly" and len(days) <= 2:
        day = days[1] if len(days) == 2 else str(own)
        if day.isascii() and day.isdigit() and len(day) <= 2 and 1 <= int(day) <= 31:
            return Plan(clock, day_of_month=int(day))
    elif clock is not None and len(days) == 1 and set(named := days[0].split(",")) <= set(WEEK):
        return Plan(clock, frozenset(WEEK.index(name) for name in named))
    raise UsageError(
        "{text!r} is no plan. Write one like '02:00', 'mon,thu 02:00' or 'monthly 15 02:00'.", text=text.strip()
    )


def parse_window(text: str) -> Window:
    """`06:00-22:00`. Raises UsageError that says what a window looks like."""
    begin, end = (_parse_time(part.strip()) for part in f"{text}-".split("-")[:2])
    if begin is None or end is None or text.count("-") != 1:
        raise UsageError("{text!r} is no part of a day. Write one like '06:00-22:00'.", text=text.strip())
    return Window(begin, end)


def parse_interval(text: str) -> Interval | None:
    """`15m`, `2h`; None for `off`. Raises UsageError that says what an interval looks like."""
    plain = text.strip().lower()
    if plain == "off":
        return None
    found = _INTERVAL.fullmatch(plain)
    if found is None:
        raise UsageError("{text!r} is no interval. Write a time like 15m or 2h, or off.", text=text.strip())
    minutes, rest = divmod(int(found[1]) * _SECONDS[found[2]], 60)
    if rest or not 1 <= minutes <= DAY_MINUTES:
        raise UsageError(
            "{text} cannot be the interval: it is whole minutes, from 1m to 24h. Without one (off) each change is "
            "exchanged at once.",
            text=text.strip(),
        )
    return Interval(minutes)


def _runs(schedule: Schedule, begin: datetime, end: datetime, zone: tzinfo) -> Iterator[Run]:
    """Those of all days between two moments, and some around."""
    day = begin.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date() + timedelta(days=1)
    while day <= last:
        if schedule.full and schedule.full.includes(day):
            yield Run(moment(day, schedule.full.at, zone), Kind.FULL)
        elif schedule.incremental and schedule.incremental.includes(day):
            yield Run(moment(day, schedule.incremental.at, zone), Kind.INCREMENTAL)
        day += timedelta(days=1)


def _order(run: Run) -> tuple[datetime, bool]:
    return run.at, run.kind is Kind.INCREMENTAL


def _parse_time(text: str) -> time | None:
    found = _TIME.fullmatch(text)
    return time(int(found[1]), int(found[2])) if found else None
