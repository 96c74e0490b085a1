"""The `.ecf` and `.ecs`, the bookings that invoicing and payroll hand to accounting, one in each line.

The first line names the kind, `#ECC` lines name lots, every other line is a booking of at least 14 fields between
tabs. A line stays the text that its program wrote, and is cut into fields when somebody asks: most are only compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from datetime import date
from decimal import Decimal

from p2psync.books.finding import Collector, Findings, Trouble
from p2psync.books.index import Moment, moment_of
from p2psync.books.text import decoded, read_date, read_integer, read_number, rows_of
from p2psync.core.value import value
from p2psync.errors import CodecError

ENTRIES_BYTES_MAX = 64 << 20
LINE_CHARACTERS_MAX = 16_384
FIELDS_MIN = 14
SPLIT = "..."
"""Stands where the other lines of a split booking have the account."""

DATE, DEBIT, CREDIT, VOUCHER, TEXT, AMOUNT = range(6)
NUMBER, VAT_CODE, COST_CENTRE = 13, 14, 15
"""Where these fields stand in a line."""

_FIRST = "#FSC"
_LOT = "#ECC"


@value
class Lot:
    """What the writing program says about one of its runs."""

    line: int
    number: int | None
    written: Moment
    """By the writer's clock."""
    uid: int | None
    """The number that the index knows this file by."""


@value
class EntryLine:
    """One line of a booking."""

    line: int
    """Its number in the file, from 1."""
    raw: str
    """As it was written, without its end."""

    @property
    def date(self) -> date | None:
        """None if it is no date."""
        return read_date(self.field(DATE))

    @property
    def debit(self) -> str:
        """An account, or SPLIT."""
        return self.field(DEBIT)

    @property
    def credit(self) -> str:
        """An account, or SPLIT."""
        return self.field(CREDIT)

    @property
    def voucher(self) -> str:
        return self.field(VOUCHER)

    @property
    def text(self) -> str:
        return self.field(TEXT)

    @property
    def amount(self) -> Decimal | None:
        """None if it is no number."""
        return read_number(self.field(AMOUNT))

    @property
    def number(self) -> int | None:
        """What the writing program counts its lines by; None or 0 if it does not."""
        return read_integer(self.field(NUMBER))

    @property
    def vat_code(self) -> str:
        """ "" for none."""
        return self.field(VAT_CODE)

    def field(self, at: int) -> str:
        """A field without the blanks around it; "" where the line is too short."""
        fields = self.raw.split("\t", at + 1)
        return fields[at].strip() if at < len(fields) else ""


@value
class EntriesFile:
    """A file of bookings taken apart; what could not be read is in `findings`."""

    tag: str
    """"ECF", "ECS" or another of their kind; "" if the file does not say."""
    version: str
    """Of the layout, as the file states it."""
    lots: tuple[Lot, ...]
    others: tuple[tuple[int, str], ...]
    """Lines beginning with # that are not understood, by line number."""
    findings: Findings
    """Lines that are no booking; while there are any, nobody knows how many bookings the file has."""
    rows: tuple[str, ...] = field(repr=False)
    """All lines of the file."""
    skipped: frozenset[int] = field(repr=False)
    """The numbers of those that are no line of a booking."""

    @property
    def count(self) -> int:
        """How many lines of bookings it has."""
        return len(self.rows) - len(self.skipped)

    def lines(self) -> Iterator[EntryLine]:
        """The lines of bookings, in their order."""
        return (EntryLine(number, row) for number, row in enumerate(self.rows, 1) if number not in self.skipped)

    def raws(self) -> list[str]:
        """The lines of bookings as text, which is much quicker to have and to compare."""
        return [row for number, row in enumerate(self.rows, 1) if number not in self.skipped]


def read_entries(data: bytes) -> EntriesFile:
    """Take a file of bookings apart. Raises CodecError if it is none, or its last line was not written to its end."""
    *rows, end = rows_of(decoded(data, ENTRIES_BYTES_MAX))
    if not rows or not rows[0].startswith(_FIRST):
        raise CodecError("A file of bookings begins with a line #FSC; this one does not, or was cut off in it.")
    if end:
        raise CodecError("The last line has no end: the file was not written to its end.")
    notes = [(number, row) for number, row in enumerate(rows, 1) if not _is_booking(row)]
    collector = Collector()
    for number, row in notes:
        if row.strip() and not row.startswith("#"):
            _report(number, row, collector)
    marked = [(number, row) for number, row in notes[1:] if row.startswith("#")]
    lots = {number: lot for number, row in marked if (lot := _read_lot(number, row))}
    version, tag = _head(rows[0])
    return EntriesFile(
        tag=tag,
        version=version,
        lots=tuple(lots.values()),
        others=tuple((number, row) for number, row in marked if number not in lots),
        findings=collector.findings(),
        rows=tuple(rows),
        skipped=frozenset(number for number, _ in notes),
    )


def _is_booking(row: str) -> bool:
    return row.count("\t") >= FIELDS_MIN - 1 and len(row) <= LINE_CHARACTERS_MAX and not row.startswith("#")


def _head(row: str) -> tuple[str, str]:
    _, version, tag, *_ = (part.strip() for part in f"{row}\t\t".split("\t"))
    return version, tag


def _read_lot(line: int, row: str) -> Lot | None:
    """`#ECC<tab>1; <lot>; <date time>; <uid>`; None for anything else."""
    tag, _, rest = row.partition("\t")
    fields = [field.strip() for field in rest.split(";")]
    if tag != _LOT or len(fields) < 4:
        return None
    return Lot(line, read_integer(fields[1]), moment_of(fields[2]), read_integer(fields[3]))


def _report(line: int, row: str, collector: Collector) -> None:
    if len(row) > LINE_CHARACTERS_MAX:
        collector.add(line, Trouble.LINE_TOO_LONG, characters=LINE_CHARACTERS_MAX)
    else:
        collector.add(line, Trouble.FIELDS_MISSING, fields=row.count("\t") + 1, needed=FIELDS_MIN)
