"""Text of bookkeeping programs: always readable, and no date or number is guessed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.text import decoded, read_date, read_integer, read_number, read_period, rows_of, text_of
from p2psync.core.period import Period
from p2psync.errors import CodecError


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"M\xfcller", "Müller"), ("Müller".encode(), "Müller"), (b"\x80 5", "€ 5"), (b"\x81\xfc", "\x81ü"), (b"", "")],
)
def test_bytes_mean_what_their_program_meant(raw: bytes, text: str) -> None:
    assert text_of(raw) == text


def test_bytes_that_stand_for_nothing_leave_the_others_as_they_are() -> None:
    assert text_of(b"\x81 \x80 \x93a\x94") == "\x81 € “a”"


@given(st.binary(max_size=40))
def test_there_is_always_some_text(raw: bytes) -> None:
    assert len(text_of(raw)) <= len(raw)


def test_a_file_is_text_of_a_bounded_size() -> None:
    assert decoded(b"\xef\xbb\xbfa", 4) == "a"
    with pytest.raises(CodecError, match="more than 4 bytes"):
        decoded(b"abcde", 4)
    with pytest.raises(CodecError, match="zero bytes"):
        decoded("abc".encode("utf-16-le"), 100)
    for end in ("le", "be"):
        with pytest.raises(CodecError, match=r"UTF-16\. Save it as UTF-8"):
            decoded("\ufeffabc".encode(f"utf-16-{end}"), 100)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\r\r\n"])
def test_lines_end_in_any_way(end: str) -> None:
    assert rows_of(f"a{end}b c\u2028d{end}{end}") == ["a", "b c\u2028d", "", ""]


@given(st.text(st.sampled_from("a\r\n"), max_size=12))
def test_both_ways_of_cutting_agree(text: str) -> None:
    if "\r\r\n" not in text:
        assert rows_of(f"{text}|\r\r\n") == [*rows_of(f"{text}|"), ""]


@pytest.mark.parametrize("text", ["31.12.2025", "31-12-2025", "31/12/2025", "2025-12-31"])
def test_dates(text: str) -> None:
    assert read_date(text) == date(2025, 12, 31)


@pytest.mark.parametrize(
    "text",
    ["", "31.12.25", "31.02.2025", "31.12-2025", "12.31.2025", "31.12.0000", " 1.1.2025", "1.1.20250", "\u0661.1.2025"],
)
def test_no_dates(text: str) -> None:
    assert read_date(text) is None


@given(st.dates())
def test_every_day_is_read_as_it_is_written(day: date) -> None:
    assert read_date(f"{day.day:02}.{day.month:02}.{day.year:04}") == day
    assert read_date(day.isoformat()) == day


def test_numbers() -> None:
    assert read_number("1'234.50") == Decimal("1234.50")
    assert read_number("-7") == Decimal(-7)
    for text in ("", "1,5", "1e9", "NaN", ".5", "5.", "0x1", "1 000", "9" * 19):
        assert read_number(text) is None


def test_integers() -> None:
    assert read_integer("0042") == 42
    assert read_integer("9" * 18) == 10**18 - 1
    for text in ("", "-1", "+1", " 1", "1.0", "²", "\u0663", "9" * 19):
        assert read_integer(text) is None


def test_a_period_is_read_only_from_two_dates_in_their_order() -> None:
    first, last = date(2025, 1, 1), date(2025, 12, 31)
    assert read_period("01.01.2025", " 31.12.2025 ") == Period(first, last)
    assert read_period("01.01.2025", "01.01.2025") == Period(first, first)
    assert read_period("31.12.2025", "01.01.2025") is None
    assert read_period("01.01.2025", "") is None
