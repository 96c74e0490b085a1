"""The master export: accounts, cost centres, cost objects and payment terms, as another accounting program states them.

This is the schema that XML and CSV exports are held to, whichever program wrote them. A value has one spelling here
("true", "2025-12-31", "2.5"), so that what is equal looks equal. A field that an export leaves out is not stated and
stays what it was; an empty one is stated to be empty. An export with a finding is not one to take over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from p2psync.books.finding import Collector, Findings, Trouble
from p2psync.books.text import read_date, read_integer, read_number
from p2psync.core.value import value

EXPORT_BYTES_MAX = 16 << 20
RECORDS_MAX = 20_000
TEXT_CHARACTERS_MAX = 200
NUMBER_CHARACTERS_MAX = 40
TERM_NUMBER_CHARACTERS_MAX = 8
DAYS_MAX = 9999
LANGUAGES_MAX = 8
"""Names of one record."""
NAME = "name"
DELETED = "deleted-by-master"

_LANGUAGE = re.compile(r"[a-z]{2}", re.ASCII)
_FLAGS = {"true": "true", "1": "true", "yes": "true", "false": "false", "0": "false", "no": "false", "": ""}


class RecordKind(StrEnum):
    """The lists of an export; the values are the names of its elements."""

    ACCOUNT = "account"
    COST_CENTRE = "cost-centre"
    COST_OBJECT = "cost-object"
    PAYMENT_TERM = "payment-term"


class Form(StrEnum):
    """What a field's value looks like."""

    TEXT = "text"
    CODE = "number or code"
    FLAG = "true or false"
    DAY = "date"
    AMOUNT = "number"
    DAYS = "days"
    PERCENT = "percent"
    CHOICE = "one of"


@value
class Field:
    """A field of a record, beside its number and its names."""

    name: str
    form: Form
    choices: tuple[str, ...] = ()
    """The values it can have, if its form is CHOICE."""
    required: bool = False


SIDES = ("debtor", "creditor")
DISCOUNTS = tuple((f"discount-{at}-days", f"discount-{at}-percent") for at in (1, 2))
"""The fields that say nothing without each other: within how many days, and how much."""
_STANDING = (Field("blocked", Form.FLAG), Field(DELETED, Form.FLAG))
_CENTRE = (
    Field("unit", Form.TEXT),
    Field("quantity", Form.AMOUNT),
    Field("postable-from", Form.DAY),
    Field("postable-to", Form.DAY),
    Field("project", Form.FLAG),
    *_STANDING,
)
FIELDS: Mapping[RecordKind, tuple[Field, ...]] = {
    RecordKind.ACCOUNT: (
        Field("type", Form.CHOICE, ("A", "L", "R", "E", "C")),
        Field("collective", Form.CHOICE, SIDES),
        Field("cost-type", Form.CODE),
        Field("blocked-from", Form.DAY),
        Field("default-cost-centre", Form.CODE),
        Field("cash", Form.FLAG),
        *_STANDING,
    ),
    RecordKind.COST_CENTRE: _CENTRE,
    RecordKind.COST_OBJECT: _CENTRE,
    RecordKind.PAYMENT_TERM: (
        Field("side", Form.CHOICE, SIDES, required=True),
        Field("net-days", Form.DAYS),
        Field("discount-1-days", Form.DAYS),
        Field("discount-1-percent", Form.PERCENT),
        Field("discount-2-days", Form.DAYS),
        Field("discount-2-percent", Form.PERCENT),
        *_STANDING,
    ),
}
"""The fields of each kind of record."""

_NONE = ("", "0")
"""Of days or percent: no discount."""
_EXPECTED = {
    Form.FLAG: Trouble.FLAG_EXPECTED,
    Form.DAY: Trouble.DAY_EXPECTED,
    Form.DAYS: Trouble.DAYS_EXPECTED,
    Form.AMOUNT: Trouble.AMOUNT_EXPECTED,
    Form.PERCENT: Trouble.PERCENT_EXPECTED,
    Form.CHOICE: Trouble.CHOICE_EXPECTED,
}
_BY_NAME = {kind: {field.name: field for field in fields} for kind, fields in FIELDS.items()}


@value
class Record:
    """An account, cost centre, cost object or payment term."""

    kind: RecordKind
    number: str
    fields: Mapping[str, str]
    """Values in their one spelling, by field; names as "name.fr"."""
    line: int = 0
    """Where its export states it."""


@value
class Export:
    """A master export taken apart."""

    records: tuple[Record, ...]
    """In the order of the file; without those that a finding is about."""
    findings: Findings


class Builder:
    """Takes the records of an export one after the other and holds them to the schema."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._lines: dict[tuple[RecordKind, str], int] = {}
        self._records: list[Record] = []

    def add(self, kind: RecordKind, raw: Mapping[str, str], line: int) -> None:
        """One record: its number under "number", names under "name.fr", and its other fields, as the file has them."""
        before = self._collector.count
        number = self._number(kind, raw.get("number", ""), line)
        fields = {name: self._value(kind, name, text, line) for name, text in raw.items() if name != "number"}
        if self._collector.count == before:
            self._complete(kind, number, fields, line)
        if self._collector.count == before:
            self._records.append(Record(kind, number, fields, line))

    def export(self) -> Export:
        """All that was taken."""
        return Export(tuple(self._records), self._collector.findings())

    def _number(self, kind: RecordKind, text: str, line: int) -> str:
        number = canonical_number(kind, text)
        if number is None:
            self._refuse(line, Form.CODE, "number", text, _number_characters_max(kind))
        elif not number:
            self._collector.add(line, Trouble.NUMBER_MISSING)
        elif (kind, number) in self._lines:
            self._collector.add(line, Trouble.NUMBER_TWICE, number=number, first=self._lines[kind, number])
        else:
            self._lines[kind, number] = line
        return number or ""

    def _value(self, kind: RecordKind, name: str, text: str, line: int) -> str:
        if not is_field(kind, name):
            first, _, language = name.partition(".")
            if first == NAME:
                self._collector.add(line, Trouble.LANGUAGE_EXPECTED, text=language or "?")
            else:
                self._collector.add(line, Trouble.FIELD_UNKNOWN, field=name)
            return ""
        value = canonical(kind, name, text)
        if value is None:
            field = _BY_NAME[kind].get(name, Field(name, Form.TEXT))
            longest = NUMBER_CHARACTERS_MAX if field.form is Form.CODE else TEXT_CHARACTERS_MAX
            self._refuse(line, field.form, name, text, longest, field.choices)
        return value or ""

    def _refuse(self, line: int, form: Form, name: str, text: str, longest: int, choices: Sequence[str] = ()) -> None:
        """Say what a value should look like."""
        if form not in _EXPECTED and len(text.strip()) > longest:
            self._collector.add(line, Trouble.TOO_LONG, field=name, characters=longest, text=text)
            return
        facts: dict[str, object] = {"choices": ", ".join(choices)} if choices else {}
        if form is Form.DAYS:
            facts["limit"] = DAYS_MAX
        self._collector.add(line, _EXPECTED.get(form, Trouble.FIELD_UNREADABLE), field=name, text=text, **facts)

    def _complete(self, kind: RecordKind, number: str, fields: Mapping[str, str], line: int) -> None:
        """What a record needs beside proper fields."""
        names = [value for name, value in fields.items() if name.startswith(f"{NAME}.")]
        if len(names) > LANGUAGES_MAX or (not any(names) and kind is not RecordKind.PAYMENT_TERM):
            self._collector.add(line, Trouble.NAME_MISSING, number=number)
        for field in FIELDS[kind]:
            if field.required and not fields.get(field.name):
                self._collector.add(line, Trouble.FIELD_MISSING, number=number, field=field.name)
        begin, end = fields.get("postable-from", ""), fields.get("postable-to", "")
        if begin and end and begin > end:
            self._collector.add(line, Trouble.DATES_REVERSED, number=number, begin=begin, end=end)
        for first, second in DISCOUNTS:
            for stated, other in ((first, second), (second, first)):
                if fields.get(stated, "") not in _NONE and not fields.get(other):
                    self._collector.add(line, Trouble.DISCOUNT_HALF, number=number, field=stated, other=other)


def is_field(kind: RecordKind, name: str) -> bool:
    """Whether records of a kind have such a field; "name.fr" is one."""
    first, _, language = name.partition(".")
    return name in _BY_NAME[kind] or (first == NAME and _LANGUAGE.fullmatch(language) is not None)


def canonical_number(kind: RecordKind, text: str) -> str | None:
    """A record's number without the blanks around it; None if it cannot be one."""
    return _text(text, _number_characters_max(kind))


def canonical(kind: RecordKind, name: str, text: str) -> str | None:
    """A field's value in its one spelling, "" for an empty one; None if it cannot be one. The field must exist."""
    if name not in _BY_NAME[kind]:
        return _text(text, TEXT_CHARACTERS_MAX)
    field = _BY_NAME[kind][name]
    plain = text.strip()
    if not plain:
        return ""
    match field.form:
        case Form.FLAG:
            return _FLAGS.get(plain.lower())
        case Form.DAY:
            day = read_date(plain)
            return day.isoformat() if day else None
        case Form.DAYS:
            days = read_integer(plain)
            return str(days) if days is not None and days <= DAYS_MAX else None
        case Form.AMOUNT | Form.PERCENT:
            return _decimal(plain, field.form is Form.PERCENT)
        case Form.CHOICE:
            return next((choice for choice in field.choices if choice.lower() == plain.lower()), None)
        case Form.TEXT | Form.CODE:
            return _text(plain, TEXT_CHARACTERS_MAX if field.form is Form.TEXT else NUMBER_CHARACTERS_MAX)


def _number_characters_max(kind: RecordKind) -> int:
    return TERM_NUMBER_CHARACTERS_MAX if kind is RecordKind.PAYMENT_TERM else NUMBER_CHARACTERS_MAX


def _text(text: str, longest: int) -> str | None:
    plain = text.strip()
    return plain if len(plain) <= longest and plain.isprintable() else None


def _decimal(text: str, percent: bool) -> str | None:
    number = read_number(text)
    if number is None or (percent and not 0 <= number <= 100):
        return None
    if number == 0:
        return "0"
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
