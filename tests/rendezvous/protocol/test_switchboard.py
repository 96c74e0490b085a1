"""Two connections that name the same stream are brought together; a third is not; places are limited and given back."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2psync.rendezvous.protocol.messages import Reason
from p2psync.rendezvous.protocol.streams import Join
from p2psync.rendezvous.protocol.switchboard import WAIT_S, RelayLimits, Switchboard

HOME, OFFICE = "203.0.113.7", "198.51.100.1"


def join(stream: int = 0, topic: int = 0) -> Join:
    return Join(bytes([topic]) * 32, bytes([stream]) * 16)


def test_two_meet() -> None:
    board = Switchboard()
    assert board.join(1, join(), HOME, 0.0) is None
    assert board.waiting == 1
    assert board.join(2, join(), OFFICE, 5.0) == 1
    assert (board.streams, board.waiting) == (1, 0)
    assert board.sweep(1000.0) == []
    assert board.left(1) == 2
    assert board.left(2) is None
    assert board.streams == 0


def test_a_third_is_refused_and_disturbs_nobody() -> None:
    board = Switchboard()
    board.join(1, join(), HOME, 0.0)
    board.join(2, join(), OFFICE, 0.0)
    assert board.join(3, join(), OFFICE, 0.0) is Reason.RELAY_FULL
    assert board.left(3) is None
    assert board.left(2) == 1


def test_the_same_stream_in_another_topic_is_another() -> None:
    board = Switchboard()
    board.join(1, join(5, 1), HOME, 0.0)
    assert board.join(2, join(5, 2), OFFICE, 0.0) is None


def test_who_waits_too_long_is_told() -> None:
    board = Switchboard()
    board.join(1, join(1), HOME, 0.0)
    board.join(2, join(2), HOME, 1.0)
    assert board.sweep(WAIT_S) == [1]
    assert board.left(1) is None
    assert board.join(3, join(1), OFFICE, WAIT_S) is None, "the first one has gone"


@pytest.mark.parametrize(
    "limits", [RelayLimits(streams=2), RelayLimits(streams_per_topic=2), RelayLimits(sides_per_network=2)]
)
def test_limits(limits: RelayLimits) -> None:
    board = Switchboard(limits)
    assert board.join(1, join(1), HOME, 0.0) is None
    assert board.join(2, join(2), HOME, 0.0) is None
    assert board.join(3, join(3), HOME, 0.0) is Reason.RELAY_FULL
    board.left(1)
    assert board.join(4, join(3), HOME, 0.0) is None


def test_a_mandate_does_not_take_the_places_of_another() -> None:
    board = Switchboard(RelayLimits(streams_per_topic=1))
    board.join(1, join(1, 1), HOME, 0.0)
    assert board.join(2, join(2, 1), HOME, 0.0) is Reason.RELAY_FULL
    assert board.join(3, join(3, 2), HOME, 0.0) is None


class Sides(RuleBasedStateMachine):
    """Against a model: a set of sides by what they name."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Switchboard(RelayLimits(streams=4, streams_per_topic=3, sides_per_network=5))
        self.there: dict[int, tuple[Join, str]] = {}
        self.number = 0
        self.now = 0.0

    @rule(stream=st.integers(0, 3), topic=st.integers(0, 1), network=st.sampled_from([HOME, OFFICE]))
    def joins(self, stream: int, topic: int, network: str) -> None:
        self.number += 1
        self.now += 1
        named = join(stream, topic)
        others = [side for side, (what, _) in self.there.items() if what == named]
        met = self.board.join(self.number, named, network, self.now)
        if isinstance(met, Reason):
            return
        assert len(others) < 2
        assert met == (others[0] if others else None)
        self.there[self.number] = (named, network)

    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        if self.there:
            side = data.draw(st.sampled_from(sorted(self.there)))
            named, _ = self.there.pop(side)
            others = [one for one, (what, _) in self.there.items() if what == named]
            other = self.board.left(side)
            assert other == (others[0] if others else None)
            if other is not None:
                del self.there[other]
                assert self.board.left(other) is None

    @invariant()
    def is_bounded(self) -> None:
        assert self.board.streams == len({what for what, _ in self.there.values()}) <= 4
        for network in (HOME, OFFICE):
            assert sum(1 for _, where in self.there.values() if where == network) <= 5


Sides.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestSides = Sides.TestCase
