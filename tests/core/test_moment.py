"""Any time that a block can hold is a moment that can be shown."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.block import TIME_MS_MAX
from p2psync.core.moment import moment_of, ms_of


@given(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_there_and_back(moment: datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert moment_of(ms_of(moment)) == whole


def test_fractions_count() -> None:
    assert moment_of(0.5) == datetime(1970, 1, 1, 0, 0, 0, 500, UTC)


def test_what_no_calendar_has_is_the_last_that_it_has() -> None:
    assert moment_of(TIME_MS_MAX) == moment_of(float(TIME_MS_MAX)) == datetime(9999, 12, 31, 23, 59, 59, 999000, UTC)
