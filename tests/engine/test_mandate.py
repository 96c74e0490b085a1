"""A mandate ties ledger, folder and peers together: what comes in is taken in, planned, answered and passed on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import ClassVar

import pytest

from p2psync.core.block import AUTHORITY
from p2psync.core.change import Change
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, parse
from p2psync.core.rules import Role
from p2psync.core.statement import Leave, Rename
from p2psync.engine.effects import MembersChanged
from p2psync.engine.events import EpochRenewed, Received
from p2psync.engine.ledger import Ledger
from p2psync.engine.mandate import PROGRESS_EVERY_S, PROGRESS_PATHS
from p2psync.engine.state import TodoKind
from p2psync.wire.messages import Have, IndexUpdate, Placed
from tests.engine.tapped import Tapped, problems, star
from tests.engine.village import House, Village, fake_keys


def twin(house: House) -> Ledger:
    """A ledger that goes on from a copy of this device's database."""
    return Ledger(house.m.id, house.state.copy().mandate(house.m.id), house.device.keys, Random(1))


def written(ledger: Ledger, path: str, text: str) -> bytes:
    """The bytes of a block with this change."""
    entry = Entry(Kind.FILE, len(text), 0, 0, content_of(text.encode()))
    [taken] = ledger.append([Change(parse(path), entry, ())], ledger.class_of(parse(path)), 1)
    [raw] = ledger._state.raw_blocks([taken.row.intake])
    return raw


# -- passing on --------------------------------------------------------------------------------------


def test_what_a_device_saves_right_after_it_received_something_is_understood_by_the_next() -> None:
    village = star("middle", "left", "right")
    for round_ in range(12):
        village.save("left", "x.txt", b"left %d" % round_)
        village.settle()
        village.save("middle", "y.txt", b"middle %d" % round_)
        village.settle()
        assert village["right"].disk == {"x.txt": b"left %d" % round_, "y.txt": b"middle %d" % round_}
    village.settle(3)
    village.assert_equal()
    assert village["right"].closed == []


def test_what_was_taken_in_is_said_to_all_and_passed_on_to_who_lacks_it() -> None:
    village = star("middle", "left", "right")
    village.said.clear()
    village.save("left", "x.txt", b"one")
    village.settle()
    assert len(village.heard("right", Have)) == 1
    assert len(village.heard("left", Have)) == 1
    assert village.heard("right", IndexUpdate) == []
    village.settle(1)
    assert len(village.heard("right", IndexUpdate)) == 1
    assert village.heard("left", IndexUpdate) == []


def test_what_came_before_a_bad_block_counts() -> None:
    village = star("a", "b")
    update = IndexUpdate(village["a"].m.id, (written(twin(village["b"]), "y.txt", "two"), b"garbage" * 20))
    village.tell_peer("a", update)
    assert problems(village["a"]) == [("", Code.PEER_MISBEHAVED)]
    assert len(village["a"].closed) == 1
    assert list(village["a"].m.state.heads([parse("y.txt")])) == ["y.txt"]


def test_a_block_that_lacks_what_it_names_is_asked_for_again() -> None:
    village = star("a", "b")
    ledger = twin(village["b"])
    first, second = written(ledger, "x.txt", "one"), written(ledger, "x.txt", "two")
    assert first != second
    village.said.clear()
    village.tell_peer("a", IndexUpdate(village["a"].m.id, (second,)))
    [log] = (log for log in ledger.tips if log not in village["a"].m.ledger.tips)
    assert village.heard("b", Have) == [Have(village["a"].m.id, {log: ()})]


def test_a_fork_is_shown_and_both_branches_stay() -> None:
    village = star("a", "b")
    village.save("b", "x.txt", b"one")
    village.settle(3)
    restored = written(twin(village["b"]), "x.txt", "restored")
    village.save("b", "x.txt", b"two")
    village.settle(3)
    village.tell_peer("a", IndexUpdate(village["a"].m.id, (restored,)))
    village.settle(12)
    for name in ("a", "b"):
        assert ("", Code.LOG_FORKED) in problems(village[name])
        assert "log.forked" in village[name].notices
        assert len(village[name].m.state.heads([parse("x.txt")])[parse("x.txt")]) == 2


def test_who_learns_from_a_peer_that_it_is_a_member_no_more_tells_it_nothing() -> None:
    """The peer's own block says so: it left while nobody was connected."""
    village = star("a", "b", "c")
    ledger = twin(village["b"])
    taken = ledger.state_authority([Leave()], 1)
    [raw] = ledger._state.raw_blocks([taken.row.intake])
    [link] = (link for link, peer in village["a"].m.peers.items() if peer.device == village["b"].id)
    village.said.clear()
    village.tell(village["a"], Received(link, IndexUpdate(village["a"].m.id, (raw,))))
    village.settle(3)
    assert village.heard("b", Have) == []
    assert village["b"].id not in village["c"].m.authority.members


# -- what cannot be had yet --------------------------------------------------------------------------


def lost() -> Tapped:
    """One device announced a file whose bytes it cannot give; then it finds them again."""
    village = star("a", "b")
    village.save("a", "x.txt", b"one")
    village["a"].disk.clear()
    village.look(village["a"])
    village.settle()
    assert village["b"].disk == {}
    village["a"].versions[content_of(b"one")] = b"one"
    return village


def test_what_nobody_could_give_is_asked_for_again_in_a_while() -> None:
    village = lost()
    village.settle(3)
    assert village["b"].disk == {}
    village.settle(3)
    assert village["b"].disk == {"x.txt": b"one"}


def test_or_at_once_when_somebody_has_news_or_comes() -> None:
    village = lost()
    village.tell_peer("b", Have(village["b"].m.id, {}))
    assert village["b"].disk == {"x.txt": b"one"}
    village = lost()
    village.disconnect()
    village.connect("a", "b")
    village.settle()
    assert village["b"].disk == {"x.txt": b"one"}


def test_who_is_busy_says_so_again_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    village = star("a", "b")
    monkeypatch.setattr(Tapped, "_fetch", lambda *_: None)
    village.said.clear()
    village.save("a", "x.txt", b"one")
    village.settle()
    busy = Placed(village["b"].m.id, {}, 1, ())
    assert village.heard("a", Placed) == [busy]
    village.save("a", "y.txt", b"two")
    village.settle()
    assert village.heard("a", Placed) == [], "not before a second has passed"
    wake_at_s = village["b"].device._scope.wake_at_s
    assert wake_at_s is not None
    assert village.now.monotonic_s < wake_at_s <= village.now.monotonic_s + PROGRESS_EVERY_S
    village.settle(1)
    assert village.heard("a", Placed) == [Placed(village["b"].m.id, {}, 2, ())]


# -- what a newer version wrote ----------------------------------------------------------------------


@dataclass(frozen=True)
class Freeze:
    """A kind of statement that this version does not know."""

    KIND: ClassVar = "melt"
    until: str = "2025"


def test_a_mandate_stops_at_what_it_does_not_understand() -> None:
    village = star("old", "new", admin=True)
    village.save("old", "x.txt", b"one")
    village.settle(3)
    village.act("new", lambda admin: admin._mandate.state_authority(Freeze()))
    village.settle(3)
    old = village["old"]
    assert old.m.is_stopped
    assert old.m.state.problems() == [Problem("", Code.UPDATE_NEEDED, "melt")]
    village.save("old", "x.txt", b"two")
    village.save("new", "y.txt", b"three")
    village.settle(3)
    assert village["new"].disk == {"x.txt": b"one", "y.txt": b"three"}
    assert old.disk == {"x.txt": b"two"}
    assert list(old.m.state.heads([parse("y.txt")])) == ["y.txt"], "but it takes in and passes on what others wrote"


def test_it_goes_on_when_that_counts_no_more() -> None:
    village = star("senior", "old", "new", admin=True)
    village.disconnect()
    village.settle(1)
    village.act("new", lambda admin: admin._mandate.state_authority(Freeze()))
    village.connect("new", "old")
    village.settle(3)
    old = village["old"]
    assert old.m.is_stopped
    village.act("senior", lambda admin: admin.set_role(village["new"].id, Role.INVOICING, False))
    village.connect("senior", "old")
    village.settle(3)
    assert not old.m.is_stopped, "the senior's word came first: the other was no admin when it said that"
    assert problems(old) == []


def test_after_an_update_it_is_not_said_any_more() -> None:
    village = star("a", "b", admin=True)
    village["a"].m.set_folding(Folding())
    village["a"].m.state.put_problems([Problem("", Code.UPDATE_NEEDED, "melt")])
    village.open_folder(village["a"])
    village.settle()
    assert problems(village["a"]) == []


# -- who belongs -------------------------------------------------------------------------------------


def test_a_newcomer_trusts_whom_its_ticket_named_until_it_has_the_log() -> None:
    village = Village("a", "b")
    village.admit("a", "b", Role.PAYROLL)
    mandate = village["b"].m
    assert (mandate.name, mandate.own_role, mandate.is_shared) == ("Cargo", None, True)
    assert mandate.members() == {village["a"].id: b"cert-a", village["b"].id: b"cert-b", RECOVERY: b"cert-recovery"}
    village.connect("a", "b")
    village.settle(3)
    assert (mandate.own_role, mandate.state.get("provisional")) == (Role.PAYROLL, [])
    assert mandate.members() == village["a"].m.members()


def test_half_of_the_log_does_not_make_it_trust_less() -> None:
    village = Village("a", "b")
    village.admit("a", "b", Role.PAYROLL)
    mandate = village["b"].m
    known = mandate.members()
    first, *rest = village["a"].m.state.raw_blocks([1, 2])
    mandate.ledger.join(first)
    mandate.authority_changed()
    assert mandate.members() == known
    for raw in (*rest, *village["a"].m.state.raw_blocks(range(3, 5))):
        mandate.ledger.join(raw)
    mandate.authority_changed()
    assert (mandate.members(), mandate.state.get("provisional")) == (known, [])


RECOVERY = fake_keys("recovery").device


def test_who_was_revoked_is_no_member() -> None:
    village = star("a", "b")
    village.act("a", lambda admin: admin.revoke(village["b"].id))
    assert set(village["a"].m.members()) == {village["a"].id, RECOVERY}


# -- what is placed ----------------------------------------------------------------------------------


def test_progress_is_told_once_a_second_and_the_end_at_once() -> None:
    village = star("a", "b")
    [peer] = village["a"].m.peers.values()
    house = village["b"]
    house.m.replica.plan.stuck.clear()
    village.said.clear()
    for number in range(3):
        village.save("a", f"{number}.txt", b"one")
        village.settle()
    heard: list[Placed] = village.heard("a", Placed)
    assert heard[-1] == Placed(house.m.id, house.m.ledger.readable_tips(village["a"].id), 0, ())
    assert [p.waiting for p in heard].count(1) <= 1, "it was busy for less than a second"
    assert PROGRESS_EVERY_S == 1.0
    assert peer.has_placed_everything()
    village.assert_equal()


def test_progress_of_very_many_files_is_told_after_so_many_of_them() -> None:
    village = star("a", "b")
    files = 3 * PROGRESS_PATHS
    village["a"].disk.update({f"{number}.txt": b"%d" % number for number in range(files)})
    village.said.clear()
    village.look(village["a"], *(f"{number}.txt" for number in range(files)))
    village.settle()
    told = [p.waiting for p in village.heard("a", Placed)]
    assert len(told) > 2, "the clock stood still"
    assert all(abs(left - before) >= PROGRESS_PATHS for before, left in pairwise(told[:-1]))
    assert told[-1] == 0
    village.assert_equal()


def test_what_is_not_placed_is_listed_with_its_reason() -> None:
    village = star("a", "b")
    village["b"].device.set_folding(village["b"].m.id, Folding(case_insensitive=True))
    village.save("a", "x.txt", b"one")
    village.settle(3)
    village.save("a", "X.txt", b"two")
    village.settle(3)
    [*_, last] = village.heard("a", Placed)
    assert (last.waiting, last.unplaced) == (1, (("X.txt", "name-collides"),))
    assert village["a"].m.is_in_sync, "it has done what it can"
    assert not village["b"].m.is_in_sync


def test_what_waits_is_not_in_sync() -> None:
    village = star("a", "b")
    assert village["a"].m.is_in_sync
    assert village["b"].m.is_in_sync
    village.save("a", "x.txt", b"one")
    village._perform(village["a"], village["a"].device.handle(village._queue.popleft()[1], village.now))
    assert not village["a"].m.is_in_sync, "the other has not heard of it"
    village.settle()
    assert village["a"].m.is_in_sync


def test_an_epoch_that_was_renewed_is_remembered() -> None:
    village = star("a", "b")
    village.tell(village["a"], EpochRenewed(village["a"].m.id, b"newer"))
    village.settle()
    assert village["a"].m.state.get("epoch") == b"newer"


def test_opening_a_session_twice_is_once() -> None:
    village = star("a", "b")
    [(link, peer)] = village["a"].m.peers.items()
    village["a"].m.open_peer(link, peer.device)
    village["a"].m.on_message(99, Have(village["a"].m.id, {}))
    assert village["a"].m.peers == {link: peer}
    village["a"].m.close_peer(99)
    assert AUTHORITY in {village["a"].m.ledger.file_class(log) for log in village["a"].m.ledger.tips}


def test_an_index_is_shown_merged_everywhere() -> None:
    village = star("a", "b")
    village.disconnect()
    for name in ("a", "b"):
        village.save(name, "x.ecc", b"#FSC\r\n" + name.encode() + b"\r\n#END\r\n")
    village.settle()
    village.connect("a", "b")
    village.settle(3)
    assert village["a"].disk["x.ecc"].count(b"\r\n") == 4
    village.assert_equal()


def test_what_was_copied_into_the_versions_is_noted_and_done() -> None:
    village = star("a", "b")
    village.save("b", "x.ecf", b"one")
    village.settle()
    [version] = village["b"].m.state.versions(parse("x.ecf"))
    assert (version.reason, version.content, version.device) == ("edited", content_of(b"one"), village["b"].id)
    village.disconnect()
    for name in ("a", "b"):
        village.save(name, "x.ecf", name.encode())
    village.settle()
    village.connect("a", "b")
    village.settle(12)
    for name in ("a", "b"):
        state = village[name].m.state
        assert state.has_version([content_of(b"a")]), "accounting lost to the owner"
        assert state.todo_count(TodoKind.KEEP) == 0


def test_whoever_keeps_connections_is_told_that_members_changed() -> None:
    village = star("a", "b")
    mandate = village["a"].m
    mandate.state_authority(Rename("New"))
    assert MembersChanged(mandate.id) in village["a"].device.finish()


def test_a_loser_that_is_not_kept_yet_is_not_in_sync_and_comes_as_soon_as_a_peer_has_it() -> None:
    village = star("a", "b", "c")
    b, c = village["b"], village["c"]
    village.disconnect()
    for name in ("a", "c"):
        village.save(name, "x.txt", name.encode())
    village.settle()
    village.connect("a", "c")
    village.settle()
    [conflict] = c.admin.conflicts()
    loser = conflict.losers[0].entry.content
    assert loser is not None
    data = c.versions.pop(loser)
    c.staged.clear()
    village.part()
    village.connect("b", "c")
    village.settle()
    assert b.disk["x.txt"] == c.disk["x.txt"]
    assert (b.m.state.todo_count(TodoKind.PLACE), b.m.state.todo_count(TodoKind.KEEP)) == (0, 1)
    assert not b.m.is_in_sync
    assert not c.m.is_in_sync, "for b has not placed all"
    c.versions[loser] = data
    village.save("c", "y.txt", b"more")
    village.settle()
    assert b.m.state.todo_count(TodoKind.KEEP) == 0
    assert b.versions.get(loser) == data, "c said that it has placed all it knows"
    village.assert_equal("b", "c")
