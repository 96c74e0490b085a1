"""Tips have one order, so that they are written in one way."""

from __future__ import annotations

from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash


def test_tips_are_sorted_by_number_and_then_by_hash() -> None:
    low, high = BlockHash(b"a" * 32), BlockHash(b"b" * 32)
    assert sorted([Tip(2, low), Tip(1, high), Tip(1, low)]) == [Tip(1, low), Tip(1, high), Tip(2, low)]
