"""Topics get turns by bytes, however many streams they have; nobody is faster than he may be; nobody waits for ever."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from p2psync.rendezvous.protocol.buckets import Rate
from p2psync.rendezvous.protocol.fairness import CREDIT_BYTES, RESTING_MAX, Turns

FAST = Rate(1 << 40, 1 << 40)
A, B = b"A", b"B"


def test_nobody_asks_nobody_gets() -> None:
    turns = Turns(FAST, FAST, 0.0)
    assert turns.next(0.0) is None
    assert turns.ready_at(0.0) is None


def test_sixteen_streams_get_no_more_than_one() -> None:
    turns = Turns(FAST, FAST, 0.0)
    for stream in range(16):
        turns.ask(A, stream, 65536, 0.0)
    turns.ask(B, 99, 65536, 0.0)
    got: Counter[bytes] = Counter()
    for _ in range(200):
        given_to = turns.next(0.0)
        assert given_to is not None
        topic = B if given_to == 99 else A
        got[topic] += 65536
        turns.ask(topic, given_to, 65536, 0.0)
    assert abs(got[A] - got[B]) <= 65536


@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=6), st.data())
def test_by_bytes_not_by_pieces(sizes: list[int], data: st.DataObject) -> None:
    """Each topic always has something to send, in pieces of its own size."""
    turns = Turns(FAST, FAST, 0.0)
    for stream, size in enumerate(sizes):
        turns.ask(bytes([stream]), stream, size, 0.0)
        turns.ask(bytes([stream]), stream, size, 0.0)
    got: Counter[int] = Counter()
    for _ in range(300):
        given_to = turns.next(0.0)
        assert given_to is not None
        got[given_to] += sizes[given_to]
        turns.ask(bytes([given_to]), given_to, sizes[given_to], 0.0)
    assert max(got.values()) - min(got[n] for n in range(len(sizes))) <= max(sizes)


def test_who_was_away_gets_no_more_than_a_small_credit() -> None:
    turns = Turns(FAST, FAST, 0.0)
    turns.ask(B, 99, 1, 0.0)
    assert turns.next(0.0) == 99
    for _ in range(100):
        turns.ask(A, 1, 65536, 0.0)
        assert turns.next(0.0) == 1
    turns.ask(A, 1, 65536, 0.0)
    in_a_row = 0
    turns.ask(B, 99, 65536, 0.0)
    while turns.next(0.0) == 99:
        in_a_row += 1
        turns.ask(B, 99, 65536, 0.0)
    assert in_a_row <= CREDIT_BYTES // 65536 + 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4096), st.floats(0, 0.5)), min_size=1, max_size=60))
def test_no_faster_than_allowed_and_all_get_through(asks: list[tuple[int, int, float]]) -> None:
    per_topic, together = Rate(4096, 1000), Rate(8192, 2500)
    turns = Turns(per_topic, together, 0.0)
    now, sent = 0.0, Counter[int]()
    waiting: dict[int, tuple[int, int]] = {}
    for number, (topic, size, passed) in enumerate(asks):
        now += passed
        turns.ask(bytes([topic]), number, size, now)
        waiting[number] = (topic, size)
    while waiting:
        stream = turns.next(now)
        if stream is None:
            at = turns.ready_at(now)
            assert at is not None
            now = max(at, now + 1e-9)
            continue
        topic, size = waiting.pop(stream)
        assert sent[topic] <= per_topic.burst + per_topic.per_s * now + 1e-3
        assert sent.total() <= together.burst + together.per_s * now + 1e-3
        sent[topic] += size
    assert turns.ready_at(now) is None


def test_a_stream_that_has_gone_gets_no_turn() -> None:
    turns = Turns(FAST, FAST, 0.0)
    turns.ask(A, 1, 10, 0.0)
    turns.ask(A, 2, 10, 0.0)
    turns.forget(A, 1)
    turns.forget(B, 7)
    assert turns.next(0.0) == 2
    turns.ask(B, 3, 10, 0.0)
    turns.forget(B, 3)
    assert turns.next(0.0) is None
    assert turns.ready_at(0.0) is None


def test_a_topic_in_debt_does_not_hold_up_others() -> None:
    turns = Turns(Rate(100, 1), FAST, 0.0)
    turns.ask(A, 1, 1000, 0.0)
    assert turns.next(0.0) == 1
    turns.ask(A, 1, 1000, 0.0)
    turns.ask(B, 2, 10, 0.0)
    assert turns.next(0.0) == 2
    assert turns.next(0.0) is None
    assert turns.ready_at(0.0) == 900.0
    assert turns.next(901.0) == 1


def test_a_debt_is_not_forgotten_by_resting_but_memory_is_bounded() -> None:
    turns = Turns(Rate(100, 1), FAST, 0.0)
    turns.ask(A, 1, 1000, 0.0)
    assert turns.next(0.0) == 1
    turns.ask(A, 1, 10, 1.0)
    assert turns.next(1.0) is None
    turns.forget(A, 1)
    for n in range(RESTING_MAX + 10):
        turns.ask(n.to_bytes(2, "big"), n, 1, 1.0)
        assert turns.next(1.0) == n
    assert len(turns._resting) == RESTING_MAX
