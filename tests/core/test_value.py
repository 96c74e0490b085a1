"""Value objects behave as frozen dataclasses do."""

from __future__ import annotations

from dataclasses import fields, replace

from p2psync.core.value import value


@value
class Point:
    x: int
    y: int = 0


def test_a_value_is_compared_and_hashed_by_its_fields() -> None:
    assert Point(1) == Point(1, 0) != Point(1, 2)
    assert {Point(1), Point(1, 0)} == {Point(1)}


def test_a_value_is_a_dataclass_with_slots() -> None:
    assert [f.name for f in fields(Point)] == ["x", "y"]
    assert replace(Point(1), y=5) == Point(1, 5)
    assert not hasattr(Point(1), "__dict__")
