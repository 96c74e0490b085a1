"""Closing a period: what is frozen stays as it stood, on every PC alike, and what comes too late is kept and told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from p2psync.core.ids import ContentId, content_of
from p2psync.core.period import Period
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import DEFAULT_RULES, parse_restriction
from p2psync.errors import NotAllowed, UsageError
from tests.engine.village import Village, office

YEAR, NEXT = (Period(date(year, 1, 1), date(year, 12, 31)) for year in (2025, 2026))
CHART, BILLS = parse("Cargo 2025.crp"), parse("Cargo (01-01-2025 ~ 31-12-2025).ecf")
SALARIES = parse("Cargo (01-01-2025 ~ 31-12-2025).ecs")
PROBLEM = Problem(CHART, Code.PERIOD_FROZEN, "2025")


def freeze(village: Village, *paths: RelPath, period: Period = YEAR) -> None:
    versions = {path: content_of(village["office"].disk[path]) for path in paths}
    village.act("office", lambda admin: admin.freeze(period, versions))


def charts(village: Village) -> set[bytes]:
    return {house.disk[CHART] for house in village.houses.values()}


def test_a_frozen_file_is_not_changed_by_anybody_and_what_was_saved_is_kept() -> None:
    village = office(CHART, b"chart")
    freeze(village, CHART)
    village.settle()
    for name in ("office", "laptop"):
        village.save(name, CHART, b"edited by " + name.encode())
        village.settle()
        assert village[name].problems == [PROBLEM]
        assert content_of(b"edited by " + name.encode()) in village[name].versions
    village.save("laptop", CHART, None)
    village.settle()
    assert charts(village) == {b"chart"}
    assert village["payroll"].problems == []


def test_an_edit_made_while_the_freeze_was_not_known_is_set_aside_everywhere_and_told_to_who_made_it() -> None:
    village = office(CHART, b"chart")
    village.part()
    freeze(village, CHART)
    village.save("laptop", CHART, b"later")
    village.save("laptop", "other.txt", b"other")
    assert village["laptop"].disk[CHART] == b"later"
    village.meet()
    assert charts(village) == {b"chart"}
    assert village["payroll"].disk["other.txt"] == b"other"
    assert village["laptop"].versions[content_of(b"later")] == b"later"
    assert [village[name].problems for name in ("laptop", "office", "payroll")] == [[PROBLEM], [PROBLEM], []]
    for house in village.houses.values():
        [(period, late)] = house.m.periods.late()
        assert (period, late.author, late.entry.content) == (YEAR, village["laptop"].id, content_of(b"later"))


def test_a_removal_that_came_too_late_is_told_too() -> None:
    village = office(CHART, b"chart")
    village.save("laptop", BILLS, b"bills")
    village.meet()
    village.part()
    freeze(village, CHART, BILLS)
    village.save("laptop", BILLS, None)
    village.meet()
    assert {house.disk[BILLS] for house in village.houses.values()} == {b"bills"}
    assert village["laptop"].problems == [Problem(BILLS, Code.PERIOD_FROZEN, "2025")]


def test_who_had_placed_it_already_takes_it_back_and_keeps_it() -> None:
    """The laptop's edit reached payroll before either heard of the freeze."""
    village = office(CHART, b"chart")
    village.part()
    freeze(village, CHART)
    village.save("laptop", CHART, b"later")
    village.connect("laptop", "payroll")
    village.settle()
    assert village["payroll"].disk[CHART] == b"later"
    village.meet()
    assert charts(village) == {b"chart"}
    assert content_of(b"later") in village["payroll"].versions


def test_new_files_belong_to_the_period_by_the_days_in_their_names() -> None:
    village = office(CHART, b"chart")
    freeze(village, CHART)
    village.settle()
    village.save("laptop", BILLS, b"bills")
    village.save("laptop", "Cargo (01-01-2026 ~ 31-12-2026).ecf", b"bills")
    village.settle()
    assert BILLS not in village["office"].disk
    assert village["laptop"].problems == [Problem(BILLS, Code.PERIOD_FROZEN, "2025")]
    assert "Cargo (01-01-2026 ~ 31-12-2026).ecf" in village["office"].disk


def test_unfreezing_lets_the_version_that_was_kept_be_brought_back() -> None:
    village = office(CHART, b"chart")
    freeze(village, CHART)
    village.settle()
    village.save("laptop", CHART, b"better")
    village.settle()
    village.act("office", lambda admin: admin.unfreeze(YEAR))
    village.settle()
    assert village["laptop"].m.periods.frozen() == []
    village.save("laptop", CHART, b"better")
    village.settle()
    assert charts(village) == {b"better"}


def test_what_came_too_late_is_listed_until_it_came_back() -> None:
    village = office(CHART, b"chart")
    village.part()
    freeze(village, CHART)
    village.save("laptop", CHART, b"later")
    village.meet()
    village.act("office", lambda admin: admin.unfreeze(YEAR))
    village.settle()
    assert len(village["office"].m.periods.late()) == 1
    village.save("laptop", CHART, b"later")
    village.settle()
    assert charts(village) == {b"later"}
    assert [house.m.periods.late() for house in village.houses.values()] == [[], [], []]


def test_everybody_sees_who_froze_what_and_how_far_the_books_are() -> None:
    village = office(CHART, b"chart")
    village.save("office", "Cargo 2026.crp", b"next")
    village.settle()
    freeze(village, CHART)
    freeze(village, parse("Cargo 2026.crp"), period=NEXT)
    village.act("office", lambda admin: admin.set_current(date(2025, 6, 30)))
    village.act("office", lambda admin: admin.set_current(date(2025, 9, 30), "VAT return sent"))
    village.settle()
    for house in village.houses.values():
        frozen = house.m.periods.frozen()
        assert [(one.period, one.device, [f.path for f in one.files]) for one in frozen] == [
            (YEAR, village["office"].id, [CHART]),
            (NEXT, village["office"].id, ["Cargo 2026.crp"]),
        ]
        current = house.m.periods.current()
        assert current is not None
        assert (current.until, current.note) == (date(2025, 9, 30), "VAT return sent")
        assert current.device == village["office"].id
        assert (current.time_ms, frozen[0].time_ms) == (village.now.wall_ms, village.now.wall_ms)


def test_people_are_told_when_the_books_are_further_or_a_period_is_frozen() -> None:
    village = office(CHART, b"chart")
    laptop = village["laptop"]
    laptop.notices.clear()
    village.act("office", lambda admin: admin.set_current(date(2025, 6, 30)))
    freeze(village, CHART)
    village.act("office", lambda admin: admin.rename("another name"))
    village.settle()
    assert [name for name in laptop.notices if name.startswith("books")] == ["books.current", "books.frozen"]


def test_how_far_the_books_are_is_not_said_twice_and_by_accounting_alone() -> None:
    village = office(CHART, b"chart")
    assert village["office"].m.periods.current() is None
    village.act("office", lambda admin: admin.set_current(date(2025, 6, 30)))
    before = village["office"].m.ledger.tips
    village.act("office", lambda admin: admin.set_current(date(2025, 6, 30)))
    assert village["office"].m.ledger.tips == before
    with pytest.raises(NotAllowed, match="role accounting"):
        village["payroll"].admin.set_current(date(2025, 6, 30))


def test_another_note_is_told_of_the_same_day_and_one_that_is_no_line_is_refused() -> None:
    village = office(CHART, b"chart")
    village.act("office", lambda admin: admin.set_current(date(2025, 6, 30)))
    village.settle()
    village["laptop"].notices.clear()
    village.act("office", lambda admin: admin.set_current(date(2025, 6, 30), "call me"))
    village.settle()
    assert village["laptop"].notices.count("books.current") == 1
    assert village["laptop"].m.authority.current_note == "call me"
    before = village["office"].m.ledger.tips
    village.act("office", lambda admin: admin.set_current(date(2025, 6, 30), "call me"))
    for bad in ("two\nlines", "x" * 501):
        with pytest.raises(UsageError, match="one line"):
            village["office"].admin.set_current(date(2025, 6, 30), bad)
    assert village["office"].m.ledger.tips == before


def test_frozen_is_what_the_person_saw() -> None:
    village = office(CHART, b"chart")
    with pytest.raises(UsageError, match="changed meanwhile"):
        village["office"].admin.freeze(YEAR, {CHART: content_of(b"older")})
    freeze(village, CHART)
    with pytest.raises(UsageError, match="frozen already"):
        freeze(village, CHART)


def test_a_conflict_is_decided_before_its_file_is_frozen() -> None:
    village = office(CHART, b"chart")
    village.part()
    village.save("office", "Cargo.ecf", b"office's")
    village.save("laptop", "Cargo.ecf", b"laptop's")
    village.meet()
    with pytest.raises(UsageError, match="open conflict"):
        freeze(village, parse("Cargo.ecf"))
    [conflict] = village["office"].admin.conflicts()
    village.act("office", lambda admin: admin.resolve(parse("Cargo.ecf"), conflict.losers[0].id))
    village.settle()
    freeze(village, CHART, parse("Cargo.ecf"))
    village.settle()
    with pytest.raises(UsageError, match="no version of an open conflict"):
        village["office"].admin.resolve(parse("Cargo.ecf"), conflict.losers[0].id)


def test_a_file_that_is_still_arriving_is_not_frozen() -> None:
    village = office(CHART, b"chart")
    with village.deaf_disk("office"):
        village.save("laptop", BILLS, b"bills")
        village.settle()
        with pytest.raises(UsageError, match="still arriving"):
            village["office"].admin.freeze(YEAR, {BILLS: content_of(b"bills")})


RESTRICTED = DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=accounting,payroll"))


def test_a_freeze_names_no_restricted_file_but_those_with_days_in_their_names_belong_to_it() -> None:
    village = office(CHART, b"chart", RESTRICTED)
    for path in (SALARIES, parse("Cargo.ecs")):
        village.save("payroll", path, b"salaries")
    village.settle(30)
    freeze(village, CHART, SALARIES)
    village.settle()
    assert [[f.path for f in one.files] for one in village["laptop"].m.periods.frozen()] == [[CHART]]
    village.save("payroll", SALARIES, b"more")
    village.settle()
    assert village["office"].disk[SALARIES] == village["payroll"].disk[SALARIES] == b"salaries"
    versions: Mapping[RelPath, ContentId] = {parse("Cargo.ecs"): content_of(b"salaries")}
    with pytest.raises(UsageError, match="would read its name"):
        village["office"].admin.freeze(NEXT, versions)
