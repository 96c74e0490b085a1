"""What is asked of a peer fits its window, and nothing is chosen twice."""

from __future__ import annotations

from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.ids import ContentId, MandateId
from p2psync.engine.asking import HOLDING_ALLOWANCE_BYTES, MANIFEST_ALLOWANCE_BYTES, Asking
from p2psync.engine.lanes import WINDOW_BYTES, Asked, BigFile, Item, Peer, Unpaced, Wants
from p2psync.engine.orders import Compartment, Piece
from p2psync.wire.messages import REQUEST_ITEMS_MAX, What

M = Compartment(MandateId(b"m" * 16), ORDINARY)


@pytest.fixture(name="wants")
def two_links() -> Wants:
    return Wants(links={1, 2})


def item(number: int, size: int = 1) -> Item:
    return Item(ContentId(number.to_bytes(32, "big")), size)


def choose(wants: Wants, what: What, peer: Peer | None = None, now: float = 0.0) -> Asked | None:
    return Asking(Random(0), Unpaced()).choose(peer or Peer(1, 0.0), what, M, wants, now)


@pytest.mark.parametrize("what", list(What))
def test_where_nothing_is_wanted_nothing_is_asked(wants: Wants, what: What) -> None:
    assert choose(wants, what) is None


@pytest.mark.parametrize(("size", "count"), [(0, REQUEST_ITEMS_MAX), (WINDOW_BYTES // 8, 2), (WINDOW_BYTES, 1)])
def test_many_small_files_travel_together(wants: Wants, size: int, count: int) -> None:
    several = [item(number, size) for number in range(REQUEST_ITEMS_MAX + 1)]
    for one in several:
        wants.small.push(one)
    asked = choose(wants, What.CONTENT)
    assert asked is not None
    assert (asked.items, asked.owed) == (several[:count], count * size)
    following = choose(wants, What.CONTENT)
    assert following is not None
    assert following.items[0] is several[count]


def test_a_manifest_is_asked_for_while_few_are_under_way(wants: Wants) -> None:
    for number in range(10):
        wants.big.push(item(number))
    asked = [choose(wants, What.MANIFEST) for _ in range(10)]
    assert [one.owed for one in asked if one is not None] == [MANIFEST_ALLOWANCE_BYTES] * 4
    assert wants.big.has_for(1)


def test_of_a_piece_as_much_is_asked_as_several_requests_fill_the_window(wants: Wants) -> None:
    file = wants.files[item(1).content] = BigFile(item(1), 1)
    file.push(Piece(tuple(range(8)), WINDOW_BYTES))
    asked = choose(wants, What.CHUNK)
    assert asked is not None
    assert asked.piece == Piece((0, 1), WINDOW_BYTES // 4)
    assert [piece.chunks for piece in file.todo.waiting_for(1)] == [(2, 3, 4, 5, 6, 7)]


def test_where_there_is_a_choice_each_is_asked_what_it_has(wants: Wants) -> None:
    file = wants.files[item(1).content] = BigFile(item(1), 1)
    assert choose(wants, What.HOLDING) is None, "nothing is left to be asked for"
    file.push(Piece((0,), 1))
    main = Peer(1, 0.0)
    assert choose(wants, What.HOLDING, Peer(3, 0.0, main)) is None, "its main link is asked"
    asked = choose(wants, What.HOLDING, main)
    assert asked is not None
    assert (asked.items, asked.owed) == ([file.item], HOLDING_ALLOWANCE_BYTES)
    assert choose(wants, What.HOLDING, main) is None, "it is being asked"
    wants.links.discard(2)
    file.holdings.forget(1)
    assert choose(wants, What.HOLDING, main) is None, "there is nobody else"
