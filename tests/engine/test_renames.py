"""What vanishes and what appears are brought together by what they hold, in whatever order they are told of."""

from __future__ import annotations

import pytest

from p2psync.core.ids import EMPTY_CONTENT
from p2psync.core.relpath import RelPath
from p2psync.engine.renames import Renames
from tests.engine.rig import content

OLD, NEW, OTHER = RelPath("old"), RelPath("new"), RelPath("other")
ONE = content("one")


@pytest.mark.parametrize("first", ["old", "new"])
def test_both_names_of_a_file_that_moves(first: str) -> None:
    renames = Renames()
    for path in (OLD, NEW) if first == "old" else (NEW, OLD):
        assert renames.of(OLD) is renames.of(NEW) is None
        (renames.leaves if path == OLD else renames.arrives)(path, ONE)
    assert renames.of(OLD) == renames.of(NEW) == (OLD, NEW)
    assert renames.of(OTHER) is None


@pytest.mark.parametrize("gone", [OLD, NEW])
def test_once_either_is_done_nothing_moves(gone: RelPath) -> None:
    renames = Renames()
    renames.leaves(OLD, ONE)
    renames.arrives(NEW, ONE)
    renames.discard(gone)
    renames.discard(gone)
    assert renames.of(OLD) is renames.of(NEW) is None


def test_of_several_alike_the_last_is_found() -> None:
    renames = Renames()
    renames.arrives(NEW, ONE)
    renames.leaves(OTHER, ONE)
    renames.leaves(OLD, ONE)
    assert renames.of(NEW) == (OLD, NEW)
    assert renames.of(OTHER) is None
    renames.discard(OTHER)
    assert renames.of(NEW) == (OLD, NEW)


@pytest.mark.parametrize("same", [EMPTY_CONTENT, None])
def test_what_holds_nothing_does_not_move(same: None) -> None:
    renames = Renames()
    renames.leaves(OLD, same)
    renames.arrives(NEW, same)
    assert renames.of(OLD) is None


def test_files_move_only_while_some_vanish_and_some_appear() -> None:
    renames = Renames()
    renames.leaves(OLD, ONE)
    assert not renames
    renames.arrives(NEW, ONE)
    assert renames
    renames.discard(OLD)
    assert not renames
