"""Problems are listed by path, each kind under a name of its own."""

from __future__ import annotations

import re

from p2psync.core.problem import Code, Problem
from p2psync.errors import InvalidPath


def test_problems_sort_by_path_and_then_by_kind() -> None:
    problems = [
        Problem("b", Code.LOCKED),
        Problem("a", Code.UNREADABLE),
        Problem("a", Code.DISK_FULL, "x"),
        Problem("", Code.LOG_FORKED),
    ]
    assert [(p.path, p.code) for p in sorted(problems)] == [
        ("", Code.LOG_FORKED),
        ("a", Code.DISK_FULL),
        ("a", Code.UNREADABLE),
        ("b", Code.LOCKED),
    ]


def test_codes_are_names_for_scripts() -> None:
    assert all(re.fullmatch("[a-z]+(-[a-z]+)+|[a-z]+", code) for code in Code)
    assert len(set(Code)) == len(list(Code.__members__))


def test_an_invalid_path_says_which_problem_it_is() -> None:
    assert Code(InvalidPath("a name").code) is Code.NAME_ILLEGAL
    assert Code(InvalidPath("a name", Code.NAME_ESCAPES).code) is Code.NAME_ESCAPES
