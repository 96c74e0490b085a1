"""What was read or written lately: bounded, and forgotten on demand."""

from __future__ import annotations

import pytest

from p2psync.store.memo import Memo


def test_the_latest_holds() -> None:
    memo: Memo[str, int | None] = Memo()
    memo.put({"a": 1, "b": 2})
    memo.put({"a": None})
    assert "a" in memo
    assert (memo["a"], memo["b"]) == (None, 2)


def test_what_was_dropped_is_not_known() -> None:
    memo: Memo[str, int] = Memo()
    memo.put({"a": 1, "b": 2})
    memo.drop(["a", "never"])
    assert "a" not in memo
    with pytest.raises(KeyError):
        memo["a"]
    memo.forget()
    assert "b" not in memo


def test_what_is_known_is_parted_from_what_is_not() -> None:
    memo: Memo[str, int | None] = Memo()
    memo.put({"a": None, "b": 1})
    assert memo.of(iter("cbbac")) == ({"b": 1, "a": None}, ["c"])


def test_rows_that_are_known_to_be_new_are_parted_from_the_others() -> None:
    memo: Memo[str, int | None] = Memo()
    memo.put({"a": None, "b": 1})
    assert memo.part({"a": 2, "b": 3, "c": 4}) == ([2], [3, 4])


def test_the_oldest_go_first() -> None:
    memo: Memo[str, int] = Memo(2)
    memo.put({"a": 1, "b": 2})
    memo.put({"a": 3})
    memo.put({"c": 4})
    assert [key for key in "abc" if key in memo] == ["a", "c"]
    memo.put({"d": 1, "e": 2, "f": 3})
    assert [key for key in "acdef" if key in memo] == ["e", "f"]


def test_one_that_may_not_remember_does_not() -> None:
    memo: Memo[str, int] = Memo(0)
    memo.put({"a": 1})
    assert "a" not in memo
