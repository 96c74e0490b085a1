"""The simulator as a command: a line for each life that failed, which is all that is needed to see it again."""

from __future__ import annotations

import re

import pytest

from p2psync.sim import __main__ as command
from p2psync.sim import world
from p2psync.sim.checkers import Failure
from p2psync.sim.world import World

Output = pytest.CaptureFixture[str]


@pytest.fixture(name="broken")
def a_seed_that_fails(monkeypatch: pytest.MonkeyPatch) -> int:
    """Something does not hold in the life of this seed; in all others nothing is checked."""
    seed = 3

    def check(life: World) -> None:
        if life.seed == seed:
            raise Failure("Converged", "pc0 and pc1: logs differ")

    monkeypatch.setattr(world, "check_at_rest", check)
    return seed


def test_one_life_again(capsys: Output) -> None:
    assert command.main(["--seed", "17"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    found = re.fullmatch(r"1 lives, (\d+) events, 0 failed, trace [0-9a-f]{16}", line)
    assert found is not None
    assert int(found[1]) > 0
    assert command.main(["--first", "17", "--seeds", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [line]


def test_another_seed_is_another_life(capsys: Output) -> None:
    for seed in ("1", "2"):
        command.main(["--seed", seed])
    one, two = capsys.readouterr().out.splitlines()
    assert one != two


def test_a_life_that_fails_is_told_with_its_seed_and_the_others_go_on(broken: int, capsys: Output) -> None:
    assert command.main(["--first", "2", "--seeds", "3"]) == 1
    failure, summary = capsys.readouterr().out.splitlines()
    assert failure == f"Converged: pc0 and pc1: logs differ (python -m p2psync.sim --seed {broken})"
    assert summary.startswith("3 lives, ")
    assert ", 1 failed, " in summary


def test_the_line_that_it_prints_is_the_command_that_shows_it_again(broken: int, capsys: Output) -> None:
    command.main(["--first", "2", "--seeds", "3"])
    failure = capsys.readouterr().out.splitlines()[0]
    words = failure[failure.index("--seed") :].rstrip(")").split()
    assert words == ["--seed", str(broken)]
    assert command.main(words) == 1
    assert capsys.readouterr().out.splitlines()[0] == failure


def test_what_is_no_seed_is_wrong_usage(capsys: Output) -> None:
    with pytest.raises(SystemExit) as raised:
        command.main(["--seed", "x"])
    assert raised.value.code == 2
    assert "--seed" in capsys.readouterr().err
