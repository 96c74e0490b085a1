"""What has arrived, in whatever order, is told in runs."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from p2psync.net.webrtc.arrivals import AHEAD_MAX, RANGES_MAX, Arrivals
from p2psync.net.webrtc.serial import MODULO

LAST = MODULO - 5
"""Numbers wrap around soon."""


def at(distance: int) -> int:
    return (LAST + distance) % MODULO


@given(st.lists(st.integers(1, 60)))
def test_it_knows_what_a_set_knows(distances: list[int]) -> None:
    arrivals, known = Arrivals(LAST), set[int]()
    for distance in distances:
        assert arrivals.takes(at(distance)) == (distance not in known)
        if distance not in known:
            beyond = max(known, default=0)
            opened = arrivals.add(at(distance))
            assert opened == (distance > beyond + 1)
            known.add(distance)
        whole = 0
        while whole + 1 in known:
            whole += 1
        assert arrivals.last == at(whole)
        assert {n for first, last in arrivals.gaps() for n in range(whole + first, whole + last + 1)} == {
            n for n in known if n > whole
        }
    runs = arrivals.gaps()
    assert all(before[1] + 1 < after[0] for before, after in pairwise(runs))


def test_it_keeps_no_more_than_it_can_tell() -> None:
    arrivals = Arrivals(LAST)
    assert not arrivals.takes(at(0))
    assert arrivals.takes(at(AHEAD_MAX))
    assert not arrivals.takes(at(AHEAD_MAX + 1))
    for run in range(RANGES_MAX):
        arrivals.add(at(2 + 2 * run))
    assert not arrivals.takes(at(2 * RANGES_MAX + 2))
    assert arrivals.takes(at(2 * RANGES_MAX + 1))
    assert arrivals.takes(at(1))
    assert len(arrivals.gaps()) == RANGES_MAX
