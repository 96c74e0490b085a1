"""How a life goes wrong depends on the seed alone, and over many seeds each fault comes, also alone."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from random import Random

import pytest

from p2psync import sim
from p2psync.sim.knobs import Knobs

SEEDS = 300
SHARES = ("overlook", "restore_folder", "restore_state", "lose_state", "folds_case", "decisions", "open_handles")
FAULTS = (*SHARES, "merged_files", "break_every_s", "partition_every_s", "crash_every_s")


@pytest.fixture(name="lives", scope="module")
def many_lives() -> list[Knobs]:
    return [Knobs.draw(Random(seed)) for seed in range(SEEDS)]


def test_the_same_seed_is_the_same_life(lives: list[Knobs]) -> None:
    assert [Knobs.draw(Random(seed)) for seed in range(SEEDS)] == lives
    assert len(set(lives)) > SEEDS * 0.9


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_there_in_some_lives_and_missing_in_others(lives: list[Knobs], fault: str) -> None:
    values = [asdict(life)[fault] for life in lives]
    assert SEEDS * 0.1 < values.count(0.0) < SEEDS * 0.95
    assert min(values) == 0.0


def test_some_lives_have_no_trouble_but_one(lives: list[Knobs]) -> None:
    troubles = ("break_every_s", "partition_every_s", "crash_every_s")
    alone = {tuple(name for name in troubles if asdict(life)[name]) for life in lives}
    assert {("break_every_s",), ("partition_every_s",), ("crash_every_s",), ()} <= alone


def test_shares_are_shares_and_nothing_is_negative(lives: list[Knobs]) -> None:
    for life in lives:
        assert all(0 <= asdict(life)[name] <= 1 for name in SHARES)
        assert all(value >= 0 for value in asdict(life).values())
        assert life.decisions + life.merged_files < 1, "users save something too"


def test_two_devices_stay_two(lives: list[Knobs]) -> None:
    """Nobody joins late and nobody is revoked where nothing would be left to exchange."""
    assert {life.devices for life in lives} == {2, 3, 4, 5}
    assert all(not life.late_joins and not life.revocations for life in lives if life.devices == 2)
    assert any(life.late_joins for life in lives)
    assert any(life.revocations for life in lives)


def test_every_knob_turns_something() -> None:
    package = Path(sim.__path__[0])
    text = "".join(file.read_text("utf-8") for file in package.glob("*.py") if file.name != "knobs.py")
    assert [field.name for field in fields(Knobs) if f"knobs.{field.name}" not in text] == []
