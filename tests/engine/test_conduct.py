"""Who broke the rules is shown until it behaved for a while, also when it did so at several times, or several did."""

from __future__ import annotations

import pytest

from p2psync.core.ids import DeviceId, device_text
from p2psync.core.problem import Code, Problem
from p2psync.engine.conduct import FORGIVEN_S, Conduct
from p2psync.engine.scope import Now, Scope
from tests.engine.ledgers import office
from tests.engine.village import fake_keys

ONE, OTHER = fake_keys("one").device, fake_keys("other").device


class Hall:
    def __init__(self) -> None:
        [self.desk] = office("a")
        self.scope = Scope()
        self.conduct = Conduct(self.desk.state, self.scope)

    def at(self, now_s: float) -> Hall:
        """What happens when time has come so far; a Tick, if one was asked for."""
        self.scope.now = Now(now_s, 0)
        if self.scope.wake_at_s is not None and self.scope.wake_at_s <= now_s:
            self.scope.wake_at_s = None
            self.conduct.tick()
        return self

    @property
    def shown(self) -> list[Problem]:
        return list(self.desk.state.problems())


def problem(device: DeviceId) -> Problem:
    return Problem("", Code.PEER_MISBEHAVED, device_text(device))


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_it_is_over_when_the_device_behaved_for_a_while(hall: Hall) -> None:
    hall.at(5).conduct.blame(ONE)
    assert hall.at(4 + FORGIVEN_S).shown == [problem(ONE)]
    assert hall.at(5 + FORGIVEN_S).shown == []
    assert hall.scope.wake_at_s is None, "nobody is woken for nothing"


def test_who_does_it_again_is_shown_for_longer(hall: Hall) -> None:
    hall.at(0).conduct.blame(ONE)
    hall.at(300).conduct.blame(ONE)
    assert hall.at(FORGIVEN_S).shown == [problem(ONE)]
    assert hall.at(299 + FORGIVEN_S).shown == [problem(ONE)]
    assert hall.at(300 + FORGIVEN_S).shown == []


def test_of_several_the_last_is_shown_until_all_are_forgiven(hall: Hall) -> None:
    for now_s, device in ((0, ONE), (10, OTHER), (20, ONE)):
        hall.at(now_s).conduct.blame(device)
    assert hall.at(10 + FORGIVEN_S).shown == [problem(ONE)]
    assert hall.at(20 + FORGIVEN_S).shown == []


def test_a_tick_that_was_asked_for_by_others_changes_nothing(hall: Hall) -> None:
    hall.conduct.tick()
    assert (hall.shown, hall.scope.wake_at_s) == ([], None)
    hall.at(0).conduct.blame(ONE)
    hall.conduct.tick()
    assert hall.shown == [problem(ONE)]
    assert hall.at(FORGIVEN_S).shown == []
