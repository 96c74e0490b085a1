"""Nobody gets more than his burst and his rate, whatever he does, and remembering everybody takes bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2psync.rendezvous.protocol.buckets import Bucket, Buckets, Rate

RATE = Rate(10, 2)
STEPS = st.lists(st.tuples(st.floats(0, 20), st.floats(0.1, 12)), max_size=60)


@given(STEPS)
def test_never_more_than_the_burst_and_the_rate(steps: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(RATE, 0.0), 0.0, 0.0
    for passed, cost in steps:
        now += passed
        if bucket.take(cost, now):
            taken += cost
        assert taken <= RATE.burst + RATE.per_s * now + 1e-6


@given(STEPS)
def test_who_takes_ahead_waits_for_as_long_as_it_takes(steps: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(RATE, 0.0), 0.0, 0.0
    for passed, cost in steps:
        now = bucket.ready_at(now + passed)
        assert taken <= RATE.burst + RATE.per_s * now + 1e-6
        bucket.take_ahead(cost, now)
        taken += cost


def test_what_is_refused_costs_nothing_and_time_gives_back() -> None:
    bucket = Bucket(RATE, 5.0)
    assert bucket.take(10, 5.0)
    assert not bucket.take(1, 5.4)
    assert bucket.take(1, 5.5)
    assert not bucket.take(10.1, 1000.0)
    assert bucket.take(10, 1000.0)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(RATE, 100.0)
    assert bucket.take(10, 100.0)
    assert not bucket.take(1, 50.0)
    assert not bucket.take(1, 100.0)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 3)), max_size=200))
def test_at_most_so_many_are_remembered(steps: list[tuple[int, float]]) -> None:
    buckets: Buckets[int] = Buckets(RATE, 8)
    now = 0.0
    for key, passed in steps:
        now += passed
        buckets.take(key, 10, now)
        assert len(buckets) <= 8


def test_each_has_its_own() -> None:
    buckets: Buckets[str] = Buckets(RATE, 8)
    assert buckets.take("a", 10, 0.0)
    assert not buckets.take("a", 1, 0.0)
    assert buckets.take("b", 10, 0.0)


def test_those_with_nothing_to_remember_are_forgotten() -> None:
    buckets: Buckets[int] = Buckets(RATE, 1000)
    for key in range(100):
        buckets.take(key, 10, 0.0)
    buckets.take(100, 10, 1000.0)
    assert len(buckets) == 1
