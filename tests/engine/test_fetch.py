"""The fetch machine as conversations: what is asked of whom, and what follows from each answer."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.chunking import manifest_bytes_max
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import Send, Wanted
from p2psync.engine.fetch import IN_HAND_BYTES_MAX, Fetcher
from p2psync.engine.lanes import ANSWER_MAX_S, BIG_AT_ONCE, SILENCE_MAX_S, WINDOW_BYTES
from p2psync.engine.orders import (
    Begin,
    Compartment,
    Done,
    Drop,
    Failed,
    Finish,
    Misbehaved,
    Output,
    Piece,
    Stage,
    Write,
)
from p2psync.engine.swarm import ASK_AGAIN_S, PATIENCE_TIMES, holding_of
from p2psync.wire.messages import HOLDS_ALL, REQUEST_ITEMS_MAX, RESPONSE_DATA_BYTES_MAX, Request, Response, What

M = Compartment(MandateId(b"m" * 16), ORDINARY)
N = Compartment(MandateId(b"n" * 16), ORDINARY)
RESTRICTED = Compartment(M.mandate, "restricted:*.ecs")
BIG = RESPONSE_DATA_BYTES_MAX + 1


def cid(number: int) -> ContentId:
    return ContentId(number.to_bytes(32, "big"))


def wanted(number: int, size: int = 4) -> Wanted:
    return Wanted(cid(number), size, RelPath(f"f{number}"))


def small(*numbers: int) -> list[Wanted]:
    return [wanted(number) for number in numbers]


def asks(outputs: list[Output]) -> list[tuple[int, Request]]:
    return [(o.link, o.message) for o in outputs if isinstance(o, Send) and isinstance(o.message, Request)]


def pieces_asked(outputs: list[Output]) -> list[tuple[int, Request]]:
    return [(link, request) for link, request in asks(outputs) if request.what is What.CHUNK]


def answer(request: Request, *items: bytes | None, first: int = 0, last: bool = True) -> Response:
    return Response(request.mandate, request.number, first, items, last)


def joined(*links: int, compartment: Compartment = M) -> Fetcher:
    fetcher = Fetcher(Random(0))
    for link in links:
        fetcher.peer_joined(link, compartment, 0.0)
    return fetcher


def begun(*links: int, pieces: tuple[Piece, ...]) -> tuple[Fetcher, list[Output]]:
    """A big file, content 1, whose manifest came from the first link."""
    fetcher = joined(*links)
    ((link, request),) = asks(fetcher.want(M, [wanted(1, BIG)], 0.0))
    (begin,) = fetcher.response(link, answer(request, b"manifest"), 0.0)
    assert isinstance(begin, Begin)
    return fetcher, fetcher.begun(begin, pieces, 0.0)


# -- small files ----------------------------------------------------------------------------------------------------


def test_small_files_travel_together_and_are_done_when_the_disk_has_them() -> None:
    fetcher = joined(1)
    ((link, request),) = asks(fetcher.want(M, small(1, 2, 3), 0.0))
    assert (link, request.what, request.contents) == (1, What.CONTENT, (cid(1), cid(2), cid(3)))
    (stage,) = fetcher.response(1, answer(request, b"aaaa", b"bbbb", b"cccc"), 0.0)
    assert stage == Stage(M, 1, ((cid(1), b"aaaa"), (cid(2), b"bbbb"), (cid(3), b"cccc")))
    assert fetcher.staged(stage, (), 0.0) == [Done(M, (cid(1), cid(2), cid(3)))]


def test_an_answer_may_come_in_parts() -> None:
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, small(1, 2), 0.0))
    (one,) = fetcher.response(1, answer(request, b"aaaa", last=False), 0.0)
    (two,) = fetcher.response(1, answer(request, b"bbbb", first=1), 0.0)
    assert isinstance(one, Stage)
    assert isinstance(two, Stage)
    assert fetcher.deadline_s() is None


def test_a_request_is_bounded_by_items_and_by_bytes() -> None:
    fetcher = joined(1)
    requests = [r for _, r in asks(fetcher.want(M, [wanted(n, 0) for n in range(REQUEST_ITEMS_MAX + 1)], 0.0))]
    assert [len(r.contents) for r in requests] == [REQUEST_ITEMS_MAX, 1]
    fetcher = joined(1)
    sizes = [wanted(n, RESPONSE_DATA_BYTES_MAX // 2) for n in range(5)]
    assert [len(r.contents) for _, r in asks(fetcher.want(M, sizes, 0.0))] == [2, 2, 1]


def test_a_link_is_asked_for_no_more_than_its_window() -> None:
    fetcher = joined(1)
    outputs = fetcher.want(M, [wanted(n, RESPONSE_DATA_BYTES_MAX) for n in range(20)], 0.0)
    assert len(asks(outputs)) == WINDOW_BYTES // RESPONSE_DATA_BYTES_MAX
    (_, request), *_ = asks(outputs)
    again = fetcher.response(1, answer(request, bytes(RESPONSE_DATA_BYTES_MAX)), 0.0)
    assert len(asks(again)) == 1, "an answer makes room"


def test_a_link_that_is_drained_ends_what_it_began_and_no_more() -> None:
    fetcher = joined(1, 2)
    ((link, request),) = asks(fetcher.want(M, [wanted(1)], 0.0))
    fetcher.drain(link)
    other = 3 - link
    assert fetcher.is_owed(link)
    assert {to for to, _ in asks(fetcher.want(M, small(*range(2, 9)), 0.0))} == {other}
    (stage,) = fetcher.response(link, answer(request, b"data"), 0.0)
    assert isinstance(stage, Stage)
    assert not fetcher.is_owed(link)


def test_all_links_together_are_bounded_by_what_memory_may_hold() -> None:
    fetcher = joined(*range(40))
    outputs = fetcher.want(M, [wanted(n, RESPONSE_DATA_BYTES_MAX) for n in range(100)], 0.0)
    assert len(asks(outputs)) == IN_HAND_BYTES_MAX // RESPONSE_DATA_BYTES_MAX
    (link, request), *_ = asks(outputs)
    more = fetcher.response(link, answer(request, bytes(RESPONSE_DATA_BYTES_MAX)), 0.0)
    assert asks(more) == [], "what arrived still lies in memory"
    (stage,) = more
    assert isinstance(stage, Stage)
    assert len(asks(fetcher.staged(stage, (), 0.0))) == 1


def test_what_is_under_way_is_not_asked_for_twice() -> None:
    fetcher = joined(1)
    assert len(asks(fetcher.want(M, small(1, 1), 0.0))) == 1
    assert fetcher.want(M, small(1), 0.0) == []


# -- peers that do not have it ----------------------------------------------------------------------------------------


def test_what_one_peer_lacks_comes_from_the_next() -> None:
    fetcher = joined(1, 2)
    ((link, request),) = asks(fetcher.want(M, small(1), 0.0))
    ((other, again),) = asks(fetcher.response(link, answer(request, None), 0.0))
    assert {link, other} == {1, 2}
    assert fetcher.response(other, answer(again, None), 0.0) == [Failed(M, (cid(1),))]
    assert asks(fetcher.want(M, small(1), 0.0)) != [], "asked for again later, it is tried again"


def test_what_an_answer_leaves_out_is_lacking() -> None:
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, small(1, 2), 0.0))
    stage, failed = fetcher.response(1, answer(request, b"aaaa"), 0.0)
    assert isinstance(stage, Stage)
    assert failed == Failed(M, (cid(2),))


def test_without_any_peer_it_fails_at_once() -> None:
    assert Fetcher(Random(0)).want(M, small(1), 0.0) == [Failed(M, (cid(1),))]


def test_bytes_of_another_size_are_not_what_was_asked_for() -> None:
    """The size may be the author's lie, so nobody is blamed."""
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, small(1), 0.0))
    assert fetcher.response(1, answer(request, b"more than four"), 0.0) == [Failed(M, (cid(1),))]


def test_a_silent_link_is_passed_over_and_its_late_answer_ignored() -> None:
    fetcher = joined(1, 2)
    ((link, request),) = asks(fetcher.want(M, small(1), 0.0))
    assert fetcher.deadline_s() == SILENCE_MAX_S
    assert fetcher.tick(SILENCE_MAX_S - 1) == []
    ((other, _),) = asks(fetcher.tick(SILENCE_MAX_S))
    assert other != link
    assert fetcher.response(link, answer(request, b"aaaa"), 31.0) == []


def test_a_busy_link_gets_more_time_but_not_for_ever() -> None:
    fetcher = joined(1)
    outputs = asks(fetcher.want(M, [wanted(1, RESPONSE_DATA_BYTES_MAX), wanted(2, 4)], 0.0))
    (_, one), _ = outputs
    fetcher.response(1, answer(one, bytes(RESPONSE_DATA_BYTES_MAX), last=True), 20.0)
    assert fetcher.deadline_s() == 20.0 + SILENCE_MAX_S
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, small(1, 2), 0.0))
    fetcher.response(1, answer(request, b"aaaa", last=False), ANSWER_MAX_S - 1)
    assert fetcher.deadline_s() == ANSWER_MAX_S


def test_what_was_asked_of_a_peer_that_leaves_is_asked_elsewhere() -> None:
    fetcher = joined(1, 2)
    ((link, _),) = asks(fetcher.want(M, small(1), 0.0))
    ((other, _),) = asks(fetcher.peer_left(link, M, 0.0))
    assert fetcher.peer_left(other, M, 0.0) == [Failed(M, (cid(1),))]
    assert not fetcher.knows(other)


# -- peers that lie ---------------------------------------------------------------------------------------------------


def test_wrong_bytes_ban_the_link_and_come_from_another() -> None:
    fetcher = joined(1, 2)
    ((link, request),) = asks(fetcher.want(M, small(1, 2), 0.0))
    (stage,) = fetcher.response(link, answer(request, b"good", b"evil"), 0.0)
    assert isinstance(stage, Stage)
    done, banned, *rest = fetcher.staged(stage, {cid(2)}, 0.0)
    assert done == Done(M, (cid(1),))
    assert isinstance(banned, Misbehaved)
    assert banned.link == link
    ((other, again),) = asks(rest)
    assert (other, again.contents) == (3 - link, (cid(2),))
    assert all(to != link for to, _ in asks(fetcher.want(M, small(3, 4, 5), 0.0)))


@pytest.mark.parametrize(
    ("first", "items"),
    [(1, (b"aaaa",)), (0, (b"aaaa", b"bbbb", b"cccc")), (-1, (b"aaaa",))],
    ids=["gap", "more", "minus"],
)
def test_an_answer_that_does_not_fit_bans_the_link(first: int, items: tuple[bytes, ...]) -> None:
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, small(1, 2), 0.0))
    banned, failed = fetcher.response(1, answer(request, *items, first=first), 0.0)
    assert isinstance(banned, Misbehaved)
    assert failed == Failed(M, (cid(1), cid(2)))


def test_an_answer_for_another_mandate_bans_the_link() -> None:
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, small(1), 0.0))
    banned, _ = fetcher.response(1, Response(N.mandate, request.number, 0, (b"aaaa",), True), 0.0)
    assert isinstance(banned, Misbehaved)


def test_what_was_never_asked_is_passed_over() -> None:
    assert joined(1).response(1, Response(M.mandate, 7, 0, (b"x",), True), 0.0) == []


# -- big files --------------------------------------------------------------------------------------------------------


def test_a_big_file_is_fetched_by_its_manifest_then_its_pieces_then_verified() -> None:
    fetcher, outputs = begun(1, pieces=(Piece((0, 2), 30),))
    ((_, request),) = asks(outputs)
    assert (request.what, request.contents, request.chunks) == (What.CHUNK, (cid(1),), (0, 2))
    (write,) = fetcher.response(1, answer(request, b"zero", b"two"), 0.0)
    assert write == Write(M, 1, cid(1), (0, 2), (b"zero", b"two"))
    (finish,) = fetcher.written(write, (), 0.0)
    assert finish == Finish(M, cid(1))
    assert fetcher.finished(finish, True, 0.0) == [Done(M, (cid(1),))]


def test_what_is_here_of_a_big_file_is_known() -> None:
    pieces = (Piece((0, 1), 6, frozenset()), Piece((3,), 4, frozenset()))
    fetcher, outputs = begun(1, pieces=pieces)
    assert fetcher.arrived(M.mandate) == BIG - 10
    assert fetcher.arrived(N.mandate) == 0
    requests = {request.chunks: request for _, request in asks(outputs)}
    (write,) = fetcher.response(1, answer(requests[0, 1], b"aaa", b"bbb"), 0.0)
    assert isinstance(write, Write)
    fetcher.written(write, (), 0.0)
    assert fetcher.arrived(M.mandate) == BIG - 4


def test_a_manifest_comes_in_parts_and_is_bounded() -> None:
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, [wanted(1, BIG)], 0.0))
    assert fetcher.response(1, answer(request, b"first", last=False), 0.0) == []
    (begin,) = fetcher.response(1, answer(request, b"second", first=1), 0.0)
    assert begin == Begin(M, 1, cid(1), b"firstsecond")
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, [wanted(1, BIG)], 0.0))
    longest = bytes(manifest_bytes_max(BIG))
    assert fetcher.response(1, answer(request, longest, last=False), 0.0) == []
    assert fetcher.response(1, answer(request, b"x", first=1, last=False), 0.0) == [Failed(M, (cid(1),))]


def test_a_file_that_lies_here_wholly_needs_no_piece() -> None:
    _, outputs = begun(1, pieces=())
    assert outputs == [Finish(M, cid(1))]


def test_several_peers_give_different_pieces() -> None:
    pieces = tuple(Piece((n,), RESPONSE_DATA_BYTES_MAX) for n in range(6))
    _, outputs = begun(1, 2, 3, pieces=pieces)
    requests = pieces_asked(outputs)
    assert Counter(link for link, _ in requests) == {1: 2, 2: 2, 3: 2}
    assert sorted(index for _, request in requests for index in request.chunks) == list(range(6))


def test_chunks_that_one_peer_lacks_come_from_another() -> None:
    fetcher, outputs = begun(1, 2, pieces=(Piece((0, 1, 2), 30),))
    ((link, request),) = pieces_asked(outputs)
    write, *rest = fetcher.response(link, answer(request, b"0", None, b"2"), 0.0)
    assert isinstance(write, Write)
    ((other, again),) = asks(rest)
    assert (other, again.chunks) == (3 - link, (1,))
    dropped, failed = fetcher.response(other, answer(again, None), 0.0)
    assert dropped == Drop(M, cid(1))
    assert failed == Failed(M, (cid(1),))


def test_what_is_still_written_after_a_failure_does_not_count_when_the_file_is_wanted_again() -> None:
    fetcher, outputs = begun(1, pieces=(Piece((0,), 10), Piece((1,), 10)))
    (first, second) = (request for _, request in asks(outputs))
    (failing,) = fetcher.response(1, answer(first, b"0" * 10), 0.0)
    (late,) = fetcher.response(1, answer(second, b"1" * 10), 0.0)
    assert isinstance(failing, Write)
    assert isinstance(late, Write)
    fetcher.broken(failing, 0.0)
    ((_, request),) = asks(fetcher.want(M, [wanted(1, BIG)], 0.0))
    (begin,) = fetcher.response(1, answer(request, b"manifest"), 0.0)
    assert isinstance(begin, Begin)
    assert len(asks(fetcher.begun(begin, (Piece((0,), 10),), 0.0))) == 1
    assert fetcher.written(late, (), 0.0) == [], "it is not whole by that"


def test_bad_chunks_from_the_giver_of_the_manifest_ban_it() -> None:
    fetcher, outputs = begun(1, pieces=(Piece((0,), 10),))
    ((link, request),) = asks(outputs)
    (write,) = fetcher.response(link, answer(request, b"evil"), 0.0)
    assert isinstance(write, Write)
    banned, *rest = fetcher.written(write, {0}, 0.0)
    assert isinstance(banned, Misbehaved)
    assert rest == [Drop(M, cid(1)), Failed(M, (cid(1),))]


def test_chunks_that_do_not_fit_the_manifest_of_another_blame_nobody_yet() -> None:
    """The manifest may be the lie."""
    pieces = (Piece((0,), 10), Piece((1,), 10))
    fetcher, outputs = begun(1, 2, pieces=pieces)
    honest = next(request for link, request in pieces_asked(outputs) if link == 2)
    (write,) = fetcher.response(2, answer(honest, b"true"), 0.0)
    assert isinstance(write, Write)
    outputs = fetcher.written(write, set(honest.chunks), 0.0)
    assert [(link, request.chunks) for link, request in asks(outputs)] == [(1, honest.chunks)]
    assert not any(isinstance(o, Misbehaved) for o in outputs)


def test_a_manifest_of_something_else_bans_its_giver_and_another_is_asked() -> None:
    fetcher, outputs = begun(1, 2, pieces=())
    (finish,) = outputs
    assert isinstance(finish, Finish)
    banned, again = fetcher.finished(finish, False, 0.0)
    assert isinstance(banned, Misbehaved)
    assert isinstance(again, Send)
    assert again.link == 3 - banned.link


@pytest.mark.parametrize("malformed", [True, False])
def test_a_manifest_that_cannot_be_used_is_asked_of_another(malformed: bool) -> None:
    fetcher = joined(1, 2)
    ((link, request),) = asks(fetcher.want(M, [wanted(1, BIG)], 0.0))
    (begin,) = fetcher.response(link, answer(request, b"?"), 0.0)
    assert isinstance(begin, Begin)
    outputs = fetcher.begun(begin, None, 0.0, malformed)
    assert [to for to, _ in asks(outputs)] == [3 - link]
    assert any(isinstance(o, Misbehaved) for o in outputs) == malformed


def test_only_a_few_big_files_are_under_way() -> None:
    fetcher = joined(*range(1, 9))
    outputs = fetcher.want(M, [wanted(n, BIG) for n in range(20)], 0.0)
    assert len(asks(outputs)) == BIG_AT_ONCE


def test_small_files_go_before_the_pieces_of_a_big_one() -> None:
    fetcher, outputs = begun(1, pieces=tuple(Piece((n,), RESPONSE_DATA_BYTES_MAX) for n in range(20)))
    assert len(asks(outputs)) == WINDOW_BYTES // RESPONSE_DATA_BYTES_MAX
    ((_, request),) = asks(fetcher.want(M, small(7), 0.0))
    assert request.contents == (cid(7),), "though the window for chunks is full"


# -- endings ----------------------------------------------------------------------------------------------------------


def test_a_disk_that_fails_is_nobodys_fault() -> None:
    fetcher = joined(1)
    ((_, request),) = asks(fetcher.want(M, small(1), 0.0))
    (stage,) = fetcher.response(1, answer(request, b"aaaa"), 0.0)
    assert isinstance(stage, Stage)
    assert fetcher.broken(stage, 0.0) == [Failed(M, (cid(1),))]


def test_what_is_left_to_others_is_looked_at_again_soon() -> None:
    fetcher, outputs = begun(1, 2, pieces=tuple(Piece((n,), WINDOW_BYTES) for n in range(4)))
    requests = {(link, request.what): request for link, request in asks(outputs)}
    fetcher.response(1, answer(requests[1, What.HOLDING], HOLDS_ALL), 0.0)
    fetcher.response(2, answer(requests[2, What.HOLDING], holding_of(bytes(1), range(4))), 0.0)
    ((link, again),) = asks(fetcher.response(1, answer(requests[1, What.CHUNK], b"data"), 1.0))
    assert (link, again.what) == (2, What.HOLDING), "and no other chunk"
    assert fetcher.deadline_s() == 1.0 + PATIENCE_TIMES * 1.0
    fetcher.response(2, answer(again, holding_of(bytes(1), range(4))), 1.5)
    assert fetcher.deadline_s() == 1.5 + ASK_AGAIN_S
    assert {link for link, _ in asks(fetcher.tick(2.9))} == {2}
    ((link, request),) = asks(fetcher.tick(3.0))
    assert (link, request.what) == (1, What.CHUNK)
    late_s = fetcher.deadline_s()
    assert late_s is not None
    assert late_s >= SILENCE_MAX_S
