"""Lanes are asked for while they bring more, and no longer."""

from __future__ import annotations

from collections.abc import Callable

from p2psync.daemon.linking.width import GAIN, HUNGRY_LOOKS, IDLE_S, LOOK_S, STEPS, Width

Rate = Callable[[int], float]
"""Bytes a second over so many lanes."""


def run(rate: Rate, seconds: float, hungry: bool = True) -> list[int | None]:
    """What it says at each look, its wish being done at once."""
    width = Width(0.0, 0)
    said: list[int | None] = []
    received, lanes = 0.0, 0
    for look in range(1, round(seconds / LOOK_S) + 1):
        received += rate(lanes) * LOOK_S
        wish = width.look(look * LOOK_S, int(received), hungry)
        said.append(wish)
        if wish is None:
            break
        lanes = wish
    return said


def test_while_each_step_brings_more_there_are_more() -> None:
    said = run(lambda lanes: 1e6 * max(1, lanes), 10)
    assert list(dict.fromkeys(said)) == list(STEPS)


def test_what_brings_no_more_is_not_widened_further() -> None:
    said = run(lambda lanes: min(4.5e6, 1e6 * max(1, lanes)), 30)
    assert list(dict.fromkeys(said)) == list(STEPS[:3]), f"8 lanes bring no {GAIN} of what 4 bring"


def test_a_short_wait_needs_no_lanes() -> None:
    width = Width(0.0, 0)
    for look in range(1, 20):
        hungry = look % HUNGRY_LOOKS != 0
        assert width.look(look * LOOK_S, look, hungry) == 0


def test_who_can_ask_for_all_he_wants_needs_none() -> None:
    assert set(run(lambda lanes: 1e6, 5, hungry=False)) == {0}


def test_a_pause_is_no_sign_that_lanes_are_useless() -> None:
    width = Width(0.0, 0)
    now, received = 0.0, 0
    wishes: list[int] = []
    for look in range(100):
        pause = 20 <= look < 40
        now += LOOK_S
        received += 0 if pause else 250_000 * max(1, wishes[-1] if wishes else 1)
        wish = width.look(now, received, hungry=not pause)
        assert wish is not None
        wishes.append(wish)
    assert wishes[-1] == STEPS[-1]


def test_it_ends_when_nothing_comes_any_more() -> None:
    said = run(lambda lanes: 0.0, 2 * IDLE_S)
    assert said[-1] is None
    assert len(said) == round(IDLE_S / LOOK_S)
