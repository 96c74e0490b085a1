"""What a Recall keeps and what it lets go."""

from __future__ import annotations

import pytest

from p2psync.core.relpath import RelPath
from p2psync.fs import recall
from p2psync.fs.recall import Recall


def test_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "RECALLED_MAX", 2)
    known: Recall[int] = Recall()
    a, b, c = map(RelPath, "abc")
    for path, value in ((a, 1), (b, 2), (a, 3), (c, 4)):
        known.put(path, value)
    assert [known.get(p) for p in (a, b, c)] == [3, None, 4]


def test_what_is_forgotten_is_given_back_once() -> None:
    known: Recall[int] = Recall()
    known.put(RelPath("a"), 1)
    assert known.forget(RelPath("a")) == 1
    assert known.forget(RelPath("a")) is None
    assert known.get(RelPath("a")) is None


def test_many_are_put_and_forgotten_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "RECALLED_MAX", 2)
    known: Recall[int] = Recall()
    a, b, c, d = map(RelPath, "abcd")
    known.renew({a: 1, b: 2}, [c])
    known.renew({a: 3, c: 4, d: 5}, [b])
    assert [known.get(p) for p in (a, b, c, d)] == [None, None, 4, 5], "the oldest go first"


def test_all_is_forgotten() -> None:
    known: Recall[int] = Recall()
    known.put(RelPath("a"), 1)
    known.clear()
    assert known.get(RelPath("a")) is None
