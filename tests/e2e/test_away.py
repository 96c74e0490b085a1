"""A PC was off for a while, and both sides worked on: what was deleted stays so, and edits win over deletions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, company
from tests.lab import Lab, requires_lab

pytestmark = requires_lab


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    with company(lab, root, "payroll", "invoicing") as three:
        yield three


def test_back_after_both_sides_worked_on(pcs: list[Pc]) -> None:
    a, b, _c = pcs
    names = ("stays", "a deletes", "b deletes", "both delete", "a renames", "b renames", "a edits", "b edits")
    for name in (*names, "a edits, b deletes", "a deletes, b edits", "both edit the same", "tree/1", "tree/2"):
        a.save(f"{name}.txt", f"{name}, first")
    agree(*pcs)
    b.stop()

    for name in ("a deletes", "both delete", "a deletes, b edits", "tree/1", "tree/2"):
        (a.folder / f"{name}.txt").unlink()
    (a.folder / "tree").rmdir()
    (a.folder / "a renames.txt").rename(a.folder / "renamed by a.txt")
    for name in ("a edits", "a edits, b deletes"):
        a.save(f"{name}.txt", "by a")
    a.save("both edit the same.txt", "the same")

    for name in ("b deletes", "both delete", "a edits, b deletes"):
        (b.folder / f"{name}.txt").unlink()
    (b.folder / "b renames.txt").rename(b.folder / "renamed by b.txt")
    for name in ("b edits", "a deletes, b edits"):
        b.save(f"{name}.txt", "by b")
    b.save("both edit the same.txt", "the same")
    b.save("tree/3.txt", "made in a tree that was deleted")

    agree(a, _c)
    b.start()
    agree(*pcs)
    texts = {path: (a.read(path) or b"").decode() for path in a.files()}
    assert texts == {
        "stays.txt": "stays, first",
        "renamed by a.txt": "a renames, first",
        "renamed by b.txt": "b renames, first",
        "a edits.txt": "by a",
        "b edits.txt": "by b",
        "a edits, b deletes.txt": "by a",
        "a deletes, b edits.txt": "by b",
        "both edit the same.txt": "the same",
        "tree/3.txt": "made in a tree that was deleted",
    }


def test_what_was_replaced_or_deleted_is_kept_and_comes_back(pcs: list[Pc]) -> None:
    a, b, _c = pcs
    versions = b.run("versions", "Cargo", "a deletes.txt")
    assert [row["path"] for row in versions] == ["a deletes.txt"]
    b.run("restore", "Cargo", "a deletes.txt")
    a.has("a deletes.txt", "a deletes, first")
    agree(*pcs)


def test_directories_that_changed_into_files_and_back(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.save("kind/inside.txt", "in a directory")
    a.save("other", "a file")
    agree(*pcs)
    c.stop()
    (a.folder / "kind/inside.txt").unlink()
    (a.folder / "kind").rmdir()
    a.save("kind", "a file now")
    (b.folder / "other").unlink()
    b.save("other/inside.txt", "a directory now")
    agree(a, b)
    c.start()
    agree(*pcs)
    assert c.read("kind") == b"a file now"
    assert c.read("other/inside.txt") == b"a directory now"


def test_a_name_that_changes_only_its_case(pcs: list[Pc]) -> None:
    a, b, c = pcs
    a.save("Report.txt", "words")
    agree(*pcs)
    (b.folder / "Report.txt").rename(b.folder / "REPORT.txt")
    for pc in pcs:
        pc.has("REPORT.txt", "words")
        pc.has("Report.txt", None)
    agree(a, b, c)
