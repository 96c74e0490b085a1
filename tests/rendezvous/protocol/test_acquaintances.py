"""Who was met is known by his handles; his letters' numbers are remembered while that matters; memory is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.rendezvous.protocol import acquaintances
from p2psync.rendezvous.protocol.acquaintances import ROUTES_MAX, SESSIONS_PER_DEVICE_MAX, Acquaintances, Known, Peer

ROOM = b"m" * 16
T1, T2 = b"1" * 32, b"2" * 32


def peer(device: int, session: int = 0) -> Peer:
    return Peer(ROOM, DeviceId(device.to_bytes(32, "big")), session.to_bytes(16, "big"))


def met(known: Acquaintances, who: Peer, topic: bytes = T1, handle: bytes = b"h", now: float = 0.0) -> Known:
    """As the lobby does it for a peer that wrote to us."""
    entry = known.get(who) or known.meet(who, now)[0]
    known.heard(who, topic, handle, now)
    entry.to_us += 1
    entry.lives = True
    return entry


def test_a_peer_is_lost_with_its_last_handle() -> None:
    known = Acquaintances()
    met(known, peer(1), T1, b"a")
    met(known, peer(1), T2, b"b")
    assert known.lose(T1, b"a") == []
    assert known.lose(T1, b"a") == []
    assert known.lose(T2, b"b") == [peer(1)]
    assert known.get(peer(1)) is not None, "its numbers are kept"


def test_a_peer_that_was_never_sure_is_not_told_as_lost() -> None:
    known = Acquaintances()
    known.meet(peer(1), 0.0)
    known.heard(peer(1), T1, b"a", 0.0)
    assert known.lose(T1, b"a") == []


def test_a_handle_belongs_to_one_peer() -> None:
    known = Acquaintances()
    met(known, peer(1))
    known.meet(peer(2), 0.0)
    assert known.heard(peer(2), T1, b"h", 0.0) == [peer(1)]


def test_a_peer_has_one_handle_in_a_topic_and_few_in_all() -> None:
    known = Acquaintances()
    entry = met(known, peer(1), T1, b"old")
    met(known, peer(1), T1, b"new")
    assert entry.routes == {T1: b"new"}
    assert known.lose(T1, b"old") == []
    for n in range(10):
        met(known, peer(1), bytes([n]) * 32, b"x")
    assert len(entry.routes) == ROUTES_MAX
    assert next(reversed(entry.routes)) == bytes([9]) * 32


def test_leaving_a_topic_loses_who_was_there_only() -> None:
    known = Acquaintances()
    met(known, peer(1), T1, b"a")
    met(known, peer(2), T1, b"b")
    met(known, peer(2), T2, b"b")
    assert known.lose_topic(T1) == [peer(1)]


def test_a_new_session_takes_the_place_of_one_that_never_wrote() -> None:
    known = Acquaintances()
    for n in range(SESSIONS_PER_DEVICE_MAX):
        known.meet(peer(1, n), float(n))
    for n in range(1, SESSIONS_PER_DEVICE_MAX):
        met(known, peer(1, n), now=float(n))
    known.meet(peer(1, 99), 99.0)
    assert known.get(peer(1, 0)) is None
    assert not known.is_retired(peer(1, 0)), "it never wrote to us: nothing of it could be repeated"


def test_one_that_wrote_is_remembered_as_retired() -> None:
    known = Acquaintances()
    for n in range(SESSIONS_PER_DEVICE_MAX):
        met(known, peer(1, n), handle=bytes([n]), now=float(n))
    _, lost = known.meet(peer(1, 99), 99.0)
    assert lost == [peer(1, 0)]
    assert known.get(peer(1, 0)) is None
    assert known.is_retired(peer(1, 0))


def test_those_that_left_go_before_those_that_live() -> None:
    known = Acquaintances()
    for n in range(SESSIONS_PER_DEVICE_MAX):
        met(known, peer(1, n), handle=bytes([n]), now=float(n))
    known.lost(peer(1, 2))
    assert known.meet(peer(1, 99), 99.0)[1] == []
    assert known.is_retired(peer(1, 2))


def test_silence() -> None:
    known = Acquaintances()
    met(known, peer(1), T1, b"a", now=1.0)
    met(known, peer(2), T1, b"b", now=5.0)
    assert known.silent_since(2.0) == [peer(1)]
    known.lost(peer(1))
    assert known.silent_since(2.0) == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.booleans(), st.binary(max_size=1)), max_size=80))
def test_memory_is_bounded(steps: list[tuple[int, int, bool, bytes]]) -> None:
    known = Acquaintances()
    before = acquaintances.PEERS_MAX
    acquaintances.PEERS_MAX = 20  # type: ignore[misc]
    try:
        for now, (device, session, writes, handle) in enumerate(steps):
            who = peer(device, session)
            if known.is_retired(who):
                continue
            entry = known.get(who) or known.meet(who, float(now))[0]
            known.heard(who, T1, handle, float(now))
            entry.to_us += writes
            assert len(list(known)) <= 20
            assert all(known.get(one) is not None for one in known)
    finally:
        acquaintances.PEERS_MAX = before  # type: ignore[misc]


def test_after_very_many_it_is_worn_out() -> None:
    known = Acquaintances()
    for n in range(acquaintances.RETIRED_MAX + SESSIONS_PER_DEVICE_MAX + 1):
        assert not known.worn_out
        met(known, peer(1, n), now=float(n))
    assert known.worn_out
