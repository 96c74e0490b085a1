"""Whole engines talk to each other: what one saves, the others place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import Role
from p2psync.engine.admin import Newcomer
from p2psync.engine.device import CALLED
from p2psync.engine.events import FolderOpened, Observed, Outcome, ScanFinished
from p2psync.errors import NotAllowed, UsageError
from tests.engine.village import Village


def pair(role: Role = Role.PAYROLL) -> Village:
    village = Village("office", "payroll")
    village.admit("office", "payroll", role)
    village.connect("office", "payroll")
    village.settle(2)
    return village


def test_a_saved_file_appears_on_the_other_pc() -> None:
    village = pair()
    village.save("office", "Cargo.crp", b"chart")
    village.settle()
    assert village["payroll"].disk == {"Cargo.crp": b"chart"}
    village.assert_equal()


def test_a_mandate_that_was_left_is_a_persons_matter_and_no_fault() -> None:
    village = pair()
    left = village["payroll"].mandate
    assert left is not None
    village.leave("payroll")
    with pytest.raises(UsageError, match="member of no mandate"):
        village["payroll"].device.mandates[left]


def test_both_directions_and_an_edit() -> None:
    village = pair()
    village.save("payroll", "Lohn.ecs", b"one")
    village.settle()
    village.save("payroll", "Lohn.ecs", b"one two")
    village.save("office", "Cargo.crp", b"chart")
    village.settle()
    assert village["office"].disk == {"Lohn.ecs": b"one two", "Cargo.crp": b"chart"}
    village.assert_equal()


@pytest.mark.parametrize("keep_back", [Village.hold, Village.silence])
def test_a_mandate_that_is_kept_back_exchanges_nothing_until_it_is_not(
    keep_back: Callable[[Village, str, bool], None],
) -> None:
    village = pair()
    keep_back(village, "payroll", True)
    village.save("office", "note.txt", b"hello")
    village.save("payroll", "Lohn.ecs", b"wages")
    village.settle()
    assert village["payroll"].disk == {"Lohn.ecs": b"wages"}
    assert village["office"].disk == {"note.txt": b"hello"}
    keep_back(village, "payroll", False)
    village.settle()
    village.assert_equal()
    assert village["office"].disk == {"Lohn.ecs": b"wages", "note.txt": b"hello"}


def test_who_begins_to_exchange_or_asks_for_it_is_heard_where_it_is_silent() -> None:
    village = pair()
    office, payroll = village["office"], village["payroll"]
    village.silence("payroll", True)
    village.settle()
    assert CALLED not in payroll.notices
    village.silence("office", False, calling=True)
    village.settle()
    assert payroll.notices.count(CALLED) == 1, "it says again what it said before"
    village.silence("office", True)
    village.settle()
    village.silence("office", False)
    village.settle()
    assert payroll.notices.count(CALLED) == 2, "it says what it did not say before"
    village.silence("payroll", False)
    village.settle()
    village.silence("office", False, calling=True)
    village.settle()
    assert (payroll.notices.count(CALLED), CALLED in office.notices) == (2, False), "who listens need not be called"


def test_a_removal_travels_and_the_bytes_are_kept() -> None:
    village = pair()
    village.save("office", "note.txt", b"hello")
    village.settle()
    village.save("office", "note.txt", None)
    village.settle()
    assert village["payroll"].disk == {}
    assert b"hello" in village["payroll"].versions.values()
    village.assert_equal()


def test_a_file_made_again_after_its_removal() -> None:
    village = pair()
    village.save("office", "note.txt", b"one")
    village.settle()
    village.save("office", "note.txt", None)
    village.settle()
    village.save("payroll", "note.txt", b"two")
    village.settle()
    assert village["office"].disk == {"note.txt": b"two"}
    assert village["office"].admin.conflicts() == []
    village.assert_equal()


def test_accounting_wins_a_conflict_over_its_chart_and_the_loser_is_kept_everywhere() -> None:
    village = pair()
    village.save("office", "Cargo.crp", b"chart")
    village.settle()
    village.disconnect()
    village.save("payroll", "Cargo.crp", b"payroll's")
    village.save("payroll", "Cargo.crp", b"payroll's again")
    village.save("office", "Cargo.crp", b"office's")
    village.settle()
    village.connect("office", "payroll")
    village.settle(12)
    for name in ("office", "payroll"):
        house = village[name]
        assert house.disk == {"Cargo.crp": b"office's"}
        assert b"payroll's again" in house.versions.values()
        [conflict] = house.admin.conflicts()
        assert conflict.winner.author == village["office"].id
        assert [loser.author for loser in conflict.losers] == [village["payroll"].id]
    village.assert_equal()


def test_a_decision_closes_a_conflict_everywhere() -> None:
    village = pair()
    village.disconnect()
    village.save("office", "a.txt", b"office")
    village.save("payroll", "a.txt", b"payroll")
    village.settle()
    village.connect("office", "payroll")
    village.settle(12)
    house = village["payroll"]
    [conflict] = house.admin.conflicts()
    village.act("payroll", lambda admin: admin.resolve(parse("a.txt"), conflict.losers[0].id))
    village.settle(2)
    loser = b"office" if conflict.losers[0].author == village["office"].id else b"payroll"
    for name in ("office", "payroll"):
        assert village[name].disk == {"a.txt": loser}
        assert village[name].admin.conflicts() == []
    village.assert_equal()


def test_an_edit_beats_a_concurrent_removal() -> None:
    village = pair()
    village.save("office", "a.txt", b"one")
    village.settle()
    village.disconnect()
    village.save("office", "a.txt", None)
    village.save("payroll", "a.txt", b"two")
    village.settle()
    village.connect("office", "payroll")
    village.settle(12)
    assert village["office"].disk == {"a.txt": b"two"}
    village.assert_equal()


def test_a_readers_edit_is_refused_kept_and_undone() -> None:
    village = pair(Role.READER)
    village.save("office", "a.txt", b"office")
    village.settle()
    village.save("payroll", "a.txt", b"scribble")
    village.save("payroll", "mine.txt", b"new")
    village.settle()
    house = village["payroll"]
    assert house.disk == {"a.txt": b"office"}
    assert {b"scribble", b"new"} <= set(house.versions.values())
    assert [(p.path, p.code) for p in house.m.state.problems()] == [
        ("a.txt", Code.EDIT_REFUSED),
        ("mine.txt", Code.EDIT_REFUSED),
    ]
    village.assert_equal()


def test_three_devices_pass_on_each_others_blocks() -> None:
    village = Village("a", "b", "c")
    village.admit("a", "b", Role.INVOICING)
    village.connect("a", "b")
    village.settle(2)
    village.admit("a", "c", Role.PAYROLL)
    village.connect("a", "c")
    village.settle(2)
    village.disconnect()
    village.connect("b", "c")
    village.save("b", "x.ecf", b"b's")
    village.save("c", "y.ecs", b"c's")
    village.settle(3)
    village.connect("a", "b")
    village.settle(3)
    village.assert_equal("a", "b")
    assert village["a"].disk == village["c"].disk == {"x.ecf": b"b's", "y.ecs": b"c's"}


def test_a_folder_restored_from_last_week_publishes_nothing_old() -> None:
    village = pair()
    village.save("office", "a.txt", b"monday")
    village.settle()
    village.save("office", "a.txt", b"friday")
    village.save("office", "b.txt", b"new since")
    village.settle()
    house = village["payroll"]
    house.disk.clear()
    house.disk.update({"a.txt": b"monday", "own.txt": b"never announced"})
    village.open_folder(house, continuous=False)
    village.settle(12)
    assert house.disk == {"a.txt": b"friday", "b.txt": b"new since", "own.txt": b"never announced"}
    village.assert_equal()


def test_joining_with_a_folder_that_has_files() -> None:
    village = Village("office", "payroll")
    village.save("office", "Cargo.crp", b"chart")
    village.settle()
    village["payroll"].disk.update({"Cargo.crp": b"old chart", "Lohn.ecs": b"mine"})
    village.admit("office", "payroll", Role.PAYROLL)
    village.connect("office", "payroll")
    village.settle(12)
    assert village["office"].disk == {"Cargo.crp": b"chart", "Lohn.ecs": b"mine"}
    assert b"old chart" in village["payroll"].versions.values()
    assert [p.code for p in village["payroll"].m.state.problems()] == [Code.SET_ASIDE]
    village.assert_equal()


def test_what_placing_finds_before_the_first_scan_ended_is_set_aside_too(monkeypatch: pytest.MonkeyPatch) -> None:
    village = Village("a", "b")
    village.save("a", "both.txt", b"the mandate's")
    village.settle()
    village["b"].disk["both.txt"] = b"own"
    with monkeypatch.context() as patch:
        patch.setattr(village, "open_folder", lambda house: None)
        b = village.admit("a", "b")
    assert b.mandate is not None
    village.tell(b, FolderOpened(b.mandate, False, b"epoch"))
    village.connect("a", "b")
    village.settle()
    assert b.disk == {"both.txt": b"own"}
    village.look(b, "both.txt")
    village.tell(b, ScanFinished(b.mandate, True))
    village.settle()
    assert b.disk == {"both.txt": b"the mandate's"}
    assert [(p.path, p.code) for p in b.m.state.problems()] == [("both.txt", Code.SET_ASIDE)]
    village.assert_equal()


def test_a_revoked_device_is_refused_and_its_later_edits_count_nowhere() -> None:
    village = Village("a", "b", "c")
    for name in ("b", "c"):
        village.admit("a", name, Role.INVOICING)
        village.connect("a", name)
        village.settle(2)
    village.connect("b", "c")
    village.save("b", "x.txt", b"before")
    village.settle(3)
    village.disconnect()
    village.save("b", "x.txt", b"after")
    village.settle()
    village.connect("b", "c")
    village.settle(3)
    assert village["c"].disk == {"x.txt": b"after"}
    village.disconnect()
    village.act("a", lambda admin: admin.revoke(village["b"].id))
    village.connect("a", "c")
    village.settle(12)
    assert village["c"].disk == village["a"].disk == {"x.txt": b"before"}
    assert village["c"].m.secrets.newest == village["a"].m.secrets.newest
    village.assert_equal("a", "c")
    village.connect("c", "b")
    village.settle(3)
    assert not village["c"].m.peers.keys() - {
        link for link, p in village["c"].m.peers.items() if p.device != village["b"].id
    }


def test_index_files_are_merged_as_a_view() -> None:
    village = pair()
    head, end = "#FSC\t9.3\tECC\r\n", "#END\r\n"
    one = head + "#ECF\t1; 05/01/2025 09:00:00; one.ecf; 1\r\n" + end
    two = head + "#ECS\t1; 06/01/2025 09:00:00; two.ecs; 2\r\n" + end
    village.disconnect()
    village.save("office", "Cargo.ecc", one.encode())
    village.save("payroll", "Cargo.ecc", two.encode())
    village.settle()
    village.connect("office", "payroll")
    village.settle(3)
    merged = village["office"].disk["Cargo.ecc"].decode()
    assert "one.ecf" in merged
    assert "two.ecs" in merged
    village.assert_equal()
    village.save(
        "office", "Cargo.ecc", merged.replace("#END", "#ECF\t1; 07/01/2025 09:00:00; three.ecf; 3\r\n#END").encode()
    )
    village.settle(3)
    assert "three.ecf" in village["payroll"].disk["Cargo.ecc"].decode()
    village.assert_equal()


def test_a_directory_beats_a_file_in_its_way() -> None:
    village = pair()
    village.disconnect()
    village.save("office", "box", b"a file")
    village.save("payroll", "box/inside.txt", b"inside")
    village.settle()
    village.connect("office", "payroll")
    village.settle(12)
    assert village["office"].disk == {"box/inside.txt": b"inside"}
    assert b"a file" in village["payroll"].versions.values()
    village.assert_equal()


def test_a_problem_with_placing_is_over_when_there_is_nothing_to_place_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    village = pair()
    with monkeypatch.context() as patch:
        busy = lambda house, item: Outcome(item.path, False, problem=Problem(item.path, Code.LOCKED))  # noqa: E731
        patch.setattr(village, "_place", busy)
        village.save("office", "a.txt", b"one")
        village.settle()
    payroll = village["payroll"].m.state
    assert [(p.path, p.code) for p in payroll.problems()] == [("a.txt", Code.LOCKED)]
    village.save("office", "a.txt", None)
    village.settle(2)
    assert payroll.problems() == []
    village.assert_equal()


def test_a_rename_names_no_content_twice_and_ends_equal() -> None:
    village = pair()
    village.save("office", "old/a.txt", b"content")
    village.settle()
    village["office"].disk["new/a.txt"] = village["office"].disk.pop("old/a.txt")
    village.look(village["office"], "old/a.txt", "new/a.txt")
    village.settle(3)
    assert village["payroll"].disk == {"new/a.txt": b"content"}
    village.assert_equal()


def test_a_device_that_lost_its_database_starts_a_new_log_and_resurrects_nothing() -> None:
    village = pair()
    village.save("payroll", "gone.txt", b"removed later")
    village.save("payroll", "kept.txt", b"kept")
    village.settle()
    village.save("office", "gone.txt", None)
    village.settle()
    restored = village.rebuild("payroll")
    restored.disk["gone.txt"] = b"removed later"
    village.open_folder(restored, continuous=False)
    village.connect("office", "payroll")
    village.settle(12)
    assert restored.disk == {"kept.txt": b"kept"}
    village.save("payroll", "kept.txt", b"kept and edited")
    village.settle(3)
    village.assert_equal()
    assert village["office"].disk == {"kept.txt": b"kept and edited"}


def test_the_recovery_key_admits_a_new_admin_when_the_only_one_is_lost() -> None:
    village = Village("office", "payroll", "new pc", "recovery")
    village.admit("office", "payroll", Role.PAYROLL)
    village.connect("office", "payroll")
    village.save("office", "Cargo.crp", b"chart")
    village.settle(2)
    village.disconnect()
    village.arrive("recovery", known_by="payroll")
    village.connect("payroll", "recovery")
    village.settle(2)
    newcomer = Newcomer(village["new pc"].id, b"cert-new pc", "new pc", b"")
    village.act("recovery", lambda admin: admin.admit_by_recovery(newcomer))
    village.settle(2)
    village.disconnect()
    village.arrive("new pc", known_by="recovery")
    village.connect("payroll", "new pc")
    village.settle(12)
    assert village["new pc"].m.authority.is_admin(village["new pc"].id)
    village.act("new pc", lambda admin: admin.revoke(village["office"].id))
    village.settle(2)
    assert village["office"].id not in village["payroll"].m.authority.members
    assert village["new pc"].disk == {"Cargo.crp": b"chart"}
    village.assert_equal("payroll", "new pc")


def test_only_the_recovery_key_admits_without_an_invitation() -> None:
    village = pair()
    with pytest.raises(NotAllowed):
        village["payroll"].admin.admit_by_recovery(Newcomer(village["payroll"].id, b"", "me", b""))


def test_a_member_that_leaves_is_gone_everywhere_and_its_files_stay() -> None:
    village = pair()
    village.save("payroll", "Lohn.ecs", b"mine")
    village.settle(2)
    house = village["payroll"]
    assert house.mandate is not None
    village.leave("payroll")
    village.settle(2)
    assert house.device.mandates == {}
    assert set(village["office"].m.authority.members) == {village["office"].id}
    assert village["office"].disk == {"Lohn.ecs": b"mine"}
    village.assert_equal("office")


def test_nothing_is_fetched_or_placed_before_the_folder_is_open() -> None:
    village = Village("office", "payroll")
    village.save("office", "Cargo.crp", b"chart")
    village.admit("office", "payroll", Role.PAYROLL, open_folder=False)
    village.connect("office", "payroll")
    village.settle(3)
    assert village["payroll"].m.replica.waiting() == 1
    assert village["payroll"].m.replica.placement.in_flight == 0
    village.open_folder(village["payroll"])
    village.settle(3)
    village.assert_equal()


def test_a_folder_that_comes_back_is_served_anew() -> None:
    village = pair()
    village.save("office", "Cargo.crp", b"chart")
    with village.deaf_disk("payroll"):
        village.settle(3)
    assert village["payroll"].disk == {}
    village.open_folder(village["payroll"])
    village.settle(3)
    village.assert_equal()


def test_a_folder_that_is_away_is_told_to_the_others() -> None:
    village = pair()
    house = village["payroll"]
    assert house.mandate is not None
    village.tell(house, Observed(house.mandate, (), (Problem("", Code.FOLDER_GONE),)))
    village.settle(3)
    [peer] = village["office"].m.peers.values()
    assert peer.placed is not None
    assert list(peer.placed.unplaced) == [("", Code.FOLDER_GONE.value)]
    village.tell(house, Observed(house.mandate, (), cleared=(RelPath(""),)))
    village.settle(3)
    assert not list(peer.placed.unplaced)
