"""Rates and shares: how people write them, and a bucket that tells how much may pass so that a rate is kept.

What passes is counted when it is known, so a bucket can be in debt; then the next waits until that is paid. Small
things may go ahead of big ones, up to a bound. In any time t no more passes than rate * t, a second's worth, what may
go ahead, and the one that passes last.
"""

from __future__ import annotations

import re
from typing import Final

from p2psync.errors import UsageError

OFF: Final = "off"
LEAST: Final = 50_000
"""Slower than this, other devices would take this one for silent before a part of a file is through."""
MOST: Final = 10**12
WHOLE: Final = 100
"""Percent."""
AHEAD_BYTES: Final = 1 << 20
"""By how much small things may exceed what there is: twice the largest part of a big file, which they do not wait for.
"""
BURST_S: Final = 1.0
"""What is not used is kept for so long."""
_SHARE: Final = re.compile(r"([0-9]{1,3})\s*%?", re.ASCII)
_RATE: Final = re.compile(r"([0-9]{1,12})([.,][0-9]{1,3})?\s*([KMG]?)B?(?:/S)?", re.ASCII)
_FACTORS: Final = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}


def parse_rate(text: str) -> int | None:
    """Bytes per second in "500K", "1.5M" or "80000"; None for "off". Raises UsageError."""
    plain = text.strip().upper()
    if plain == OFF.upper():
        return None
    found = _RATE.fullmatch(plain)
    if not found:
        raise UsageError("{text!r} is no rate. Write bytes per second, like 500K or 2M, or off.", text=text)
    rate = round(float(found[1] + (found[2] or "").replace(",", ".")) * _FACTORS[found[3]])
    if not LEAST <= rate <= MOST:
        raise UsageError(
            "{text} is no rate that can be kept: the least is 50K, 50 kB per second. off takes the limit away.",
            text=text,
        )
    return rate


def parse_share(text: str) -> int | None:
    """Percent of one processor in "25%" or "25"; None for "off" and for all of it. Raises UsageError."""
    plain = text.strip().lower()
    if plain == OFF:
        return None
    found = _SHARE.fullmatch(plain)
    if not found or not 1 <= int(found[1]) <= WHOLE:
        raise UsageError(
            "{text!r} is no share of a processor. Write a whole number from 1% to 100%, like 25%, or off.", text=text
        )
    return int(found[1]) if int(found[1]) < WHOLE else None


class Bucket:
    """All times are seconds of one clock that never goes back."""

    def __init__(self, rate: int, now_s: float) -> None:
        """`rate` is in bytes per second."""
        self._rate = rate
        self._balance = rate * BURST_S
        self._as_of_s = now_s

    def spend(self, size: int, now_s: float) -> None:
        """So many bytes pass; negative if there were less than was said before."""
        self._fill(now_s)
        self._balance = min(self._balance - size, self._rate * BURST_S)

    def wait_s(self, small: bool, owed: int, now_s: float) -> float:
        """How long until something may pass, 0 for now; `owed`: bytes that are to pass and are not counted yet."""
        self._fill(now_s)
        lacking = owed - self._balance - (AHEAD_BYTES if small else 0)
        return lacking / self._rate if lacking >= 1 else 0.0  # part of a byte: no clock is so fine

    def _fill(self, now_s: float) -> None:
        passed_s, self._as_of_s = max(0.0, now_s - self._as_of_s), max(now_s, self._as_of_s)
        self._balance = min(self._balance + passed_s * self._rate, self._rate * BURST_S)
