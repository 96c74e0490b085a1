"""What people decide: only admins, only what can be, and nothing said twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.authority import mandate_id_of
from p2psync.core.block import AUTHORITY
from p2psync.core.ids import BlockHash, ChangeId, DeviceId, MandateId, content_of
from p2psync.core.period import Period
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Mode, Role, parse_restriction, parse_setting
from p2psync.core.statement import Genesis
from p2psync.engine.admin import Admin, Founding, Newcomer, Welcome, found
from p2psync.engine.scope import Scope
from p2psync.errors import CodecError, NotAllowed, P2PSyncError, UsageError
from p2psync.sim.state import MemoryMandateState
from tests.engine.village import House, Village, fake_keys

STRANGER = fake_keys("stranger").device
PATH = parse("a.txt")


def desk(house: House) -> Admin:
    assert house.mandate is not None
    return house.device.admin(house.mandate)


def words(house: House) -> int:
    """How many blocks of statements there are."""
    tips = house.m.ledger.tips
    return sum(tip.seq for log, many in tips.items() if house.m.ledger.file_class(log) == AUTHORITY for tip in many)


def office(*others: str, admin: bool = False, role: Role = Role.INVOICING) -> Village:
    village = Village("office", *others)
    for name in others:
        village.admit("office", name, role, admin=admin)
        village.connect("office", name)
        village.settle(3)
    return village


# -- beginning ---------------------------------------------------------------------------------------


def test_a_mandate_is_founded_with_an_id_of_its_own() -> None:
    founding = Founding("Cargo", Role.PAYROLL, b"cert", "PC", DEFAULT_RULES, STRANGER, b"key")
    rng = Random(1)
    mandate, genesis = found(STRANGER, founding, rng)
    again, _ = found(STRANGER, founding, rng)
    assert mandate == mandate_id_of(genesis.salt, STRANGER) != again
    assert genesis == Genesis(genesis.salt, "Cargo", b"cert", "PC", Role.PAYROLL, STRANGER, b"key", DEFAULT_RULES)


names = st.text(max_size=9)
devices = st.binary(min_size=32, max_size=32).map(DeviceId)
welcomes = st.builds(
    Welcome,
    st.binary(min_size=16, max_size=16).map(MandateId),
    names,
    st.sampled_from(Role),
    st.lists(st.tuples(st.integers(0, 1 << 50), st.binary(max_size=32)), max_size=3).map(tuple),
    st.lists(st.tuples(devices, st.binary(max_size=9)), max_size=3).map(tuple),
)


@given(welcomes)
def test_a_welcome_comes_back(welcome: Welcome) -> None:
    assert Welcome.unpack(welcome.pack()) == welcome


GOOD: list[Any] = [bytes(16), "Cargo", "payroll", [[1, bytes(32)]], [[bytes(32), b"cert"]]]


@pytest.mark.parametrize(
    "wrong",
    [
        *(b"", b"\xc1", msgpack.packb(None), msgpack.packb([]), msgpack.packb(GOOD[:-1]), msgpack.packb([*GOOD, 1])),
        *(msgpack.packb([*GOOD[:2], "boss", *GOOD[3:]]), msgpack.packb([*GOOD[:3], [[1]], GOOD[4]])),
        *(msgpack.packb([*GOOD[:3], [["x", b""]], GOOD[4]]), msgpack.packb([*GOOD[:4], [[bytes(32)]]])),
        *(msgpack.packb([b"short", *GOOD[1:]]), msgpack.packb([*GOOD[:4], [[b"short", b"cert"]]])),
        *(msgpack.packb([*GOOD[:4], [["x" * 32, b"cert"]]]), msgpack.packb([*GOOD[:3], [[1, 4_000_000_000]], GOOD[4]])),
        msgpack.packb(GOOD) + b"\x00",
    ],
)
def test_a_welcome_that_no_inviter_wrote(wrong: bytes) -> None:
    assert Welcome.unpack(msgpack.packb(GOOD)).name == "Cargo"
    with pytest.raises(CodecError):
        Welcome.unpack(wrong)


# -- who may -----------------------------------------------------------------------------------------

YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))
ACTS: dict[str, Callable[[Admin, Village], object]] = {
    "share": lambda admin, v: admin.share(),
    "rename": lambda admin, v: admin.rename("mine"),
    "rules": lambda admin, v: admin.set_rule(parse_setting("*.txt=manual")),
    "open fields": lambda admin, v: admin.set_open_fields(("account.cash",)),
    "issue": lambda admin, v: admin.issue(b"t", Role.PAYROLL, True, 1, 1),
    "cancel": lambda admin, v: admin.cancel(b"t"),
    "admit": lambda admin, v: admin.admit(Newcomer(STRANGER, b"cert", "PC", b"t")),
    "revoke": lambda admin, v: admin.revoke(v["office"].id),
    "role": lambda admin, v: admin.set_role(v["payroll"].id, Role.ACCOUNTING, True),
    "primary": lambda admin, v: admin.set_primary(v["payroll"].id),
    "owner": lambda admin, v: admin.set_owner(PATH, v["payroll"].id),
    "another's person": lambda admin, v: admin.set_person(v["office"].id, "me"),
    "who attaches": lambda admin, v: admin.set_attach(True),
    "hosts": lambda admin, v: admin.set_hosts(["wss://meet.example"]),
    "freeze": lambda admin, v: admin.freeze(YEAR, {}),
    "unfreeze": lambda admin, v: admin.unfreeze(YEAR),
    "current": lambda admin, v: admin.set_current(date(2025, 6, 30)),
    "recovery": lambda admin, v: admin.admit_by_recovery(Newcomer(STRANGER, b"cert", "PC", b"")),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_others_than_admins_are_refused(act: Callable[[Admin, Village], object]) -> None:
    village = office("payroll")
    before = village["payroll"].m.authority
    with pytest.raises(NotAllowed):
        act(desk(village["payroll"]), village)
    assert village["payroll"].m.authority == before
    assert words(village["payroll"]) == words(village["office"])


IMPOSSIBLE: dict[str, Callable[[Admin, Village], object]] = {
    "cancel what is not open": lambda admin, v: admin.cancel(b"t"),
    "admit by a ticket that is not open": lambda admin, v: admin.admit(Newcomer(STRANGER, b"cert", "PC", b"t")),
    "revoke oneself": lambda admin, v: admin.revoke(v["office"].id),
    "revoke a stranger": lambda admin, v: admin.revoke(STRANGER),
    "a stranger's role": lambda admin, v: admin.set_role(STRANGER, Role.READER),
    "the last admin's right": lambda admin, v: admin.set_role(v["office"].id, Role.ACCOUNTING, False),
    "a primary that is no accounting": lambda admin, v: admin.set_primary(v["payroll"].id),
    "a stranger as primary": lambda admin, v: admin.set_primary(STRANGER),
    "a stranger as owner": lambda admin, v: admin.set_owner(PATH, STRANGER),
    "a stranger's person": lambda admin, v: admin.set_person(STRANGER, "Anna"),
    "a person of two lines": lambda admin, v: admin.set_person(v["payroll"].id, "Anna\nMüller"),
    "a person with too long a name": lambda admin, v: admin.set_person(v["payroll"].id, "x" * 81),
    "the last admin leaves": lambda admin, v: admin.check_may_leave(),
    "the last admin goes": lambda admin, v: admin.leave(),
    "no version of a conflict": lambda admin, v: admin.resolve(PATH, ChangeId(BlockHash(bytes(32)), 0)),
    "no rule": lambda admin, v: admin.set_rule(parse_setting("*.new=prefer")),
    "a period that is not frozen": lambda admin, v: admin.unfreeze(YEAR),
    "a file that is not there": lambda admin, v: admin.freeze(YEAR, {PATH: content_of(b"x")}),
    "too many files": lambda admin, v: admin.freeze(YEAR, {parse(f"{n}"): content_of(b"x") for n in range(501)}),
    "too long a name": lambda admin, v: admin.rename("x" * 201),
}


@pytest.mark.parametrize("act", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_is_refused_with_a_reason(act: Callable[[Admin, Village], object]) -> None:
    village = office("payroll")
    before = village["office"].m.authority
    with pytest.raises(P2PSyncError) as refused:
        act(desk(village["office"]), village)
    assert isinstance(refused.value, UsageError)
    assert village["office"].m.authority == before


def test_a_local_mandate_invites_nobody() -> None:
    village = office()
    house = village["office"]
    local = house.device.create(Founding("Local", Role.ACCOUNTING, b"cert", "office"))
    with pytest.raises(P2PSyncError, match="share it first, with: p2psync share Local"):
        house.device.admin(local).issue(b"t", Role.PAYROLL, False, 1, 1)


def test_what_holds_already_is_not_said_again() -> None:
    village = office("payroll")
    house = village["office"]
    admin, before = desk(house), words(house)
    admin.share()
    admin.rename("Cargo")
    admin.set_hosts([])
    admin.set_rule(parse_setting("*.crp=prefer:accounting"))
    admin.set_role(village["payroll"].id, Role.INVOICING, False)
    admin.set_person(house.id, "")
    admin.set_attach(False)
    assert words(house) == before


# -- members -----------------------------------------------------------------------------------------


def test_a_newcomer_becomes_what_its_ticket_says() -> None:
    village = office("payroll")
    house = village["office"]
    admin = desk(house)
    admin.issue(b"t", Role.KEEPER, True, 1, 2_000_000_000)
    newcomer = Newcomer(STRANGER, b"cert", "NAS", b"t")
    welcome = admin.admit(newcomer)
    member = house.m.authority.members[STRANGER]
    assert (member.role, member.admin, member.name, member.certificate) == (Role.KEEPER, True, "NAS", b"cert")
    assert (welcome.mandate, welcome.name, welcome.role) == (house.mandate, "Cargo", Role.KEEPER)
    assert welcome.members[0] == (house.id, b"cert-office")
    assert {device for device, _ in welcome.members} >= {house.id, village["payroll"].id, STRANGER}
    assert list(welcome.secrets) == house.m.secrets.all()
    before = words(house)
    assert admin.admit(newcomer).role == Role.KEEPER
    assert words(house) == before, "it had lost the answer: a second time changes nothing"
    admin.cancel(b"t")
    with pytest.raises(UsageError, match="not open any more"):
        admin.admit(newcomer)


def test_a_revocation_brings_a_new_secret_to_those_who_stay() -> None:
    village = office("payroll", "invoicing")
    old = village["office"].m.secrets.newest
    village.act("office", lambda admin: admin.revoke(village["payroll"].id))
    village.settle(3)
    new = village["office"].m.secrets.newest
    assert new is not None
    assert old is not None
    assert new[0] == old[0] + 1
    assert village["invoicing"].m.secrets.newest == new
    assert village["payroll"].m.secrets.newest == old
    assert village["office"].m.authority.secret_number == new[0]
    assert village["payroll"].id not in village["office"].m.members()


def test_a_new_secret_is_newer_than_what_the_log_says() -> None:
    """This admin had read of a revocation by another, whose secret has not come yet."""
    village = office("payroll", "invoicing", admin=True)
    house = village["office"]
    house.m.state.put("secrets", [])
    house.m.secrets._known.clear()
    number = house.m.authority.secret_number
    assert number > 0
    village.act("office", lambda admin: admin.revoke(village["payroll"].id))
    assert house.m.authority.secret_number == number + 1
    assert house.m.secrets.newest is not None
    assert house.m.secrets.newest[0] == number + 1


def test_what_is_decided_holds_everywhere() -> None:
    village = office("payroll")
    village.act("office", lambda admin: admin.rename("New"))
    village.act("office", lambda admin: admin.set_open_fields(("account.cash",)))
    village.act("office", lambda admin: admin.set_open_fields(("account.cash",)))
    village.act("office", lambda admin: admin.set_rule(parse_setting("*.crp=enforce")))
    village.settle(3)
    assert village["payroll"].m.name == "New"
    assert village["payroll"].m.authority == village["office"].m.authority
    assert village["payroll"].m.authority.rules.rule_for(parse("x.crp")).mode == Mode.ENFORCE


def test_members_are_told_where_to_meet() -> None:
    village = office("payroll")
    village.act("office", lambda admin: admin.set_hosts(["wss://two.example", "wss://one.example"]))
    village.act("office", lambda admin: admin.set_hosts(["wss://three.example"], {"wss://one.example"}))
    village.settle(3)
    assert village["payroll"].m.authority.hosts == ("wss://three.example", "wss://two.example")


def test_roles_and_rights_move_apart() -> None:
    village = office("payroll")
    admin, device = desk(village["office"]), village["payroll"].id
    for role, right, expected in [
        (Role.PAYROLL, None, (Role.PAYROLL, False)),
        (Role.PAYROLL, True, (Role.PAYROLL, True)),
        (Role.BANKING, None, (Role.BANKING, True)),
        (Role.BANKING, False, (Role.BANKING, False)),
    ]:
        admin.set_role(device, role, right)
        member = village["office"].m.authority.members[device]
        assert (member.role, member.admin) == expected
    admin.set_role(device, Role.ACCOUNTING, True)
    admin.set_primary(device)
    admin.set_owner(PATH, device)
    assert village["office"].m.authority.primary == device
    assert village["office"].m.authority.owners == {PATH: device}
    admin.set_role(village["office"].id, Role.ACCOUNTING, False)
    with pytest.raises(NotAllowed):
        admin.rename("too late")


def test_the_owner_of_a_restricted_file_is_not_named() -> None:
    village = Village("office", rules=DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=payroll")))
    with pytest.raises(UsageError, match="would read it"):
        desk(village["office"]).set_owner(parse("Meier.ecs"), village["office"].id)


def test_the_recovery_key_makes_an_admin() -> None:
    village = office("payroll")
    house = village["payroll"]
    recovery = Admin(village["office"].m, fake_keys("recovery").device, Scope(), Random(1))
    recovery.admit_by_recovery(Newcomer(house.id, b"cert", "payroll", b""))
    member = village["office"].m.authority.members[house.id]
    assert (member.role, member.admin) == (Role.ACCOUNTING, True)
    before = words(village["office"])
    recovery.admit_by_recovery(Newcomer(house.id, b"cert", "payroll", b""))
    assert words(village["office"]) == before, "it is admin already"


def test_sharing_is_said_once() -> None:
    village = office()
    device = village["office"].device
    local = device.create(Founding("Local", Role.ACCOUNTING, b"cert", "office"))
    assert not device.mandates[local].is_shared
    for _ in range(2):
        device.admin(local).share()
    assert device.mandates[local].is_shared
    assert device.mandates[local].ledger.authority.shared


def test_who_leaves_is_no_member_any_more() -> None:
    village = office("payroll")
    desk(village["payroll"]).check_may_leave()
    village.act("payroll", lambda admin: admin.leave())
    village.settle(3)
    assert set(village["office"].m.authority.members) == {village["office"].id}
    before = words(village["payroll"])
    desk(village["payroll"]).leave()
    assert words(village["payroll"]) == before
    desk(village["office"]).check_may_leave()


# -- conflicts ---------------------------------------------------------------------------------------


def in_conflict(path: str = "a.txt") -> Village:
    village = office("payroll")
    village.disconnect()
    for name in ("office", "payroll"):
        village.save(name, path, name.encode())
    village.settle()
    village.connect("office", "payroll")
    village.settle(12)
    return village


def test_conflicts_are_the_same_list_everywhere() -> None:
    village = in_conflict()
    one, two = (desk(village[name]).conflicts() for name in ("office", "payroll"))
    assert one == two
    [conflict] = one
    assert (conflict.path, conflict.mode, len(conflict.losers)) == ("a.txt", Mode.NEWEST, 1)


def test_heads_of_the_same_content_are_listed_once_whichever_stands_here() -> None:
    """Under `manual` each PC goes on showing its own version: to each of them the others' lost."""
    village = Village("a", "b", "c", rules=DEFAULT_RULES.with_setting(parse_setting("*.txt=manual")))
    for name in "bc":
        village.admit("a", name)
        village.connect("a", name)
    village.settle(3)
    village.disconnect()
    for name, data in (("a", b"same"), ("b", b"other"), ("c", b"same")):
        village.save(name, "x.txt", data)
    village.settle()
    for one, two in ("ab", "bc", "ac"):
        village.connect(one, two)
    village.settle(12)
    assert [village[n].disk["x.txt"] for n in "abc"] == [b"same", b"other", b"same"]
    assert len(village["b"].m.state.heads([parse("x.txt")])[parse("x.txt")]) == 3
    lists = [{h.id for c in village[n].admin.conflicts() for h in (c.winner, *c.losers)} for n in "abc"]
    assert len(lists[0]) == 2
    assert lists[0] == lists[1] == lists[2]


def test_heads_of_the_same_content_are_no_conflict() -> None:
    village = office("payroll")
    village.disconnect()
    for name in ("office", "payroll"):
        village.save(name, "a.txt", b"the same")
    village.connect("office", "payroll")
    village.settle(12)
    assert len(village["office"].m.state.heads([PATH])[PATH]) == 2
    assert desk(village["office"]).conflicts() == []


@pytest.mark.parametrize("keep_winner", [True, False])
@pytest.mark.parametrize("decider", ["office", "payroll"])
def test_a_decision_is_a_change_that_names_all_heads(decider: str, keep_winner: bool) -> None:
    village = in_conflict()
    [conflict] = desk(village[decider]).conflicts()
    kept = conflict.winner if keep_winner else conflict.losers[0]
    village.act(decider, lambda admin: admin.resolve(PATH, kept.id))
    village.settle(3)
    [head] = village["office"].m.state.heads([PATH])[PATH]
    assert head.entry == kept.entry
    assert set(head.named) == {conflict.winner.id, conflict.losers[0].id}
    assert head.parents == (conflict.winner.id,), "what stood on the disk"
    expected = b"office" if kept.author == village["office"].id else b"payroll"
    for name in ("office", "payroll"):
        assert village[name].disk == {"a.txt": expected}
        assert desk(village[name]).conflicts() == []
    village.assert_equal()


def test_nobody_settles_what_he_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    village = in_conflict()
    house = village["office"]
    [conflict] = desk(house).conflicts()
    monkeypatch.setattr(MemoryMandateState, "has_version", lambda state, contents: set())
    with pytest.raises(UsageError, match="have not arrived"):
        desk(house).resolve(PATH, conflict.winner.id)


def test_who_may_not_write_decides_nothing() -> None:
    village = in_conflict()
    village.act("office", lambda admin: admin.set_role(village["payroll"].id, Role.READER))
    village.settle(3)
    house = village["payroll"]
    [conflict] = desk(house).conflicts()
    with pytest.raises(NotAllowed, match="may not decide"):
        desk(house).resolve(PATH, conflict.winner.id)


def test_where_files_are_written_once_nobody_decides_until_an_admin_takes_that_off() -> None:
    village = in_conflict()
    village.act("office", lambda admin: admin.set_rule(parse_setting("a*=once")))
    village.settle(3)
    for name in ("office", "payroll"):
        [conflict] = desk(village[name]).conflicts()
        with pytest.raises(NotAllowed, match=r"written once.*--set 'a\*=newest'"):
            desk(village[name]).resolve(PATH, conflict.losers[0].id)
    village.act("office", lambda admin: admin.set_rule(parse_setting("a*=newest")))
    village.act("office", lambda admin: admin.resolve(PATH, conflict.losers[0].id))
    village.act("office", lambda admin: admin.set_rule(parse_setting("a*=once")))
    village.settle(3)
    assert [desk(village[name]).conflicts() for name in ("office", "payroll")] == [[], []]
    village.assert_equal()


def test_a_decision_that_came_too_late() -> None:
    village = in_conflict()
    [conflict] = desk(village["office"]).conflicts()
    village.act("office", lambda admin: admin.resolve(PATH, conflict.winner.id))
    village.settle(3)
    with pytest.raises(UsageError, match="no version of an open conflict"):
        desk(village["payroll"]).resolve(PATH, conflict.losers[0].id)
