"""A PC was off for a while, and both sides worked on: what was deleted stays so, and edits win over deletions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, company, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

SOME_DAY_S = 1_700_000_000


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


def test_time_and_executable_bit_travel(pcs: list[Pc]) -> None:
    a, b, _c = pcs
    a.save("run.sh", "#!/bin/sh\n")
    (a.folder / "run.sh").chmod(0o755)
    os.utime(a.folder / "run.sh", (SOME_DAY_S, SOME_DAY_S))
    until(lambda: [_can_be_run(pc) for pc in pcs] == [True, True, True], "it can be run everywhere")
    (b.folder / "run.sh").chmod(0o644)
    until(lambda: [_can_be_run(pc) for pc in pcs] == [False, False, False], "and then nowhere")
    agree(*pcs)
    assert {int((pc.folder / "run.sh").stat().st_mtime) for pc in pcs} == {SOME_DAY_S}


def test_a_rule_and_a_role_that_changed_while_somebody_edited(pcs: list[Pc], tmp_path: Path) -> None:
    """What was edited before that was known counts nowhere, stays at hand, and is told to whoever made it."""
    a, b, c = pcs
    for name in ("plan.txt", "list.txt"):
        a.save(name, "as it was")
    agree(*pcs)
    b.stop()
    c.stop()
    a.run("rules", "Cargo", "--set", "plan.txt=enforce:accounting")
    (device,) = [row["device"] for row in a.run("devices", "Cargo") if row["name"] == "c"]
    a.run("devices", "Cargo", "--role", f"{device}=reader")
    b.save("plan.txt", "by b, when the rule was another")
    c.save("list.txt", "by c, when it was no reader")
    b.save("free.txt", "by b, as ever")
    b.start()
    c.start()
    agree(*pcs)
    for pc in pcs:
        assert (pc.read("plan.txt"), pc.read("list.txt")) == (b"as it was", b"as it was")
        assert pc.read("free.txt") == b"by b, as ever"
        assert not {"plan.txt", "list.txt"} & {row["path"] for row in pc.run("conflicts", "Cargo")}
    for pc, name in ((b, "plan.txt"), (c, "list.txt")):
        assert pc.problems() == {name: "edit-refused"}
        (mine,) = [row for row in pc.run("versions", "Cargo", name) if row["size"] > len("as it was")]
        pc.run("restore", "Cargo", name, "--version", mine["id"], "--to", tmp_path / name)
        assert (tmp_path / name).read_text().startswith(f"by {pc.host}, when")


def _can_be_run(pc: Pc) -> bool:
    file = pc.folder / "run.sh"
    return file.exists() and bool(file.stat().st_mode & 0o100)
