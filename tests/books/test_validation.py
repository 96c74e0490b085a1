"""Bookings against the chart of their period: each mistake with its line, and nothing checked that nobody states."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.crp import read_chart
from p2psync.books.entries import EntriesFile, read_entries
from p2psync.books.synthetic import chart, entries, entries_name, mandate_files
from p2psync.books.validation import ALWAYS, Books, Check, Span, active_checks, books_of_chart, validate
from p2psync.core.period import Period, period_in_name
from p2psync.errors import CodecError
from tests.books.damage import damaged

Y2024 = Period(date(2024, 1, 1), date(2024, 12, 31))
Y2025 = Period(date(2025, 1, 1), date(2025, 12, 31))
BOOKS = Books(Y2025, {"1100": None, "3000": None, "3": ALWAYS, "1050": date(2025, 7, 1)}, frozenset({"TVA", "UST"}))


def booking(
    debit: str = "1100", credit: str = "3000", vat: str = "TVA", day: str = "05.01.2025", centre: str = ""
) -> str:
    return "\t".join([day, debit, credit, "F-1", "Müller", "108.10", *[""] * 7, "1", vat, centre])


def ecf(*lines: str) -> EntriesFile:
    return read_entries("".join(f"{line}\r\n" for line in ["#FSC\t9.5.0\tECF", *lines]).encode("cp1252"))


def told(file: EntriesFile, *books: Books, stated: Period | None = None, instead: Books | None = None) -> list[str]:
    return [str(finding) for finding in validate(file, books, stated, instead).items]


@given(st.integers(0, 50), st.integers(0, 2**32))
def test_the_files_of_a_mandate_are_right(lines: int, seed: int) -> None:
    files = mandate_files("Cargo", 2025, Random(seed), lines=lines)
    books = books_of_chart(read_chart(files["Cargo 2025.crp"]))
    assert books is not None
    for name in files:
        if name.endswith((".ecf", ".ecs")):
            assert not validate(read_entries(files[name]), [books], period_in_name(name))


def test_each_mistake_is_named_with_its_line() -> None:
    file = ecf(
        booking(),
        booking(debit="5999"),
        booking(credit="5998"),
        booking(vat="MWST"),
        booking(day="01.01.2027"),
        booking(day="soon"),
        booking(day=""),
        booking(debit="", credit=" "),
        booking(debit="3", credit="3"),
    )
    assert told(file, BOOKS) == [
        "Line 3: the debit account 5999 is not in the chart of accounts.",
        "Line 4: the credit account 5998 is not in the chart of accounts.",
        "Line 5: the VAT code MWST is not in the chart of accounts.",
        "Line 6: 01.01.2027 lies in no accounting period.",
        "Line 7: soon is no date.",
        "Line 8: ? is no date.",
        "Line 9 has no credit account.",
        "Line 9 has no debit account.",
        "Line 10: nothing can be posted to the credit account 3.",
        "Line 10: nothing can be posted to the debit account 3.",
    ]


def test_split_lines_name_one_account() -> None:
    assert told(ecf(booking(debit="..."), booking(credit="...")), BOOKS) == []
    assert len(told(ecf(booking(debit="...", credit="x")), BOOKS)) == 1


@pytest.mark.parametrize("vat", ["", "UST"])
def test_vat_codes_may_be_left_out_or_in_another_language(vat: str) -> None:
    assert told(ecf(booking(vat=vat)), BOOKS) == []


def test_lines_may_end_before_the_vat_code() -> None:
    for fields in (14, 15, 16):
        assert told(ecf("\t".join(booking().split("\t")[:fields])), BOOKS) == []


def test_an_account_takes_bookings_until_it_is_blocked() -> None:
    assert told(ecf(booking("1050", day="30.06.2025")), BOOKS) == []
    assert told(ecf(booking("1050", day="01.07.2025")), BOOKS) == [
        "Line 2: nothing can be posted to the debit account 1050."
    ]


def test_each_booking_is_held_to_the_chart_of_its_period() -> None:
    before = Books(Y2024, {"1100": None, "3999": None}, frozenset())
    file = ecf(booking(credit="3999", vat="", day="31.12.2024"), booking(credit="3999", day="01.01.2025"))
    assert told(file, before, BOOKS) == ["Line 3: the credit account 3999 is not in the chart of accounts."]


def test_of_two_charts_of_a_period_one_that_allows_a_booking_will_do() -> None:
    other = Books(Y2025, {"1100": None, "3999": None}, None)
    assert told(ecf(booking(credit="3999", vat="MWST")), BOOKS, other) == []
    assert len(told(ecf(booking(credit="3998")), BOOKS, other)) == 1


def test_a_missing_chart_is_named_once_with_its_period() -> None:
    file = ecf(booking(day="05.01.2024"), booking(), booking(debit="x"))
    assert told(file, Books(Y2024, BOOKS.accounts), stated=Y2025) == [
        "The chart of accounts for 2025 is missing: bookings from line 3 on (2).",
    ]


def test_a_date_outside_what_the_name_states_lies_in_no_period() -> None:
    assert told(ecf(booking(), booking(day="01.01.2027")), BOOKS, stated=Y2025) == [
        "Line 3: 01.01.2027 lies in no accounting period."
    ]
    assert told(ecf(booking(day="01.01.2027")), stated=Y2025) == ["Line 2: 01.01.2027 lies in no accounting period."]


def test_without_any_chart_no_booking_can_be_checked() -> None:
    assert told(ecf(booking(), booking(day="x"), booking(day="05.01.2031"))) == [
        "There is no chart of accounts: bookings from line 2 on (2) cannot be checked.",
        "Line 3: x is no date.",
    ]
    assert told(ecf()) == []


MASTER = Books(
    None,
    {"1100": None, "3000": None},
    None,
    {"10": Span(date(2025, 2, 1), date(2025, 3, 31)), "20": Span(), "30": Span(blocked=True)},
)


def test_master_data_serve_where_there_is_no_chart() -> None:
    file = ecf(booking(vat="any"), booking(debit="x"), booking(day="01.01.2031"))
    assert told(file, instead=MASTER) == ["Line 3: the debit account x is not in the chart of accounts."]
    assert told(file, stated=Y2025, instead=MASTER)[-1] == "Line 4: 01.01.2031 lies in no accounting period."


def test_where_there_is_a_chart_master_data_are_not_asked() -> None:
    assert told(ecf(booking(debit="1050", centre="99")), BOOKS, instead=MASTER) == []


@pytest.mark.parametrize(
    ("centre", "day", "expected"),
    [
        ("", "05.01.2025", []),
        ("20", "05.01.2025", []),
        ("10", "01.02.2025", []),
        ("10", "31.03.2025", []),
        ("10", "31.01.2025", ["Line 2: nothing can be posted to the cost centre 10 on 31.01.2025."]),
        ("10", "01.04.2025", ["Line 2: nothing can be posted to the cost centre 10 on 01.04.2025."]),
        ("30", "05.01.2025", ["Line 2: nothing can be posted to the cost centre 30 on 05.01.2025."]),
        ("99", "05.01.2025", ["Line 2: the cost centre 99 is not known."]),
    ],
)
def test_cost_centres_take_bookings_within_their_days(centre: str, day: str, expected: list[str]) -> None:
    assert told(ecf(booking(centre=centre, day=day)), instead=MASTER) == expected


def test_a_chart_says_what_can_be_posted() -> None:
    books = books_of_chart(read_chart(chart(2025, 30, Random(1))))
    assert books is not None
    assert books.period == Y2025
    assert books.accounts["1100"] is None
    assert books.accounts["1"] is ALWAYS
    assert books.vat_codes is not None
    assert {"TVA", "UST"} <= books.vat_codes


def test_what_a_chart_does_not_say_is_not_checked() -> None:
    crp = b"TITLE=x\r\n%sBEGIN=COMPTES\r\nENTRY\r\nNUM=1\r\nNAME=a\r\nEND=COMPTES\r\nENDOFFILE"
    assert books_of_chart(read_chart(crp % b"")) is None
    books = books_of_chart(read_chart(crp % b"DATEBEG=01.01.2025\r\nDATEEND=31.12.2025\r\n"))
    assert books == Books(Y2025, {"1": None}, None, None)


def test_it_is_known_what_is_checked() -> None:
    assert active_checks([]) == frozenset()
    assert active_checks([BOOKS]) == {Check.ACCOUNTS, Check.DATES, Check.VAT_CODES}
    assert active_checks([], MASTER) == {Check.ACCOUNTS, Check.COST_CENTRES}


SALES = entries("ECF", 20, Random(1))
CHART = chart(2025, 20, Random(1))


@given(damaged(SALES), damaged(CHART), st.booleans())
def test_damaged_files_are_checked_or_refused(sales: bytes, crp: bytes, with_stated: bool) -> None:
    try:
        file, books = read_entries(sales), books_of_chart(read_chart(crp))
    except CodecError:
        return
    stated = period_in_name(entries_name("Cargo", 2025, "ecf")) if with_stated else None
    found = validate(file, [books] if books else [], stated, MASTER if with_stated else None)
    assert all(finding.line not in file.skipped for finding in found.items)
    assert all(str(finding).isprintable() for finding in found.items)
