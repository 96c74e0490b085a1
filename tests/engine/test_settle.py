"""Conversations with a Settler: signs of files go in, looks and verdicts come out; `now` is in seconds."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.completeness import Completeness
from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine import settle
from p2psync.engine.events import Seen
from p2psync.engine.settle import HOLD_S, INDEX_HOLD_S, PATIENCE_S, QUIET_S, SUSPICION_S, How, Settler, hold_s

WHOLE, TORN, OPEN = Completeness.WHOLE, Completeness.TORN, Completeness.OPEN
TXT, CRP, ECC, ECF = (RelPath(name) for name in ("a.txt", "a.crp", "a.ecc", "a.ecf"))
OTHER = RelPath("b.txt")


def file(data: bytes = b"text") -> Entry:
    return Entry(Kind.FILE, len(data), 1, 0, content_of(data))


def stat(inode: int = 7) -> FileStat:
    return FileStat(4, 1, inode)


def seen(path: RelPath, data: bytes = b"text", inode: int = 7) -> Seen:
    return Seen(path, file(data), stat(inode))


def looks(settler: Settler, now: float) -> list[str]:
    return sorted(settler.due(now))


# -- ready --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", Completeness)
def test_a_file_renamed_into_place_is_published_at_once(verdict: Completeness) -> None:
    s = Settler()
    s.noticed(TXT, How.RENAMED, 10.0)
    assert s.next_due() == 10.0
    assert looks(s, 10.0) == [TXT]
    assert s.found(seen(TXT), verdict, 0.001, 10.004)
    assert TXT not in s
    assert s.next_due() is None


def test_its_close_after_the_rename_takes_nothing_away() -> None:
    s = Settler()
    s.noticed(TXT, How.RENAMED, 10.0)
    s.noticed(TXT, How.CLOSED, 10.0)
    assert looks(s, 10.0) == [TXT]
    assert s.found(seen(TXT), OPEN, 0.001, 10.0)


def test_a_write_after_the_rename_is_a_write_in_place() -> None:
    s = Settler()
    s.noticed(TXT, How.RENAMED, 10.0)
    s.noticed(TXT, How.MODIFIED, 10.0)
    assert looks(s, 10.0 + SUSPICION_S) == [TXT]
    assert not s.found(seen(TXT), OPEN, 0.001, 10.03)


def test_a_master_file_is_published_when_it_is_whole_without_waiting_for_quiet() -> None:
    s = Settler()
    s.noticed(CRP, How.MODIFIED, 10.0)
    s.noticed(CRP, How.CLOSED, 10.001)
    assert looks(s, 10.001) == [CRP]
    assert s.found(seen(CRP), WHOLE, 0.001, 10.002)


def test_any_other_file_is_published_when_it_stood_still_for_the_quiet_time() -> None:
    s = Settler()
    s.noticed(TXT, How.MODIFIED, 10.0)
    assert looks(s, 10.01) == []
    assert looks(s, 10.0 + SUSPICION_S) == [TXT]
    assert not s.found(seen(TXT), OPEN, 0.03, 10.03)
    assert s.next_due() == pytest.approx(10.0 + QUIET_S)
    assert looks(s, 10.0 + QUIET_S) == [TXT]
    assert s.found(seen(TXT), OPEN, QUIET_S, 10.0 + QUIET_S)


def test_what_a_program_was_seen_to_write_and_not_to_close_waits_for_that() -> None:
    s = Settler(hears_closing=True)
    s.noticed(ECF, How.CREATED, 10.0)
    s.noticed(ECF, How.MODIFIED, 10.0)
    assert looks(s, 10.0 + SUSPICION_S) == [ECF]
    assert not s.found(seen(ECF), OPEN, 0.03, 10.03)
    assert looks(s, 14.0) == [], "the program thinks"
    s.noticed(ECF, How.MODIFIED, 14.0)
    s.noticed(ECF, How.CLOSED, 14.1)
    assert looks(s, 14.2) == [ECF]
    assert not s.found(seen(ECF), OPEN, 0.2, 14.2)
    assert s.next_due() == pytest.approx(14.1 + QUIET_S), "no longer than for any other file"
    assert looks(s, 14.41) == [ECF]
    assert s.found(seen(ECF), OPEN, 0.41, 14.41)


def test_what_is_never_closed_is_published_after_a_longer_quiet_time() -> None:
    s = Settler(hears_closing=True)
    s.noticed(TXT, How.MODIFIED, 10.0)
    assert looks(s, 10.1) == [TXT]
    assert not s.found(seen(TXT), OPEN, 0.1, 10.1)
    assert s.next_due() == pytest.approx(10.0 + settle.WRITING_QUIET_S)
    assert looks(s, 15.0) == [TXT]
    assert s.found(seen(TXT), OPEN, settle.WRITING_QUIET_S, 15.0)
    s.noticed(TXT, How.MODIFIED, 20.0)
    assert looks(s, 20.1) == [TXT]
    assert not s.is_quiet(TXT, 0.4, 20.4), "nor is a big one read before"
    assert s.next_due() == pytest.approx(20.0 + settle.WRITING_QUIET_S)


def test_a_log_that_is_written_into_all_the_time_is_published_now_and_then() -> None:
    s = Settler(hears_closing=True)
    published = []
    for tick in range(70):
        now = 10.0 + tick
        s.noticed(TXT, How.MODIFIED, now)
        for at in (now + 0.05, now + 0.5):
            published += [at for path in s.due(at) if s.found(seen(path), OPEN, 100.0, at)]
    assert published == [40.5, 71.5]
    assert s.troubles(100.0) == ()


@pytest.mark.parametrize(("data", "waits"), [(b"", True), (b"text", False)])
def test_a_new_name_waits_for_its_file_to_be_closed_only_while_that_is_empty(data: bytes, waits: bool) -> None:
    s = Settler(hears_closing=True)
    s.noticed(TXT, How.CREATED, 10.0)
    assert looks(s, 10.5) == [TXT]
    assert s.found(seen(TXT, data), OPEN, 0.5, 10.5) is not waits


@pytest.mark.parametrize(("how", "verdict"), [(How.RENAMED, OPEN), (How.MODIFIED, WHOLE)])
def test_what_is_whole_waits_for_no_program_to_close_it(how: How, verdict: Completeness) -> None:
    s = Settler(hears_closing=True)
    s.noticed(CRP, How.MODIFIED, 10.0)
    s.noticed(CRP, how, 10.0)
    assert looks(s, 10.03) == [CRP]
    assert s.found(seen(CRP), verdict, 0.03, 10.03)


def test_where_no_sign_tells_of_closing_the_system_may_be_asked() -> None:
    s = Settler()
    s.writing(OTHER, True)
    assert OTHER not in s
    s.noticed(TXT, How.MODIFIED, 10.0)
    assert looks(s, 11.0) == [TXT]
    s.writing(TXT, True)
    assert not s.found(seen(TXT), OPEN, 1.0, 11.0)
    assert looks(s, 15.0) == [TXT]
    s.writing(TXT, False)
    assert s.found(seen(TXT), OPEN, 1.0, 15.0)


def test_a_deletion_after_the_rename_ends_the_trust() -> None:
    s = Settler()
    s.noticed(TXT, How.RENAMED, 10.0)
    s.noticed(TXT, How.DELETED, 10.0)
    assert looks(s, 10.0) == [TXT]
    assert not s.found(seen(TXT), OPEN, 0.0, 10.0)


def test_each_write_begins_the_quiet_time_anew() -> None:
    s = Settler()
    for now in (10.0, 10.02, 10.04, 10.06):
        assert looks(s, now) == []
        s.noticed(TXT, How.MODIFIED, now)
    assert looks(s, 10.08) == []
    assert looks(s, 10.06 + SUSPICION_S) == [TXT]
    assert not s.found(seen(TXT), OPEN, inf, 10.09)
    assert looks(s, 10.35) == []
    assert looks(s, 10.37) == [TXT]


def test_a_write_during_the_look_makes_what_it_found_worthless() -> None:
    s = Settler()
    s.noticed(CRP, How.CLOSED, 10.0)
    assert looks(s, 10.0) == [CRP]
    s.noticed(CRP, How.MODIFIED, 10.001)
    assert not s.found(seen(CRP), WHOLE, 0.0, 10.002)
    s.settled(CRP)
    assert looks(s, 10.001 + SUSPICION_S) == [CRP]


def test_a_file_that_only_a_scan_met_is_judged_by_its_age() -> None:
    s = Settler()
    assert s.found(seen(TXT), OPEN, 5.0, 10.0)
    assert not s.found(seen(OTHER), OPEN, 0.1, 10.0)
    assert s.next_due() == pytest.approx(10.2)
    assert looks(s, 10.21) == [OTHER]
    assert s.found(seen(OTHER), OPEN, 0.31, 10.21)


def test_a_modification_time_in_the_future_costs_the_quiet_time_and_no_more() -> None:
    s = Settler()
    assert not s.found(seen(TXT), OPEN, -86400.0, 10.0)
    assert looks(s, 10.0 + QUIET_S) == [TXT]
    assert s.found(seen(TXT), OPEN, -86400.0, 10.0 + QUIET_S)


def test_what_lies_in_a_directory_that_was_renamed_into_place_came_whole_too() -> None:
    s = Settler()
    tree, inside = RelPath("d"), RelPath("d/a.txt")
    s.noticed(tree, How.RENAMED, 10.0)
    assert looks(s, 10.0) == [tree]
    assert s.found(seen(inside), OPEN, 0.0, 10.0, asked=tree)
    s.settled(tree)
    assert len(s) == 0


def test_what_lies_in_a_new_directory_waits_for_quiet() -> None:
    s = Settler()
    tree, inside = RelPath("d"), RelPath("d/a.txt")
    s.noticed(tree, How.ASKED, 10.0)
    assert looks(s, 10.0) == [tree]
    assert not s.found(seen(inside), OPEN, 0.0, 10.0, asked=tree)


def test_a_big_file_is_read_once_it_stood_still() -> None:
    s = Settler()
    s.noticed(TXT, How.CLOSED, 10.0)
    assert looks(s, 10.0 + SUSPICION_S) == [TXT]
    assert not s.is_quiet(TXT, 0.03, 10.03)
    assert looks(s, 10.0 + QUIET_S) == [TXT]
    assert s.is_suspect(TXT)
    assert not s.is_suspect(TXT), "once"
    assert s.is_quiet(TXT, 0.3, 10.0 + QUIET_S)
    assert s.found(seen(TXT), OPEN, 2.0, 12.0)
    assert s.is_quiet(OTHER, 5.0, 12.0)
    s.noticed(ECF, How.RENAMED, 12.0)
    assert looks(s, 12.0) == [ECF]
    assert s.is_quiet(ECF, 0.0, 12.0)


# -- not ready for long -------------------------------------------------------------------------------------------


def test_a_torn_file_is_looked_at_again_and_again_and_becomes_a_problem_once() -> None:
    s = Settler()
    now = 10.0
    s.noticed(CRP, How.CLOSED, now)
    looked = 0
    while now < 10.0 + PATIENCE_S:
        for path in s.due(now):
            looked += 1
            assert not s.found(seen(path), TORN, now - 10.0, now)
        assert s.troubles(now) == ()
        assert s.is_held(CRP)
        now += 0.1
    assert 5 < looked < 20
    assert s.troubles(now + 0.1) == (Problem(CRP, Code.INCOMPLETE),)
    assert s.troubles(now + 0.2) == ()
    s.noticed(CRP, How.CLOSED, now + 1)
    assert looks(s, now + 1) == [CRP]
    assert s.found(seen(CRP), WHOLE, 0.0, now + 1)
    assert not s.is_held(CRP)


def test_a_torn_file_that_a_scan_finds_old_is_a_problem_at_once() -> None:
    s = Settler()
    assert not s.found(seen(ECF), TORN, 3600.0, 10.0)
    assert s.troubles(10.0) == (Problem(ECF, Code.INCOMPLETE),)


def test_a_file_that_changes_while_it_is_read_is_read_again() -> None:
    s = Settler()
    s.noticed(TXT, How.RENAMED, 10.0)
    assert looks(s, 10.0) == [TXT]
    s.unstable(TXT, 10.0)
    assert looks(s, 10.05) == []
    assert looks(s, 10.1) == [TXT]
    assert s.found(seen(TXT), OPEN, 0.0, 10.1)


def test_a_locked_file_is_a_problem_when_it_stays_locked() -> None:
    s = Settler()
    s.noticed(TXT, How.CLOSED, 10.0)
    assert looks(s, 11.0) == [TXT]
    s.locked(TXT, 11.0)
    assert s.troubles(15.9) == ()
    assert s.troubles(16.0) == (Problem(TXT, Code.LOCKED),)


def test_a_file_that_never_stands_still_is_a_problem_after_a_while() -> None:
    s = Settler()
    for tick in range(700):
        s.noticed(TXT, How.MODIFIED, 10.0 + tick / 10)
        s.due(10.0 + tick / 10)
    assert s.troubles(80.0) == (Problem(TXT, Code.STILL_CHANGING),)


# -- gone ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "seconds"), [(TXT, 1.0), (CRP, 2.0), (ECF, 2.0), (RelPath("a.ECS"), 2.0), (ECC, 10.0)]
)
def test_a_deletion_counts_when_it_lasted(path: RelPath, seconds: float) -> None:
    s = Settler()
    s.noticed(path, How.DELETED, 10.0)
    assert looks(s, 10.0) == [path]
    assert not s.missing(path, file(), stat(), 10.0)
    assert looks(s, 10.0 + seconds - 0.01) == []
    assert looks(s, 10.0 + seconds) == [path]
    assert s.missing(path, file(), stat(), 10.0 + seconds)
    assert path not in s
    assert hold_s(path) == seconds


def test_an_index_that_is_deleted_and_written_anew_was_never_gone() -> None:
    s = Settler()
    s.noticed(ECC, How.DELETED, 10.0)
    assert looks(s, 10.0) == [ECC]
    assert not s.missing(ECC, file(), stat(), 10.0)
    s.noticed(ECC, How.CREATED, 10.05)
    s.noticed(ECC, How.CLOSED, 10.05)
    assert looks(s, 10.05) == [ECC]
    assert s.found(seen(ECC, b"new", 8), WHOLE, 0.0, 10.05)
    assert looks(s, 30.0) == []


def test_a_second_deletion_waits_its_own_time() -> None:
    s = Settler()
    s.noticed(TXT, How.DELETED, 10.0)
    s.due(10.0)
    s.missing(TXT, file(), stat(), 10.0)
    s.noticed(TXT, How.CREATED, 10.5)
    s.noticed(TXT, How.DELETED, 10.9)
    assert looks(s, 10.9) == [TXT]
    assert not s.missing(TXT, file(), stat(), 10.9)
    assert looks(s, 10.9 + HOLD_S - 0.01) == []
    assert looks(s, 10.9 + HOLD_S) == [TXT]


def test_a_deletion_that_a_rename_explains_counts_at_once() -> None:
    s = Settler()
    s.noticed(OTHER, How.RENAMED, 10.0)
    s.noticed(TXT, How.DELETED, 10.0)
    assert looks(s, 10.0) == [TXT, OTHER]
    assert s.found(seen(OTHER), OPEN, 0.0, 10.0)
    assert s.missing(TXT, file(), stat(), 10.0)


def test_the_explanation_may_come_later() -> None:
    s = Settler()
    s.noticed(TXT, How.DELETED, 10.0)
    assert looks(s, 10.0) == [TXT]
    assert not s.missing(TXT, file(), stat(), 10.0)
    assert s.found(seen(OTHER, inode=8), OPEN, 5.0, 10.1), "the same content in another file explains too"
    assert looks(s, 10.1) == [TXT]
    assert s.missing(TXT, file(), stat(), 10.1)


def test_an_inode_that_was_used_again_explains_nothing() -> None:
    s = Settler()
    assert s.found(Seen(OTHER, file(b"other"), FileStat(5, 2, 7)), OPEN, 5.0, 10.0)
    assert not s.missing(TXT, file(), FileStat(4, 1, 7), 10.0)


def test_empty_files_do_not_explain_each_other() -> None:
    s = Settler()
    assert s.found(seen(OTHER, b"", 8), OPEN, 5.0, 10.0)
    assert not s.missing(TXT, file(b""), stat(), 10.0)


def test_a_copy_does_not_explain_that_an_index_is_gone_but_a_rename_does() -> None:
    s = Settler()
    copy = RelPath("a.bak")
    assert s.found(seen(copy, inode=8), OPEN, 5.0, 10.0)
    assert not s.missing(ECC, file(), stat(7), 10.0)
    assert s.found(seen(OTHER, inode=7), OPEN, 5.0, 10.1)
    assert looks(s, 10.1) == [ECC]
    assert s.missing(ECC, file(), stat(7), 10.1)


def test_what_stood_at_the_path_itself_does_not_explain_its_end() -> None:
    s = Settler()
    assert s.found(seen(TXT), OPEN, 5.0, 10.0)
    assert not s.missing(TXT, file(), stat(), 10.5)


def test_an_old_appearance_explains_nothing() -> None:
    s = Settler()
    assert s.found(seen(OTHER), OPEN, 5.0, 10.0)
    assert not s.missing(TXT, file(), stat(), 10.0 + settle.APPEARED_S + 1)


def test_of_two_equal_files_that_vanish_each_keeps_its_own_waiting() -> None:
    s = Settler()
    assert not s.missing(TXT, file(), stat(1), 10.0)
    assert not s.missing(OTHER, file(), stat(2), 10.0)
    s.noticed(TXT, How.CREATED, 10.1)
    assert s.found(seen(ECF, inode=9), OPEN, 5.0, 10.2)
    assert OTHER in looks(s, 10.2)


def test_a_deletion_noticed_during_the_look_is_looked_at_again() -> None:
    s = Settler()
    s.noticed(TXT, How.DELETED, 10.0)
    assert looks(s, 10.0) == [TXT]
    s.noticed(TXT, How.RENAMED, 10.001)
    assert not s.missing(TXT, file(), stat(), 10.002)
    assert looks(s, 10.002) == [TXT]


def test_a_look_can_be_asked_for_in_time() -> None:
    s = Settler()
    s.again(TXT, 10.5, 10.0)
    s.again(TXT, 10.9, 10.0)
    assert looks(s, 10.4) == []
    assert looks(s, 10.5) == [TXT]
    s.settled(TXT)
    assert TXT not in s


def test_everything_can_be_forgotten() -> None:
    s = Settler()
    s.noticed(TXT, How.RENAMED, 10.0)
    s.locked(CRP, 10.0)
    s.overflowed = True
    s.clear()
    assert len(s) == 0
    assert s.next_due() is None
    assert s.troubles(99.0) == ()
    assert not s.overflowed


# -- bounds -------------------------------------------------------------------------------------------------------


def test_signs_beyond_the_bound_are_dropped_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "PENDING_MAX", 2)
    monkeypatch.setattr(settle, "APPEARED_MAX", 2)
    s = Settler()
    for n in range(3):
        s.noticed(RelPath(f"{n}"), How.MODIFIED, 10.0)
    assert s.overflowed
    assert len(s) == 2
    full = RelPath("full")
    assert not s.found(seen(full), TORN, 0.0, 10.0)
    assert not s.missing(full, file(), stat(), 10.0)
    assert not s.is_quiet(full, 9.0, 10.0)
    s.unstable(full, 10.0)
    assert full not in s
    for n in range(3):
        assert s.found(seen(RelPath(f"x{n}"), b"%d" % n, n + 1), OPEN, 5.0, 10.0)
    assert not s.missing(RelPath("0"), file(b"0"), stat(1), 10.0)


def test_a_look_takes_a_bounded_number_of_paths() -> None:
    s = Settler()
    for n in range(1200):
        s.noticed(RelPath(f"{n}"), How.RENAMED, 10.0)
    assert [len(s.due(10.0)) for _ in range(4)] == [500, 500, 200, 0]


Sign = tuple[RelPath, How, float]


@given(
    st.lists(st.tuples(st.sampled_from([TXT, CRP, ECC]), st.sampled_from(How), st.floats(0, 1)), max_size=40),
    st.booleans(),
)
def test_whatever_is_noticed_comes_to_rest(signs: list[Sign], hears_closing: bool) -> None:
    """After the last sign, every path is decided within its hold and quiet time, and nothing is kept."""
    s, now, there = Settler(hears_closing=hears_closing), 0.0, dict.fromkeys((TXT, CRP, ECC), False)
    for path, how, pause in signs:
        now += pause
        s.noticed(path, how, now)
        there[path] = how is not How.DELETED
        answer(s, there, now)
    end = now + INDEX_HOLD_S + 1
    while (due := s.next_due()) is not None and due < end:
        now = max(now, due)
        answer(s, there, now)
    assert len(s) == 0
    assert s.next_due() is None


def answer(s: Settler, there: dict[RelPath, bool], now: float) -> None:
    for path in s.due(now):
        if there[path]:
            s.found(seen(path), OPEN, 100.0, now)
        else:
            s.missing(path, file(path.encode()), stat(), now)
