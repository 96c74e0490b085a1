"""A tree and a base, side by side."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from p2psync.core.entry import ABSENT
from p2psync.core.ignore import DEFAULT_RULES
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.fs.sight import Row
from p2psync.fs.walk import Listing, Walk
from tests.fs.watched import Place


def rows(*paths: str) -> list[Row]:
    return [(RelPath(path), ABSENT, None) for path in paths]


def walked(place: Place, base: list[Row]) -> list[tuple[str, bool, bool]]:
    """(path, known to the base, on the disk)"""
    walk = Walk(place.folder, DEFAULT_RULES, lambda problem: None)
    return [(s.rel, s.row is not None, s.child is not None) for s in walk.steps(walk.listing(None), base)]


def test_both_are_met_in_the_order_of_paths(tmp_path: Path) -> None:
    place = Place(tmp_path / "Cargo")
    for path in ("a/x", "a-b", "a.b/y", "c"):
        place.save(path)
    base = rows("a", "a-a", "a-b", "a/w", "a/x", "b/z", "c", "d")
    assert walked(place, base) == [
        ("a", True, True),
        ("a-a", True, False),
        ("a-b", True, True),
        ("a.b", False, True),
        ("a.b/y", False, True),
        ("a/w", True, False),
        ("a/x", True, True),
        ("b/z", True, False),
        ("c", True, True),
        ("d", True, False),
    ]


def test_what_lies_behind_a_link_is_passed_over(tmp_path: Path) -> None:
    place = Place(tmp_path / "Cargo")
    (place.root / "l").symlink_to("/")
    assert walked(place, rows("l", "l-x", "l/a", "l/b/c", "m")) == [
        ("l", True, True),
        ("l-x", True, False),
        ("m", True, False),
    ]


def test_a_directory_that_vanishes_on_the_way_is_passed_over(tmp_path: Path) -> None:
    place = Place(tmp_path / "Cargo")
    place.save("d/x")
    told: list[Problem] = []
    walk = Walk(place.folder, DEFAULT_RULES, told.append)
    listing: Listing = walk.listing(None)
    shutil.rmtree(place.root / "d")
    assert [(s.rel, s.is_empty) for s in walk.steps(listing, rows("d/x"))] == [("d", False)]
    assert told == []
    with pytest.raises(FileNotFoundError):
        walk.listing(RelPath("d"))
