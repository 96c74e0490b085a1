"""Many whole lives, each from its seed: whatever goes wrong on the way, they end equal and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from p2psync.sim.world import run

LIVES = 300
GROUP = 50


@pytest.mark.parametrize("first", range(0, LIVES, GROUP))
def test_lives_end_equal_with_nothing_lost(first: int) -> None:
    for seed in range(first, first + GROUP):
        run(seed)


def test_the_same_seed_is_the_same_life_whatever_the_hash_seed_is() -> None:
    def last_line(hash_seed: str) -> str:
        command = [sys.executable, "-m", "p2psync.sim", "--seeds", "12", "--first", "20"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout.splitlines()[-1]

    assert last_line("1") == last_line("2")
    assert "0 failed" in last_line("1")
