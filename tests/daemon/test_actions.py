"""A person is asked for what only a person can do."""

from __future__ import annotations

from dataclasses import replace

from p2psync.core.problem import Code
from p2psync.daemon.actions import Asked, actions, needs_person

NOTHING = Asked(False, 0, (), 0, 0, False, 0)


def test_nothing_is_asked_for_what_goes_by_itself() -> None:
    assert actions(NOTHING) == []
    assert actions(replace(NOTHING, codes=[Code.LOCKED, Code.INCOMPLETE])) == []
    assert actions(replace(NOTHING, codes=[Code.JOINED])) == [], "nor for news of which nothing is wrong"
    assert not needs_person([])


def test_the_most_urgent_comes_first_and_everyday_work_is_no_trouble() -> None:
    everything = Asked(True, 2, [Code.DISK_FULL, Code.UPDATE_NEEDED, Code.LOCKED], 1, 3, True, 40)
    told = [(one["what"], one["count"]) for one in actions(everything)]
    assert told[:3] == [("update", 1), ("conflicts", 2), ("problems", 1)]
    assert told[3:] == [("newcomers", 1), ("inbox", 3), ("chart", 1), ("post", 40)]
    assert needs_person(actions(everything))
    assert not needs_person(actions(replace(NOTHING, newcomers=1, inbox=1, is_chartless=True, to_post=1)))
