"""The tree of exceptions is the one drawn, and each tells its reader what happened."""

from __future__ import annotations

import inspect

import pytest

from p2psync import errors
from p2psync.errors import P2PSyncError

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]


def _drawn() -> dict[str, str]:
    """Child and parent of every line of the drawing in the module's docstring."""
    above: list[tuple[int, str]] = []
    found = {}
    for line in (errors.__doc__ or "").partition("::\n")[2].splitlines():
        mark = max(line.find("|-- "), line.find("`-- "))
        name = line[mark + 4 :].split()[0] if mark >= 0 else line.strip()
        if mark >= 0:
            while above[-1][0] >= mark:
                above.pop()
            found[name] = above[-1][1]
        if mark >= 0 or name == P2PSyncError.__name__:
            above.append((mark, name))
    return found


def test_the_drawing_is_the_tree() -> None:
    assert _drawn() == {c.__name__: c.__mro__[1].__name__ for c in CLASSES if c is not P2PSyncError}


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_each_error_is_ours_and_speaks_in_sentences(error: type[Exception]) -> None:
    assert issubclass(error, P2PSyncError)
    assert "." in vars(error)["__doc__"]
