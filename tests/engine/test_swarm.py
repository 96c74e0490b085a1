"""Several devices fetch one big file at the same time: its holder sends each piece about once, they pass it on."""

from __future__ import annotations

from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import Send, Wanted
from p2psync.engine.fetch import Fetcher
from p2psync.engine.orders import Begin, Compartment, Done, Failed, Finish, Output, Piece, Write
from p2psync.engine.queues import Queue
from p2psync.engine.swarm import ASK_AGAIN_S, ASK_NEWCOMER_S, PATIENCE_MAX_S, Holdings, holding_of
from p2psync.wire.messages import HOLDS_ALL, Request, Response, What

M = Compartment(MandateId(b"m" * 16), ORDINARY)
FILE = ContentId(b"f" * 32)
CHUNK_BYTES = 256 * 1024
PER_PIECE = 2
HOLDER = 0
STEP_S = 0.04
"""What the narrow line takes for a piece."""


class Receiver:
    """A device that fetches: its machine, its disk, and what waits to be answered by it."""

    def __init__(self, number: int, count: int, random: Random) -> None:
        self.number = number
        self.have: set[int] = set()
        self.count = count
        self.fetcher = Fetcher(random)
        self.begun = False
        self.ended: Output | None = None
        self.asked: list[tuple[int, Request]] = []

    def take(self, outputs: list[Output], now: float) -> None:
        for output in outputs:
            match output:
                case Send(link, Request() as request):
                    self.asked.append((link, request))
                case Begin():
                    self.begun = True
                    self.take(self.fetcher.begun(output, self._pieces(), now), now)
                case Write():
                    self.have.update(output.chunks)
                    self.take(self.fetcher.written(output, (), now), now)
                case Finish():
                    self.take(self.fetcher.finished(output, len(self.have) == self.count, now), now)
                case Done() | Failed():
                    self.ended = output

    def _pieces(self) -> list[Piece]:
        runs = (range(at, min(at + PER_PIECE, self.count)) for at in range(0, self.count, PER_PIECE))
        return [Piece(tuple(run), len(run) * CHUNK_BYTES) for run in runs]

    def held(self) -> bytes | None:
        if not self.begun:
            return None
        if len(self.have) == self.count:
            return HOLDS_ALL
        held = bytes(sum((at + bit in self.have) << bit for bit in range(8)) for at in range(0, self.count, 8))
        return holding_of(held, self.fetcher.asked_chunks(M, FILE))

    def answer(self, request: Request) -> tuple[bytes | None, ...]:
        if request.what is What.HOLDING:
            return (self.held(),)
        if request.what is What.MANIFEST:
            return (b"manifest" if self.begun else None,)
        return tuple(bytes(CHUNK_BYTES) if index in self.have else None for index in request.chunks)


class Office:
    """One device that has the file behind a narrow line, and others with a wide line between them."""

    def __init__(self, receivers: int, chunks: int, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.sent = 0
        self.receivers = [Receiver(n, chunks, Random(f"{seed} {n}")) for n in range(1, receivers + 1)]
        for one in self.receivers:
            others = [other.number for other in self.receivers if other is not one]
            for link in (HOLDER, *others):
                one.take(one.fetcher.peer_joined(link, M, 0.0), 0.0)
            one.take(one.fetcher.want(M, [Wanted(FILE, chunks * CHUNK_BYTES, RelPath("f"))], 0.0), 0.0)

    def run(self, pieces_per_step: int) -> None:
        """Returns when all have it, or raises AssertionError after too long."""
        for _ in range(10_000):
            if all(one.ended for one in self.receivers):
                return
            self.now += STEP_S
            self._step(pieces_per_step)
        raise AssertionError("it does not end")

    def _step(self, pieces: int) -> None:
        waiting = [(one, link, request) for one in self.receivers for link, request in one.asked]
        for one in self.receivers:
            one.asked.clear()
        self.random.shuffle(waiting)
        late = []
        for one, link, request in waiting:
            if link != HOLDER:
                self._answer(one, link, request, self._receiver(link).answer(request))
            elif request.what is What.CHUNK and pieces == 0:
                late.append((one, link, request))
            else:
                pieces -= request.what is What.CHUNK
                self._answer(one, link, request, self._of_the_holder(request))
        for one, link, request in late:
            one.asked.insert(0, (link, request))
        for one in self.receivers:
            one.take(one.fetcher.tick(self.now), self.now)

    def _of_the_holder(self, request: Request) -> tuple[bytes | None, ...]:
        self.sent += len(request.chunks)
        if request.what is What.HOLDING:
            return (HOLDS_ALL,)
        return (b"manifest",) if request.what is What.MANIFEST else (bytes(CHUNK_BYTES),) * len(request.chunks)

    def _answer(self, one: Receiver, link: int, request: Request, items: tuple[bytes | None, ...]) -> None:
        response = Response(request.mandate, request.number, 0, items, last=True)
        one.take(one.fetcher.response(link, response, self.now), self.now)

    def _receiver(self, number: int) -> Receiver:
        return next(one for one in self.receivers if one.number == number)


@pytest.mark.parametrize(("receivers", "times"), [(2, 1.06), (3, 1.1), (5, 1.15)])
@pytest.mark.parametrize("seed", range(3))
def test_the_holder_sends_each_piece_about_once(receivers: int, times: float, seed: int) -> None:
    office = Office(receivers, 600, seed)
    office.run(pieces_per_step=1)
    assert all(isinstance(one.ended, Done) for one in office.receivers)
    assert office.sent <= times * 600


def test_one_receiver_alone_is_asked_for_nothing_but_pieces_in_their_order() -> None:
    office = Office(1, 40, 0)
    asked: list[Request] = []
    for _ in range(100):
        asked += [request for _, request in office.receivers[0].asked]
        office._step(1)
    assert isinstance(office.receivers[0].ended, Done)
    assert What.HOLDING not in {request.what for request in asked}
    chunks = [index for request in dict.fromkeys(asked) for index in request.chunks]
    assert chunks == list(range(40))


def test_who_has_nothing_yet_is_not_asked_for_pieces_while_another_has_all() -> None:
    holdings, todo = Holdings(), _todo(3)
    holdings.learn(2, None, 0.0)
    assert holdings.choose(todo, 2, {1, 2}, Random(0), 0.0, 0.0) is None
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 0.0, 0.0) is not None


def test_who_has_a_part_is_asked_for_that() -> None:
    holdings, todo = Holdings(), _todo(3)
    holdings.learn(2, holding_of(bytes([0b010]), ()), 0.0)
    chosen = holdings.choose(todo, 2, {1, 2}, Random(0), 0.0, 0.0)
    assert chosen is not None
    assert chosen.chunks == (1,)
    assert holdings.choose(todo, 2, {1, 2}, Random(0), 0.0, 0.0) is None
    assert [piece.chunks for piece in todo.waiting_for(2)] == [(0,), (2,)]


def test_what_nobody_with_the_whole_file_could_give_is_asked_of_anybody() -> None:
    holdings, todo = Holdings(), Queue[Piece]()
    todo.push(Piece((5,), 1, frozenset({1})))
    holdings.learn(2, holding_of(bytes([1]), ()), 0.0)
    chosen = holdings.choose(todo, 2, {1, 2}, Random(0), 0.0, 0.0)
    assert chosen is not None


def test_without_anybody_who_has_all_everybody_is_asked() -> None:
    holdings, todo = Holdings(), _todo(2)
    holdings.learn(2, None, 0.0)
    assert holdings.choose(todo, 2, {2}, Random(0), 0.0, 0.0) is not None


def test_who_has_all_is_asked_for_what_another_has_when_nothing_else_is_left() -> None:
    holdings, todo = Holdings(), _todo(2)
    holdings.learn(2, holding_of(bytes([0b01]), ()), 0.0)
    first, second = (holdings.choose(todo, 1, {1, 2}, Random(0), 0.0, 0.0) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.chunks, second.chunks) == ((1,), (0,))


def test_who_has_all_is_not_asked_for_what_is_on_its_way_to_another() -> None:
    holdings, todo = Holdings(), _todo(3)
    holdings.learn(2, holding_of(bytes([0b001]), [1]), 0.0)
    chosen = holdings.choose(todo, 1, {1, 2}, Random(0), 0.0, 1.0)
    assert chosen is not None
    assert chosen.chunks == (2,)
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 0.0, 1.0) is None


def test_the_others_have_as_much_time_as_two_answers_take() -> None:
    holdings, todo = Holdings(), _todo(2)
    holdings.learn(2, holding_of(bytes([0]), [0, 1]), 10.0)
    assert holdings.wake_s(10.0) is None
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 10.0, 1.0) is None
    assert holdings.wake_s(10.0) == 10.0 + ASK_AGAIN_S, "what they have by now is asked again meanwhile"
    holdings.asked(2)
    assert holdings.wake_s(10.1) == 12.0
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 11.9, 9.0) is None
    assert holdings.wake_s(12.0) is None
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 12.0, 9.0) is not None
    holdings.learn(2, holding_of(bytes([0]), []), 13.0)
    todo.push(Piece((5,), 1))
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 13.0, 9.0) is not None
    holdings.learn(2, holding_of(bytes([0xFF]), []), 14.0)
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 14.0, 1.0) is None, "they have time anew"
    assert holdings.choose(todo, 1, {1, 2}, Random(0), 16.0, 1.0) is not None


def test_who_promises_and_never_gives_is_not_waited_for_again_and_again() -> None:
    holdings, todo = Holdings(), _todo(100)
    now, none_at = 0.0, 0.0
    while todo:
        holdings.learn(2, holding_of(bytes([0] * 13), [*range(100)]), now)
        if holdings.choose(todo, 1, {1, 2}, Random(0), now, 1.0) is None:
            none_at = now
        holdings.learn(2, holding_of(bytes(13), []), now)
        assert not todo or holdings.choose(todo, 1, {1, 2}, Random(0), now, 1.0) is not None, "it lets go of it"
        now += 1.0
    assert none_at < PATIENCE_MAX_S


def test_an_answer_tells_what_is_here_and_what_is_to_come() -> None:
    assert holding_of(bytes([0b1, 0b10]), [1, 9, 15, 16, 1 << 40]) == bytes([0b1, 0b10, 0b11, 0b10000010])


def test_what_a_peer_has_is_asked_again_until_it_has_all() -> None:
    holdings = Holdings()
    assert holdings.is_due(1, 0.0)
    holdings.asked(1)
    assert not holdings.is_due(1, 1e9)
    holdings.learn(1, None, 10.0)
    assert not holdings.is_due(1, 10.0 + ASK_AGAIN_S)
    assert holdings.is_due(1, 10.0 + ASK_NEWCOMER_S)
    holdings.learn(1, holding_of(bytes([1]), ()), 20.0)
    assert holdings.is_due(1, 20.0 + ASK_AGAIN_S)
    holdings.learn(1, HOLDS_ALL, 30.0)
    assert not holdings.is_due(1, 1e9)
    holdings.forget(1)
    assert holdings.is_due(1, 0.0)


def test_bits_that_end_early_promise_nothing() -> None:
    holdings, todo = Holdings(), Queue[Piece]()
    todo.push(Piece((100,), 1))
    holdings.learn(2, holding_of(bytes([255]), ()), 0.0)
    assert holdings.choose(todo, 2, {1, 2}, Random(0), 0.0, 0.0) is None


def _todo(count: int) -> Queue[Piece]:
    todo = Queue[Piece]()
    for index in range(count):
        todo.push(Piece((index,), 1))
    return todo
