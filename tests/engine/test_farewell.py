"""A device that was removed is told why by whoever meets it first; it learns nothing newer, and its folder stays."""

from __future__ import annotations

from p2psync.core.block import parse_block
from p2psync.core.ids import content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.core.statement import Admit, Leave
from p2psync.engine.admin import Founding, Newcomer
from p2psync.engine.device import PARTING_S
from p2psync.engine.events import Kept, Placed, Received
from p2psync.engine.farewell import Farewells
from p2psync.engine.scope import Scope
from p2psync.engine.state import TodoKind
from p2psync.wire.messages import BLOCKS_MAX, Close, CloseCode, Have, IndexUpdate
from tests.engine.rig import file
from tests.engine.tapped import Tapped, problems, star


def revoked(village: Tapped, by: str = "a", name: str = "b") -> None:
    village.act(by, lambda admin: admin.revoke(village[name].id))


def removal(village: Tapped, name: str = "b") -> str:
    [problem] = [p for p in village[name].m.state.problems() if p.code == Code.REMOVED]
    return problem.detail


def test_who_is_connected_is_told_at_once_by_whom_and_when() -> None:
    village = star("a", "b", "c")
    revoked(village)
    village.settle()
    b = village["b"].m
    assert b.is_removed
    assert removal(village) == "a, 2023-11-14 22:13 UTC"
    assert not b.is_in_sync
    assert village["a"].m.farewells.untold == set()
    assert village["c"].m.peers != {}
    assert b.peers == {}
    assert [m.code for m in village.heard("b", Close)] == [CloseCode.NOT_A_MEMBER]
    assert (village["a"].closed, village["a"].m.state.problems()) == (
        ["the other device is no member of any shared mandate any more"],
        [],
    )


def test_who_was_off_is_told_by_any_member_that_it_meets() -> None:
    village = star("a", "b", "c")
    village.disconnect()
    revoked(village)
    village.connect("a", "c")
    village.settle(3)
    village.disconnect()
    assert village["c"].m.farewells.untold == {village["b"].id}
    village.connect("c", "b")
    village.settle()
    assert removal(village).startswith("a, ")
    assert village["c"].m.farewells.untold == set()


def test_when_all_removed_know_who_keeps_connections_looks_for_nobody_any_more() -> None:
    village = star("a", "b", "c", "d")
    a = village["a"]
    village.disconnect()
    for name in "bc":
        revoked(village, "a", name)
    village.connect("a", "d")
    village.settle(1)
    village.disconnect()
    village.connect("a", "d")
    village.settle(1)
    assert len(a.m.secrets.outdated) == 2
    for name, left in (("b", 2), ("c", 0)):
        village.connect("a", name)
        before = a.trust_renewed
        village.settle()
        assert len(a.m.secrets.outdated) == left
        assert a.trust_renewed > before


def test_nothing_newer_than_the_removal_is_told() -> None:
    village = star("a", "b", "c")
    village.disconnect()
    village.save("a", "secret.txt", b"before, but not for b any more")
    revoked(village)
    village.act("a", lambda admin: admin.rename("Secret"))
    village.act("a", lambda admin: admin.set_role(village["c"].id, Role.READER))
    village.said.clear()
    village.connect("a", "b")
    village.settle(3)
    mandate = village["a"].m.id
    updates = village.heard("b", IndexUpdate)
    blocks = [parse_block(mandate, raw).block for update in updates for raw in update.blocks]
    assert village.heard("b", Have) == []
    assert village["b"].m.is_removed
    assert village["b"].m.name == "Cargo"
    assert len(blocks[-1].statements) == 2, "the revocation, and the digest of the secret that b will not know"
    assert not any(block.changes for block in blocks)
    assert "secret.txt" not in village["b"].disk


def test_the_folder_stays_as_it_is() -> None:
    village = star("a", "b")
    village.save("a", "x.txt", b"one")
    village.settle()
    revoked(village)
    village.settle()
    village.save("b", "x.txt", b"mine")
    village.save("b", "y.txt", b"new")
    village.settle(12)
    assert village["b"].disk == {"x.txt": b"mine", "y.txt": b"new"}
    assert problems(village["b"]) == [("", Code.REMOVED)], "no edit is refused"
    assert village["a"].disk == {"x.txt": b"one"}


def test_what_was_being_placed_is_noted_and_nothing_else_is_begun() -> None:
    village = star("a", "b")
    with village.deaf_disk("b"):
        village.save("a", "x.txt", b"one")
        village.settle()
    revoked(village)
    village.settle()
    b = village["b"]
    b.versions[content_of(b"one")] = b"one"
    village.tell(b, Kept(b.m.id, parse("x.txt"), file("one"), "edited", None))
    village.tell(b, Placed(b.m.id, ()))
    village.open_folder(b, continuous=False)
    village.settle(6)
    assert b.disk == {}
    assert b.m.state.todo_count(TodoKind.PLACE) == 1


def test_a_revocation_that_does_not_count_after_all_is_forgotten_and_all_goes_on() -> None:
    """The creator had revoked the revoker at the same time."""
    village = star("a", "b", "c", admin=True)
    village.connect("b", "c")
    village.settle(1)
    village.disconnect()
    revoked(village, "c", "b")
    village.connect("c", "b")
    village.settle()
    assert village["b"].m.is_removed
    village.disconnect()
    village.save("b", "x.txt", b"meanwhile")
    village.settle()
    revoked(village, "a", "c")
    village.connect("a", "b")
    village.settle(3)
    assert not village["b"].m.is_removed
    assert problems(village["b"]) == []
    village.settle(6)
    assert village["a"].disk == {"x.txt": b"meanwhile"}
    village.assert_equal("a", "b")


def test_who_shares_another_mandate_stays_connected() -> None:
    village = star("a", "b")
    a, b = village["a"].device, village["b"].device
    first = village["a"].m.id
    a.act(village.now)
    second = a.create(Founding("Other", Role.ACCOUNTING, b"cert-a", "a"))
    a.admin(second).share()
    a.admin(second).issue(b"t", Role.PAYROLL, False, 1, 2_000_000_000)
    welcome = a.admin(second).admit(Newcomer(b.keys.device, b"cert-b", "b", b"t"))
    village._perform(village["a"], a.finish())
    b.act(village.now)
    b.join(welcome)
    village._perform(village["b"], b.finish())
    village.settle(3)
    revoked(village)
    village.settle(2 * PARTING_S)
    assert village["b"].m.is_removed
    assert village["a"].m.farewells.untold == set()
    assert len(a.links_to(b.keys.device)) == 1
    assert (a.mandates[first].peers, len(a.mandates[second].peers)) == ({}, 1)


def test_who_does_not_answer_is_not_waited_for() -> None:
    village = star("a", "b")
    village.disconnect()
    revoked(village)
    a, b = village["a"], village["b"]
    village.connect("a", "b")
    b.m.hear_out = lambda *_: None  # type: ignore[method-assign]
    village.settle()
    assert a.device.links_to(b.id) != []
    village.settle(PARTING_S + 0.5)
    assert a.device.links_to(b.id) == []
    assert a.m.farewells.untold == {b.id}, "so it is told the next time"


def test_who_left_needs_no_telling() -> None:
    village = star("a", "b")
    village.leave("b")
    village.settle(3)
    assert village["a"].m.farewells.untold == set()


def test_who_belongs_again_is_told_another_time() -> None:
    village = star("a", "b")
    a, b = village["a"].m, village["b"]
    revoked(village)
    village.settle()
    assert a.state.get("told") == [b.id]
    village.disconnect()
    a.state_authority(Admit(b.id, b"cert-b", "b", Role.PAYROLL, False, b""))
    assert a.state.get("told") == []
    revoked(village)
    assert a.farewells.untold == {b.id}
    assert Farewells(a.id, a.state, a.ledger, Scope()).untold == {b.id}


def test_what_is_remembered_survives() -> None:
    village = star("a", "b")
    revoked(village)
    village.settle()
    a = village["a"].m
    assert Farewells(a.id, a.state, a.ledger, Scope()).untold == set()


def test_a_long_history_is_told_in_parts_that_fit() -> None:
    village = star("a", "b")
    village.disconnect()
    for number in range(2 * BLOCKS_MAX):
        village.act("a", lambda admin, number=number: admin.rename(f"Cargo {number}"))  # type: ignore[misc]
    revoked(village)
    village.connect("a", "b")
    village.said.clear()
    village.settle()
    assert [len(update.blocks) for update in village.heard("b", IndexUpdate)][:2] == [BLOCKS_MAX, BLOCKS_MAX]
    assert village["b"].m.is_removed


def test_only_members_are_heard_out() -> None:
    """Who was removed itself, or was never here, has nothing to say."""
    village = star("a", "b", "c")
    village.disconnect()
    revoked(village, "a", "c")
    c = village["c"].m
    raw = c.ledger.raw_blocks([c.ledger.state_authority([Leave()], 1).row.hash])
    village["c"].m.hear_out = lambda *_: None  # type: ignore[method-assign]
    village.connect("a", "c")
    village.settle()
    a = village["a"]
    [(link, _)] = a.device.links_to(village["c"].id)
    before = a.m.ledger.tips
    village.tell(a, Received(link, IndexUpdate(a.m.id, tuple(raw))))
    village.settle()
    assert a.m.ledger.tips == before
    assert a.closed == []
