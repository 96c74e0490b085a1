"""How far members are behind: by what they said last, while they are busy, and while they are off."""

from __future__ import annotations

import pytest

from p2psync.core.clock import Tips
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.core.statement import SetRole
from p2psync.engine.arrears import Arrears, Behind
from p2psync.engine.peer import Peer
from p2psync.engine.scope import Scope
from p2psync.engine.state import LiveRow
from p2psync.wire.messages import Placed
from tests.engine.ledgers import RESTRICTED_RULES, Desk, entry, office

LINK = 7


def arrears(desk: Desk) -> Arrears:
    return Arrears(desk.mandate, desk.state, desk.ledger)


def placed(desk: Desk, other: Desk, *unplaced: str) -> Placed:
    """What a member says that has placed all that this one has."""
    codes = tuple((path, "name-illegal") for path in unplaced)
    return Placed(desk.mandate, desk.ledger.readable_tips(other.id), len(codes), codes)


def busy(desk: Desk, other: Desk, waiting: int, theirs: Tips) -> Peer:
    """A session with a member that has these blocks, and so many paths still to be placed."""
    peer = Peer(LINK, other.id, desk.mandate, desk.state, desk.ledger, Scope())
    peer.theirs = dict(theirs)
    peer.placed = Placed(desk.mandate, {}, waiting, ())
    return peer


def test_a_member_that_never_said_anything_lacks_everything() -> None:
    anna, bert = office("anna", "bert")
    anna.save("a", "one")
    anna.save("b", "three")
    assert arrears(anna).behind(bert.id, None) == Behind(2, 8)


def test_what_was_placed_is_not_lacked_and_that_is_known_in_the_next_run() -> None:
    anna, bert = office("anna", "bert")
    anna.save("a", "one")
    arrears(anna).placed(bert.id, placed(anna, bert), 1_000)
    assert arrears(anna).behind(bert.id, None) == Behind(0, 0)
    anna.save("b", "three")
    anna.save("b", "four")
    assert arrears(anna.restarted()).behind(bert.id, None) == Behind(1, 4)


def test_what_was_computed_before_does_not_hide_what_came_since() -> None:
    anna, bert = office("anna", "bert")
    kept = arrears(anna)
    anna.save("a", "one")
    assert kept.behind(bert.id, None) == kept.behind(bert.id, None) == Behind(1, 3)
    anna.save("b", "two")
    assert kept.behind(bert.id, None) == Behind(2, 6)
    kept.placed(bert.id, placed(anna, bert), 1_000)
    assert kept.behind(bert.id, None) == Behind(0, 0)


def test_what_changed_since_counts_as_if_all_were_counted_again() -> None:
    anna, bert = office("anna", "bert", rules=RESTRICTED_RULES)
    kept = arrears(anna)
    saves = [("a", "one"), ("b", "three"), ("a", "mine"), ("secret.ecs", "four"), ("b", None), ("c", "two")]
    for at, (path, text) in enumerate(saves):
        anna.save(path, text)
        if at == 1:
            kept.placed(bert.id, placed(anna, bert), 1_000)
        bert.read(anna)
        anna.read(bert)
        assert kept.behind(bert.id, None) == arrears(anna.restarted()).behind(bert.id, None)
    assert kept.behind(bert.id, None) == Behind(3, 7)
    bert.save("c", "yours")
    anna.read(bert)
    assert kept.behind(bert.id, None) == Behind(3, 9), "it said nothing of what it placed itself"


def test_who_may_read_what_is_counted_anew_when_it_changes() -> None:
    anna, bert = office("anna", "bert", rules=RESTRICTED_RULES)
    anna.save("salaries.ecs", "three")
    kept = arrears(anna)
    assert kept.behind(bert.id, None) == Behind(0, 0)
    anna.say(SetRole(bert.id, Role.PAYROLL, False, anna.ledger.cut()))
    assert kept.behind(bert.id, None) == Behind(1, 5)


def test_a_removal_is_to_be_placed_too() -> None:
    anna, bert = office("anna", "bert")
    anna.save("a", "one")
    kept = arrears(anna)
    kept.placed(bert.id, placed(anna, bert), 1_000)
    anna.save("a", None)
    assert kept.behind(bert.id, None) == Behind(1, 0)


def test_what_cannot_be_placed_there_is_lacked() -> None:
    anna, bert = office("anna", "bert")
    anna.save("a", "three")
    anna.state.put_live([LiveRow(parse("a"), entry("three"), "a", 1)])
    kept = arrears(anna)
    kept.placed(bert.id, placed(anna, bert, "a", "gone"), 1_000)
    assert arrears(anna).behind(bert.id, None) == Behind(2, 5)
    kept.placed(bert.id, placed(anna, bert), 1_000)
    assert kept.behind(bert.id, None) == Behind(0, 0)


def test_a_folder_that_is_away_holds_nothing_new() -> None:
    anna, bert = office("anna", "bert")
    anna.save("a", "one")
    kept = arrears(anna)
    kept.placed(bert.id, placed(anna, bert, ""), 1_000)
    assert kept.behind(bert.id, None) == Behind(1, 3)


def test_a_busy_member_says_how_much_is_left_and_of_that_no_more_bytes_than_fit() -> None:
    anna, bert = office("anna", "bert")
    for path, text in (("a", "one"), ("b", "three"), ("c", "four")):
        anna.save(path, text)
    heard = anna.ledger.readable_tips(bert.id)
    kept = arrears(anna)
    assert kept.behind(bert.id, busy(anna, bert, 3, heard)) == Behind(3, 12)
    assert kept.behind(bert.id, busy(anna, bert, 2, heard)) == Behind(2, 9)
    assert kept.behind(bert.id, busy(anna, bert, 99, heard)) == Behind(3, 12)
    anna.save("d", "yours")
    assert kept.behind(bert.id, busy(anna, bert, 1, heard)) == Behind(2, 10)


def test_a_branch_that_a_member_has_not_placed_is_lacked() -> None:
    anna, bert = office("anna", "bert")
    anna.save("a", "one")
    copy = anna.backup()
    anna.save("b", "three")
    kept = arrears(anna)
    kept.placed(bert.id, placed(anna, bert), 1_000)
    copy.save("c", "four")
    anna.read(copy)
    assert kept.behind(bert.id, None) == Behind(1, 4)


def test_what_a_member_may_not_read_is_not_lacked() -> None:
    anna, bert = office("anna", "bert", rules=RESTRICTED_RULES)
    anna.save("salaries.ecs", "three")
    assert arrears(anna).behind(bert.id, None) == Behind(0, 0)


def test_of_very_many_only_the_number_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    anna, bert, cleo = office("anna", "bert", "cleo")
    kept = arrears(anna)
    anna.save("a", "one")
    kept.placed(bert.id, placed(anna, bert, "gone"), 1_000)
    monkeypatch.setattr("p2psync.engine.arrears.NAMED_MAX", 2)
    assert kept.behind(bert.id, None) == Behind(1, 0)
    for path in ("b", "c", "d"):
        anna.save(path, "four")
    assert kept.behind(bert.id, None) == Behind(3, 12)
    anna.save("d", "three")
    assert kept.behind(bert.id, None) == Behind(3, 13)
    assert kept._found[bert.id].lack.paths is None
    assert kept.behind(bert.id, busy(anna, bert, 2, anna.ledger.readable_tips(bert.id))) == Behind(2, 8)
    assert kept.behind_together({bert.id: None, cleo.id: None}) == Behind(4, 16)
    assert kept.lacking(bert.id, map(parse, ("a", "c", "gone"))) == {"c", "gone"}
    kept.placed(bert.id, placed(anna, bert), 1_000)
    assert kept.behind(bert.id, None) == Behind(0, 0)
    anna.save("a", "four")
    assert kept.behind(bert.id, None) == Behind(1, 4)
    assert kept._found[bert.id].lack.paths == {"a": 4}


def test_which_files_a_member_lacks_can_be_asked() -> None:
    anna, bert = office("anna", "bert")
    kept = arrears(anna)
    anna.save("a", "one")
    kept.placed(bert.id, placed(anna, bert, "a"), 1_000)
    anna.save("b", "two")
    assert kept.lacking(bert.id, map(parse, ("a", "b", "c"))) == {"a", "b"}
    kept.placed(bert.id, placed(anna, bert), 1_000)
    assert kept.lacking(bert.id, map(parse, ("a", "b"))) == set()


def test_a_file_that_two_members_lack_is_counted_once() -> None:
    anna, bert, cleo = office("anna", "bert", "cleo")
    kept = arrears(anna)
    anna.save("a", "three")
    kept.placed(bert.id, placed(anna, bert), 1_000)
    anna.save("b", "one")
    assert kept.behind(bert.id, None) == Behind(1, 3)
    assert kept.behind(cleo.id, None) == Behind(2, 8)
    assert kept.behind_together({bert.id: None, cleo.id: None}) == Behind(2, 8)
    assert kept.behind_together({bert.id: None}) == Behind(1, 3)
    assert kept.behind_together({}) == Behind(0, 0)
