"""Holders of a secret are in the same topics, nobody else is, and a day later they are in others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2psync.rendezvous.protocol.topics import (
    CLOCKS_DIFFER_MAX_S,
    DAY_S,
    TOPIC_BYTES,
    day_at,
    sealing_key,
    topics_at,
)
from tests.rendezvous.people import NOW_S, SECRET

MOMENTS = st.floats(0, 4e9)


@given(MOMENTS, st.floats(-CLOCKS_DIFFER_MAX_S, CLOCKS_DIFFER_MAX_S, exclude_min=True, exclude_max=True))
def test_clocks_that_differ_by_less_than_a_day_share_a_topic(moment_s: float, off_s: float) -> None:
    if abs(moment_s + off_s - moment_s) < CLOCKS_DIFFER_MAX_S:  # not rounded up to a day
        assert set(topics_at(SECRET, moment_s)) & set(topics_at(SECRET, moment_s + off_s))


@given(MOMENTS)
def test_two_days_later_nothing_is_as_it_was(moment_s: float) -> None:
    assert not set(topics_at(SECRET, moment_s)) & set(topics_at(SECRET, moment_s + 2 * DAY_S + 1))


@given(MOMENTS)
def test_the_topic_that_comes_first_stays_longer(moment_s: float) -> None:
    first, second = topics_at(SECRET, moment_s)
    assert topics_at(SECRET, moment_s + DAY_S)[1] == first
    assert topics_at(SECRET, moment_s - DAY_S)[0] == second


@given(MOMENTS, st.floats(0, DAY_S))
def test_the_day_changes_whenever_the_topics_do(moment_s: float, later_s: float) -> None:
    same_day = day_at(moment_s) == day_at(moment_s + later_s)
    assert same_day == (topics_at(SECRET, moment_s) == topics_at(SECRET, moment_s + later_s))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_other_secrets_have_other_topics_and_keys(one: bytes, other: bytes) -> None:
    if one == other:
        return
    topics = topics_at(one, NOW_S)
    assert not set(topics) & set(topics_at(other, NOW_S))
    assert sealing_key(one, topics[0]) != sealing_key(other, topics[0])
    assert sealing_key(one, topics[0]) != sealing_key(one, topics[1])


def test_what_a_host_sees_is_always_the_same_form() -> None:
    """Were it to change, updated devices and old ones would never meet."""
    first, second = topics_at(SECRET, NOW_S)
    assert len(first) == len(second) == TOPIC_BYTES
    assert first.hex()[:16] == "4575754908eb8016"
    assert sealing_key(SECRET, first).hex()[:16] == "e08b7b8c3b2c2eff"
