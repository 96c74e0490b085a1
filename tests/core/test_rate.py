"""Rates as people write them, and that no bucket lets through more than its rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.rate import AHEAD_BYTES, BURST_S, LEAST, Bucket, parse_rate, parse_share
from p2psync.errors import UsageError

SIZE_MAX = 512 * 1024
RATES = st.integers(LEAST, 10_000_000)
THINGS = st.lists(st.tuples(st.integers(1, SIZE_MAX), st.booleans(), st.floats(0, 5)), min_size=1, max_size=60)


def test_rates_are_bytes_per_second() -> None:
    texts = {"500K": 500_000, " 2m ": 2_000_000, "1.5M": 1_500_000, "1,5 MB/s": 1_500_000, "80000": 80_000}
    assert {text: parse_rate(text) for text in texts} == texts
    assert parse_rate("1G") == 10**9
    assert parse_rate("Off") is None


@pytest.mark.parametrize("text", ["", "fast", "-5M", "5T", "2 M M", "M", "\u0665M", "1.2345M"])
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="Write bytes per second, like 500K or 2M, or off"):
        parse_rate(text)


def test_shares_are_percent_of_a_processor_and_all_of_it_is_no_limit() -> None:
    texts = {"25%": 25, "1": 1, " 99 % ": 99, "100%": None, "OFF": None}
    assert {text: parse_share(text) for text in texts} == texts


@pytest.mark.parametrize("text", ["", "0%", "0", "101%", "-5%", "2.5%", "fast", "25%%", "1000", "\u0665%"])
def test_what_is_no_share_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="Write a whole number from 1% to 100%, like 25%, or off"):
        parse_share(text)


@pytest.mark.parametrize("text", ["0", "49999", "0.04M", "1001G"])
def test_what_cannot_be_kept_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="the least is 50K"):
        parse_rate(text)


@given(rate=RATES, things=THINGS)
def test_in_no_time_more_passes_than_the_rate_allows(rate: int, things: list[tuple[int, bool, float]]) -> None:
    bucket, now_s = Bucket(rate, 0.0), 0.0
    passed: list[tuple[float, int]] = []
    for size, small, pause_s in things:
        now_s += pause_s + bucket.wait_s(small, 0, now_s + pause_s)
        bucket.spend(size, now_s)
        passed.append((now_s, size))
    for first, (begin_s, _) in enumerate(passed):
        sent = 0
        for at_s, size in passed[first:]:
            sent += size
            assert sent <= rate * (at_s - begin_s + BURST_S) + AHEAD_BYTES + SIZE_MAX + 1


@given(rate=RATES, sizes=st.lists(st.integers(1, SIZE_MAX), min_size=1, max_size=30))
def test_what_always_wants_more_gets_all_of_the_rate(rate: int, sizes: list[int]) -> None:
    bucket, now_s = Bucket(rate, 0.0), 0.0
    for size in sizes:
        now_s += bucket.wait_s(False, 0, now_s)
        assert bucket.wait_s(False, 0, now_s) < 1e-6, "it is not told to wait for too short a time"
        bucket.spend(size, now_s)
    assert now_s <= sum(sizes) / rate


def test_small_things_do_not_wait_for_the_largest_part_of_a_big_one() -> None:
    bucket = Bucket(LEAST, 0.0)
    bucket.spend(SIZE_MAX, 0.0)
    assert bucket.wait_s(True, 0, 0.0) == 0
    assert bucket.wait_s(False, 0, 0.0) == (SIZE_MAX - LEAST) / LEAST
    assert bucket.wait_s(True, AHEAD_BYTES, 0.0) > 0, "what was asked for counts"


def test_what_was_less_than_said_is_given_back_but_never_more_than_a_burst() -> None:
    bucket = Bucket(100_000, 0.0)
    bucket.spend(300_000, 0.0)
    bucket.spend(-200_000, 0.0)
    assert bucket.wait_s(False, 0, 0.0) == 0
    bucket.spend(-900_000, 50.0)
    assert bucket.wait_s(False, 100_000, 40.0) == 0, "a clock never goes back"
    assert bucket.wait_s(False, 100_001, 50.0) > 0
