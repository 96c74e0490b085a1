"""Accounting periods, read and found."""

from __future__ import annotations

from datetime import date

import pytest

from p2psync.books.synthetic import entries_name
from p2psync.core.period import Period, containing, day_text, period_in_name

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


def test_it_ends_after_it_began() -> None:
    assert Period(YEAR.begin, YEAR.begin).includes(Period(YEAR.begin, YEAR.begin))
    with pytest.raises(AssertionError):
        Period(YEAR.end, YEAR.begin)


def test_names_of_entries_files_state_it() -> None:
    assert period_in_name(entries_name("Cargo", 2025, "ecf")) == YEAR
    assert period_in_name("a (01-01-2025 ~ 31-12-2025) b.ecs") == YEAR
    assert period_in_name("Cargo.ecf") is None
    assert period_in_name("Cargo (31-12-2025 ~ 01-01-2025).ecf") is None
    assert period_in_name("Cargo (31-02-2025 ~ 31-12-2025).ecf") is None
    assert period_in_name("Cargo (01-01-0000 ~ 31-12-2025).ecf") is None


def test_one_may_lie_in_another_or_have_days_in_common_with_it() -> None:
    half = Period(date(2025, 7, 1), date(2026, 6, 30))
    assert (LONG.includes(YEAR), YEAR.includes(YEAR), YEAR.includes(LONG), YEAR.includes(half)) == (
        *(True, True),
        *(False, False),
    )
    assert YEAR.overlaps(half)
    assert half.overlaps(YEAR)
    assert not YEAR.overlaps(Period(date(2026, 1, 1), date(2026, 12, 31)))


def test_the_shortest_period_that_has_the_day_is_the_one() -> None:
    assert containing([LONG, YEAR], date(2025, 5, 5)) == YEAR
    assert containing([LONG, YEAR], date(2024, 8, 1)) == LONG
    assert containing([LONG, YEAR], date(2027, 1, 1)) is None
    assert containing([YEAR], None) is None
