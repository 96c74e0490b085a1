"""What is wrong in a bookkeeping file, in the user's language: a sentence for every `Trouble`, and why none is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter

from p2psync.books.finding import Trouble
from p2psync.i18n import _, later

UNREADABLE = (
    later("The file has more than {limit} bytes, which is the limit."),
    later("The file has zero bytes in it: it is no text."),
    later("The file is written in UTF-16. Save it as UTF-8 or Windows-1252."),
    later("A file of bookings begins with a line #FSC; this one does not, or was cut off in it."),
    later("The last line has no end: the file was not written to its end."),
    later("A chart of accounts begins with KEY=value; this file does not."),
    later("The chart of accounts does not end with ENDOFFILE: it was not written to its end."),
    later("The chart of accounts has no list of accounts."),
    later("Line {line}: a block begins inside a block."),
    later("Line {line}: there is a second block {name!r}."),
    later("Line {line}: a block ends where none began."),
    later("There is no chart of accounts to check it against."),
    later("The file is empty."),
    later("A master export has at most {limit} records; this one has more."),
    later("""A master export begins with <master-export version="1">; this file does not."""),
    later("Line {line}: this is no whole XML: {reason}."),
    later("Line {line}: XML with a document type (<!DOCTYPE) is not read."),
    later("XML in the encoding {name} is not read."),
    later("Line {line}: this is not {name}, as the XML says it is."),
    later("Line {line}: elements lie more than {limit} deep."),
    later("Line {line}: there are more than {limit} elements."),
    later("Line {line}: an element has more than {limit} attributes."),
    later("Line {line}: a text is longer than {limit} characters."),
    later("Line {line}: this is no whole CSV: {reason}."),
    later("Line 1: it must name the columns record and number."),
    later("Line 1: there are more than {limit} columns."),
    later("Line 1: there are two columns {name!r}."),
    later("Line 1: the column {name!r} is not known."),
)
"""Why a file cannot be read at all, as its reader says it."""


def sentence(code: str, line: int, facts: Mapping[str, str]) -> str:
    """What to say of one finding; of a kind that a newer daemon invented, its code and what it says about it."""
    text = _TEXTS[Trouble(code)]() if code in _KNOWN else ""
    if not text or not {name for _, name, _, _ in Formatter().parse(text) if name} <= {"line", *facts}:
        return " ".join([_("Line {line}:").format(line=line), code, *facts.values()])
    return text.format(**{**facts, "line": line})


def texts_of_findings() -> Mapping[str, str]:
    """What to say of every finding, by its word of the interface, with `{name}` for line and facts."""
    return {trouble.value: text() for trouble, text in _TEXTS.items()}


_TEXTS: Mapping[Trouble, Callable[[], str]] = {
    Trouble.LINE_NOT_UNDERSTOOD: lambda: _("Line {line} is not understood: {text}"),
    Trouble.LINE_TOO_LONG: lambda: _("Line {line} is longer than {characters} characters."),
    Trouble.FIELDS_MISSING: lambda: _("Line {line} is no whole booking: it has {fields} fields of at least {needed}."),
    Trouble.PERIOD_UNREADABLE: lambda: _("Line {line}: the accounting period from {begin} to {end} is none."),
    Trouble.PERIOD_TWICE: lambda: _(
        "Line {line}: {other} is a chart for some of the same days; a mandate has one accounting."
    ),
    Trouble.FIELD_TWICE: lambda: _("Line {line}: {field} is there twice; the first one counts."),
    Trouble.FIELD_UNREADABLE: lambda: _("Line {line}: {field} cannot be {text}."),
    Trouble.NUMBER_MISSING: lambda: _("Line {line}: a record has no number or code."),
    Trouble.NUMBER_TWICE: lambda: _("Line {line}: {number} is there twice, first in line {first}."),
    Trouble.DATE_UNREADABLE: lambda: _("Line {line}: {text} is no date."),
    Trouble.DATE_OUTSIDE: lambda: _("Line {line}: {date} lies in no accounting period."),
    Trouble.CHART_MISSING: lambda: _(
        "The chart of accounts for {period} is missing: bookings from line {line} on ({lines})."
    ),
    Trouble.NO_CHART: lambda: _(
        "There is no chart of accounts: bookings from line {line} on ({lines}) cannot be checked."
    ),
    Trouble.DEBIT_MISSING: lambda: _("Line {line} has no debit account."),
    Trouble.CREDIT_MISSING: lambda: _("Line {line} has no credit account."),
    Trouble.DEBIT_UNKNOWN: lambda: _("Line {line}: the debit account {account} is not in the chart of accounts."),
    Trouble.CREDIT_UNKNOWN: lambda: _("Line {line}: the credit account {account} is not in the chart of accounts."),
    Trouble.DEBIT_CLOSED: lambda: _("Line {line}: nothing can be posted to the debit account {account}."),
    Trouble.CREDIT_CLOSED: lambda: _("Line {line}: nothing can be posted to the credit account {account}."),
    Trouble.VAT_UNKNOWN: lambda: _("Line {line}: the VAT code {code} is not in the chart of accounts."),
    Trouble.CENTRE_UNKNOWN: lambda: _("Line {line}: the cost centre {centre} is not known."),
    Trouble.CENTRE_CLOSED: lambda: _("Line {line}: nothing can be posted to the cost centre {centre} on {date}."),
    Trouble.RECORD_UNKNOWN: lambda: _("Line {line}: there is no kind of record called {text}."),
    Trouble.FIELD_UNKNOWN: lambda: _("Line {line}: there is no field called {field}."),
    Trouble.FIELD_MISSING: lambda: _("Line {line}: {number} has no {field}."),
    Trouble.NAME_MISSING: lambda: _("Line {line}: {number} has no name."),
    Trouble.DATES_REVERSED: lambda: _("Line {line}: {number} begins on {begin}, after its end on {end}."),
    Trouble.TOO_LONG: lambda: _("Line {line}: {field} has more than {characters} characters: {text}"),
    Trouble.FLAG_EXPECTED: lambda: _("Line {line}: {field} cannot be {text}. Write true or false."),
    Trouble.DAY_EXPECTED: lambda: _(
        "Line {line}: {field} cannot be {text}. Write a day of the calendar, as 2025-12-31."
    ),
    Trouble.DAYS_EXPECTED: lambda: _("Line {line}: {field} cannot be {text}. Write whole days, at most {limit}."),
    Trouble.AMOUNT_EXPECTED: lambda: _("Line {line}: {field} cannot be {text}. Write a number, as 1234.5."),
    Trouble.PERCENT_EXPECTED: lambda: _("Line {line}: {field} cannot be {text}. Write a number from 0 to 100, as 2.5."),
    Trouble.CHOICE_EXPECTED: lambda: _("Line {line}: {field} cannot be {text}. Write one of: {choices}"),
    Trouble.LANGUAGE_EXPECTED: lambda: _(
        "Line {line}: a name needs its language in two small letters, as fr; not {text}."
    ),
    Trouble.DISCOUNT_HALF: lambda: _("Line {line}: {number} has {field}, but no {other}."),
}
_KNOWN = frozenset(trouble.value for trouble in _TEXTS)


def check_names() -> Mapping[str, str]:
    """What bookings can be checked for, by the words of the interface."""
    return {
        "dates": _("dates"),
        "accounts": _("accounts"),
        "vat-codes": _("VAT codes"),
        "cost-centres": _("cost centres"),
    }
