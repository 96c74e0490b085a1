"""The table names exactly the operations that a daemon has, and reads arguments from addresses as their forms."""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar
from unittest.mock import Mock

import pytest

from p2psync.api.table import Argument, Form, Operation, operations
from p2psync.daemon.operations import OFTEN, SELDOM
from p2psync.daemon.operations.arguments import Arguments

MODULES = (*OFTEN, *(import_module(f"p2psync.daemon.operations.{name}") for name in SELDOM))
ONE = Operation(
    "some.thing",
    "For this test.",
    (
        *(Argument("name"), Argument("n", Form.COUNT), Argument("s", Form.SECONDS)),
        *(Argument("on", Form.FLAG), Argument("many", Form.TEXTS)),
    ),
)


def test_the_table_is_complete() -> None:
    assert sorted(one.name for one in operations()) == sorted(name for m in MODULES for name in m.OPERATIONS)


class Asked(Exception):
    """All arguments were asked for."""


class Listening(Arguments):
    """Notes what an operation asks for, in which form, and whether it has to be there; then ends it."""

    EXAMPLES: ClassVar = {"role": "payroll", "setting": "*.txt=newest", "address": "192.168.1.5:4711"}
    IN_OWN_WORDS: ClassVar = {("name", "")}
    """Required all the same: the operation says itself what has to be there."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: set[Argument] = set()

    def text(self, name: str) -> str:
        self.asked.add(Argument(name, required=True))
        return self.EXAMPLES.get(name, "x")

    def text_or(self, name: str, default: str) -> str:
        if (name, default) in self.IN_OWN_WORDS:
            return self.text(name)
        self.asked.add(Argument(name))
        return default

    def flag(self, name: str) -> bool:
        self.asked.add(Argument(name, Form.FLAG))
        return False

    def number(self, name: str, default: int, least: int, most: int) -> int:
        self.asked.add(Argument(name, Form.COUNT))
        return default

    def seconds(self, name: str, default: float | None) -> float | None:
        self.asked.add(Argument(name, Form.SECONDS))
        return default

    def texts(self, name: str) -> list[str]:
        self.asked.add(Argument(name, Form.TEXTS))
        return []

    def done(self) -> None:
        raise Asked


@pytest.mark.asyncio
@pytest.mark.parametrize("one", operations(), ids=lambda one: one.name)
async def test_an_operation_asks_for_the_arguments_of_the_table_and_no_others(one: Operation) -> None:
    operation = next(m.OPERATIONS[one.name] for m in MODULES if one.name in m.OPERATIONS)
    given = Listening()
    with pytest.raises(Asked):
        await operation(Mock(), given)
    assert given.asked == set(one.arguments)


def test_every_operation_is_told_in_a_sentence() -> None:
    assert all(one.summary.endswith(".") and one.summary[0].isupper() for one in operations())


def test_an_operation_has_its_address() -> None:
    assert ONE.path == "/api/some/thing"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "Cargo"}, {"name": "Cargo"}),
        ({"n": "3", "s": "1.5"}, {"n": 3, "s": 1.5}),
        ({"on": "true"}, {"on": True}),
        ({"on": "False"}, {"on": False}),
        ({"many": "a,b"}, {"many": ["a", "b"]}),
        ({"n": "three", "s": "x", "on": "maybe"}, {"n": "three", "s": "x", "on": "maybe"}),
        ({"unknown": "1"}, {"unknown": "1"}),
    ],
)
def test_arguments_in_an_address(query: dict[str, str], expected: dict[str, object]) -> None:
    assert ONE.from_query(query) == expected


def test_what_changes_something_is_no_read() -> None:
    reads = {one.name for one in operations() if one.reads}
    assert not reads & {"share", "join", "sync", "restore", "stop", "conflicts.keep", "mandate.create", "rules.set"}
