"""Who is never on at the same time exchanges by a keeper: it holds everything, and publishes nothing of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import Pc, agree, office, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab

KEEPER = "keeper"


@pytest.fixture
def pcs(lab: Lab, tmp_path: Path) -> Iterator[list[Pc]]:
    """a, b, and the keeper, which share a mandate with a class that b may not read."""
    with office(lab, tmp_path) as three:
        a, b, keeper = three
        a.create("--restrict", "*.ecs=accounting,payroll")
        b.join(a.invite("invoicing"))
        keeper.join(a.invite(KEEPER))
        agree(a, keeper)
        yield three


def held(keeper: Pc, *paths: str) -> None:
    until(lambda: keeper.files().keys() >= set(paths) and keeper.status()["in_sync"], "the keeper holds it")


def peer(pc: Pc, name: str) -> dict[str, object]:
    (found,) = [one for one in pc.status()["peers"] if one["name"] == name]
    return dict(found)


def test_two_who_are_never_on_together(pcs: list[Pc]) -> None:
    a, b, keeper = pcs
    b.stop()
    a.save("from a.txt", "A1")
    a.save("salary.ecs", "for accounting and payroll\r\n")
    held(keeper, "from a.txt", "salary.ecs")
    a.stop()
    b.start()
    b.has("from a.txt", "A1")
    until(lambda: b.status()["in_sync"], "b is in sync")
    waits = peer(b, "a")
    assert waits["connected"] is False
    assert waits["last_seen"] is not None
    b.save("from b.txt", "B1")
    held(keeper, "from b.txt")
    assert "salary.ecs" not in b.files(), "what b may not read, the keeper does not give it"
    b.stop()
    a.start()
    a.has("from b.txt", "B1")
    a.save("from b.txt", "A2, based on B1")
    held(keeper)
    keeper.has("from b.txt", "A2, based on B1")
    a.stop()
    b.start()
    b.has("from b.txt", "A2, based on B1")
    assert b.run("conflicts", "Cargo") == []
    b.save("from a.txt", "B2")
    keeper.has("from a.txt", "B2")
    held(keeper)
    a.start()
    a.has("from a.txt", "B2")
    assert a.files().keys() == keeper.files().keys() == b.files().keys() | {"salary.ecs"}


def test_what_is_edited_on_the_keeper_is_set_aside_and_never_published(pcs: list[Pc]) -> None:
    a, _b, keeper = pcs
    a.save("book.txt", "as it is")
    keeper.has("book.txt", "as it is")
    held(keeper, "book.txt")
    keeper.save("book.txt", "meddled with")
    keeper.has("book.txt", "as it is")
    keeper.save("new.txt", "of the keeper's own")
    until(lambda: {"book.txt", "new.txt"} <= keeper.problems().keys(), "both are told")
    (keeper.folder / "book.txt").unlink()
    keeper.has("book.txt", "as it is")
    a.save("after.txt", "after all that")
    keeper.has("after.txt", "after all that")
    until(lambda: a.status()["in_sync"], "in sync")
    assert a.read("book.txt") == b"as it is"
    assert "new.txt" not in a.files()
    device = keeper.device
    assert [row for row in a.log() if row["device"] == device] == []
    versions = keeper.run("versions", "Cargo", "book.txt")
    assert any(one["content"] for one in versions)
