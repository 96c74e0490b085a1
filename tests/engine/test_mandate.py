"""A mandate ties ledger, folder and peers together: what comes in is taken in, planned, answered and passed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from random import Random
from typing import Any, ClassVar

import pytest

from p2psync.core.block import AUTHORITY
from p2psync.core.change import Change
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable, parse_restriction
from p2psync.core.statement import Leave
from p2psync.engine.effects import Effect, Send
from p2psync.engine.events import EpochRenewed, Received
from p2psync.engine.ledger import Ledger
from p2psync.engine.mandate import PROGRESS_EVERY_S
from p2psync.wire.messages import Have, IndexUpdate, Message, Placed, Secret
from tests.engine.village import House, Village, fake_keys

PAYROLL_ONLY = DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=accounting,payroll"))


class Tapped(Village):
    """A village that writes down who said what to whom."""

    def __init__(self, *names: str, rules: RuleTable = DEFAULT_RULES):
        self.said: list[tuple[str, str, Message]] = []
        super().__init__(*names, rules=rules)

    def _perform_one(self, house: House, effect: Effect) -> None:
        if isinstance(effect, Send) and effect.link in self._links:
            self.said.append((house.name, self._links[effect.link][0].name, effect.message))
        super()._perform_one(house, effect)

    def heard(self, name: str, kind: type[Any]) -> list[Any]:
        """What was said to a device since this was last asked."""
        found = [m for _, to, m in self.said if to == name and isinstance(m, kind)]
        self.said = [(by, to, m) for by, to, m in self.said if to != name or not isinstance(m, kind)]
        return found

    def tell_peer(self, name: str, message: Message) -> None:
        """A message comes over the only link of a device."""
        [link] = self[name].m.peers
        self.tell(self[name], Received(link, message))
        self.settle()


def star(*names: str, admin: bool = False, rules: RuleTable = DEFAULT_RULES, **roles: Role) -> Tapped:
    """The first device admitted all others and is connected to each of them; they are not to one another."""
    village = Tapped(*names, rules=rules)
    for name in names[1:]:
        village.admit(names[0], name, roles.get(name, Role.INVOICING), admin=admin)
        village.connect(names[0], name)
        village.settle(3)
    return village


def problems(house: House) -> list[tuple[str, Code]]:
    return [(p.path, p.code) for p in house.m.state.problems()]


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


# -- restricted classes ------------------------------------------------------------------------------


def leaves(value: object) -> Iterator[bytes]:
    """Every text and every run of bytes in a message."""
    if isinstance(value, str):
        yield value.encode()
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from leaves(pair)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from leaves(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))


def test_other_members_are_told_nothing_of_a_restricted_class() -> None:
    """No name, no log, no block, no content: in no message that any of the others sends."""
    village = star("office", "payroll", "invoicing", rules=PAYROLL_ONLY, payroll=Role.PAYROLL)
    for house in village.houses.values():
        house.device.set_folding(house.m.id, Folding(case_insensitive=True))
    village.connect("payroll", "invoicing")
    village.settle(3)
    village.said.clear()
    village.save("payroll", "Meier.ecs", b"salary of Meier")
    village.settle(3)
    village.save("office", "MEIER.ecs", b"collides on these disks")
    village.save("payroll", "Meier.ecs", b"more salary")
    village.save("office", "open.txt", b"open")
    village.settle(12)
    village.act("office", lambda admin: admin.set_role(village["payroll"].id, Role.PAYROLL, True))
    village.settle(3)
    village.disconnect()
    village.save("payroll", "Meier.ecs", b"third")
    village.settle(1)
    for other in ("office", "payroll"):
        village.connect(other, "invoicing")
    village.connect("office", "payroll")
    village.settle(12)
    assert village["invoicing"].disk == {"open.txt": b"open"}
    assert village["payroll"].disk == {"open.txt": b"open", "Meier.ecs": b"third"}
    assert ("MEIER.ecs", Code.NAME_COLLIDES) in problems(village["payroll"])

    ledger, state = village["office"].m.ledger, village["office"].m.state
    logs = [log for log in ledger.tips if ledger.file_class(log).startswith("restricted")]
    assert len(logs) == 2
    secrets = [b"Meier", b"MEIER", *logs, *(row.hash for log in logs for row in state.blocks_of(log, 0))]
    secrets += [content_of(text) for text in (b"salary of Meier", b"more salary", b"third", b"collides on these disks")]
    told = [m for by, to, m in village.said if to == "invoicing"]
    assert {type(m) for m in told} >= {Have, IndexUpdate, Placed}
    assert not [secret for secret in secrets for m in told for leaf in leaves(m) if leaf.count(secret)]
    others = [m for by, to, m in village.said if {by, to} == {"office", "payroll"}]
    assert all(any(leaf.count(s) for m in others for leaf in leaves(m)) for s in logs), "or nothing would be found"


def test_contents_are_given_to_who_may_read_what_names_them() -> None:
    village = star("office", "payroll", "invoicing", rules=PAYROLL_ONLY, payroll=Role.PAYROLL)
    village.save("payroll", "Meier.ecs", b"secret")
    village.save("payroll", "open.txt", b"open")
    village.settle(3)
    may = village["office"].m.may_fetch
    for name, secret in (("payroll", True), ("invoicing", False)):
        assert may(village[name].id, content_of(b"secret")) is secret
        assert may(village[name].id, content_of(b"open"))
        assert not may(village[name].id, content_of(b"unknown"))


# -- secrets -----------------------------------------------------------------------------------------


def test_two_admins_who_revoke_at_the_same_time_agree_on_one_secret() -> None:
    village = star("a", "b", "c", "x", "y", admin=True)
    village.disconnect()
    village.settle(1)
    village.act("a", lambda admin: admin.revoke(village["x"].id))
    village.act("b", lambda admin: admin.revoke(village["y"].id))
    village.connect("b", "c")
    village.settle(3)
    assert village["b"].m.secrets.newest != village["a"].m.secrets.newest
    village.connect("a", "b")
    village.settle(3)
    assert [village[n].closed for n in "abc"] == [[], [], []]
    assert village["a"].m.authority == village["b"].m.authority == village["c"].m.authority
    assert village["a"].m.secrets.newest == village["b"].m.secrets.newest == village["c"].m.secrets.newest
    assert set(village["a"].m.authority.members) == {village[n].id for n in "abc"}


@pytest.mark.parametrize("ahead", [0, 1, 1 << 60])
def test_a_secret_that_the_log_does_not_know_is_not_believed(ahead: int) -> None:
    village = star("a", "b")
    house = village["a"]
    before = house.m.secrets.all()
    number = house.m.authority.secret_number + ahead
    village.tell_peer("a", Secret(house.m.id, number, b"false" * 6))
    assert house.m.secrets.all() == before
    assert house.closed == [], "it may be that our log is behind"
    village.act("a", lambda admin: admin.rename("New"))
    village.settle(3)
    assert house.m.secrets.all() == before


def test_a_secret_that_came_before_its_statement_is_believed_after_it() -> None:
    village = star("a", "b", "x", admin=True)
    village.disconnect()
    village.act("a", lambda admin: admin.revoke(village["x"].id))
    village.settle(1)
    newest = village["a"].m.secrets.newest
    assert newest is not None
    village.connect("a", "b")
    village.said.clear()
    village.settle()
    [first, *_] = [m for m in village.heard("b", Secret | Have | IndexUpdate)]  # type: ignore[arg-type]
    assert first == Secret(village["a"].m.id, *newest), "the secret comes first"
    assert village["b"].m.secrets.newest == newest


def test_an_older_secret_is_taken_by_who_has_none_newer() -> None:
    village = star("a", "b", "x", admin=True)
    village.act("a", lambda admin: admin.revoke(village["x"].id))
    village.settle(3)
    house = village["a"]
    known = house.m.secrets.all()
    village.tell_peer("a", Secret(house.m.id, 1, b"old" * 8))
    assert house.m.secrets.all() == known
    house.m.secrets._known.clear()
    village.tell_peer("a", Secret(house.m.id, 1, b"old" * 8))
    assert house.m.secrets.all() == [(1, b"old" * 8)]


# -- what a newer version wrote ----------------------------------------------------------------------


@dataclass(frozen=True)
class Freeze:
    """A kind of statement that this version does not know."""

    KIND: ClassVar = "freeze"
    until: str = "2025"


def test_a_mandate_stops_at_what_it_does_not_understand() -> None:
    village = star("old", "new", admin=True)
    village.save("old", "x.txt", b"one")
    village.settle(3)
    village.act("new", lambda admin: admin._mandate.state_authority(Freeze()))
    village.settle(3)
    old = village["old"]
    assert old.m.is_stopped
    assert old.m.state.problems() == [Problem("", Code.UPDATE_NEEDED, "freeze")]
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
    village["a"].m.state.put_problems([Problem("", Code.UPDATE_NEEDED, "freeze")])
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


def test_a_secret_is_told_to_who_does_not_know_it() -> None:
    village = star("a", "b", "c")
    village.said.clear()
    mandate = village["a"].m
    mandate.tell_secret()
    assert village["a"].device.finish() == [], "all have shown that they know it"
    for peer in mandate.peers.values():
        if peer.device == village["b"].id:
            peer.secret_number = 0
    mandate.tell_secret()
    [told] = village["a"].device.finish()
    assert isinstance(told, Send)
    assert isinstance(told.message, Secret)
    assert mandate.peers[told.link].device == village["b"].id
    mandate.secrets._known.clear()
    mandate.tell_secret()
    assert village["a"].device.finish() == []
