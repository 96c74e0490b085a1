"""What members are told: nothing of what they may not read, and of discovery secrets only what the log confirms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import pytest
from blake3 import blake3

from p2psync.core.ids import DeviceId, content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import Folding
from p2psync.core.rules import DEFAULT_RULES, Role, parse_restriction
from p2psync.core.statement import SetSecret
from p2psync.engine.effects import Send
from p2psync.engine.mandate import SECRET_MISSED_S
from p2psync.wire.messages import Have, IndexUpdate, Placed, Secret
from tests.engine.tapped import problems, star
from tests.engine.village import House

PAYROLL_ONLY = DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=accounting,payroll"))

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


def test_when_a_member_leaves_an_admin_makes_a_new_secret() -> None:
    village = star("a", "b", "c")
    a, c = village["a"].m, village["c"].m
    before = a.secrets.newest
    assert before is not None
    village.said.clear()
    village.leave("b")
    village.settle(3)
    assert a.secrets.newest is not None
    assert a.secrets.newest[0] == before[0] + 1
    village.disconnect()
    village.connect("a", "c")
    renewed = village["a"].trust_renewed
    village.settle(1)
    assert village["a"].trust_renewed > renewed, "what opens no door any more opens none"
    assert a.secrets.recognised == c.secrets.recognised == (a.secrets.newest[1],), "what the leaver knows is forgotten"
    assert blake3(a.secrets.newest[1]).digest() == c.authority.secret_digest
    assert village.heard("b", Secret) == []


def test_of_several_admins_the_most_senior_that_is_there_makes_it() -> None:
    village = star("a", "b", "c", "x", "y", admin=True)
    village.connect("b", "c")
    village.settle(1)
    number = village["a"].m.authority.secret_number
    village.leave("x")
    village.settle(3)
    newest = village["a"].m.secrets.newest
    assert newest is not None
    assert newest[0] == number + 1
    assert [village[n].m.secrets.newest for n in "bcy"] == [newest] * 3
    assert _author_of_secret(village["a"]) == village["a"].id
    village.disconnect()
    village.connect("c", "y")
    village.settle(1)
    village.leave("y")
    village.settle(3)
    assert _author_of_secret(village["c"]) == village["c"].id, "the others are not there"
    village.connect("b", "c")
    village.settle(3)
    assert village["b"].m.secrets.newest == village["c"].m.secrets.newest


def test_who_is_no_admin_leaves_it_to_one_that_comes() -> None:
    village = star("a", "b", "c")
    village.disconnect()
    village.connect("b", "c")
    village.settle(1)
    before = village["c"].m.secrets.newest
    village.leave("b")
    village.settle(3)
    assert village["c"].m.authority.secret_is_stale
    assert village["c"].m.secrets.newest == before
    village.connect("a", "c")
    village.settle(3)
    assert not village["c"].m.authority.secret_is_stale
    assert village["c"].m.secrets.newest == village["a"].m.secrets.newest != before


def test_a_secret_that_backups_took_from_everybody_is_replaced() -> None:
    village = star("a", "b", "x")
    a, b = village["a"].m, village["b"].m
    village.act("a", lambda admin: admin.revoke(village["x"].id))
    village.settle(3)
    number = a.authority.secret_number
    for mandate in (a, b):
        mandate.secrets._known.pop(number)
        mandate.secrets.add(1, b"old" * 8)
    village.disconnect()
    village.settle(SECRET_MISSED_S + 1)
    assert a.authority.secret_number == number, "somebody who is not here may know it"
    village.connect("a", "b")
    village.settle(SECRET_MISSED_S - 1)
    assert a.authority.secret_number == number, "it may be on its way"
    village.settle(2)
    assert a.authority.secret_number == b.authority.secret_number == number + 1
    assert a.secrets.newest == b.secrets.newest
    assert a.secrets.newest is not None
    assert blake3(a.secrets.newest[1]).digest() == b.authority.secret_digest


def test_a_secret_that_comes_in_time_is_not_replaced() -> None:
    village = star("a", "b", "x", admin=True)
    a = village["a"].m
    known = a.secrets.newest
    assert known is not None
    a.secrets._known.clear()
    village.settle(SECRET_MISSED_S - 1)
    a.secrets.add(*known)
    village.settle(1)
    a.secrets._known.clear()
    village.settle(SECRET_MISSED_S - 1)
    assert a.authority.secret_number == known[0]


def _author_of_secret(house: House) -> DeviceId:
    return [turn.author for turn in house.m.ledger.constitution.turns if isinstance(turn.statement, SetSecret)][-1]


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
