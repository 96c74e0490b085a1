"""When something was, by somebody's clock: what members sign may name times that no calendar has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def moment_of(time_ms: int | float) -> datetime:
    """In UTC; `time_ms`: since 1970, not negative. After the year 9999 it is the end of that year.

    `fromtimestamp` ends in the year 3000 on Windows.
    """
    return EPOCH + timedelta(milliseconds=min(time_ms, ms_of(_LAST)))


def ms_of(moment: datetime) -> int:
    """Since 1970, of an aware moment."""
    return (moment - EPOCH) // _MILLISECOND
