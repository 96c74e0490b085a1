"""The simulator notices every planted bug: its silence means something."""

from __future__ import annotations

import pytest

from p2psync.sim.bugs import BUGS, planted
from p2psync.sim.checkers import Failure
from p2psync.sim.world import run

SEEDS_MAX = 600


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    with planted(bug), pytest.raises(Failure):
        _live_many()


def _live_many() -> None:
    for seed in range(SEEDS_MAX):
        run(seed)


def test_nothing_stays_planted() -> None:
    for bug in BUGS:
        with planted(bug):
            pass
    run(0)
