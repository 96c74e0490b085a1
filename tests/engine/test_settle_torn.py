"""When nobody waits any more for the end of a file that lacks it."""

from __future__ import annotations

from p2psync.engine.settle import PATIENCE_S, How, Settler
from tests.engine.test_settle import CRP, TORN, TXT, WHOLE, seen


def test_a_torn_file_is_given_up_when_nobody_has_written_into_it_for_long() -> None:
    s = Settler()
    for now in (10.0, 10.0 + PATIENCE_S):
        s.noticed(CRP, How.MODIFIED, now)
        s.due(now + 1.0)
        assert not s.found(seen(CRP), TORN, 1.0, now + 1.0)
        assert not s.is_given_up(CRP, now + PATIENCE_S - 1.0)
    end = 10.0 + 2 * PATIENCE_S
    assert s.is_given_up(CRP, end)
    assert not s.is_given_up(TXT, end)
    assert s.due(end + 10.0) == (CRP,)
    assert s.found(seen(CRP), WHOLE, 0.0, end + 10.0), "its end came all the same"
    assert not s.is_given_up(CRP, end + 10.0)


def test_a_file_that_is_locked_is_not_given_up() -> None:
    s = Settler()
    s.noticed(CRP, How.MODIFIED, 10.0)
    s.due(11.0)
    s.locked(CRP, 11.0)
    assert not s.is_given_up(CRP, 11.0 + 2 * PATIENCE_S)
