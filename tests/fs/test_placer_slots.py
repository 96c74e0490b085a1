"""Names that one disk takes for the same: one slot, one rename, and presence judged by what is listed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding
from p2psync.fs.traits import Traits
from tests.fs.disk import OLD_NS, Disk, create, version, whole

OTHER_NS = OLD_NS + 5_000_000_000


@pytest.fixture(name="folding")
def a_folding_disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path, traits=Traits(folding=Folding(case_insensitive=True)))


def test_a_case_only_rename_is_one_rename(folding: Disk) -> None:
    item = folding.save("book.crp", b"same")
    inode = (folding.places.root / "book.crp").stat().st_ino
    outcomes = folding.placer.place([create("Book.crp", b"same"), item])
    assert [outcome.placed for outcome in outcomes] == [True, True]
    assert os.listdir(folding.places.root) in (["Book.crp", ".p2psync"], [".p2psync", "Book.crp"])
    assert (folding.places.root / "Book.crp").stat().st_ino == inode
    assert folding.kept() == version(b"same")


def test_a_case_only_rename_with_new_content(folding: Disk) -> None:
    item = folding.save("book.crp", b"old")
    folding.staged(b"new")
    outcomes = folding.placer.place([item, create("Book.crp", b"new")])
    assert [outcome.placed for outcome in outcomes] == [True, True]
    assert (folding.tree(), folding.kept()) == (whole({"Book.crp": b"new"}), version(b"old"))


def test_a_case_only_rename_of_an_edited_file_does_nothing(folding: Disk) -> None:
    item = folding.save("book.crp", b"old")
    folding.save("book.crp", b"edit", OTHER_NS)
    folding.staged(b"new")
    put, gone = folding.placer.place([create("Book.crp", b"new"), item])
    assert (put.placed, gone.placed) == (False, False)
    assert gone.found is not None
    assert gone.found.entry.content == content_of(b"edit")
    assert folding.tree() == whole({"book.crp": b"edit"})


def test_absent_does_not_touch_a_name_that_is_written_otherwise(folding: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On such a disk "BOOK.CRP" answers to "book.crp"; only the listing tells."""
    item = folding.save("book.crp", b"old")
    monkeypatch.setattr(os, "listdir", lambda path: ["BOOK.CRP"])
    (outcome,) = folding.placer.place([item])
    assert outcome.placed
    assert (folding.places.root / "book.crp").exists()


def test_a_slot_that_is_taken_under_another_name_is_a_problem(folding: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    folding.save("book.crp", b"other")
    folding.staged(b"new")
    monkeypatch.setattr(os, "listdir", lambda path: ["BOOK.CRP"])
    (outcome,) = folding.placer.place([create("book.crp", b"new")])
    assert outcome.problem == Problem("book.crp", Code.NAME_COLLIDES, "BOOK.CRP")


def test_a_disk_that_lists_names_decomposed_still_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path, traits=Traits(folding=Folding(case_insensitive=True, normalising=True), composes=True))
    item = disk.save("caf\u00e9", b"old")
    monkeypatch.setattr(os, "listdir", lambda path: ["cafe\u0301"])
    (outcome,) = disk.placer.place([item])
    assert outcome.placed
    assert disk.tree() == {}
