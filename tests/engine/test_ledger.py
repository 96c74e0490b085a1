"""Blocks are taken in when what they name is here, and a block that no honest device writes leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.block import AUTHORITY, CHANGES_MAX, SALT_BYTES, Block, log_id_of
from p2psync.core.change import NAMED_MAX, Change
from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, ChangeId, LogId
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.core.statement import NAME_CHARACTERS_MAX, Rename, Revoke, SetRole, Share
from p2psync.engine.ledger import CHANGE_BYTES_GUESS, MissingBlock
from p2psync.errors import CodecError, RemoteProtocolError, SignatureInvalid, UsageError
from tests.engine.ledgers import Desk, blocks_of, entry, forged, new_block, next_block, office, two

# -- append ------------------------------------------------------------------------------------------


def test_a_log_is_a_chain_that_its_first_block_opens() -> None:
    [a] = office("a")
    names = [a.save("x", text).block for text in ("one", "two", "three")]
    blocks = blocks_of(a, a.own())
    assert [b.seq for b in blocks] == [1, 2, 3]
    assert [b.prev for b in blocks] == [None, *names[:2]]
    opening = blocks[0].opening
    assert opening is not None
    assert (opening.device, opening.file_class, len(opening.salt)) == (a.id, "", SALT_BYTES)
    assert log_id_of(opening) == a.own()
    assert [b.opening for b in blocks[1:]] == [None, None]
    assert a.tip() == Tip(3, names[2])
    assert a.texts("x") == {"three"}


def test_a_clock_names_what_is_new_and_a_new_run_names_everything() -> None:
    a, b = office("a", "b")
    b.save("x", "one")
    a.read(b)
    a.save("y", "one")
    assert dict(blocks_of(a, a.own())[-1].clock) == {a.own(AUTHORITY): a.tip(AUTHORITY), b.own(): b.tip()}
    a.save("y", "two")
    assert blocks_of(a, a.own())[-1].clock == ()
    b.save("x", "two")
    a.read(b)
    a.save("y", "three")
    assert blocks_of(a, a.own())[-1].clock == ((b.own(), b.tip()),)
    again = a.restarted()
    again.save("y", "four")
    assert dict(blocks_of(again, a.own())[-1].clock) == {a.own(AUTHORITY): a.tip(AUTHORITY), b.own(): b.tip()}


def test_many_changes_are_split_into_blocks_that_fit() -> None:
    [a] = office("a")
    short = [Change(parse(f"{i}"), entry("one"), ()) for i in range(CHANGES_MAX + 1)]
    assert [len(t.paths) for t in a.ledger.append(short, "", 1)] == [CHANGES_MAX, 1]
    heads = [ChangeId(a.save("y", "one", naming=()).block, 0) for _ in range(64)]
    for much in ([f"{i}/" + "ö" * 120 + "/" + "x" * 250 for i in range(CHANGES_MAX)], ["y"]):
        changes = [Change(parse(path), entry("one"), tuple(heads) if path == "y" else ()) for path in much]
        taken = a.ledger.append(changes, "", 1)
        assert [path for t in taken for path in t.paths] == much
        assert max(t.row.size for t in taken) < 200_000
        assert len(taken) == (1 if much == ["y"] else 2)
    assert a.ledger.append([], "", 1) == []
    assert CHANGE_BYTES_GUESS > 128, "hashes, numbers and names of a change, beside its path"


def test_stamps_count_the_saves_that_led_here() -> None:
    [a] = office("a")
    stamps = []
    for text in ("one", "two", "three"):
        a.save("x", text)
        stamps.append(a.heads("x")[0].stamp)
    a.save("other", "one")
    assert stamps == [1, 2, 3]
    assert a.heads("other")[0].stamp == 1


def test_a_ledger_knows_in_its_next_run_what_it_knew() -> None:
    a, b = office("a", "b")
    a.save("x", "one")
    b.read(a)
    b.save("x", "two")
    b.say(Rename("void"))
    a.read(b)
    again = a.restarted()
    assert again.outcome() == a.outcome()
    again.save("x", "three")
    assert again.own() == a.own(), "the log goes on"
    b.read(again)
    assert b.outcome() == again.outcome()


def test_what_nobody_could_read_is_not_written() -> None:
    a, b = office("a", "b")
    before = a.outcome()
    with pytest.raises(UsageError, match="too long"):
        a.say(Rename("x" * (NAME_CHARACTERS_MAX + 1)))
    assert a.outcome() == before
    a.say(Rename("x" * NAME_CHARACTERS_MAX))
    b.read(a)
    assert b.outcome() == a.restarted().outcome()


# -- join --------------------------------------------------------------------------------------------


def test_blocks_that_are_here_already_are_no_news() -> None:
    a, b = office("a", "b")
    a.save("x", "one")
    [taken] = b.read(a)
    assert (taken.paths, taken.file_class, taken.authority_changed, taken.forked) == (("x",), "", False, False)
    assert b.read(a) == []


def test_a_block_waits_for_all_that_it_names() -> None:
    a, b, c = office("a", "b", "c")
    b.save("x", "one")
    a.read(b)
    a.save("x", "two")
    a.save("x", "three")
    bs, second, third = a.blocks()[-3:]
    with pytest.raises(MissingBlock) as missing:
        c.ledger.join(second)
    assert missing.value.log == b.own()
    with pytest.raises(MissingBlock) as missing:
        c.ledger.join(third)
    assert missing.value.log == a.own()
    for raw in (bs, second):
        assert c.ledger.join(raw) is not None
    fourth = a.save("x", "four")
    with pytest.raises(MissingBlock) as missing:
        c.ledger.join(a.blocks()[-1])
    assert missing.value.log == a.own()
    assert c.ledger.join(third) is not None
    c.read(a)
    assert c.outcome() == a.outcome()
    assert [head.id for head in c.heads("x")] == [fourth]


def test_a_flipped_byte_anywhere_is_refused() -> None:
    a, b = office("a", "b")
    a.save("x", "one")
    raw = a.blocks()[-1]
    for at in range(len(raw)):
        with pytest.raises((SignatureInvalid, CodecError, MissingBlock, RemoteProtocolError)):
            b.ledger.join(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    assert b.ledger.join(raw) is not None


def test_a_block_of_another_mandate_is_refused() -> None:
    [a], [b] = office("a"), office("b")
    a.save("x", "one")
    for raw in a.blocks():
        with pytest.raises((RemoteProtocolError, SignatureInvalid, MissingBlock)):
            b.ledger.join(raw)


@settings(max_examples=200)
@given(st.data())
def test_garbled_blocks_raise_one_of_four_errors(data: st.DataObject) -> None:
    """Whether the signature is right or not: a member may sign whatever it likes."""
    a, b = office("a", "b")
    a.save("x", "one")
    raw = bytearray(data.draw(st.sampled_from([a.blocks()[0], a.blocks()[-1]]) | st.binary(min_size=65, max_size=400)))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    signature = a.keys.sign(b"p2psync block\0\x01" + a.mandate + a.own() + bytes(raw[64:]))
    for garbled in (bytes(raw), signature + bytes(raw[64:])):
        with suppress(CodecError, SignatureInvalid, RemoteProtocolError, MissingBlock):
            b.ledger.join(garbled)


def test_a_block_signed_by_another_member_is_refused() -> None:
    a, b, c = office("a", "b", "c")
    c.save("x", "one")
    payload = c.blocks()[-1][64:]
    signature = b.keys.sign(b"p2psync block\0\x01" + a.mandate + c.own() + payload)
    with pytest.raises(SignatureInvalid):
        a.ledger.join(signature + payload)


def test_a_stranger_cannot_fill_the_disk() -> None:
    a, b = office("a", "b")
    stranger = Desk("stranger", a.mandate)
    stranger.read(a)
    stranger.save("x", "one")
    stranger.say(Share())
    for raw in stranger.blocks()[-2:]:
        with pytest.raises(RemoteProtocolError, match="never a member"):
            b.ledger.join(raw)


def test_blocks_of_one_whose_admission_was_undone_are_taken_in_and_do_not_count() -> None:
    a, b, c = office("a", "b", "c", admin=True)
    d = Desk("d", a.mandate)
    b.admit(d)
    d.read(b)
    written = d.save("x", "one")
    c.read(b, d)
    assert c.accepted(written)
    a.say(Revoke(b.id, a.ledger.cut()))
    c.read(a)
    a.read(c)
    assert a.outcome() == c.outcome()
    assert not a.accepted(written)
    assert a.heads("x") == []


# -- lies --------------------------------------------------------------------------------------------


def of_path(path: str, *parents: ChangeId, settled: tuple[ChangeId, ...] = ()) -> Change:
    return Change(parse(path), entry("mine"), parents, settled)


def theirs(b: Desk) -> ChangeId:
    return b.heads("theirs")[0].id


LIES: dict[str, Callable[[Desk, Desk], Block]] = {
    "follows a block of another log": lambda a, b: next_block(b, prev=a.tip().hash),
    "skips a number": lambda a, b: next_block(b, seq=3),
    "names a block by a wrong number": lambda a, b: new_block(b, clock=((a.own(), Tip(9, a.tip().hash)),)),
    "names a block of another log": lambda a, b: new_block(b, clock=((b.own(), a.tip()),)),
    "names a change of another path": lambda a, b: new_block(b, of_path("y", theirs(b))),
    "settles a change of another path": lambda a, b: new_block(b, of_path("y", settled=(theirs(b),))),
    "names a change that does not exist": lambda a, b: new_block(b, of_path("y", ChangeId(BlockHash(b"?" * 32), 0))),
    "names a change beyond a block's end": lambda a, b: new_block(b, of_path("theirs", ChangeId(theirs(b).block, 1))),
    "writes into another's log": lambda a, b: new_block(b, log=a.own()),
    "opens its log again for another class": lambda a, b: new_block(b, log=b.own(), file_class=AUTHORITY),
    "opens a log under any other id": lambda a, b: new_block(b, log=LogId(b"n" * 16)),
    "states outside an authority log": lambda a, b: new_block(b, changes=(), statements=(Share(),)),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_refused_and_leaves_no_trace(lie: Callable[[Desk, Desk], Block]) -> None:
    a, b = two()
    before = a.outcome()
    with pytest.raises((RemoteProtocolError, CodecError)):
        a.ledger.join(forged(b, lie(a, b)))
    assert a.outcome() == before
    assert a.restarted().outcome() == before


def test_the_blocks_that_lies_differ_from_are_good() -> None:
    a, b = two()
    assert a.ledger.join(forged(b, new_block(b, of_path("theirs", theirs(b))))) is not None
    assert a.ledger.join(forged(b, next_block(b))) is not None
    assert a.texts("theirs") == a.texts("x") == {"mine"}
    assert a.heads("theirs")[0].stamp == 2


def test_nobody_takes_another_ones_log_by_being_faster() -> None:
    """Who saw the first block of a log may write one under its id; those who see that one first refuse it."""
    a, b, c = office("a", "b", "c")
    a.save("x", "one")
    b.read(a)
    with pytest.raises(RemoteProtocolError, match="under the id of another"):
        c.ledger.join(forged(b, new_block(b, log=a.own(), clock=())))
    c.read(a)
    assert c.texts("x") == {"one"}


def test_changes_in_an_authority_log_count_nowhere() -> None:
    a, b = two()
    taken = a.ledger.join(forged(b, new_block(b, file_class=AUTHORITY)))
    assert taken is not None
    assert taken.authority_changed
    assert a.heads("x") == []


def test_a_body_of_a_later_kind_is_taken_in_and_passed_on() -> None:
    a, b = two()
    ordinary = forged(b, next_block(b))
    later = ordinary[64:].replace(b"\xa7changes", b"\xa5later")
    signed = b.keys.sign(b"p2psync block\0\x01" + a.mandate + b.own() + later) + later
    taken = a.ledger.join(signed)
    assert taken is not None
    assert taken.paths == ()
    assert signed in a.blocks()
    newcomer = Desk("newcomer", a.mandate)
    newcomer.read(a)
    assert newcomer.outcome() == a.outcome()


# -- forks -------------------------------------------------------------------------------------------


def test_both_branches_count_and_the_device_goes_on_in_a_new_log() -> None:
    a, b = office("a", "b")
    b.save("x", "old")
    restored = b.backup()
    b.save("x", "one")
    restored.save("x", "two")
    log = b.own()
    assert restored.own() == log
    a.read(b)
    [taken] = a.read(restored)
    assert taken.forked
    assert len(a.ledger.tips[log]) == 2
    assert a.texts("x") == {"one", "two"}
    b.read(restored)
    b.save("x", "three")
    [fresh] = set(b.logs()) - {log}
    first = blocks_of(b, fresh)[0]
    assert {tip for name, tip in first.clock if name == log} == set(b.ledger.tips[log])
    assert b.texts("x") == {"three"}
    again = b.restarted()
    again.save("x", "four")
    assert set(again.logs()) == {log, fresh}, "and stays there"
    a.read(again)
    assert a.outcome() == again.outcome()


def test_a_device_takes_its_own_lost_blocks_like_anybodys() -> None:
    a, b = office("a", "b")
    lost = Desk("b", b.mandate, run="anew")
    b.save("x", "one")
    a.read(b)
    lost.read(a)
    assert lost.outcome() == a.outcome()
    lost.save("x", "two")
    a.read(lost)
    assert a.texts("x") == {"two"}
    assert len({log for log in a.logs() if a.ledger.author(log) == b.id}) == 2


def test_a_save_over_more_heads_than_a_change_may_name_is_understood_by_all() -> None:
    a, b = two()
    for number in range(2 * NAMED_MAX):
        a.ledger.join(forged(b, new_block(b, number=number + 1)))
    a.save("x", "one")
    assert len(a.heads("x")) == NAMED_MAX + 1
    heads = tuple(head.id for head in a.heads("x"))
    a.ledger.append([Change(parse("x"), entry("two"), (), heads)], "", 1)
    assert len(a.heads("x")) == 2
    newcomer = Desk("newcomer", a.mandate)
    newcomer.read(a)
    assert newcomer.outcome() == a.outcome()


# -- who may what ------------------------------------------------------------------------------------


def test_the_author_and_class_of_a_log_are_those_of_its_opening() -> None:
    a, b = two()
    assert (a.ledger.author(b.own()), a.ledger.file_class(b.own())) == (b.id, "")
    assert (b.ledger.author(a.own(AUTHORITY)), b.ledger.file_class(a.own(AUTHORITY))) == (a.id, AUTHORITY)


def test_a_readers_changes_count_nowhere() -> None:
    a, b = office("a", "b", role=Role.READER)
    written = b.save("x", "mine")
    assert not b.accepted(written)
    a.read(b)
    assert not a.accepted(written)
    assert a.heads("x") == []
    assert a.state.refused_count() == 1


def test_a_verdict_is_that_of_the_rules_of_now() -> None:
    a, b = office("a", "b")
    for desk in (a, b):
        desk.save("x.crp", desk.name)
    a.read(b)
    winner = a.ledger.verdict(parse("x.crp"), a.heads("x.crp")).winner
    assert winner is not None
    assert winner.author == a.id
    a.say(SetRole(a.id, Role.PAYROLL, True, a.ledger.cut()), SetRole(b.id, Role.ACCOUNTING, False, a.ledger.cut()))
    winner = a.ledger.verdict(parse("x.crp"), a.heads("x.crp")).winner
    assert winner is not None
    assert winner.author == b.id
