"""Lanes of a link: bulk is asked for there, in smaller parts; for blame and for what is lacking they are one."""

from __future__ import annotations

from collections import Counter

from p2psync.engine.fetch import Fetcher
from p2psync.engine.lanes import LANE_WINDOW_BYTES
from p2psync.engine.orders import Begin, Drop, Misbehaved, Piece
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Request, What
from tests.engine.test_fetch import BIG, M, answer, asks, cid, joined, small, wanted

TEN = Piece(tuple(range(40)), 40 * 12_800)


def begun_with_lanes(*lanes: int, pieces: tuple[Piece, ...]) -> tuple[Fetcher, list[tuple[int, Request]]]:
    """Link 1 and its lanes, and what they are asked for of a big file."""
    fetcher = joined(1)
    for lane in lanes:
        fetcher.peer_joined(lane, M, 0.0, lane_of=1)
    ((link, request),) = asks(fetcher.want(M, [wanted(1, BIG)], 0.0))
    (begin,) = fetcher.response(link, answer(request, b"manifest"), 0.0)
    assert isinstance(begin, Begin)
    return fetcher, asks(fetcher.begun(begin, pieces, 0.0))


def test_bulk_goes_to_the_lanes_in_smaller_parts_and_the_rest_to_the_link() -> None:
    fetcher, requests = begun_with_lanes(2, 3, pieces=(TEN,))
    assert {link for link, _ in requests} == {2, 3}
    assert sorted(chunk for _, request in requests for chunk in request.chunks) == list(range(40))
    assert len(requests) > 1
    ((link, request),) = asks(fetcher.want(M, small(7), 0.0))
    assert (link, request.what) == (1, What.CONTENT)


def test_each_lane_owes_little() -> None:
    _, requests = begun_with_lanes(*range(2, 10), pieces=(TEN,) * 40)
    by_lane: Counter[int] = Counter()
    for link, request in requests:
        by_lane[link] += len(request.chunks) * 12_800
    assert set(by_lane) == set(range(2, 10))
    assert max(by_lane.values()) <= LANE_WINDOW_BYTES + RESPONSE_DATA_BYTES_MAX // 4


def test_what_a_dead_lane_owed_is_asked_again_by_another() -> None:
    fetcher, requests = begun_with_lanes(2, 3, pieces=(TEN,))
    lost = {chunk for link, request in requests if link == 2 for chunk in request.chunks}
    again = asks(fetcher.peer_left(2, M, 1.0))
    assert {link for link, _ in again} == {3}
    assert {chunk for _, request in again for chunk in request.chunks} == lost


def test_without_its_lanes_a_link_carries_bulk_again() -> None:
    fetcher, _ = begun_with_lanes(2, pieces=(TEN,))
    again = asks(fetcher.peer_left(2, M, 1.0))
    assert {link for link, _ in again} == {1}


def test_what_one_lane_does_not_have_the_others_are_not_asked_for() -> None:
    fetcher, requests = begun_with_lanes(2, 3, pieces=(Piece((0,), 10),))
    ((lane, request),) = requests
    assert fetcher.response(lane, answer(request, None), 0.0)[0] == Drop(M, cid(1))


def test_a_lie_on_a_lane_is_the_links() -> None:
    fetcher, requests = begun_with_lanes(2, 3, pieces=(TEN,))
    (lane, request), *_ = requests
    outputs = fetcher.response(lane, answer(request, b"x", first=5), 0.0)
    assert [o.link for o in outputs if isinstance(o, Misbehaved)] == [1]
    assert asks(outputs) == [], "its other lanes and itself are not asked either"


def test_who_could_be_asked_for_more_is_hungry() -> None:
    fetcher, _ = begun_with_lanes(2, pieces=(TEN,))
    assert not fetcher.is_hungry(1), "all is asked for"
    fetcher, _ = begun_with_lanes(2, 3, pieces=(TEN,) * 40)
    assert fetcher.is_hungry(1)
    assert not fetcher.is_hungry(9)
    fetcher = joined(1)
    fetcher.want(M, [wanted(n, RESPONSE_DATA_BYTES_MAX) for n in range(20)], 0.0)
    assert fetcher.is_hungry(1)


def test_who_waits_for_this_disk_is_not_hungry() -> None:
    fetcher = joined(*range(40))
    fetcher.want(M, [wanted(n, RESPONSE_DATA_BYTES_MAX) for n in range(100)], 0.0)
    assert not fetcher.is_hungry(1)
