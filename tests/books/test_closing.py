"""Which files a period has."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from p2psync.books import synthetic
from p2psync.books.closing import Belonging, belonging, known_periods, overlapping, span_of
from p2psync.books.entries import read_entries
from p2psync.core.period import Period
from p2psync.core.relpath import parse

YEAR, NEXT = (Period(date(year, 1, 1), date(year, 12, 31)) for year in (2025, 2026))
ACROSS = Period(date(2025, 7, 1), date(2026, 6, 30))


@pytest.mark.parametrize(
    ("span", "lies"),
    [
        (None, Belonging.OUTSIDE),
        (NEXT, Belonging.OUTSIDE),
        (YEAR, Belonging.INSIDE),
        (Period(date(2025, 3, 1), date(2025, 3, 1)), Belonging.INSIDE),
        (ACROSS, Belonging.ACROSS),
    ],
)
def test_a_file_lies_in_a_period_beside_it_or_across_its_end(span: Period | None, lies: Belonging) -> None:
    assert belonging(span, YEAR) is lies


def test_a_file_of_bookings_spans_its_lines() -> None:
    data = synthetic.entries("ECF", 50, Random(1))
    days = {line.date for line in read_entries(data).lines() if line.date is not None}
    assert span_of(read_entries(data)) == Period(min(days), max(days))
    assert span_of(read_entries(b"#FSC\t9.5.0\tECF\r\n")) is None
    odd = data.split(b"\r\n")
    odd.insert(2, b"\t".join([b"no date", *[b"x"] * 20]))
    assert span_of(read_entries(b"\r\n".join(odd))) == Period(min(days), max(days))


def test_charts_with_days_in_common_are_two_accountings() -> None:
    assert overlapping({parse("a.crp"): YEAR, parse("b.crp"): NEXT}) == []
    charts = {parse("b.crp"): NEXT, parse("a.crp"): YEAR, parse("c.crp"): ACROSS}
    assert overlapping(charts) == [("a.crp", "c.crp"), ("b.crp", "c.crp")]


def test_periods_are_told_once_in_their_order() -> None:
    assert known_periods([NEXT, None, YEAR, NEXT]) == [YEAR, NEXT]
