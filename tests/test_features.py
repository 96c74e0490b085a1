"""The table of features speaks of what exists: every module and test that it names is there."""

from __future__ import annotations

import re

import pytest

from tests.test_tidy import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "features.md").read_text("utf-8").splitlines()
    if re.match(r"\| (?!what it does|---)", line)
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_feature_has_modules_tests_and_a_use(row: list[str]) -> None:
    what, modules, tests, use = row
    assert what
    assert use
    for cell, top in ((modules, ("p2psync/", "benchmarks/")), (tests, ("tests/",))):
        named = re.findall(r"`([^`]+)`", cell)
        assert named
        assert all(path.startswith(top) and (ROOT / path).is_file() for path in named), cell


def test_every_module_about_books_is_in_the_table() -> None:
    named = " ".join(row[1] for row in ROWS)
    modules = {path.name for path in (ROOT / "p2psync" / "books").glob("*.py")}
    assert {name for name in modules if name not in named} == {"__init__.py", "synthetic.py", "synthetic_master.py"}
