"""A scan goes as quickly as the one member places it who hears it, and waits for nobody who does not go on."""

from __future__ import annotations

from dataclasses import dataclass

from p2psync.core.relpath import Folding
from p2psync.engine.effects import HoldBack
from p2psync.engine.pace import AHEAD_MAX, PATIENCE_S, Pace
from p2psync.engine.peer import WAITING_MAX
from p2psync.engine.scope import Now, Scope
from p2psync.engine.site import Follower, Site
from tests.engine.ledgers import office


@dataclass
class Member:
    waiting: int
    keeps_up: bool = True


class Walk:
    def __init__(self) -> None:
        _, desk = office("author", "here")
        self.mandate = desk.mandate
        self.scope = Scope()
        self.scope.now = Now(100.0, 0)
        self.followers: dict[int, Follower] = {}
        self.pace = Pace(
            Site(desk.mandate, desk.state, desk.ledger, desk.keys, self.scope, Folding(), self.followers),
        )

    def said(self, later_s: float = 0.0, **waiting: int) -> list[int | None]:
        """What is asked of the scan when the members have so much left."""
        self.scope.now = Now(self.scope.now.monotonic_s + later_s, 0)
        self.followers.clear()
        self.followers.update({int(link[1:]): Member(left) for link, left in waiting.items()})
        self.pace.keep()
        effects = self.scope.take_effects()
        assert all(isinstance(effect, HoldBack) and effect.mandate == self.mandate for effect in effects)
        return [effect.link for effect in effects if isinstance(effect, HoldBack)]


def test_it_waits_while_the_member_has_much_left_and_says_so_once() -> None:
    walk = Walk()
    assert walk.said(l1=AHEAD_MAX) == []
    assert walk.said(l1=AHEAD_MAX + 1) == [1]
    assert walk.said(PATIENCE_S / 2, l1=AHEAD_MAX + 500) == []
    assert walk.said(l1=AHEAD_MAX) == [None]
    assert walk.said(PATIENCE_S, l1=AHEAD_MAX + 1) == [1], "each time anew"
    assert walk.said(PATIENCE_S / 2, l1=AHEAD_MAX + 1) == []
    assert AHEAD_MAX < WAITING_MAX, "else it would be given nothing while it is waited for"


def test_who_does_not_go_on_is_waited_for_once() -> None:
    walk = Walk()
    assert walk.said(l1=AHEAD_MAX + 1) == [1]
    assert walk.scope.wake_at_s == walk.scope.now.monotonic_s + PATIENCE_S
    assert walk.said(PATIENCE_S, l1=AHEAD_MAX + 1) == [None]
    assert walk.said(l1=AHEAD_MAX + 2) == walk.said(l1=AHEAD_MAX) == walk.said(l1=AHEAD_MAX + 1) == []
    assert walk.said(l1=0) == []
    assert walk.said(l1=AHEAD_MAX + 1) == [1], "it has shown that it can"
    assert walk.said(PATIENCE_S, l1=AHEAD_MAX + 1) == [None]
    assert walk.said(l2=AHEAD_MAX + 1) == [2], "another session, another try"


def test_it_waits_neither_for_one_of_several_nor_for_who_is_gone() -> None:
    walk = Walk()
    assert walk.said() == walk.said(l1=AHEAD_MAX + 1, l2=0) == []
    assert walk.said(l1=AHEAD_MAX + 1) == [1]
    assert walk.said(l1=AHEAD_MAX + 1, l2=0) == [None]
    assert walk.said(l1=AHEAD_MAX + 1) == [1]
    assert walk.said() == [None]
