"""What should stand on this disk: the winner, unless something lies below it, or all heads merged into one view."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2psync.core.changelog import Stated
from p2psync.core.conflict import Verdict
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, EXECUTABLE, Entry, Kind
from p2psync.core.ids import ChangeId
from p2psync.core.relpath import parse
from p2psync.engine.aim import Aim, aim
from p2psync.engine.state import BaseRow
from tests.core.making import BERT, change_id, file, stated

PATH = parse("a.txt")
ONE, TWO = stated("one"), stated("two", BERT)
SAME = stated("same", BERT, replace(ONE.entry, mtime_ns=5))
GONE = stated("gone", BERT, ABSENT)
DIRECTORY = stated("directory", BERT, EMPTY_DIRECTORY)
NOTHING = Aim(PATH, ABSENT, ())


def aims(verdict: Verdict, *heads: Stated, in_the_way: bool = False, unmergeable: bool = False) -> Aim:
    return aim(PATH, heads, verdict, in_the_way, unmergeable)


def test_without_heads_nothing_stands() -> None:
    assert aims(Verdict(None, ())) == NOTHING


def test_the_winner_stands_for_all_heads_of_its_content() -> None:
    assert aims(Verdict(ONE, ()), ONE) == Aim(PATH, ONE.entry, (ONE.id,))
    assert aims(Verdict(ONE, (TWO,)), ONE, TWO, SAME) == Aim(PATH, ONE.entry, (ONE.id, SAME.id), (TWO,))
    assert aims(Verdict(GONE, ()), GONE) == Aim(PATH, ABSENT, (GONE.id,))


def test_a_file_in_the_way_of_a_directory_loses() -> None:
    assert aims(Verdict(ONE, (TWO,)), ONE, GONE, TWO, in_the_way=True) == Aim(PATH, ABSENT, (), (ONE, TWO))
    for other in (GONE, DIRECTORY):
        assert aims(Verdict(other, ()), other, in_the_way=True).put == other.entry


def merged(*heads: Stated, **how: bool) -> Aim:
    files = tuple(h for h in heads if h.entry.kind == Kind.FILE)
    return aims(Verdict(files[0], (), files), *heads, **how)


def test_a_merged_view_has_all_heads_and_each_content_once() -> None:
    new = stated("new", BERT, replace(file("new", EXECUTABLE), mtime_ns=9 << 60))
    found = merged(ONE, TWO, SAME, new, GONE)
    assert found.put == Entry(Kind.FILE, 0, 9 << 60, ONE.entry.mode)
    assert found.heads == tuple(h.id for h in (ONE, TWO, SAME, new, GONE))
    assert found.sources == tuple(h.entry.content for h in (ONE, TWO, new))
    assert (found.contents, found.losers) == (found.sources, ())
    assert merged(new, ONE).put.mode == EXECUTABLE


def test_what_cannot_be_merged_has_a_winner_and_losers() -> None:
    assert merged(ONE, TWO, SAME, unmergeable=True) == Aim(PATH, ONE.entry, (ONE.id, SAME.id), (TWO,))


def base(entry: Entry, *heads: ChangeId) -> BaseRow:
    return BaseRow(PATH, entry, None, heads)


@pytest.mark.parametrize(
    ("target", "on_disk", "stands"),
    [
        (NOTHING, None, True),
        (NOTHING, base(ONE.entry, ONE.id), False),
        (Aim(PATH, ONE.entry, (ONE.id,)), None, False),
        (Aim(PATH, ONE.entry, (ONE.id,)), base(ONE.entry, ONE.id), True),
        (Aim(PATH, ONE.entry, (ONE.id,)), base(replace(ONE.entry, mtime_ns=7), TWO.id), True),
        (Aim(PATH, ONE.entry, (ONE.id,)), base(TWO.entry, ONE.id), False),
        (merged(ONE, TWO), None, False),
        (merged(ONE, TWO), base(file("view"), TWO.id, ONE.id), True),
        (merged(ONE, TWO), base(file("view"), ONE.id), False),
        (merged(ONE, TWO), base(file("view"), ONE.id, TWO.id, change_id("third")), False),
    ],
)
def test_whether_the_disk_shows_it(target: Aim, on_disk: BaseRow | None, stands: bool) -> None:
    assert target.stands(on_disk) is stands


def test_what_has_to_be_at_hand() -> None:
    assert Aim(PATH, ONE.entry, (ONE.id,)).contents == (ONE.entry.content,)
    assert NOTHING.contents == ()
    assert Aim(PATH, EMPTY_DIRECTORY, ()).contents == ()
