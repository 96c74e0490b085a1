"""What is wrong in a bookkeeping file, line by line: collected and shown, and the rest of the file still counts.

A finding carries a code and facts; `SENTENCES` has the English sentence for each code, with the facts' names in
braces, so that a shell can translate the sentence and put the same facts into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from p2psync.core.value import value

FINDINGS_MAX = 1000
"""Findings kept of one file; the others are counted."""
FACT_CHARACTERS_MAX = 60


class Trouble(StrEnum):
    """What is wrong."""

    # lines of any file
    LINE_NOT_UNDERSTOOD = "line-not-understood"
    LINE_TOO_LONG = "line-too-long"
    # entries files
    FIELDS_MISSING = "fields-missing"
    # charts of accounts
    PERIOD_UNREADABLE = "period-unreadable"
    PERIOD_TWICE = "period-twice"
    FIELD_TWICE = "field-twice"
    FIELD_UNREADABLE = "field-unreadable"
    NUMBER_MISSING = "number-missing"
    NUMBER_TWICE = "number-twice"
    # bookings against the chart
    DATE_UNREADABLE = "date-unreadable"
    DATE_OUTSIDE = "date-outside"
    CHART_MISSING = "chart-missing"
    NO_CHART = "no-chart"
    DEBIT_MISSING = "debit-missing"
    CREDIT_MISSING = "credit-missing"
    DEBIT_UNKNOWN = "debit-unknown"
    CREDIT_UNKNOWN = "credit-unknown"
    DEBIT_CLOSED = "debit-closed"
    CREDIT_CLOSED = "credit-closed"
    VAT_UNKNOWN = "vat-unknown"
    CENTRE_UNKNOWN = "centre-unknown"
    CENTRE_CLOSED = "centre-closed"
    # master exports
    RECORD_UNKNOWN = "record-unknown"
    FIELD_UNKNOWN = "field-unknown"
    FIELD_MISSING = "field-missing"
    NAME_MISSING = "name-missing"
    DATES_REVERSED = "dates-reversed"
    TOO_LONG = "too-long"
    FLAG_EXPECTED = "flag-expected"
    DAY_EXPECTED = "day-expected"
    DAYS_EXPECTED = "days-expected"
    AMOUNT_EXPECTED = "amount-expected"
    PERCENT_EXPECTED = "percent-expected"
    CHOICE_EXPECTED = "choice-expected"
    LANGUAGE_EXPECTED = "language-expected"
    DISCOUNT_HALF = "discount-half"


SENTENCES: Mapping[Trouble, str] = {
    Trouble.LINE_NOT_UNDERSTOOD: "Line {line} is not understood: {text}",
    Trouble.LINE_TOO_LONG: "Line {line} is longer than {characters} characters.",
    Trouble.FIELDS_MISSING: "Line {line} is no whole booking: it has {fields} fields of at least {needed}.",
    Trouble.PERIOD_UNREADABLE: "Line {line}: the accounting period from {begin} to {end} is none.",
    Trouble.PERIOD_TWICE: "Line {line}: {other} is a chart for some of the same days; a mandate has one accounting.",
    Trouble.FIELD_TWICE: "Line {line}: {field} is there twice; the first one counts.",
    Trouble.FIELD_UNREADABLE: "Line {line}: {field} cannot be {text}.",
    Trouble.NUMBER_MISSING: "Line {line}: a record has no number or code.",
    Trouble.NUMBER_TWICE: "Line {line}: {number} is there twice, first in line {first}.",
    Trouble.DATE_UNREADABLE: "Line {line}: {text} is no date.",
    Trouble.DATE_OUTSIDE: "Line {line}: {date} lies in no accounting period.",
    Trouble.CHART_MISSING: "The chart of accounts for {period} is missing: bookings from line {line} on ({lines}).",
    Trouble.NO_CHART: "There is no chart of accounts: bookings from line {line} on ({lines}) cannot be checked.",
    Trouble.DEBIT_MISSING: "Line {line} has no debit account.",
    Trouble.CREDIT_MISSING: "Line {line} has no credit account.",
    Trouble.DEBIT_UNKNOWN: "Line {line}: the debit account {account} is not in the chart of accounts.",
    Trouble.CREDIT_UNKNOWN: "Line {line}: the credit account {account} is not in the chart of accounts.",
    Trouble.DEBIT_CLOSED: "Line {line}: nothing can be posted to the debit account {account}.",
    Trouble.CREDIT_CLOSED: "Line {line}: nothing can be posted to the credit account {account}.",
    Trouble.VAT_UNKNOWN: "Line {line}: the VAT code {code} is not in the chart of accounts.",
    Trouble.CENTRE_UNKNOWN: "Line {line}: the cost centre {centre} is not known.",
    Trouble.CENTRE_CLOSED: "Line {line}: nothing can be posted to the cost centre {centre} on {date}.",
    Trouble.RECORD_UNKNOWN: "Line {line}: there is no kind of record called {text}.",
    Trouble.FIELD_UNKNOWN: "Line {line}: there is no field called {field}.",
    Trouble.FIELD_MISSING: "Line {line}: {number} has no {field}.",
    Trouble.NAME_MISSING: "Line {line}: {number} has no name.",
    Trouble.DATES_REVERSED: "Line {line}: {number} begins on {begin}, after its end on {end}.",
    Trouble.TOO_LONG: "Line {line}: {field} has more than {characters} characters: {text}",
    Trouble.FLAG_EXPECTED: "Line {line}: {field} cannot be {text}. Write true or false.",
    Trouble.DAY_EXPECTED: "Line {line}: {field} cannot be {text}. Write a day of the calendar, as 2025-12-31.",
    Trouble.DAYS_EXPECTED: "Line {line}: {field} cannot be {text}. Write whole days, at most {limit}.",
    Trouble.AMOUNT_EXPECTED: "Line {line}: {field} cannot be {text}. Write a number, as 1234.5.",
    Trouble.PERCENT_EXPECTED: "Line {line}: {field} cannot be {text}. Write a number from 0 to 100, as 2.5.",
    Trouble.CHOICE_EXPECTED: "Line {line}: {field} cannot be {text}. Write one of: {choices}",
    Trouble.LANGUAGE_EXPECTED: "Line {line}: a name needs its language in two small letters, as fr; not {text}.",
    Trouble.DISCOUNT_HALF: "Line {line}: {number} has {field}, but no {other}.",
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong in one line."""

    line: int
    """From 1; 0 when it concerns the file as a whole."""
    trouble: Trouble
    facts: tuple[tuple[str, str], ...] = ()
    """What goes into the sentence beside the line, by name; clean and short enough to be shown."""

    def __str__(self) -> str:
        return self.told(SENTENCES[self.trouble])

    def told(self, sentence: str) -> str:
        """The sentence, perhaps a translated one, with the facts in it."""
        return sentence.format(line=self.line, **dict(self.facts))


@value
class Findings:
    """The findings of a file in the order of its lines."""

    items: tuple[Finding, ...] = ()
    """At most FINDINGS_MAX."""
    left_out: int = 0
    """How many more there are."""

    def __bool__(self) -> bool:
        return bool(self.items)

    @property
    def count(self) -> int:
        """All of them, kept or not."""
        return len(self.items) + self.left_out


class Collector:
    """Takes findings while a file is read."""

    __slots__ = ("_items", "_left_out")

    def __init__(self) -> None:
        self._items: list[Finding] = []
        self._left_out = 0

    def add(self, line: int, trouble: Trouble, **facts: object) -> None:
        """Note one; facts are shown as text, shortened, without control characters."""
        if len(self._items) < FINDINGS_MAX:
            self._items.append(Finding(line, trouble, tuple((name, shown(value)) for name, value in facts.items())))
        else:
            self._left_out += 1

    @property
    def count(self) -> int:
        """How many were noted."""
        return len(self._items) + self._left_out

    def findings(self) -> Findings:
        """All that was noted, in the order of the lines."""
        return Findings(tuple(sorted(self._items)), self._left_out)


def shown(value: object) -> str:
    """A value out of a file as it may be shown: what a terminal or a page would obey is taken out."""
    text = str(value)
    if len(text) > FACT_CHARACTERS_MAX:
        text = f"{text[: FACT_CHARACTERS_MAX - 1]}…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
