"""Which of many things a bounded memory keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.latest import SPARE, put_latest


@given(st.lists(st.lists(st.integers(0, 30), max_size=12)), st.integers(0, 20))
def test_the_latest_stay_and_not_many_more(rounds: list[list[int]], most: int) -> None:
    known: dict[int, int] = {}
    order: list[int] = []
    for number, keys in enumerate(rounds):
        put_latest(known, dict.fromkeys(keys, number), most)
        for key in dict.fromkeys(keys):
            if key in order:
                order.remove(key)
            order.append(key)
        assert len(known) <= most + most // SPARE
        assert list(known) == order[len(order) - len(known) :], "the latest, in their order"
        assert len(known) >= min(most, len(order)), "none goes before there are too many"
        assert all(known[key] == number for key in keys if key in known)
