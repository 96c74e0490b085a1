"""The window grows until packets are lost or wait, and never shrinks to nothing."""

from __future__ import annotations

import pytest

from p2psync.net.webrtc.window import PACKETS_FIRST, PACKETS_MIN, RESTART_PACKETS, WEIGHT_MAX, WEIGHT_MIN, Window

PACKET = 1000


class Line:
    """Acknowledges rounds of packets."""

    def __init__(self) -> None:
        self.window = Window(PACKET)
        self.sent = 0

    def round(self, round_trip_s: float = 0.04, *, losses: int = 0) -> float:
        """A window full of packets is sent and acknowledged; returns how much larger the next one is."""
        before = self.window.size
        count = int(before / PACKET)
        first, self.sent = self.sent, self.sent + count
        for number in range(first, self.sent):
            self.window.acknowledged(PACKET, number, self.sent, round_trip_s, True)
            if losses:
                losses -= 1
                self.window.lost()
        return self.window.size / before


def test_it_doubles_until_it_loses_and_then_grows_slowly() -> None:
    line = Line()
    assert line.window.size == PACKETS_FIRST * PACKET
    assert line.round() == pytest.approx(2)
    assert line.round() == pytest.approx(2)
    line.round(losses=1)
    packets = line.window.size / PACKET
    line.round()
    assert line.window.size / PACKET == pytest.approx(packets + WEIGHT_MIN, abs=1)


def test_one_loss_costs_what_it_costs_one_of_several_connections() -> None:
    line = Line()
    line.round(losses=1)
    size = line.window.size
    line.window.lost()
    assert line.window.size == pytest.approx(size * (1 - 0.5 / WEIGHT_MIN))


def test_a_large_window_counts_for_more_connections() -> None:
    line = Line()
    for _ in range(6):
        line.round()
    line.round(losses=1)
    size = line.window.size
    line.window.lost()
    assert line.window.size == pytest.approx(size * (1 - 0.5 / WEIGHT_MAX))


def test_many_losses_of_one_round_cost_no_more_than_all_connections_have() -> None:
    line = Line()
    line.round(losses=1)
    for _ in range(5):
        line.round()
    size = line.window.size
    for _ in range(100):
        line.window.lost()
    assert line.window.size == pytest.approx(size * 0.6, rel=0.05)


def test_it_never_becomes_nothing() -> None:
    line = Line()
    for _ in range(50):
        line.round(losses=PACKETS_FIRST)
        line.window.silent()
    assert line.window.size >= PACKETS_MIN * PACKET


def test_it_stops_doubling_where_packets_begin_to_wait() -> None:
    line = Line()
    line.round()
    line.round(0.06)
    assert line.round(0.06) < 1.5


def test_a_long_queue_is_taken_back() -> None:
    """Others on the same line get through."""
    line = Line()
    for _ in range(4):
        line.round()
    line.round(0.4)
    full = line.window.size
    for _ in range(3):
        line.round(0.4)
    assert line.window.size < 0.8 * full


def test_a_line_that_has_become_longer_is_no_queue() -> None:
    line = Line()
    for _ in range(4):
        line.round()
    for _ in range(10):
        line.round(0.4)
    assert line.window.shortest_s == 0.4
    assert line.round(0.4) > 1


def test_few_round_trips_say_nothing() -> None:
    window = Window(PACKET)
    for number in range(100):
        window.acknowledged(PACKET, number, number + 1, 3.0 if number % 3 else 0.01, False)
    assert window.size == PACKETS_FIRST * PACKET


def test_after_a_silence_not_everything_goes_out_at_once() -> None:
    line = Line()
    for _ in range(5):
        line.round()
    assert line.window.size > RESTART_PACKETS * PACKET
    line.window.idle()
    assert line.window.size == RESTART_PACKETS * PACKET
    assert line.round() == pytest.approx(2)


def test_what_is_not_used_does_not_grow() -> None:
    window = Window(PACKET)
    window.acknowledged(PACKET, 0, 1, 0.04, False)
    assert window.size == PACKETS_FIRST * PACKET
