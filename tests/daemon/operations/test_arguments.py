"""Arguments come from other programs: nothing of them is believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p2psync.daemon.operations.arguments import ITEMS_MAX, TEXT_CHARACTERS_MAX, Arguments
from p2psync.errors import UsageError


def test_what_is_given_is_taken() -> None:
    given = Arguments({"name": "Cargo", "wipe": True, "uses": 3, "timeout_s": 1.5, "restrict": ["a", "b"], "x": None})
    assert given.text("name") == "Cargo"
    assert given.flag("wipe") is True
    assert given.number("uses", 1, 1, 10) == 3
    assert given.seconds("timeout_s", 60.0) == 1.5
    assert given.texts("restrict") == ["a", "b"]
    given.done()


def test_what_is_not_given_has_its_default() -> None:
    given = Arguments({})
    assert given.text_or("name", "none") == "none"
    assert given.flag("wipe") is False
    assert given.number("uses", 1, 1, 10) == 1
    assert given.seconds("timeout_s", None) is None
    assert given.texts("restrict") == []


@pytest.mark.parametrize(
    ("values", "take"),
    [
        ({}, lambda a: a.text("x")),
        ({"x": ""}, lambda a: a.text("x")),
        ({"x": 1}, lambda a: a.text("x")),
        ({"x": "a\0b"}, lambda a: a.text("x")),
        ({"x": "half of a character: \ud83d"}, lambda a: a.text("x")),
        ({"x": "a" * (TEXT_CHARACTERS_MAX + 1)}, lambda a: a.text("x")),
        ({"x": "yes"}, lambda a: a.flag("x")),
        ({"x": 1}, lambda a: a.flag("x")),
        ({"x": True}, lambda a: a.number("x", 1, 0, 5)),
        ({"x": 6}, lambda a: a.number("x", 1, 0, 5)),
        ({"x": "3"}, lambda a: a.number("x", 1, 0, 5)),
        ({"x": -1}, lambda a: a.seconds("x", None)),
        ({"x": float("nan")}, lambda a: a.seconds("x", None)),
        ({"x": float("inf")}, lambda a: a.seconds("x", None)),
        ({"x": "soon"}, lambda a: a.seconds("x", None)),
        ({"x": "abc"}, lambda a: a.texts("x")),
        ({"x": [1]}, lambda a: a.texts("x")),
        ({"x": ["\ud83d"]}, lambda a: a.texts("x")),
        ({"x": ["a"] * (ITEMS_MAX + 1)}, lambda a: a.texts("x")),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: dict[str, object], take: Callable[[Arguments], object]) -> None:
    with pytest.raises(UsageError, match="x"):
        take(Arguments(values))


def test_what_nobody_asked_for_was_misspelt() -> None:
    given = Arguments({"name": "Cargo", "fodler": "x"})
    given.text("name")
    with pytest.raises(UsageError, match="fodler"):
        given.done()
