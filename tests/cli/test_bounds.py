"""What keeps p2psync back, in words."""

from __future__ import annotations

from typing import Any

import pytest

from p2psync.cli.bounds import exchange_text, limit_lines, rest_text

LINE = "To and from places outside of this network: up no limit, down 2.0 MB per second"
SHARE = "Reading everything: at most 25% of one processor"


@pytest.mark.parametrize(
    ("limits", "lines"),
    [
        ({"up": None, "down": None, "cpu": None}, []),
        ({"up": None, "down": 2_000_000, "cpu": None}, [LINE]),
        ({"up": None, "down": None, "cpu": 25}, [SHARE]),
        ({"up": None, "down": 2_000_000, "cpu": 25}, [LINE, SHARE]),
    ],
)
def test_only_limits_that_are_set_are_told(limits: dict[str, Any], lines: list[str]) -> None:
    assert limit_lines(limits) == lines


@pytest.mark.parametrize(
    ("why", "until", "text"),
    [
        ("person", None, "paused until p2psync resume"),
        ("person", "2020-06-30T12:00:00Z", "paused until 2020-06-30"),
        ("hours", "2020-06-30T12:00:00Z", "rests outside of its hours until 2020-06-30"),
        ("interval", "2020-06-30T12:00:00Z", "next exchange at 2020-06-30"),
    ],
)
def test_why_a_mandate_rests_is_told_with_its_end(why: str, until: str | None, text: str) -> None:
    assert rest_text({"why": why, "until": until}).startswith(text)


@pytest.mark.parametrize(
    ("interval", "exchange", "text"),
    [
        ("off", None, "on each change"),
        ("15m", None, "every 15m, now"),
        ("2h", "2020-06-30T12:00:00Z", "every 2h, next at 2020-06-30"),
    ],
)
def test_when_a_mandate_is_exchanged(interval: str, exchange: str | None, text: str) -> None:
    assert exchange_text({"interval": interval, "exchange": exchange}).startswith(text)
