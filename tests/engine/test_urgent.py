"""Saves go ahead of the rest, few of each author, and nobody's hold up another's."""

from __future__ import annotations

from p2psync.core.ids import DeviceId
from p2psync.core.relpath import RelPath
from p2psync.engine.urgent import AHEAD_MAX, SAVE_PATHS_MAX, Urgent

A, B = DeviceId(b"a" * 32), DeviceId(b"b" * 32)


def paths(prefix: str, count: int) -> list[RelPath]:
    return [RelPath(f"{prefix}{number}") for number in range(count)]


def under_way(_path: RelPath) -> bool:
    return True


def over(_path: RelPath) -> bool:
    return False


def test_saves_go_first_in_their_order_and_once() -> None:
    urgent = Urgent()
    urgent.saved(A, paths("x", 2))
    urgent.saved(B, paths("y", 1))
    assert urgent.next(over) == [*paths("x", 2), *paths("y", 1)]
    assert urgent.next(over) == []


def test_a_block_with_many_files_is_no_save() -> None:
    urgent = Urgent()
    urgent.saved(A, ())
    urgent.saved(A, paths("x", SAVE_PATHS_MAX + 1))
    assert urgent.next(over) == []


def test_who_has_many_under_way_waits_and_others_do_not() -> None:
    urgent = Urgent()
    for path in paths("x", AHEAD_MAX):
        urgent.saved(A, [path])
    assert len(urgent.next(over)) == AHEAD_MAX
    urgent.saved(A, paths("more", 1))
    urgent.saved(B, paths("y", 1))
    assert urgent.next(under_way) == paths("y", 1)
    assert urgent.next(over) == paths("more", 1)


def test_of_a_flood_the_newest_are_kept() -> None:
    urgent = Urgent()
    for path in paths("x", 10 * AHEAD_MAX):
        urgent.saved(A, [path])
    assert urgent.next(over) == paths("x", 10 * AHEAD_MAX)[-AHEAD_MAX:]
