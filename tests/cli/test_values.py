"""What people type is understood or refused in words; what they read is short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from p2psync.cli.exits import WRONG_USAGE, CommandFailed
from p2psync.cli.values import (
    absolute,
    files,
    moment,
    parse_duration,
    parse_end,
    parse_moment,
    short,
    short_device,
    size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600), ("0.5 H", 1800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1h", "1x", "1h30m", "h", "nan", "1e9", "999999w", "٣h"])
def test_no_durations(text: str) -> None:
    with pytest.raises(CommandFailed, match="24h") as caught:
        parse_duration(text)
    assert caught.value.exit_code == WRONG_USAGE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-06-30T14:00:00Z", "2025-06-30T14:00:00Z"),
        ("2025-06-30 14:00+02:00", "2025-06-30T12:00:00Z"),
        ("2025-06-30 14:00", "2025-06-30T14:00:00Z"),
        (" 2025-06-30 ", "2025-06-30T00:00:00Z"),
    ],
)
def test_moments(text: str, expected: str, utc: None) -> None:
    assert parse_moment(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "30.06.2025", "2025-13-01", "0001-01-01T00:00:00+23:59"])
def test_no_moments(text: str) -> None:
    with pytest.raises(CommandFailed, match="2025-06-30") as caught:
        parse_moment(text)
    assert caught.value.exit_code == WRONG_USAGE


def test_a_path_is_the_same_for_the_daemon_in_another_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert absolute(Path("Cargo")) == str(tmp_path / "Cargo")
    if os.name != "nt":
        assert absolute(Path("~/Cargo")) == str(tmp_path / "me" / "Cargo")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "-"),
        ("", "-"),
        ("2025-06-30T14:00:05Z", "14:00:05"),
        ("2025-06-29T14:00:05Z", "2025-06-29 14:00"),
        ("whenever", "whenever"),
    ],
)
def test_moments_for_people(text: str | None, expected: str, utc: None) -> None:
    assert moment(text, datetime(2025, 6, 30, 20, tzinfo=UTC).timestamp()) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (None, "-"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_960, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1 << 30, "1.1 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes(count: int | None, expected: str) -> None:
    assert size(count) == expected


def test_counts_and_ids() -> None:
    assert (files(1), files(12_345)) == ("1 file", "12’345 files")
    assert (short("4f1d2c9a11bcdef"), short(None)) == ("4f1d2c9a11bc", "-")
    assert (short_device("JK4QX2A-BBBBBBB"), short_device(None)) == ("JK4QX2A", "-")


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """People's times are of this PC's clock: here one that shows UTC."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    if hasattr(time, "tzset"):
        time.tzset()
    yield
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


def test_a_pause_ends_at_an_hour_after_a_time_or_on_a_day() -> None:
    noon = datetime(2025, 6, 10, 12, 0, tzinfo=UTC)
    assert parse_end("23:45", noon) == "2025-06-10T23:45:00Z"
    assert parse_end("9:00", noon) == "2025-06-11T09:00:00Z", "it is past nine today"
    assert parse_end("2h", noon) == "2025-06-10T14:00:00Z"
    assert parse_end("2025-06-30T14:00:00Z", noon) == "2025-06-30T14:00:00Z"
    with pytest.raises(CommandFailed, match="is no time"):
        parse_end("later", noon)
