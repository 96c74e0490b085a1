"""How sights are gathered."""

from __future__ import annotations

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.fs import sight
from p2psync.fs.sight import Gathering, Large, Sight


def test_what_was_gathered_is_given_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "SIGHT_PATHS_MAX", 4)
    path, problem = RelPath("a"), Problem("b", Code.UNREADABLE)
    batch = Gathering()
    batch.unstable.append(path)
    batch.locked.append(path)
    batch.problems.append(problem)
    assert not batch.is_full
    batch.large.append(Large(path, 1, 2.0))
    assert batch.is_full
    assert len(batch) == 4
    assert batch.take() == Sight((), (), (Large(path, 1, 2.0),), (path,), (path,), (problem,))
    assert batch.take() == Sight()
