"""Files of the benchmark: seen when they are there, and compared to the last byte."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from benchmarks.content import Arrival, Mismatch, Patch, compare, insert, make_blob, make_tree, rewrite, shows

OWN = frozenset({".own"})


@pytest.fixture
def twins(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "other"):
        make_tree(tmp_path / name, 120, 10, Random(1))
    return tmp_path / "one", tmp_path / "other"


def test_a_tree_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    assert make_tree(tmp_path / "one", 120, 10, Random(1)) == make_tree(tmp_path / "other", 120, 10, Random(1))
    compare(tmp_path / "one", tmp_path / "other", frozenset())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "d00000" / "f0000003.txt").unlink(),
        lambda folder: (folder / "d00001" / "more.txt").write_bytes(b""),
        lambda folder: (folder / "empty").mkdir(),
        lambda folder: (folder / "d00000" / "f0000003.txt").write_bytes(b"0123456789"),
        lambda folder: os.truncate(folder / "d00000" / "f0000003.txt", 11),
        lambda folder: (folder / "d00000" / ".own").write_bytes(b""),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_every_difference_is_seen(twins: tuple[Path, Path], spoil: Callable[[Path], object], which: int) -> None:
    compare(*twins, OWN)
    spoil(twins[which])
    with pytest.raises(Mismatch):
        compare(*twins, OWN)


def test_what_a_tool_keeps_for_itself_does_not_count(twins: tuple[Path, Path]) -> None:
    (twins[1] / ".own").mkdir()
    (twins[1] / ".own" / "index").write_bytes(b"x")
    compare(*twins, OWN)


def test_files_have_arrived_when_all_have_their_size(tmp_path: Path) -> None:
    paths = [tmp_path / "x", tmp_path / "y"]
    arrival = Arrival(map(str, paths), 3)
    assert not arrival.is_complete()
    paths[0].write_bytes(b"abc")
    paths[1].write_bytes(b"ab")
    assert not arrival.is_complete()
    paths[1].write_bytes(b"abc")
    assert arrival.is_complete()


def test_a_patch_is_seen_where_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    make_blob(file, 3_000_000, Random(2))
    patches = [Patch(5, b"five"), Patch(2_999_998, b"!!")]
    assert not shows(file, 3_000_000, patches)
    rewrite(file, patches)
    assert shows(file, 3_000_000, patches)
    assert not shows(file, 2_999_999, patches)
    assert not shows(tmp_path / "none", 3_000_000, patches)


def test_what_is_inserted_moves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"abcdef")
    insert(tmp_path / "old", tmp_path / "new", Patch(2, b"--"))
    assert (tmp_path / "new").read_bytes() == b"ab--cdef"
