"""Two sessions talk: each says what it has, sends what the other lacks, and holds back what is too much."""

from __future__ import annotations

import pytest

from p2psync.core.change import Change
from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, LogId
from p2psync.core.problem import Code
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.core.statement import SetRole
from p2psync.engine.peer import FORWARD_AFTER_S, RESENDS_MAX, UPDATE_BYTES_MAX, UPDATES_IN_FLIGHT_MAX, WAITING_MAX
from p2psync.errors import RemoteProtocolError
from p2psync.wire.messages import BLOCKS_MAX, LOGS_MAX, Have, IndexUpdate, Placed, Secret
from tests.engine.ledgers import RESTRICTED_RULES, Desk, entry, office
from tests.engine.sessions import Session, Side, pair

# -- have and want -----------------------------------------------------------------------------------


def test_each_gets_what_it_lacks_and_says_so() -> None:
    a, b = pair()
    for text in ("one", "two"):
        a.save("x", text)
        b.save("y", text)
    session = Session(a, b).begin()
    session.assert_same()
    assert [len(session.updates(side)) for side in (session.a, session.b)] == [1, 1]
    assert [len(u.blocks) for u in (*session.updates(session.a), *session.updates(session.b))] == [2, 2]


def test_with_nothing_to_tell_a_session_is_one_have_each() -> None:
    a, b = pair()
    session = Session(a, b).begin()
    assert [type(message) for _, message in session.said] == [Have, Have]
    session.assert_same()


def test_a_newcomer_gets_everything_from_its_beginning() -> None:
    a, b = pair()
    a.save("x", "one")
    newcomer = Desk("b", a.mandate, run="new")
    session = Session(a, newcomer)
    session.b.peer.begin(None)
    assert session.b.out() == [Have(a.mandate, {})], "said also when there is nothing to say"
    session.begin().assert_same()
    assert len(b.blocks()) < len(newcomer.blocks())


def test_nothing_is_sent_before_the_other_has_greeted() -> None:
    a, b = pair()
    side = Side(a, b)
    side.peer.begin((3, b"s" * 32))
    secret, have = side.out()
    assert secret == Secret(a.mandate, 3, b"s" * 32)
    assert isinstance(have, Have)
    assert side.saves("x", "one") == []
    assert not side.peer.has_caught_us_up()
    side.peer.refresh()
    assert side.out() == []
    b.save("y", "one")
    for taken in a.read(b):
        side.peer.forward(taken.row)
    assert side.time_passes(FORWARD_AFTER_S) == []


def test_an_own_block_goes_out_at_once_and_is_acknowledged() -> None:
    session = Session(*pair()).begin()
    said = session.a.saves("x", "one")
    [update] = said
    assert isinstance(update, IndexUpdate)
    [answer] = session.b.hears(update)
    assert answer == Have(session.a.desk.mandate, {session.a.desk.own(): (session.a.desk.tip(),)})
    assert not session.a.peer.has_placed_everything()
    assert not session.a.peer.has_taken_everything()
    assert session.a.hears(answer) == []
    assert session.a.peer.has_taken_everything()
    session.assert_same()


def test_later_haves_say_only_what_is_new() -> None:
    a, b = pair()
    session = Session(a, b).begin()
    third = Desk("third", a.mandate)
    a.admit(third)
    b.read(a)
    session.b.peer.say_have()
    [have] = session.b.out()
    assert isinstance(have, Have)
    assert set(have.tips) == {a.own("authority")}
    session.b.peer.say_have()
    assert session.b.out() == []


def test_what_was_appended_and_not_announced_was_not_taken() -> None:
    session = Session(*pair()).begin()
    assert session.a.peer.has_taken_everything()
    session.a.desk.save("x", "one")
    assert not session.a.peer.has_taken_everything()


def test_others_blocks_wait_a_second_and_go_only_to_who_lacks_them() -> None:
    a, b, c = office("a", "b", "c")
    session = Session(a, b).begin()
    c.save("x", "one")
    [taken] = a.read(c)
    session.a.peer.forward(taken.row)
    assert session.a.scope.wake_at_s == FORWARD_AFTER_S
    assert session.a.time_passes(FORWARD_AFTER_S / 2) == []
    assert not session.a.peer.has_placed_everything()
    [update] = session.a.time_passes(FORWARD_AFTER_S / 2)
    assert isinstance(update, IndexUpdate)
    session.says(session.a, [update]).settle().assert_same()

    c.save("x", "two")
    [taken] = a.read(c)
    session.a.peer.forward(taken.row)
    b.read(c)
    session.b.peer.say_have()
    session.says(session.b, session.b.out()).settle()
    assert session.a.time_passes(FORWARD_AFTER_S) == [], "somebody nearer was faster"
    session.assert_same()


def test_an_own_block_goes_after_those_that_it_names() -> None:
    a, b, c = office("a", "b", "c")
    session = Session(a, b).begin()
    c.save("x", "one")
    [taken] = a.read(c)
    session.a.peer.forward(taken.row)
    [update] = session.a.saves("y", "two")
    assert isinstance(update, IndexUpdate)
    assert len(update.blocks) == 2
    session.says(session.a, [update]).settle().assert_same()
    assert session.a.time_passes(FORWARD_AFTER_S) == []


def test_a_session_wakes_for_each_block_that_waits() -> None:
    a, b, c = office("a", "b", "c")
    session = Session(a, b).begin()
    for text in ("one", "two"):
        c.save("x", text)
        [taken] = a.read(c)
        session.a.peer.forward(taken.row)
        assert session.a.time_passes(FORWARD_AFTER_S * 0.6) == [] or text == "two"
    session.a.scope.wake_at_s = None
    session.a.time_passes(0)
    assert session.a.scope.wake_at_s == pytest.approx(session.a.scope.now.monotonic_s + FORWARD_AFTER_S * 0.4)


# -- the window --------------------------------------------------------------------------------------


def test_few_updates_are_in_flight_and_the_next_goes_when_one_is_acknowledged() -> None:
    a, b = pair()
    for number in range(BLOCKS_MAX * (UPDATES_IN_FLIGHT_MAX + 1) + 1):
        a.save(f"{number}", "one")
    session = Session(a, b)
    session.b.peer.begin(None)
    [have] = session.b.out()
    assert not session.a.peer.keeps_up, "nothing was heard of it"
    updates = session.a.hears(have)
    assert [len(u.blocks) for u in updates if isinstance(u, IndexUpdate)] == [BLOCKS_MAX] * UPDATES_IN_FLIGHT_MAX
    assert not session.a.peer.keeps_up
    assert session.a.saves("x", "two") == [], "its turn comes"
    session.b.peer.on_have(Have(a.mandate, {}))
    [answer] = [message for message in session.b.hears(updates[0]) if isinstance(message, Have)]
    [following] = session.a.hears(answer)
    assert isinstance(following, IndexUpdate)
    assert len(following.blocks) == BLOCKS_MAX
    session.says(session.a, [*updates[1:], following]).settle().assert_same()
    assert session.a.peer.keeps_up


def test_who_has_much_left_to_place_does_not_keep_up() -> None:
    side = Session(*pair()).begin().a
    for waiting, keeps_up in ((WAITING_MAX, True), (WAITING_MAX + 1, False), (0, True)):
        side.hears(Placed(side.desk.mandate, {}, waiting, ()))
        assert side.peer.keeps_up is keeps_up


def test_an_update_has_a_limited_size() -> None:
    a, b = pair()
    for part in range(8):
        long = [Change(parse(f"{part} {i} " + "x" * 240), entry("one"), ()) for i in range(480)]
        a.ledger.append(long, "", 1)
    session = Session(a, b).begin()
    sizes = [sum(map(len, update.blocks)) for update in session.updates(session.a)]
    assert len(sizes) > 1
    assert max(sizes) <= UPDATE_BYTES_MAX
    session.assert_same()


# -- forks -------------------------------------------------------------------------------------------


def forked() -> tuple[Desk, Desk, Desk, Desk]:
    """One device and its restored twin, and two that know a branch each."""
    a, b, c = office("a", "b", "c")
    c.save("x", "old")
    twin = c.backup()
    for text in ("one", "two"):
        c.save("x", text)
    twin.save("y", "three")
    a.read(c)
    b.read(twin)
    return a, b, c, twin


def test_two_that_know_a_branch_each_know_both() -> None:
    a, b, *_ = forked()
    for one, other in ((a, b), (b, a)):
        session = Session(one.backup("1"), other.backup("2")).begin()
        for side in (session.a, session.b):  # what a mandate does when it learns of a fork
            side.peer.refresh()
            side.peer.flush()
            session.says(side, side.out())
        session.settle().assert_same()


def test_branches_of_the_same_length() -> None:
    a, b, _, twin = forked()
    twin.save("y", "four")
    b.read(twin)
    session = Session(a, b).begin()
    session.assert_same()


def test_who_knows_both_sends_the_missing_branch_only() -> None:
    a, b, _, twin = forked()
    a.read(twin)
    session = Session(a, b).begin()
    session.assert_same()
    [update] = session.updates(session.a)
    assert len(update.blocks) == 2
    assert session.updates(session.b) == []


def test_a_device_that_lost_its_database_gets_its_own_blocks_back() -> None:
    a, b = pair()
    b.save("x", "one")
    a.read(b)
    session = Session(a, Desk("b", a.mandate, run="anew")).begin()
    session.assert_same()


# -- what is missing ---------------------------------------------------------------------------------


def test_a_block_without_what_it_names_has_everything_sent_again() -> None:
    """They were thought to have what is named, wrongly; what was on its way meanwhile comes again too."""
    a, b, c = office("a", "b", "c")
    session = Session(a, b).begin()
    c.save("x", "one")
    a.read(c)
    session.a.peer.theirs = {**session.a.peer.theirs, c.own(): a.ledger.tips[c.own()]}
    first, second = session.a.saves("x", "two"), session.a.saves("x", "three")
    session.says(session.a, [*first, *second]).settle().assert_same()
    asked = [m for who, m in session.said if who is session.b and isinstance(m, Have) and () in m.tips.values()]
    assert [set(have.tips) for have in asked] == [{c.own()}, {a.own()}]


def test_who_keeps_sending_what_cannot_be_understood_loses_the_link() -> None:
    a, b, c = office("a", "b", "c")
    session = Session(a, b).begin()
    c.save("x", "one")
    a.read(c)
    a.save("x", "two")
    hopeless = IndexUpdate(a.mandate, (a.blocks()[-1],))
    for _ in range(RESENDS_MAX):
        session.b.hears(hopeless)
    with pytest.raises(RemoteProtocolError, match="keep coming"):
        session.b.hears(hopeless)


def test_something_usable_between_is_forgiven() -> None:
    side = Side(*pair())
    for _ in range(2 * RESENDS_MAX):
        side.peer.ask_again(LogId(bytes(16)))
        side.peer.acknowledge([side.desk.own("authority")])
    assert len(side.out()) == 4 * RESENDS_MAX


def test_nobody_may_claim_logs_without_end() -> None:
    side = Side(*pair())

    def claim(number: int) -> Have:
        return Have(side.desk.mandate, {LogId(number.to_bytes(16, "big")): (Tip(1, BlockHash(bytes(32))),)})

    for number in range(LOGS_MAX):
        side.peer.on_have(claim(number))
    side.peer.on_have(claim(0))
    with pytest.raises(RemoteProtocolError, match="more logs"):
        side.peer.on_have(claim(LOGS_MAX))


@pytest.mark.parametrize("seq", [1, 2, 9])
def test_claims_about_unknown_blocks_do_no_harm(seq: int) -> None:
    a, b = pair()
    a.save("x", "one")
    side = Side(a, b)
    unknown = Tip(seq, BlockHash(b"?" * 32))
    side.hears(Have(a.mandate, {a.own(): (unknown,), LogId(b"?" * 16): (unknown,)}))
    side.hears(Have(a.mandate, {a.own(): (Tip(seq, a.tip("authority").hash),)}))
    assert not side.peer.has_caught_us_up()


# -- what they may read ------------------------------------------------------------------------------


def restricted() -> tuple[Desk, Desk]:
    """An admin with something restricted, and an invoicing device that may not read it."""
    a, b = pair(rules=RESTRICTED_RULES)
    a.save("a.ecs", "one")
    a.save("a.txt", "one")
    return a, b


def test_nothing_restricted_is_said_or_sent() -> None:
    a, b = restricted()
    session = Session(a, b).begin()
    session.says(session.a, session.a.saves("b.ecs", "two")).settle()
    c = Desk("c", a.mandate)
    a.admit(c, role=Role.PAYROLL)
    c.read(a)
    c.save("c.ecs", "three")
    for taken in a.read(c):
        session.a.peer.forward(taken.row)
    session.says(session.a, session.a.time_passes(FORWARD_AFTER_S))
    session.a.peer.refresh()
    session.a.peer.flush()
    session.says(session.a, session.a.out()).settle()
    logs = a.logs("restricted *.ecs")
    assert len(logs) == 2
    for side, message in session.said:
        if side is session.a and isinstance(message, Have):
            assert not set(logs) & set(message.tips)
    assert not set(logs) & set(b.ledger.tips)
    assert session.a.peer.has_taken_everything(), "all that it may have"
    assert b.texts("a.txt") == {"one"}


def test_what_they_claim_of_it_gets_no_answer() -> None:
    a, b = restricted()
    session = Session(a, b).begin()
    [log] = a.logs("restricted *.ecs")
    for claim in ((), (Tip(1, BlockHash(bytes(32))),)):
        answers = session.a.hears(Have(a.mandate, {log: claim}))
        assert [m for m in answers if isinstance(m, IndexUpdate)] == []


def test_what_waits_for_one_who_lost_the_right_is_not_sent() -> None:
    a, b, c = office("a", "b", "c", rules=RESTRICTED_RULES, role=Role.PAYROLL)
    session = Session(a, b).begin()
    c.save("a.ecs", "one")
    c.save("a.txt", "one")
    for taken in a.read(c):
        session.a.peer.forward(taken.row)
    a.say(SetRole(b.id, Role.INVOICING, False, a.ledger.cut()))
    [update] = session.a.time_passes(FORWARD_AFTER_S)
    assert isinstance(update, IndexUpdate)
    assert len(update.blocks) == 1
    assert b"a.txt" in update.blocks[0]


def test_a_right_that_was_won_brings_what_it_opens() -> None:
    a, b = restricted()
    session = Session(a, b).begin()
    taken = a.say(SetRole(b.id, Role.PAYROLL, False, a.ledger.cut()))
    session.a.peer.announce(taken.row)
    session.a.peer.refresh()
    session.a.peer.flush()
    session.says(session.a, session.a.out()).settle().assert_same()
    assert b.texts("a.ecs") == {"one"}


# -- placed ------------------------------------------------------------------------------------------


def test_what_they_have_placed_is_said_once_and_counts_when_it_covers_all() -> None:
    session = Session(*pair()).begin()
    a, b = session.a, session.b
    mandate = a.desk.mandate
    assert not a.peer.has_placed_everything()
    all_placed = Placed(mandate, a.desk.ledger.tips, 0, ())
    b.peer.say_placed(all_placed)
    b.peer.say_placed(all_placed)
    assert b.out() == [all_placed]
    a.hears(all_placed)
    assert a.peer.has_placed_everything()
    a.hears(Placed(mandate, a.desk.ledger.tips, 2, (("x", Code.LOCKED),)))
    assert not a.peer.has_placed_everything(), "one is on its way, the other has a reason"
    a.hears(Placed(mandate, a.desk.ledger.tips, 1, (("x", Code.LOCKED),)))
    assert a.peer.has_placed_everything()
    session.says(a, a.saves("x", "one")).settle()
    assert not a.peer.has_placed_everything()
    a.hears(Placed(mandate, a.desk.ledger.tips, 0, ()))
    assert a.peer.has_placed_everything()
