"""Pending bookings: +new ~changed -removed by period, never "nothing new" for what was taken back, never a guess."""

from __future__ import annotations

from collections import Counter
from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.entries import EntriesFile
from p2psync.books.pending import (
    Count,
    Differences,
    NoFile,
    Pending,
    Side,
    State,
    Unreadable,
    differences,
    pending,
    side_of,
)
from p2psync.books.synthetic import edited_entries, entries, more_entries
from p2psync.core.period import Period
from tests.books.damage import damaged

Y2024 = Period(date(2024, 1, 1), date(2024, 12, 31))
Y2025 = Period(date(2025, 1, 1), date(2025, 12, 31))
SALARIES = entries("ECS", 42, Random(1))


def line(
    number: object, text: str = "Müller", day: str = "05.01.2025", amount: str = "108.10", voucher: str = ""
) -> str:
    return "\t".join(
        [day, "1100", "3000", voucher, text, amount, "", "0", "", "0", "0", "0", "", str(number), "TVA", ""]
    )


def ecf(*lines: str, lot: str = "#ECC\t1; 1; 05.01.2025 09:00:00; 1") -> Side:
    return side_of("".join(f"{one}\r\n" for one in ["#FSC\t9.5.0\tECF", lot, *lines]).encode("cp1252"))


def numbers(posted: Side, current: Side) -> tuple[int, int, int]:
    total = pending(posted, current).total
    return total.new, total.changed, total.removed


def test_what_was_never_posted_is_new() -> None:
    assert pending(NoFile(), side_of(SALARIES), [Y2025]) == Pending(State.PENDING, (Count(Y2025, 42, 0, 0),))


def test_there_may_be_no_file() -> None:
    assert side_of(None) == NoFile()
    assert pending(side_of(SALARIES), side_of(None)).total == Count(None, 0, 0, 42)


def test_what_was_posted_waits_no_more() -> None:
    assert pending(side_of(SALARIES), side_of(SALARIES), [Y2025]) == Pending(State.POSTED)
    assert pending(NoFile(), NoFile()) == Pending(State.POSTED)
    assert pending(NoFile(), ecf()) == Pending(State.POSTED, rewritten=True)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32))
def test_edits_are_counted_as_what_they_are(new: int, changed: int, removed: int, seed: int) -> None:
    after = edited_entries(SALARIES, Random(seed), new, changed, removed)
    assert numbers(side_of(SALARIES), side_of(after)) == (new, changed, removed)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32))
def test_what_is_counted_is_listed(new: int, changed: int, removed: int, seed: int) -> None:
    before, after = side_of(SALARIES), side_of(edited_entries(SALARIES, Random(seed), new, changed, removed))
    found = differences(before, after, 1000)
    assert found is not None
    kinds = Counter((one.before is not None, one.after is not None) for one in found.lines)
    assert (kinds[False, True], kinds[True, True], kinds[True, False]) == (new, changed, removed)
    assert isinstance(before, EntriesFile)
    assert isinstance(after, EntriesFile)
    for one in found.lines:
        assert one.before is None or before.rows[one.before.line - 1] == one.before.raw
        assert one.after is None or after.rows[one.after.line - 1] == one.after.raw
    places = [line.line for one in found.lines if (line := one.after or one.before)]
    assert places == sorted(places)


def test_as_many_lines_are_listed_as_are_wanted() -> None:
    before, after = ecf(line(1), line(2, "old")), ecf(line(2, "new"), line(3), line(4))
    found = differences(before, after, 2)
    assert found is not None
    whole = differences(before, after, 4)
    assert whole is not None
    assert (whole.lines[:2], whole.left_out, found.left_out) == (found.lines, 0, 2)
    assert differences(before, before, 2) == Differences((), 0)
    assert differences(side_of(b"torn"), after, 2) is None
    assert differences(before, side_of(b"torn"), 2) is None


def test_more_bookings_are_new_ones() -> None:
    assert numbers(side_of(SALARIES), side_of(more_entries(SALARIES, 3, Random(2)))) == (3, 0, 0)


def test_what_was_taken_back_and_made_again_is_all_removed_and_all_new() -> None:
    """Its program numbers on: 41 of 42 bookings are as before, but accounting has to take back all and post all."""
    *rows, _, _ = SALARIES.decode("cp1252").split("\r\n")
    again = [*rows[:2], *("\t".join(_renumbered(row.split("\t"))) for row in rows[2:]), ""]
    assert numbers(side_of(SALARIES), side_of("\r\n".join(again).encode("cp1252"))) == (41, 0, 42)


def _renumbered(fields: list[str]) -> list[str]:
    return [*fields[:13], str(int(fields[13]) + 42), *fields[14:]]


@pytest.mark.parametrize("current", [NoFile(), ecf()])
def test_what_was_taken_back_or_deleted_is_removed(current: Side) -> None:
    assert pending(side_of(SALARIES), current, [Y2025]) == Pending(State.PENDING, (Count(Y2025, 0, 0, 42),))


def test_the_same_lines_written_anew_are_told_apart_from_nothing_at_all() -> None:
    again = ecf(line(1), lot="#ECC\t1; 2; 06.01.2025 10:00:00; 1")
    assert pending(ecf(line(1)), again) == Pending(State.POSTED, rewritten=True)
    assert pending(again, again) == Pending(State.POSTED)


def test_a_number_that_stands_for_another_booking_has_started_again() -> None:
    posted = ecf(line(1, "Müller", voucher="F-1"), line(2, "Dupré", amount="7.00"))
    assert numbers(posted, ecf(line(1, "Zürcher", amount="99.00"))) == (1, 0, 2)


@pytest.mark.parametrize(
    "after",
    [
        line(1, "Müller", amount="9.00"),
        line(1, "Dupré", amount="108.10"),
        line(1, "Dupré", amount="9.00", voucher="F-1"),
    ],
)
def test_a_booking_that_keeps_its_voucher_text_or_amount_was_changed(after: str) -> None:
    assert numbers(ecf(line(1, voucher="F-1")), ecf(after)) == (0, 1, 0)


def test_empty_fields_make_no_two_bookings_the_same() -> None:
    assert numbers(ecf(line(1, "", amount="1.00")), ecf(line(1, "", amount="2.00"))) == (1, 0, 1)


@pytest.mark.parametrize("number", ["", "0", "x", "-1", "9" * 30])
def test_lines_without_a_number_are_known_by_all_of_them(number: str) -> None:
    posted = ecf(line(number, "Müller"), line(number, "Dupré"))
    assert numbers(posted, ecf(line(number, "Dupré"), line(number, "Müller", amount="9.00"))) == (1, 0, 1)


def test_a_number_that_several_lines_bear_tells_nothing() -> None:
    posted = ecf(line(7, amount="1.00"), line(7, amount="2.00"))
    assert numbers(posted, ecf(line(7, amount="3.00"), line(7, amount="4.00"))) == (2, 0, 2)
    assert numbers(posted, ecf(line(7, amount="1.00"), line(7, amount="3.00"))) == (0, 1, 0)


def test_equal_lines_are_counted_as_often_as_they_are_there() -> None:
    assert numbers(ecf(line(0), line(0)), ecf(line(0), line(0), line(0))) == (1, 0, 0)
    assert numbers(ecf(line(0), line(0), line(0)), ecf(line(0))) == (0, 0, 2)


def test_the_order_of_the_lines_does_not_matter() -> None:
    assert pending(ecf(line(1), line(2)), ecf(line(2), line(1))) == Pending(State.POSTED)


def test_the_encoding_does_not_matter() -> None:
    utf8 = side_of(SALARIES.decode("cp1252").encode())
    assert pending(side_of(SALARIES), utf8) == Pending(State.POSTED)


def test_lines_are_counted_in_the_period_of_their_date() -> None:
    current = ecf(line(1, day="31.12.2024"), line(2), line(3, day="01.01.2027"), line(4, day="soon"), line(5))
    assert pending(NoFile(), current, [Y2025, Y2024]).counts == (
        Count(Y2024, 1, 0, 0),
        Count(Y2025, 2, 0, 0),
        Count(None, 2, 0, 0),
    )


def test_a_booking_that_moves_to_another_period_is_removed_in_one_and_new_in_the_other() -> None:
    posted, current = ecf(line(1, day="31.12.2024"), line(2)), ecf(line(1), line(2, amount="9.00"))
    assert pending(posted, current, [Y2024, Y2025]).counts == (Count(Y2024, 0, 0, 1), Count(Y2025, 1, 1, 0))


BROKEN = ["#FSC\t9.5.0\tECF\r\nhalf a line", "#FSC\t9.5.0\tECF\r\nno booking\r\n", "", "something else\r\n"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_cannot_be_read_has_no_number(text: str) -> None:
    broken = side_of(text.encode())
    assert isinstance(broken, Unreadable)
    for posted, current in ((broken, ecf(line(1))), (ecf(line(1)), broken), (broken, broken), (broken, NoFile())):
        found = pending(posted, current, [Y2025])
        assert (found.state, found.counts, found.why) == (State.UNCOUNTED, (), broken.why)
        assert str(found.why)


LINES = st.builds(
    line,
    st.sampled_from(["", "0", "1", "2", "3"]),
    st.sampled_from(["Müller", "Dupré", ""]),
    st.sampled_from(["31.12.2024", "05.01.2025", "01.01.2027", "x"]),
    st.sampled_from(["1.00", "2.00"]),
)
SIDES = st.one_of(st.just(NoFile()), st.lists(LINES, max_size=6).map(lambda lines: ecf(*lines)))


def lines_of(side: Side) -> Counter[str]:
    return Counter(side.raws() if isinstance(side, EntriesFile) else [])


@given(SIDES, SIDES)
def test_every_line_is_accounted_for(posted: Side, current: Side) -> None:
    new, changed, removed = numbers(posted, current)
    same = (lines_of(posted) & lines_of(current)).total()
    assert removed + changed + same == lines_of(posted).total()
    assert new + changed + same == lines_of(current).total()
    assert (pending(posted, current).state is State.POSTED) == (lines_of(posted) == lines_of(current))


@given(SIDES, SIDES)
def test_what_is_new_one_way_is_removed_the_other_way(posted: Side, current: Side) -> None:
    assert numbers(posted, current) == numbers(current, posted)[::-1]


@given(SIDES, SIDES)
def test_the_periods_share_the_lines(posted: Side, current: Side) -> None:
    counts = pending(posted, current, [Y2024, Y2025]).counts
    assert len({one.period for one in counts}) == len(counts)
    new, changed, removed = numbers(posted, current)
    assert sum(one.new + one.changed for one in counts) == new + changed
    assert sum(one.removed + one.changed for one in counts) == removed + changed


@given(damaged(SALARIES), damaged(SALARIES))
def test_damaged_versions_are_compared_or_have_no_number(posted: bytes, current: bytes) -> None:
    found = pending(side_of(posted), side_of(current), [Y2025])
    assert (found.state is State.UNCOUNTED) == (found.why is not None)
    assert (found.state is State.PENDING) == bool(found.counts)


def test_fifty_thousand_lines_are_compared() -> None:
    posted = entries("ECF", 50_000, Random(1))
    current = edited_entries(posted, Random(2), new=300, changed=200, removed=100)
    assert pending(side_of(posted), side_of(current), [Y2025]).counts == (Count(Y2025, 300, 200, 100),)
