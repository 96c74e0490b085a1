"""Bookings against the chart of accounts of their period: what accounting's program would refuse, before it has to.

Where a period has no chart, the master data of another accounting program take its place, as far as they go. What
nobody states is not checked: `active_checks` says what is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum

from p2psync.books.crp import Chart, Kind
from p2psync.books.entries import COST_CENTRE, CREDIT, DATE, DEBIT, SPLIT, VAT_CODE, EntriesFile
from p2psync.books.finding import Collector, Findings, Trouble
from p2psync.books.text import read_date
from p2psync.core.period import Period, day_text
from p2psync.core.value import value

ALWAYS = date.min


class Check(StrEnum):
    """What bookings can be checked for."""

    DATES = "dates"
    ACCOUNTS = "accounts"
    VAT_CODES = "vat-codes"
    COST_CENTRES = "cost-centres"


@value
class Span:
    """The days on which a cost centre takes bookings; None: without a limit."""

    begin: date | None = None
    end: date | None = None
    blocked: bool = False

    def __contains__(self, day: date) -> bool:
        return not (self.blocked or (self.begin and day < self.begin) or (self.end and day > self.end))


@value
class Books:
    """What bookings are checked against."""

    period: Period | None
    """None: for any date."""
    accounts: Mapping[str, date | None]
    """From which day on nothing can be posted to an account: None if that is always possible, ALWAYS if never."""
    vat_codes: frozenset[str] | None = None
    """None if they are not known."""
    cost_centres: Mapping[str, Span] | None = None
    """None if they are not known."""


def books_of_chart(chart: Chart) -> Books | None:
    """What a chart of accounts allows; None if it does not say for which period."""
    if chart.period is None:
        return None
    codes = {one.code for one in chart.vat_codes}
    same = {code for pair in chart.vat_equivalents if codes.intersection(pair) for code in pair}
    closed = (Kind.TITLE, Kind.GROUP)
    return Books(
        period=chart.period,
        accounts={one.number: ALWAYS if one.kind in closed else None for one in chart.accounts},
        vat_codes=frozenset(codes | same) if "TVACODES" in chart.blocks else None,
    )


def active_checks(books: Sequence[Books], instead: Books | None = None) -> frozenset[Check]:
    """What bookings are checked for, by the charts that are there and by what takes their place."""
    everything = [*books, *([instead] if instead else [])]
    active = {Check.ACCOUNTS} if everything else set()
    active |= {Check.DATES for one in books if one.period}
    active |= {Check.VAT_CODES for one in everything if one.vat_codes is not None}
    active |= {Check.COST_CENTRES for one in everything if one.cost_centres is not None}
    return frozenset(active)


def validate(
    entries: EntriesFile, books: Sequence[Books], stated: Period | None = None, instead: Books | None = None
) -> Findings:
    """What is wrong with a file's bookings, by line.

    `books` are those of the charts at hand; `stated` is the period that the file's name states, whose chart may be
    missing; `instead` serves where there is no chart. Without any of them every booking is one that cannot be
    checked: a mandate that works without charts does not ask.
    """
    checker = _Checker(books, stated, instead)
    for number, row in enumerate(entries.rows, 1):
        if number not in entries.skipped:
            checker.take(number, row.split("\t", COST_CENTRE + 1))
    return checker.findings()


class _Checker:
    __slots__ = ("_books", "_by_day", "_collector", "_instead", "_stated", "_unchecked")

    def __init__(self, books: Sequence[Books], stated: Period | None, instead: Books | None) -> None:
        self._books = [one for one in books if one.period]
        self._stated = stated
        self._instead = instead
        self._collector = Collector()
        self._by_day: dict[str, tuple[date | None, list[Books] | Trouble]] = {}
        self._unchecked: list[int] = []
        """Lines for which there is no chart."""

    def take(self, line: int, fields: list[str]) -> None:
        text = fields[DATE]
        if text not in self._by_day:
            day = read_date(text.strip())
            self._by_day[text] = day, self._books_of(day)
        day, books = self._by_day[text]
        if books is Trouble.CHART_MISSING:
            self._unchecked.append(line)
        elif day is None:
            self._collector.add(line, Trouble.DATE_UNREADABLE, text=text.strip() or "?")
        elif isinstance(books, Trouble):
            self._collector.add(line, books, date=day_text(day))
        else:
            self._check(line, day, fields, books)

    def findings(self) -> Findings:
        if self._unchecked:
            first, lines = self._unchecked[0], len(self._unchecked)
            if self._stated:
                self._collector.add(first, Trouble.CHART_MISSING, period=self._stated, lines=lines)
            else:
                self._collector.add(first, Trouble.NO_CHART, lines=lines)
        return self._collector.findings()

    def _books_of(self, day: date | None) -> list[Books] | Trouble:
        """What the bookings of a day are checked against: with two charts of a period, one that allows them will do."""
        if day is None:
            return Trouble.DATE_UNREADABLE
        found = [one for one in self._books if one.period and day in one.period]
        if found:
            return found
        outside = day not in self._stated if self._stated else bool(self._books)
        if outside:
            return Trouble.DATE_OUTSIDE
        return [self._instead] if self._instead else Trouble.CHART_MISSING

    def _check(self, line: int, day: date, fields: list[str], books: list[Books]) -> None:
        self._account(line, day, fields[DEBIT].strip(), books, _DEBIT)
        self._account(line, day, fields[CREDIT].strip(), books, _CREDIT)
        code = fields[VAT_CODE].strip() if len(fields) > VAT_CODE else ""
        if code and all(one.vat_codes is not None and code not in one.vat_codes for one in books):
            self._collector.add(line, Trouble.VAT_UNKNOWN, code=code)
        centre = fields[COST_CENTRE].strip() if len(fields) > COST_CENTRE else ""
        if centre:
            self._centre(line, day, centre, books)

    def _account(self, line: int, day: date, account: str, books: list[Books], troubles: _Troubles) -> None:
        missing, unknown, closed = troubles
        if account == SPLIT:
            return
        if not account:
            self._collector.add(line, missing)
            return
        ends = [one.accounts[account] for one in books if account in one.accounts]
        if not ends:
            self._collector.add(line, unknown, account=account)
        elif all(end is not None and day >= end for end in ends):
            self._collector.add(line, closed, account=account)

    def _centre(self, line: int, day: date, centre: str, books: list[Books]) -> None:
        known = [one.cost_centres for one in books]
        spans = [centres[centre] for centres in known if centres is not None and centre in centres]
        if None in known or any(day in span for span in spans):
            return
        if spans:
            self._collector.add(line, Trouble.CENTRE_CLOSED, centre=centre, date=day_text(day))
        else:
            self._collector.add(line, Trouble.CENTRE_UNKNOWN, centre=centre)


_Troubles = tuple[Trouble, Trouble, Trouble]
_DEBIT: _Troubles = (Trouble.DEBIT_MISSING, Trouble.DEBIT_UNKNOWN, Trouble.DEBIT_CLOSED)
_CREDIT: _Troubles = (Trouble.CREDIT_MISSING, Trouble.CREDIT_UNKNOWN, Trouble.CREDIT_CLOSED)
