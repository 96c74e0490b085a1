"""Files of bookings: each line kept as it is, its fields by name, and what is no booking named by its line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.entries import (
    COST_CENTRE,
    ENTRIES_BYTES_MAX,
    FIELDS_MIN,
    LINE_CHARACTERS_MAX,
    EntryLine,
    Lot,
    read_entries,
)
from p2psync.books.finding import Trouble
from p2psync.books.index import UNKNOWN_MOMENT
from p2psync.books.synthetic import edited_entries, entries
from p2psync.errors import CodecError
from tests.books.damage import damaged

SALES = entries("ECF", 40, Random(1), uid=3)
HEAD = "#FSC\t9.5.0\tECF"
LOT = "#ECC\t1; 4; 31.12.2025 09:00:00; 3"
LINE = "05.01.2025\t1100\t3000\tF-001\tMüller & Cie\t1'108.10\t\t0\t\t0\t0\t0\t\t7\tTVA\t10\t\t\t\t\t0"


def ecf(*lines: str, end: str = "\r\n", encoding: str = "cp1252") -> bytes:
    """A file of bookings of these lines after its head."""
    return "".join(f"{line}{end}" for line in [HEAD, *lines]).encode(encoding)


def test_a_line_has_its_fields_by_name() -> None:
    (line,) = read_entries(ecf(LOT, LINE)).lines()
    assert line == EntryLine(3, LINE)
    assert (line.date, line.debit, line.credit, line.voucher) == (date(2025, 1, 5), "1100", "3000", "F-001")
    assert (line.text, line.amount, line.number) == ("Müller & Cie", Decimal("1108.10"), 7)
    assert (line.vat_code, line.field(COST_CENTRE)) == ("TVA", "10")


def test_fields_that_are_not_there_are_empty_and_what_is_no_date_is_none() -> None:
    line = EntryLine(3, "soon" + "\t" * (FIELDS_MIN - 1))
    assert (line.date, line.amount, line.number) == (None, None, None)
    assert (line.vat_code, line.field(COST_CENTRE), line.field(20)) == ("", "", "")


def test_head_and_lots_are_read() -> None:
    read = read_entries(ecf(LOT, LINE, "#ECC\t1; x; soon; y", LINE, "#BACKUP\tbase"))
    assert (read.tag, read.version, read.count) == ("ECF", "9.5.0", 2)
    assert read.lots == (Lot(2, 4, (2025, 12, 31, 9, 0, 0), 3), Lot(4, None, UNKNOWN_MOMENT, None))
    assert read.others == ((6, "#BACKUP\tbase"),)
    assert not read.findings


def test_a_short_head_says_nothing() -> None:
    assert read_entries(b"#FSC\r\n").tag == ""


@pytest.mark.parametrize("count", [0, 1, 2, 40])
@pytest.mark.parametrize("tag", ["ECF", "ECS"])
def test_every_invented_file_is_read_without_a_finding(tag: str, count: int) -> None:
    read = read_entries(entries(tag, count, Random(count)))
    assert (read.tag, read.count, len(list(read.lines())), len(read.raws())) == (tag, count, count, count)
    assert not read.findings
    assert [line.raw for line in read.lines()] == read.raws()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\r\r\n"])
def test_encodings_and_line_ends_make_no_difference(encoding: str, end: str) -> None:
    assert read_entries(ecf(LOT, LINE, end=end, encoding=encoding)) == read_entries(ecf(LOT, LINE))


def test_the_longest_line_is_read() -> None:
    longest = LINE + "x" * (LINE_CHARACTERS_MAX - len(LINE))
    assert read_entries(ecf(longest)).raws() == [longest]


def test_lines_that_are_no_booking_are_named_and_not_counted() -> None:
    short = "\t".join(LINE.split("\t")[: FIELDS_MIN - 1])
    long = LINE + "x" * LINE_CHARACTERS_MAX
    read = read_entries(ecf(LOT, LINE, "", "  ", short, "free text", long, LINE))
    assert read.count == 2
    assert [line.line for line in read.lines()] == [3, 9]
    assert [(one.line, one.trouble) for one in read.findings.items] == [
        (6, Trouble.FIELDS_MISSING),
        (7, Trouble.FIELDS_MISSING),
        (8, Trouble.LINE_TOO_LONG),
    ]
    assert str(read.findings.items[0]) == "Line 6 is no whole booking: it has 13 fields of at least 14."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "begins with a line #FSC"),
        (b"#FSC\t9.5.0", "cut off in it"),
        (b"hello\r\n", "begins with a line #FSC"),
        (ecf(LINE)[:-2], "no end"),
        (ecf(LINE) + b"05.01", "no end"),
        (ecf(LINE) + b"\0" * 20, "zero bytes"),
        (ecf("x" * ENTRIES_BYTES_MAX), "more than"),
    ],
)
def test_what_is_torn_or_something_else_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        read_entries(data)


@given(st.integers(1, len(SALES) - 1))
def test_a_cut_file_never_passes_for_a_whole_one(at: int) -> None:
    """Cut between two lines it looks whole, and is: a shorter file."""
    try:
        read = read_entries(SALES[:at])
    except CodecError:
        return
    assert SALES[:at].endswith((b"\r\n", b"\r"))
    assert read.raws() == read_entries(SALES).raws()[: read.count]


@given(damaged(SALES))
def test_a_damaged_file_is_read_or_refused(data: bytes) -> None:
    try:
        read = read_entries(data)
    except CodecError:
        return
    lines = list(read.lines())
    assert len(lines) == read.count
    assert all(line.raw.count("\t") >= FIELDS_MIN - 1 for line in lines)
    for line in lines:
        assert isinstance(line.date, date | None)
        assert isinstance(line.amount, Decimal | None)
        assert isinstance(line.number, int | None)


@given(st.binary(max_size=300))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for one in (data, b"#FSC" + data + b"\n", b"#FSC\t9\tECF\r\n" + data):
        try:
            read_entries(one)
        except CodecError:
            continue


def test_fifty_thousand_lines_are_read() -> None:
    data = edited_entries(entries("ECF", 50_000, Random(1)), Random(1), new=10, removed=20)
    assert read_entries(data).count == 49_990
