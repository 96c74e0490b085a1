"""The `.crp`, what accounting tells the other programs: period, languages, chart of accounts, VAT codes, cost centres.

A header of `KEY=value` lines is followed by blocks from `BEGIN=X` to `END=X`, whose records begin with `ENTRY`. A
value may go on over several lines, which end in CR CR LF. The last line is `ENDOFFILE`: without it the file is torn.
Blocks that nobody needs are passed over, and so are the paths on other people's PCs that one of them holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from decimal import Decimal
from enum import IntEnum, StrEnum

from p2psync.books.finding import Collector, Findings, Trouble, shown
from p2psync.books.text import PADDING, decoded, read_integer, read_number, read_period
from p2psync.core.period import Period
from p2psync.core.value import mutable, value
from p2psync.errors import CodecError

CHART_BYTES_MAX = 16 << 20
LAST = "ENDOFFILE"

_WANTED = frozenset({"LANGUAGES", "TVACODES", "CENTERS", "VATEQUIV", "PERIODES", "COMPTES"})
_FIELD = re.compile(r"([A-Z][A-Z0-9_.]*)=(.*)", re.DOTALL)
_KIND_BITS = 0x18
_CATEGORY_BITS = 2 | 4 | 8 | 16 | 32
_NAME = "NAME."


class Kind(StrEnum):
    """What a row of the chart of accounts is."""

    ACCOUNT = "account"
    TITLE = "title"
    GROUP = "group"


_KINDS = {0x00: Kind.ACCOUNT, 0x08: Kind.TITLE, 0x10: Kind.GROUP}


class Category(IntEnum):
    """Which part of the books an account belongs to."""

    ASSETS = 2
    LIABILITIES = 4
    EXPENSE = 8
    INCOME = 16
    OPERATING = 32


@value
class Language:
    """A language that the chart's names are written in."""

    number: int
    """Stands behind NAME in the records: `NAME.1`."""
    name: str
    iso_code: str
    """"fr", "de"; "" if the file does not say."""


Names = tuple[tuple[int, str], ...]
"""Names by language number."""


@value
class Account:
    """A row of the chart of accounts."""

    number: str
    name: str
    """In the language that accounting works in."""
    names: Names
    category: Category | None
    """None if the file does not say one that is known."""
    kind: Kind | None
    """None if the file does not say one that is known."""
    group: str
    """The number of the group it belongs to; "" for none."""
    vat_code: str
    """What is proposed for its bookings; "" for none."""
    line: int

    def name_in(self, language: int) -> str:
        """Its name in a language, else in the one that accounting works in."""
        return _name_in(self.names, language, self.name)


@value
class VatCode:
    """A VAT code that bookings may bear."""

    code: str
    description: str
    rate: Decimal | None
    """In percent; None if the file does not say."""
    account: str
    """The account of the tax."""
    line: int


@value
class CostCentre:
    """A cost centre that bookings may bear."""

    number: str
    name: str
    names: Names
    line: int

    def name_in(self, language: int) -> str:
        """Its name in a language, else in the one that accounting works in."""
        return _name_in(self.names, language, self.name)


@value
class Chart:
    """A `.crp` taken apart; what could not be read is in `findings`."""

    title: str
    period: Period | None
    """None if the file states none that is one."""
    subperiods: tuple[Period, ...]
    languages: tuple[Language, ...]
    accounts: tuple[Account, ...]
    """Titles and groups among them, in the order of the file; rows that only draw lines are left out."""
    vat_codes: tuple[VatCode, ...]
    vat_equivalents: tuple[tuple[str, str], ...]
    """Codes that mean the same in another language."""
    cost_centres: tuple[CostCentre, ...]
    blocks: frozenset[str]
    """Which blocks the file has, empty or not: without TVACODES nothing is known of VAT codes."""
    findings: Findings


def read_chart(data: bytes) -> Chart:
    """Take a `.crp` apart. Raises CodecError if it is none, is torn, or its blocks do not fit together."""
    collector = Collector()
    blocks = _blocks(decoded(data.rstrip(PADDING), CHART_BYTES_MAX), collector)
    header = blocks.pop("")
    if "COMPTES" not in blocks:
        raise CodecError("The chart of accounts has no list of accounts.")
    fields = header.fields
    return Chart(
        title=fields.get("TITLE", "").strip(),
        period=_period(fields, 1, collector),
        subperiods=tuple(filter(None, (_period(one.fields, one.line, collector) for one in _in(blocks, "PERIODES")))),
        languages=tuple(_languages(blocks, collector)),
        accounts=tuple(_accounts(blocks, collector)),
        vat_codes=tuple(_vat_codes(blocks, collector)),
        vat_equivalents=tuple(_equivalents(blocks, collector)),
        cost_centres=tuple(_cost_centres(blocks, collector)),
        blocks=frozenset(blocks),
        findings=collector.findings(),
    )


@mutable
class _Record:
    line: int
    fields: dict[str, str] = field(default_factory=dict)


@mutable
class _Block:
    """The header is the block named ""."""

    fields: dict[str, str] = field(default_factory=dict)
    records: list[_Record] = field(default_factory=list)
    rows: list[tuple[int, str]] = field(default_factory=list)
    """Lines that are neither records nor fields."""


def _blocks(text: str, collector: Collector) -> dict[str, _Block]:
    reader = _Reader(collector)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    for number, row in enumerate(text.split("\n"), 1):
        plain = row.rstrip("\r")
        if number == 1 and not _FIELD.match(plain):
            raise CodecError("A chart of accounts begins with KEY=value; this file does not.")
        reader.take(number, plain)
        if reader.ended:
            return reader.blocks
        reader.continued = len(row) - len(plain) > 1
    raise CodecError("The chart of accounts does not end with ENDOFFILE: it was not written to its end.")


class _Reader:
    """Puts one line after the other where it belongs."""

    __slots__ = ("blocks", "collector", "continued", "ended", "fields", "key", "name", "wanted")

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.blocks = {"": _Block()}
        self.name = ""
        self.wanted = True
        self.fields = self.blocks[""].fields
        self.key = ""
        """The field that the line before belongs to; "" for none."""
        self.continued = False
        """The line before ended in CR CR LF."""
        self.ended = False

    def take(self, number: int, row: str) -> None:
        if self.continued and self.key:
            self._go_on(row)
        elif not row.strip():
            self.key = ""
        elif row.startswith("BEGIN="):
            self._begin(number, row[6:].strip())
        elif row.startswith("END="):
            self._end(number, row[4:].strip())
        elif row.rstrip() == LAST:
            self._end(number, "") if self.name else None
            self.ended = True
        elif self.wanted:
            self._content(number, row)

    def _begin(self, number: int, name: str) -> None:
        if self.name or not name:
            raise CodecError("Line {line}: a block begins inside a block.", line=number)
        if name in self.blocks:
            raise CodecError("Line {line}: there is a second block {name!r}.", line=number, name=shown(name))
        self.name, self.wanted, self.key = name, name in _WANTED, ""
        self.blocks[name] = block = _Block()
        self.fields = block.fields

    def _end(self, number: int, name: str) -> None:
        if not self.name or name != self.name:
            raise CodecError("Line {line}: a block ends where none began.", line=number)
        self.name, self.wanted, self.key = "", True, ""
        self.fields = self.blocks[""].fields

    def _content(self, number: int, row: str) -> None:
        if row.rstrip() == "ENTRY" and self.name:
            record = _Record(number)
            self.blocks[self.name].records.append(record)
            self.fields, self.key = record.fields, ""
        elif found := _FIELD.fullmatch(row):
            self._set(number, found[1], found[2])
        elif self.key:
            self._go_on(row)
        elif self.name and not self.blocks[self.name].records:
            self.blocks[self.name].rows.append((number, row))
        else:
            self.collector.add(number, Trouble.LINE_NOT_UNDERSTOOD, text=row)

    def _set(self, number: int, key: str, value: str) -> None:
        if key in self.fields:
            self.collector.add(number, Trouble.FIELD_TWICE, field=key)
            self.key = ""
            return
        self.fields[key] = value
        self.key = key

    def _go_on(self, row: str) -> None:
        if self.wanted:
            self.fields[self.key] += f"\n{row}"


def _in(blocks: dict[str, _Block], name: str) -> list[_Record]:
    return blocks[name].records if name in blocks else []


def _period(fields: dict[str, str], line: int, collector: Collector) -> Period | None:
    begin, end = fields.get("DATEBEG", ""), fields.get("DATEEND", "")
    period = read_period(begin, end)
    if period is None:
        collector.add(line, Trouble.PERIOD_UNREADABLE, begin=begin or "?", end=end or "?")
    return period


def _languages(blocks: dict[str, _Block], collector: Collector) -> Iterator[Language]:
    for record in _in(blocks, "LANGUAGES"):
        number = _whole(record, "NUM", collector)
        if number is not None:
            name, iso_code = (record.fields.get(key, "").strip() for key in ("NAME", "ISOCODE"))
            yield Language(number, name, iso_code.lower())


def _accounts(blocks: dict[str, _Block], collector: Collector) -> Iterator[Account]:
    seen: dict[str, int] = {}
    for record in _in(blocks, "COMPTES"):
        get = record.fields.get
        number, name = get("NUM", "").strip(), get("NAME", "").strip()
        if "/" in number or (number and not name):
            continue
        status, category = _whole(record, "STATUS", collector), _whole(record, "CAT", collector)
        if _is_first(number, record.line, seen, collector):
            yield Account(
                number=number,
                name=name,
                names=_names(record),
                category=_category(category),
                kind=None if status is None else _KINDS.get(status & _KIND_BITS),
                group=get("GROUP", "").strip(),
                vat_code=get("VATCODE", "").strip(),
                line=record.line,
            )


def _vat_codes(blocks: dict[str, _Block], collector: Collector) -> Iterator[VatCode]:
    seen: dict[str, int] = {}
    for record in _in(blocks, "TVACODES"):
        get = record.fields.get
        code, rate = get("NAME", "").strip(), get("TAUX", "").strip()
        percent = read_number(rate)
        if rate and percent is None:
            collector.add(record.line, Trouble.FIELD_UNREADABLE, field="TAUX", text=rate)
        if _is_first(code, record.line, seen, collector):
            yield VatCode(code, get("COMMENT", "").strip(), percent, get("COMPTE", "").strip(), record.line)


def _cost_centres(blocks: dict[str, _Block], collector: Collector) -> Iterator[CostCentre]:
    seen: dict[str, int] = {}
    for record in _in(blocks, "CENTERS"):
        number, name = (record.fields.get(key, "").strip() for key in ("NUM", "NAME"))
        if _is_first(number, record.line, seen, collector):
            yield CostCentre(number, name, _names(record), record.line)


def _equivalents(blocks: dict[str, _Block], collector: Collector) -> Iterator[tuple[str, str]]:
    for number, row in blocks["VATEQUIV"].rows if "VATEQUIV" in blocks else ():
        first, second = (part.strip() for part in f"{row}\t".split("\t", 2)[:2])
        if first and second:
            yield first, second
        else:
            collector.add(number, Trouble.LINE_NOT_UNDERSTOOD, text=row)


def _is_first(number: str, line: int, seen: dict[str, int], collector: Collector) -> bool:
    """False, with a finding, for a record that has no number, or the number of one before."""
    if not number:
        collector.add(line, Trouble.NUMBER_MISSING)
        return False
    if number in seen:
        collector.add(line, Trouble.NUMBER_TWICE, number=number, first=seen[number])
        return False
    seen[number] = line
    return True


def _whole(record: _Record, key: str, collector: Collector) -> int | None:
    text = record.fields.get(key, "").strip()
    number = read_integer(text)
    if text and number is None:
        collector.add(record.line, Trouble.FIELD_UNREADABLE, field=key, text=text)
    return number


def _category(bits: int | None) -> Category | None:
    known = (bits or 0) & _CATEGORY_BITS
    return Category(known) if known in list(Category) else None


def _names(record: _Record) -> Names:
    numbered = (
        (read_integer(key.removeprefix(_NAME)), value) for key, value in record.fields.items() if key.startswith(_NAME)
    )
    return tuple(sorted((number, value.strip()) for number, value in numbered if number is not None))


def _name_in(names: Names, language: int, default: str) -> str:
    return next((name for number, name in names if number == language and name), default)
