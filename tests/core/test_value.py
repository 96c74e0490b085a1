"""Value objects behave as frozen dataclasses do."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from p2psync.core.value import value


@value
class Point:
    x: int
    y: int = 0


@value
class Account:
    number: int
    secret: bytes = field(repr=False)
    seen: list[int] = field(default_factory=list, compare=False)


@value
class Fold:
    """Equal whatever the case."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fold) and self.name.lower() == other.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())

    def __repr__(self) -> str:
        return f"<{self.name}>"


@value
class Nothing:
    pass


def test_a_value_is_compared_and_hashed_by_its_fields() -> None:
    assert Point(1) == Point(1, 0) != Point(1, 2)
    assert {Point(1), Point(1, 0)} == {Point(1)}
    assert Nothing() == Nothing()
    assert Point(1).__eq__((1, 0)) is NotImplemented


def test_fields_can_be_left_out_of_comparing_and_of_showing() -> None:
    one, other = Account(1, b"key", [1]), Account(1, b"key", [2])
    assert one == other != Account(1, b"door")
    assert len({one, other}) == 1
    assert repr(one) == "Account(number=1, seen=[1])"


def test_what_a_class_says_for_itself_is_left() -> None:
    assert Fold("Cargo") == Fold("cargo")
    assert len({Fold("Cargo"), Fold("cargo")}) == 1
    assert repr(Fold("Cargo")) == "<Cargo>"


def test_all_that_dataclass_makes_comes_out_the_same() -> None:
    @dataclass(frozen=True, slots=True)
    class Usual:
        x: int
        y: int = 0

    assert hash(Point(3, 4)) == hash(Usual(3, 4))
    assert repr(Point(3, 4)) == repr(Usual(3, 4)).rpartition(".")[2].replace("Usual", "Point")


def test_a_value_is_a_dataclass_with_slots() -> None:
    assert [f.name for f in fields(Point)] == ["x", "y"]
    assert replace(Point(1), y=5) == Point(1, 5)
    assert not hasattr(Point(1), "__dict__")
