"""A queue never offers a link what it was tried for, and loses nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import ContentId
from p2psync.engine.lanes import Item
from p2psync.engine.queues import Queue


def item(number: int, *tried: int) -> Item:
    return Item(ContentId(number.to_bytes(32, "big")), 1, frozenset(tried))


def test_first_come_first_served_but_never_to_a_link_that_was_tried() -> None:
    queue: Queue[Item] = Queue()
    for one in (item(1, 7), item(2), item(3)):
        queue.push(one)
    assert [popped.content[-1] for popped in iter(lambda: queue.pop_for(7), None)] == [2, 3]
    returned = queue.pop_for(8)
    assert returned is not None
    queue.push_back(returned)
    assert queue.pop_for(8) is returned


def test_hopeless_is_what_every_link_was_tried_for() -> None:
    queue: Queue[Item] = Queue()
    queue.push(item(1, 1, 2))
    queue.push(item(2, 1))
    assert [one.content[-1] for one in queue.pop_hopeless({1, 2})] == [1]
    assert [one.content[-1] for one in queue.pop_hopeless(set())] == [2], "without links nothing has hope"


@given(st.lists(st.tuples(st.integers(0, 5), st.frozensets(st.integers(0, 3)))), st.integers(0, 3))
def test_nothing_is_lost_or_doubled(things: list[tuple[int, frozenset[int]]], link: int) -> None:
    queue: Queue[Item] = Queue()
    made = [Item(ContentId(bytes(32)), size, tried) for size, tried in things]
    for one in made:
        queue.push(one)
    popped = list(iter(lambda: queue.pop_for(link), None))
    rest = queue.pop_hopeless({link})
    assert {id(one) for one in made} == {id(one) for one in [*popped, *rest]}
    assert all(link not in one.tried for one in popped)


def test_what_is_taken_out_of_the_middle_is_gone() -> None:
    queue: Queue[Item] = Queue()
    one, two, other = item(1), item(2), item(3, 7)
    for thing in (one, two, other):
        queue.push(thing)
    assert list(queue.waiting_for(8)) == [one, two, other]
    queue.remove(two)
    queue.remove(other)
    assert list(queue.waiting_for(7)) == [one]
    queue.remove(one)
    assert not queue


def test_a_queue_knows_whom_it_has_something_for() -> None:
    queue: Queue[Item] = Queue()
    assert not queue.has_for(1)
    queue.push(item(1, 1))
    assert not queue.has_for(1)
    assert queue.has_for(2)
