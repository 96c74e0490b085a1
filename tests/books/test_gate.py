"""What holds bookings back: a missing chart always, anything that is wrong where a person asked for that."""

from __future__ import annotations

import pytest

from p2psync.books.finding import Finding, Findings, Trouble
from p2psync.books.gate import Hold, hold_of
from p2psync.errors import CodecError

MISSING = Finding(3, Trouble.CHART_MISSING, (("period", "2025"), ("lines", "7")))
UNKNOWN = Finding(17, Trouble.DEBIT_UNKNOWN, (("account", "5999"),))
TORN = CodecError("The last line has no end: the file was not written to its end.")


def test_without_anything_wrong_nothing_is_held() -> None:
    assert hold_of(Findings(), None, is_checked=True, strict=True) is None
    assert hold_of(Findings(), None, is_checked=False, strict=False) is None, "a mandate without charts"


def test_a_missing_chart_holds_in_any_case_and_is_what_is_told() -> None:
    both = Findings((MISSING, UNKNOWN))
    assert hold_of(both, None, is_checked=True, strict=False) == Hold(Findings((MISSING,)))
    assert hold_of(both, None, is_checked=True, strict=True) == Hold(both)


def test_what_is_wrong_holds_only_where_that_was_asked_for() -> None:
    wrong = Findings((UNKNOWN,), left_out=2)
    assert hold_of(wrong, None, is_checked=True, strict=False) is None
    assert hold_of(wrong, None, is_checked=True, strict=True) == Hold(wrong)
    assert hold_of(Findings(), TORN, is_checked=True, strict=False) is None
    assert hold_of(Findings(), TORN, is_checked=True, strict=True) == Hold(why=TORN)


def test_what_cannot_be_checked_is_held_where_that_was_asked_for() -> None:
    hold = hold_of(Findings(), None, is_checked=False, strict=True)
    assert hold is not None
    with pytest.raises(CodecError, match="no chart of accounts"):
        raise hold.why or AssertionError
