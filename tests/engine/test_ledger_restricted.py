"""Of a restricted class the other members learn nothing: it has logs of its own, and no other block tells of them."""

from __future__ import annotations

import pytest

from p2psync.core.block import AUTHORITY, ORDINARY, Block, Opening, log_id_of, parse_block, sign_block
from p2psync.core.change import Change
from p2psync.core.relpath import parse
from p2psync.core.rules import RESTRICTED, Role
from p2psync.core.statement import Revoke, SetRole
from p2psync.errors import RemoteProtocolError
from tests.engine.ledgers import RESTRICTED_RULES, Desk, entry, office

CLASS = RESTRICTED + "*.ecs"


def payroll_office() -> tuple[Desk, Desk, Desk]:
    """The admin, a payroll device, and an invoicing one, which may not read *.ecs."""
    admin, payroll = office("admin", "payroll", rules=RESTRICTED_RULES, role=Role.PAYROLL)
    other = Desk("invoicing", admin.mandate)
    admin.admit(other, role=Role.INVOICING)
    other.read(admin)
    payroll.read(admin)
    return admin, payroll, other


def readable(reader: Desk, writer: Desk) -> list[bytes]:
    """What the writer would send to the reader."""
    return [
        raw for raw in writer.blocks() if writer.ledger.may_read(reader.id, parse_block(writer.mandate, raw).block.log)
    ]


def test_changes_go_to_the_log_of_their_class() -> None:
    _, payroll, _ = payroll_office()
    assert [payroll.ledger.class_of(parse(p)) for p in ("a.ecs", "a.txt", "dir/A.ECS")] == [CLASS, ORDINARY, CLASS]
    payroll.save("a.ecs", "one")
    payroll.save("a.txt", "one")
    payroll.save("dir/A.ECS", "two")
    assert payroll.own(CLASS) != payroll.own()
    assert [payroll.ledger.tips[payroll.own(c)][0].seq for c in (CLASS, ORDINARY)] == [2, 1]


def test_others_have_it_all_without_that_class() -> None:
    admin, payroll, other = payroll_office()
    payroll.save("a.ecs", "one")
    payroll.save("a.txt", "two")
    admin.read(payroll)
    admin.save("b.ecs", "three")
    admin.save("a.txt", "four")
    sent = readable(other, admin)
    for raw in sent:
        other.ledger.join(raw)
    assert other.texts("a.txt") == {"four"}
    assert other.logs(CLASS) == []
    assert set(admin.ledger.readable_tips(other.id)) == set(other.ledger.tips)
    assert set(admin.ledger.readable_tips(payroll.id)) == set(admin.ledger.tips)
    secrets: list[bytes] = [b"a.ecs", b"b.ecs", admin.own(CLASS), payroll.own(CLASS)]
    secrets += [row.hash for desk in (admin, payroll) for row in admin.state.blocks_of(desk.own(CLASS), 0)]
    assert not any(raw.count(secret) for raw in sent for secret in secrets)


def test_only_blocks_of_the_class_name_its_logs() -> None:
    admin, payroll, _ = payroll_office()
    for text in ("one", "two"):
        payroll.save("a.ecs", text)
        payroll.save("a.txt", text)
        admin.read(payroll)
        admin.save("b.ecs", text)
        admin.save("b.txt", text)
        admin.say(SetRole(payroll.id, Role.PAYROLL, False, admin.ledger.cut()))
        payroll.read(admin)
    named: dict[str, set[str]] = {}
    for raw in payroll.blocks():
        block = parse_block(payroll.mandate, raw).block
        of = named.setdefault(payroll.ledger.file_class(block.log), set())
        of.update(payroll.ledger.file_class(log) for log, _ in block.clock)
    assert named == {
        ORDINARY: {ORDINARY, AUTHORITY},
        AUTHORITY: set(),
        CLASS: {ORDINARY, AUTHORITY, CLASS},
    }


@pytest.mark.parametrize(
    ("path", "file_class"), [("a.ecs", ORDINARY), ("a.txt", CLASS), ("a.ecs", RESTRICTED + "*.ecf")]
)
def test_a_change_in_a_log_of_another_class_does_not_count(path: str, file_class: str) -> None:
    admin, payroll, _ = payroll_office()
    [taken] = payroll.ledger.append([Change(parse(path), entry("one"), ())], file_class, 1)
    assert payroll.heads(path) == []
    admin.read(payroll)
    assert admin.heads(path) == []
    assert admin.state.refused_count() == 1
    assert taken.file_class == file_class


def test_who_may_not_read_a_class_may_not_write_it() -> None:
    admin, _, other = payroll_office()
    written = other.save("a.ecs", "mine")
    admin.read(other)
    assert not admin.accepted(written)


@pytest.mark.parametrize("file_class", [ORDINARY, AUTHORITY, RESTRICTED + "*.ecf"])
def test_a_clock_that_tells_others_of_a_restricted_log_is_refused(file_class: str) -> None:
    """Who may not read the log could never take such a block in, nor any that names it."""
    admin, payroll, _ = payroll_office()
    payroll.save("a.ecs", "one")
    admin.read(payroll)
    clock = ((payroll.own(CLASS), payroll.tip(CLASS)),)
    change = (Change(parse("x"), entry("one"), ()),)
    opening = Opening(payroll.id, file_class)
    block = Block(log_id_of(opening), 1, None, 0, clock, opening, change)
    with pytest.raises(RemoteProtocolError, match="not all of its readers may read"):
        admin.ledger.join(sign_block(admin.mandate, block, payroll.keys.sign).raw)
    opening = Opening(payroll.id, CLASS)
    good = Block(log_id_of(opening), 1, None, 0, clock, opening, change)
    assert admin.ledger.join(sign_block(admin.mandate, good, payroll.keys.sign).raw) is not None


def test_a_cut_tells_others_nothing_and_readers_all() -> None:
    admin, payroll, other = payroll_office()
    colleague = Desk("colleague", admin.mandate)
    admin.admit(colleague, role=Role.PAYROLL)
    known = payroll.save("a.ecs", "one")
    admin.read(payroll)
    outside = payroll.save("b.ecs", "two")
    open_outside = payroll.save("b.txt", "two")
    admin.say(Revoke(payroll.id, admin.ledger.cut()))
    statement = admin.blocks()[-1]
    secrets: list[bytes] = [payroll.own(CLASS), *(row.hash for row in payroll.state.blocks_of(payroll.own(CLASS), 0))]
    assert not any(statement.count(secret) for secret in secrets)
    for raw in readable(other, admin):
        other.ledger.join(raw)
    assert set(other.ledger.authority.members) == {admin.id, other.id, colleague.id}
    for reader in (colleague, admin):
        reader.read(admin, payroll)
        assert [reader.accepted(i) for i in (known, outside, open_outside)] == [True, False, False]


def test_a_new_role_opens_a_class_and_another_closes_it() -> None:
    admin, payroll, other = payroll_office()
    payroll.save("a.ecs", "one")
    admin.read(payroll)
    assert not admin.ledger.may_read(other.id, payroll.own(CLASS))
    admin.say(SetRole(other.id, Role.PAYROLL, False, admin.ledger.cut()))
    assert admin.ledger.may_read(other.id, payroll.own(CLASS))
    stranger = Desk("stranger", admin.mandate).id
    assert not admin.ledger.may_read(stranger, payroll.own(CLASS))
    assert admin.ledger.may_read(stranger, admin.own(AUTHORITY)), "who has a session, though our log may be behind"
    other.read(admin)
    assert other.texts("a.ecs") == {"one"}
