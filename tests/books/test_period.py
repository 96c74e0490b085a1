"""Accounting periods, read and found."""

from __future__ import annotations

from datetime import date

import pytest

from p2psync.books.period import Period, containing, day_text, period_in_name, period_of
from p2psync.books.synthetic import entries_name

YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))
LONG = Period(date(2024, 7, 1), date(2025, 12, 31))


def test_a_period_has_its_first_and_its_last_day() -> None:
    assert date(2025, 1, 1) in YEAR
    assert date(2025, 12, 31) in YEAR
    assert date(2024, 12, 31) not in YEAR
    assert date(2026, 1, 1) not in YEAR


def test_it_says_its_year_where_it_is_one() -> None:
    assert str(YEAR) == "2025"
    assert str(LONG) == "01.07.2024 ~ 31.12.2025"
    assert str(Period(date(2024, 1, 1), date(2025, 12, 31))) == "01.01.2024 ~ 31.12.2025"
    assert day_text(date(25, 1, 2)) == "02.01.0025"


def test_it_is_read_only_from_two_dates_in_their_order() -> None:
    assert period_of("01.01.2025", " 31.12.2025 ") == YEAR
    assert period_of("01.01.2025", "01.01.2025") == Period(YEAR.begin, YEAR.begin)
    assert period_of("31.12.2025", "01.01.2025") is None
    assert period_of("01.01.2025", "") is None
    with pytest.raises(AssertionError):
        Period(YEAR.end, YEAR.begin)


def test_names_of_entries_files_state_it() -> None:
    assert period_in_name(entries_name("Cargo", 2025, "ecf")) == YEAR
    assert period_in_name("a (01-01-2025 ~ 31-12-2025) b.ecs") == YEAR
    assert period_in_name("Cargo.ecf") is None
    assert period_in_name("Cargo (31-12-2025 ~ 01-01-2025).ecf") is None


def test_the_shortest_period_that_has_the_day_is_the_one() -> None:
    assert containing([LONG, YEAR], date(2025, 5, 5)) == YEAR
    assert containing([LONG, YEAR], date(2024, 8, 1)) == LONG
    assert containing([LONG, YEAR], date(2027, 1, 1)) is None
    assert containing([YEAR], None) is None
