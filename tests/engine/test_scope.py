"""What happens during a handle is collected in order; the earliest of all wishes to be woken counts."""

from __future__ import annotations

from p2psync.core.ids import MandateId
from p2psync.core.problem import Code
from p2psync.engine.effects import MembersChanged, Notice
from p2psync.engine.scope import Now, Scope

M = MandateId(b"m" * 16)


def test_effects_are_taken_once_in_their_order() -> None:
    scope = Scope()
    scope.emit(MembersChanged(M))
    scope.notice("edit.refused", M, path="a.txt", code=Code.LOCKED, count=3)
    expected = Notice("edit.refused", M, (("path", "a.txt"), ("code", "locked"), ("count", "3")))
    assert scope.take_effects() == [MembersChanged(M), expected]
    assert scope.take_effects() == []


def test_the_earliest_tick_counts() -> None:
    scope = Scope()
    assert scope.wake_at_s is None
    scope.now = Now(100.0, 0)
    scope.wake_in(5)
    assert scope.wake_at_s == 105
    scope.wake_in(9)
    assert scope.wake_at_s == 105
    scope.wake_in(1)
    assert scope.wake_at_s == 101
