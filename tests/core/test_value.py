"""Value objects behave as frozen dataclasses do, and mutable ones as others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from threading import Barrier
from typing import ClassVar

import pytest

from p2psync.core.value import mutable, value


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


@value
class Even:
    """A number that must be even."""

    KIND: ClassVar = "number"
    number: int = 2

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(self.number)


@mutable
class Basket:
    """What was bought."""

    owner: str
    items: list[str] = field(default_factory=list)


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


def test_a_mutable_one_is_compared_and_cannot_be_hashed() -> None:
    one, other = Basket("Anna"), Basket("Anna")
    assert one == other
    one.items.append("bread")
    assert one != other
    other.items = ["bread"]
    assert one == other
    assert repr(one) == "Basket(owner='Anna', items=['bread'])"
    assert Basket.__doc__ == "What was bought."
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_what_is_checked_when_one_is_made_is_checked() -> None:
    assert Even() == Even(2)
    assert (Even.KIND, [f.name for f in fields(Even)]) == ("number", ["number"])
    with pytest.raises(ValueError, match="3"):
        Even(3)
    with pytest.raises(ValueError, match="5"):
        replace(Even(4), number=5)


def test_fields_can_be_matched_and_asked_for_before_the_first_one_is_made() -> None:
    @value
    class Fresh:
        x: int
        y: int = 7

    assert [f.default for f in fields(Fresh)][1] == 7
    assert asdict(Fresh(1)) == {"x": 1, "y": 7}
    match Fresh(1, y=2):
        case Fresh(x, y):
            assert (x, y) == (1, 2)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Fresh()  # type: ignore[call-arg]


def test_several_threads_may_make_the_first_one() -> None:
    threads = 8
    for _ in range(20):

        @value
        class Shared:
            x: int
            seen: list[int] = field(default_factory=list)

        together = Barrier(threads)

        def make(x: int, kind: type[Shared] = Shared, together: Barrier = together) -> Shared:
            together.wait()
            return kind(x)

        with ThreadPoolExecutor(threads) as pool:
            assert [one.seen for one in pool.map(make, range(threads))] == [[]] * threads
