"""What is waiting to be posted: the lines of a file of bookings against the version that was last marked as posted.

A line is the same if not a character of it changed. Lines that are left on both sides and bear the same number are one
booking that was changed, unless nothing of it is as it was: numbering starts again when a program makes its file anew,
and then a number stands for another booking. What has no partner is new or was removed; so a file that was taken back,
or is gone, has as many removed lines as were posted. A file that cannot be read on either side has no number at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from p2psync.books.entries import AMOUNT, NUMBER, TEXT, VOUCHER, EntriesFile, EntryLine, read_entries
from p2psync.books.finding import Finding
from p2psync.books.text import read_date, read_integer
from p2psync.core.period import Period, containing
from p2psync.core.value import value
from p2psync.errors import CodecError


@value
class NoFile:
    """Nothing was posted yet, or the file was removed."""


@value
class Unreadable:
    """There is or was a file, but nobody can say which bookings are in it."""

    why: CodecError | Finding


Side = EntriesFile | NoFile | Unreadable


class State(StrEnum):
    """Whether there is something to post."""

    POSTED = "posted"
    PENDING = "pending"
    UNCOUNTED = "uncounted"
    """The file changed, and one of its versions cannot be read: no number, never "nothing new"."""


@value
class Count:
    """How many lines of an accounting period wait."""

    period: Period | None
    """None for lines whose date lies in no period, or is none."""
    new: int
    changed: int
    removed: int


@value
class Pending:
    """What is waiting in one file."""

    state: State
    counts: tuple[Count, ...] = ()
    """By period, the oldest first, lines without a period last; empty unless the state is PENDING."""
    rewritten: bool = False
    """The lines are those that were posted, but their program wrote them anew, as after taking them back."""
    why: CodecError | Finding | None = None
    """Why there is no number; None unless the state is UNCOUNTED."""

    @property
    def total(self) -> Count:
        """Of all periods together."""
        numbers = [(one.new, one.changed, one.removed) for one in self.counts]
        return Count(None, *(sum(column) for column in zip(*numbers, strict=True))) if numbers else Count(None, 0, 0, 0)


@value
class Difference:
    """One line that is new, was changed or removed."""

    before: EntryLine | None
    """None for a new one."""
    after: EntryLine | None
    """None for one that was removed."""


@value
class Differences:
    """The lines that `Pending` counts."""

    lines: tuple[Difference, ...]
    """As they follow each other in their files."""
    left_out: int
    """How many more there are."""


def side_of(data: bytes | None) -> Side:
    """One version of a file, whatever its bytes are; None where there is none."""
    if data is None:
        return NoFile()
    try:
        read = read_entries(data)
    except CodecError as error:
        return Unreadable(error)
    return Unreadable(read.findings.items[0]) if read.findings else read


def pending(posted: Side, current: Side, periods: Sequence[Period] = ()) -> Pending:
    """What is waiting in a file, by the periods that are known."""
    for side in (current, posted):
        if isinstance(side, Unreadable):
            return Pending(State.UNCOUNTED, why=side.why)
    found = _match(posted, current)
    if not any(found):
        return Pending(State.POSTED, rewritten=_lots(posted) != _lots(current))
    return Pending(State.PENDING, counts=_counts(posted, current, found, periods))


def differences(posted: Side, current: Side, most: int) -> Differences | None:
    """At most so many of the lines that are waiting in a file; None if one of its versions cannot be read."""
    if isinstance(posted, Unreadable) or isinstance(current, Unreadable):
        return None
    found = _match(posted, current)
    pairs = [*((None, line) for line in found.new), *found.changed, *((line, None) for line in found.removed)]
    pairs.sort(key=lambda pair: (pair[1] or pair[0], pair[1] or 0))
    before, after = _rows(posted), _rows(current)
    shown = tuple(Difference(_line(before, was), _line(after, now)) for was, now in pairs[:most])
    return Differences(shown, len(pairs) - len(shown))


def _line(rows: Sequence[str], line: int | None) -> EntryLine | None:
    return EntryLine(line, rows[line - 1]) if line is not None else None


class _Found(NamedTuple):
    """Lines by their number in the file: objects would take longer than all the rest."""

    new: list[int]
    changed: list[tuple[int, int]]
    removed: list[int]


def _match(posted: Side, current: Side) -> _Found:
    posted_raws, current_raws = _raws(posted), _raws(current)
    if posted_raws == current_raws:
        return _Found([], [], [])
    removed, new = _only_in(posted, current_raws), _only_in(current, posted_raws)
    if not removed or not new:
        return _Found(new, [], removed)
    changed = list(_pairs(posted, removed, current, new))
    was, now = {before for before, _ in changed}, {after for _, after in changed}
    return _Found([line for line in new if line not in now], changed, [line for line in removed if line not in was])


def _raws(side: Side) -> list[str]:
    assert not isinstance(side, Unreadable)
    return [] if isinstance(side, NoFile) else side.raws()


def _rows(side: Side) -> Sequence[str]:
    return side.rows if isinstance(side, EntriesFile) else ()


def _lots(side: Side) -> list[object]:
    return [(lot.number, lot.written, lot.uid) for lot in side.lots] if isinstance(side, EntriesFile) else []


def _only_in(side: Side, others: list[str]) -> list[int]:
    """The lines that the other side does not have, or not as often."""
    if not isinstance(side, EntriesFile):
        return []
    left, found = Counter(others), []
    for line, row in enumerate(side.rows, 1):
        if left.get(row):
            left[row] -= 1
        elif line not in side.skipped:
            found.append(line)
    return found


def _numbered(rows: Sequence[str], lines: list[int]) -> dict[str, int]:
    """Lines by the number that they bear, if no other line bears it.

    Most fields stand before the number: cut from the end, a line makes half as many strings.
    """
    numbers = [(row := rows[line - 1]).rsplit("\t", row.count("\t") + 1 - NUMBER)[1] for line in lines]
    found = dict(zip(numbers, lines, strict=True))
    if len(found) == len(lines):
        return found
    counts = Counter(numbers)
    return {number: line for number, line in found.items() if counts[number] == 1}


def _pairs(posted: Side, removed: list[int], current: Side, new: list[int]) -> Iterator[tuple[int, int]]:
    """Lines of the same number that are the same booking."""
    before, after = _rows(posted), _rows(current)
    was = _numbered(before, removed)
    for number, line in _numbered(after, new).items():
        other = was.get(number)
        if other and _same_booking(before[other - 1], after[line - 1]) and read_integer(number.strip()):
            yield other, line


def _same_booking(before: str, after: str) -> bool:
    """A booking that was changed keeps its voucher, its text or its amount, where that says something."""
    was, now = before.split("\t", AMOUNT + 1), after.split("\t", AMOUNT + 1)
    return (
        (was[VOUCHER] == now[VOUCHER] and was[VOUCHER].strip() != "")
        or (was[TEXT] == now[TEXT] and was[TEXT].strip() != "")
        or (was[AMOUNT] == now[AMOUNT] and was[AMOUNT].strip() != "")
    )


def _counts(posted: Side, current: Side, found: _Found, periods: Sequence[Period]) -> tuple[Count, ...]:
    """A booking that moved into another period is removed there and new here."""
    new, changed, removed = (Counter[Period | None]() for _ in range(3))
    before, after, known = _rows(posted), _rows(current), _Periods(periods)
    for day, count in Counter(_days(after, found.new)).items():
        new[known[day]] += count
    for day, count in Counter(_days(before, found.removed)).items():
        removed[known[day]] += count
    was, now = (_days(rows, [pair[side] for pair in found.changed]) for side, rows in enumerate((before, after)))
    for days, count in Counter(zip(was, now, strict=True)).items():
        left, entered = (known[day] for day in days)
        if left == entered:
            changed[entered] += count
        else:
            new[entered] += count
            removed[left] += count
    return tuple(Count(one, new[one], changed[one], removed[one]) for one in _in_order({*new, *changed, *removed}))


class _Periods(dict[str, Period | None]):
    """The period of a day as a line writes it; looked up once for each day."""

    def __init__(self, periods: Sequence[Period]) -> None:
        self._periods = periods

    def __missing__(self, day: str) -> Period | None:
        found = self[day] = containing(self._periods, read_date(day.strip()))
        return found


def _days(rows: Sequence[str], lines: Sequence[int]) -> list[str]:
    """The date of each line, as it is written."""
    return [rows[line - 1].partition("\t")[0] for line in lines]


def _in_order(periods: Iterable[Period | None]) -> list[Period | None]:
    return sorted(periods, key=lambda one: (one is None, one or Period(date.max, date.max)))
