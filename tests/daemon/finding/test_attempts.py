"""Every place gets its turn, none is tried all the time, and there are never too many of them."""

from __future__ import annotations

from p2psync.daemon.finding.attempts import GIVEN_MAX, PAUSE_MAX_S, PAUSE_MIN_S, SEEN_MAX, Attempts
from p2psync.net.dialer import Address

A, B, C = Address("192.0.2.1", 1), Address("192.0.2.2", 2), Address("fe80::3", 3)


def tries(attempts: Attempts, now_s: float) -> list[str]:
    """What is tried now, and fails."""
    found = []
    while (place := attempts.due(now_s)) is not None:
        found.append(str(place))
        attempts.failed(place, "nobody", now_s)
    return found


def test_all_are_tried_once_and_then_less_and_less_often() -> None:
    attempts = Attempts([A, B, A], 0.0)
    times = [now_s for now_s in range(400) if tries(attempts, float(now_s))]
    assert times[:6] == [0, 2, 6, 14, 30, 62]
    assert times[6:] == list(range(62 + int(PAUSE_MAX_S), 400, int(PAUSE_MAX_S)))
    assert [(str(one), one.tries, one.reason) for one in attempts.tried()] == [
        *(("192.0.2.1:1", len(times), "nobody"), ("192.0.2.2:2", len(times), "nobody"))
    ]


def test_who_announces_himself_is_tried_first_and_at_once() -> None:
    attempts = Attempts([A], 0.0)
    attempts.saw([C], b"n", 0.0)
    assert tries(attempts, 0.0) == ["[fe80::3]:3", "192.0.2.1:1"]
    attempts.saw([C], b"n", 1.0)
    assert tries(attempts, 1.0) == [], "the same announcement again"
    attempts.saw([C], b"another", 1.0)
    assert tries(attempts, 1.0) == ["[fe80::3]:3"]


def test_one_that_fails_often_does_not_hold_up_others() -> None:
    attempts = Attempts([A, B], 0.0)
    for now_s in (0.0, PAUSE_MIN_S):
        place = attempts.due(now_s)
        assert place is not None
        attempts.failed(place, "", now_s)
    assert {str(place) for place in attempts.tried()} == {"192.0.2.1:1", "192.0.2.2:2"}


def test_there_are_never_too_many() -> None:
    attempts = Attempts([Address("192.0.2.1", port) for port in range(1, 1000)], 0.0)
    for port in range(1, 1000):
        attempts.saw([Address("192.0.2.2", port)], b"n", 0.0)
    attempts.saw([Address("192.0.2.3", port) for port in range(1, 1000)], b"n", 0.0)
    tried = tries(attempts, 0.0)
    assert len(tried) == GIVEN_MAX + SEEN_MAX
    assert tried[:SEEN_MAX] == [f"192.0.2.3:{port}" for port in range(1, SEEN_MAX + 1)]
    assert len(attempts.tried()) == GIVEN_MAX + SEEN_MAX
