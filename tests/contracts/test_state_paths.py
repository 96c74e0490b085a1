"""What every state promises of base, live paths, what is to be done, versions and problems."""

from __future__ import annotations

import pytest

from p2psync.core.change import Change
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry, FileStat
from p2psync.core.ids import EMPTY_CONTENT, ChangeId
from p2psync.core.problem import Code, Problem
from p2psync.engine.state import BaseRow, LiveRow, MandateState, PlacingRow, TodoKind, TodoRow
from tests.contracts.rows import (
    NOWHERE,
    A,
    Author,
    B,
    C,
    content,
    file,
    path,
    version,
)

# -- base -----------------------------------------------------------------------------------------------------------


def test_base_rows_are_replaced_and_dropped(state: MandateState) -> None:
    (one, two) = Author(state).save(Change(A, file("1"), ()), Change(B, file("2"), ()))
    rows = [
        BaseRow(A, file("1"), FileStat(1, 2**62, 2**64 - 1), (one, two)),
        BaseRow(B, EMPTY_DIRECTORY, None, ()),
        BaseRow(C, file("3"), FileStat(0, -5, 0), (ChangeId(NOWHERE, 65535),)),
    ]
    state.put_bases(rows)
    assert state.bases([A, B, C, path("d")]) == {row.path: row for row in rows}
    newer = BaseRow(A, ABSENT, None, (two,))
    state.put_bases([newer])
    state.drop_bases([C, path("d")])
    assert state.bases([A, C]) == {A: newer}
    assert state.bases([]) == {}


def test_all_bases_come_in_byte_order(state: MandateState) -> None:
    paths = [path(p) for p in ("b", "a/b", "a.b", "a", "A", "é", "e\u0301", "z", "\uffff", "\U0001f4c4")]
    state.put_bases([BaseRow(p, file("1"), None, ()) for p in paths])
    assert [row.path for row in state.all_bases()] == sorted(paths, key=lambda p: p.encode())


def test_rows_may_be_dropped_while_all_bases_are_walked_through(state: MandateState) -> None:
    paths = [path(f"{i:04}") for i in range(1200)]
    state.put_bases([BaseRow(p, file("1"), None, ()) for p in paths])
    seen = []
    for row in state.all_bases():
        seen.append(row.path)
        state.drop_bases([row.path])
    assert seen == paths
    assert list(state.all_bases()) == []


def test_sources_of_a_content_are_where_base_has_it(state: MandateState) -> None:
    one, two, view = Author(state).save(*(Change(p, file("x"), ()) for p in (A, B, C)))
    state.put_bases([BaseRow(A, file("x"), None, (one,)), BaseRow(B, file("x"), None, ())])
    state.put_bases([BaseRow(C, file("merged"), None, (view,)), BaseRow(path("d"), file("x"), None, (two,))])
    assert state.content_sources(content("x")) == ["a", "b", "d"]
    assert state.content_sources(content("merged")) == ["c"]
    assert state.standing([content("x"), content("nothing"), content("merged")]) == {content("x"), content("merged")}
    state.put_bases([BaseRow(A, file("y"), None, (one,))])
    state.drop_bases([B])
    assert state.content_sources(content("x")) == ["d"]
    assert state.content_sources(content("y")) == ["a"]
    assert state.content_sources(content("nothing")) == []


def test_many_paths_may_hold_one_content(state: MandateState) -> None:
    empty = Entry(file("").kind, 0, 0, 0, EMPTY_CONTENT)
    paths = [path(f"{i:03}") for i in range(300)]
    made = Author(state).save(*(Change(p, empty, ()) for p in paths))
    state.put_bases([BaseRow(p, empty, None, (i,)) for p, i in zip(paths, made, strict=True)])
    assert state.content_sources(EMPTY_CONTENT) == paths
    assert state.with_content(paths[7], EMPTY_CONTENT) == [made[7]]


# -- live paths -----------------------------------------------------------------------------------------------------


def test_live_rows_are_replaced_and_dropped(state: MandateState) -> None:
    rows = [LiveRow(path("A"), file("1"), "a", 2), LiveRow(A, file("2"), "a", 1), LiveRow(B, EMPTY_DIRECTORY, "b", 1)]
    state.put_live(rows)
    assert state.live([path("A"), A, B, C]) == {row.path: row for row in rows}
    state.put_live([LiveRow(A, file("3"), "other", 1)])
    state.drop_live([B, C])
    assert state.live([A, B]) == {A: LiveRow(A, file("3"), "other", 1)}


def test_live_paths_are_found_by_their_slots(state: MandateState) -> None:
    state.put_live([LiveRow(A, file("1"), "a", 1), LiveRow(path("A"), file("1"), "a", 1)])
    state.put_live([LiveRow(path("Ä"), file("1"), "ä", 1), LiveRow(B, file("1"), "b", 1)])
    assert state.live_in_slots(["a", "b", "ä", "a", "c"]) == {"a": ["A", "a"], "b": ["b"], "ä": ["Ä"]}
    assert state.live_in_slots(["A", "Ä"]) == {}
    state.put_live([LiveRow(A, file("1"), "c", 1)])
    state.drop_live([B])
    assert state.live_in_slots(["a", "b", "c"]) == {"a": ["A"], "c": ["a"]}


@pytest.mark.parametrize(
    ("live", "directory", "expected"),
    [
        ("a/b", "a", True),
        ("a/b/c", "a", True),
        ("a/b/c", "a/b", True),
        ("a", "a", False),
        ("a.b", "a", False),
        ("a.b/c", "a", False),
        ("a0", "a", False),
        ("a b/c", "a", False),
        ("a-b/c", "a", False),
        ("ab/c", "a", False),
        ("x/a/b", "a", False),
        ("A/b", "a", False),
        ("a/\U0010ffff", "a", True),
        ("a/\x01", "a", True),
        ("é/x", "é", True),
        ("e\u0301/x", "é", False),
        ("%/x", "_", False),
    ],
)
def test_what_lies_below_a_path(state: MandateState, live: str, directory: str, expected: bool) -> None:
    state.put_live([LiveRow(path(live), file("1"), live, 1)])
    assert state.with_live_below([path(directory)]) == ({path(directory)} if expected else set())
    state.drop_live([path(live)])
    assert not state.with_live_below([path(directory)])


def test_live_files_and_bytes_are_counted(state: MandateState) -> None:
    assert state.live_totals() == (0, 0)
    state.put_live([LiveRow(A, file("1", 10), "a", 1), LiveRow(B, file("2", 5), "b", 1)])
    state.put_live([LiveRow(C, EMPTY_DIRECTORY, "c", 1), LiveRow(A, file("3", 2**45), "a", 1)])
    assert state.live_totals() == (2, 2**45 + 5)
    state.put_live([LiveRow(B, EMPTY_DIRECTORY, "b", 1), LiveRow(C, file("1", 1), "c", 1)])
    assert state.live_totals() == (2, 2**45 + 1)
    state.drop_live([A, B, path("d")])
    assert state.live_totals() == (1, 1)


# -- what is to be done ---------------------------------------------------------------------------------------------


def test_todo_rows_are_one_for_each_path_and_kind(state: MandateState) -> None:
    state.add_todo([TodoRow(A, TodoKind.PLACE), TodoRow(A, TodoKind.KEEP), TodoRow(B, TodoKind.JUDGE)])
    state.add_todo([TodoRow(A, TodoKind.PLACE)])
    assert state.todo_rows(TodoKind.PLACE, [A, B]) == {A: TodoRow(A, TodoKind.PLACE)}
    assert state.todo_rows(TodoKind.KEEP, [A]) == {A: TodoRow(A, TodoKind.KEEP)}
    assert [state.todo_count(kind) for kind in TodoKind] == [1, 1, 1]


def test_placements_are_known_from_their_beginning_to_their_end(state: MandateState) -> None:
    heads = (ChangeId(NOWHERE, 1), ChangeId(NOWHERE, 2))
    state.begin_placing([PlacingRow(A, file("1"), heads), PlacingRow(B, ABSENT, ())])
    state.begin_placing([PlacingRow(B, file("2"), heads)])
    assert state.placing() == {A: PlacingRow(A, file("1"), heads), B: PlacingRow(B, file("2"), heads)}
    state.end_placing([A, C])
    assert state.placing() == {B: PlacingRow(B, file("2"), heads)}
    state.end_placing([B])
    assert not state.placing()


def test_todo_rows_come_in_order_after_a_path(state: MandateState) -> None:
    paths = [path(p) for p in ("z", "a/b", "a.b", "a", "é")]
    state.add_todo(TodoRow(p, TodoKind.KEEP) for p in paths)
    state.add_todo([TodoRow(C, TodoKind.PLACE)])
    ordered = sorted(paths)
    assert [r.path for r in state.todo(TodoKind.KEEP, None, 10)] == ordered
    assert [r.path for r in state.todo(TodoKind.KEEP, None, 2)] == ordered[:2]
    assert [r.path for r in state.todo(TodoKind.KEEP, ordered[1], 2)] == ordered[2:4]
    assert state.todo(TodoKind.KEEP, ordered[-1], 2) == []
    state.drop_todo(TodoKind.KEEP, [ordered[0], C, path("unknown")])
    assert [r.path for r in state.todo(TodoKind.KEEP, None, 10)] == ordered[1:]
    assert state.todo_count(TodoKind.KEEP) == 4
    assert state.todo_count(TodoKind.PLACE) == 1


def test_files_to_be_placed_are_counted_by_their_winners(state: MandateState) -> None:
    state.put_live([LiveRow(A, file("1", 10), "a", 1), LiveRow(C, EMPTY_DIRECTORY, "c", 1)])
    state.add_todo([TodoRow(p, TodoKind.PLACE) for p in (A, B, C)])
    state.add_todo([TodoRow(A, TodoKind.KEEP), TodoRow(A, TodoKind.JUDGE)])
    assert state.todo_totals() == (1, 10)
    state.put_live([LiveRow(A, file("2", 7), "a", 1), LiveRow(B, file("3", 100), "b", 1)])
    assert state.todo_totals() == (2, 107)
    state.add_todo([TodoRow(A, TodoKind.PLACE), TodoRow(B, TodoKind.PLACE)])
    assert state.todo_totals() == (2, 107)
    state.put_live([LiveRow(A, EMPTY_DIRECTORY, "a", 1)])
    assert state.todo_totals() == (1, 100)
    state.drop_live([B])
    assert state.todo_totals() == (0, 0)
    state.put_live([LiveRow(B, file("3", 100), "b", 1)])
    state.drop_todo(TodoKind.PLACE, [A, C])
    state.drop_todo(TodoKind.KEEP, [A])
    assert state.todo_totals() == (1, 100)
    state.drop_todo(TodoKind.PLACE, [B, B])
    assert state.todo_totals() == (0, 0)


# -- versions, problems ---------------------------------------------------------------------------------------------


def test_versions_of_a_path_come_newest_first(state: MandateState) -> None:
    rows = [version("a", "1", 5), version("a", "2", 9, ChangeId(NOWHERE, 3)), version("a", "3", 5)]
    state.add_versions([*rows, version("b", "4", 7)])
    assert state.versions(A) == [rows[1], rows[2], rows[0]]
    assert state.versions(C) == []


def test_contents_that_are_kept_are_known(state: MandateState) -> None:
    state.add_versions([version("a", "1", 5), version("b", "1", 6)])
    assert state.has_version([content("1"), content("2")]) == {content("1")}
    assert state.has_version([]) == set()
    state.retain_versions({content("2")})
    assert state.has_version([content("1"), content("2")]) == set()


def test_versions_whose_bytes_are_gone_are_forgotten_at_every_path(state: MandateState) -> None:
    state.add_versions([version("a", "1", 5), version("b", "1", 6), version("b", "2", 7)])
    state.drop_versions([content("1"), content("nowhere")])
    assert state.has_version([content("1"), content("2")]) == {content("2")}
    assert (state.versions(A), state.versions(B)) == ([], [version("b", "2", 7)])


def test_there_is_one_problem_per_path_and_code(state: MandateState) -> None:
    state.put_problems([Problem("b", Code.LOCKED, "1"), Problem("a", Code.LOCKED), Problem("b", Code.LOCKED, "2")])
    state.put_problems([Problem("b", Code.DISK_FULL), Problem("", Code.FOLDER_GONE, "/x")])
    expected = [
        Problem("", Code.FOLDER_GONE, "/x"),
        Problem("a", Code.LOCKED),
        Problem("b", Code.DISK_FULL),
        Problem("b", Code.LOCKED, "2"),
    ]
    assert state.problems() == expected


def test_problems_are_cleared_by_path_and_perhaps_by_code(state: MandateState) -> None:
    problems = [Problem(p, code) for p in ("a", "b") for code in (Code.DISK_FULL, Code.LOCKED)]
    state.put_problems(problems)
    state.clear_problems(["a", "c"], [Code.LOCKED, Code.INCOMPLETE])
    assert state.problems() == [problems[0], *problems[2:]]
    state.clear_problems(["a"], [])
    state.clear_problems(["b"])
    assert state.problems() == problems[:1]


def test_names_that_are_no_text_have_problems_too(state: MandateState) -> None:
    odd = [
        Problem("\udcff", Code.NAME_NOT_TEXT, "\ud800"),
        Problem("\ue000", Code.LOCKED),
        Problem("\U0001f4c4", Code.LOCKED),
    ]
    state.put_problems(odd)
    assert state.problems() == odd
    state.clear_problems(["\udcff"])
    assert state.problems() == odd[1:]


def test_at_most_ten_thousand_problems_are_shown(state: MandateState) -> None:
    state.put_problems(Problem(f"{i:05}", Code.LOCKED) for i in range(10_005))
    shown = state.problems()
    assert (len(shown), shown[-1].path) == (10_000, "09999")
