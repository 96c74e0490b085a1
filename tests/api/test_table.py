"""The table names exactly the operations that a daemon has, and reads arguments from addresses as their forms."""

from __future__ import annotations

import pytest

from p2psync.api.table import Argument, Form, Operation, operations
from p2psync.daemon.operations import MODULES

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
