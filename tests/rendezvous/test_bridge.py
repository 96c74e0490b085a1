"""Two hosts bring the sides of a stream together, whatever the order; a lost piece ends it."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import CodecError
from p2psync.rendezvous.bridge import PIECE_BYTES_MAX, WINDOW_BYTES, Bridge, What, pack, unpack
from p2psync.rendezvous.protocol.streams import Join

JOIN = Join(b"t" * 32, b"s" * 16)
A, B, C = b"a" * 8, b"b" * 8, b"c" * 8


class Near:
    """The side at its own host."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.full = False
        self.went_on = 0

    def take(self, piece: bytes) -> None:
        self.got.append(piece)

    def go_on(self) -> None:
        self.went_on += 1


class Channel:
    """Bridges at several hosts, and what is on its way between them."""

    def __init__(self) -> None:
        self.ends: list[tuple[Bridge, Near]] = []
        self.found: list[Bridge] = []
        self.over: list[Bridge] = []
        self._on_its_way: deque[tuple[Bridge | None, bytes]] = deque()
        self.lose = 0

    def bridge(self) -> tuple[Bridge, Near]:
        near: Any = Near()
        holder: list[Bridge] = []

        def say(data: bytes) -> None:
            self._on_its_way.append((holder[0] if holder else None, data))

        bridge = Bridge(len(self.ends), JOIN, near, say, self.over.append)
        holder.append(bridge)
        self._on_its_way = deque((bridge if by is None else by, data) for by, data in self._on_its_way)
        self.ends.append((bridge, near))
        return bridge, near

    def deliver(self) -> None:
        """Until nothing is on its way any more."""
        while self._on_its_way:
            speaker, data = self._on_its_way.popleft()
            if self.lose and unpack(data)[0] is What.PIECE:
                self.lose -= 1
                continue
            for bridge, _ in self.ends:
                if bridge is not speaker and bridge not in self.over and bridge.heard(data):
                    self.found.append(bridge)


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.mark.asyncio
async def test_the_first_is_there_long_before_the_second(channel: Channel) -> None:
    one, _ = channel.bridge()
    channel.deliver()
    assert channel.found == []
    other, _ = channel.bridge()
    channel.deliver()
    assert channel.found == [one, other]


@pytest.mark.asyncio
async def test_both_come_at_once(channel: Channel) -> None:
    one, near = channel.bridge()
    other, far = channel.bridge()
    channel.deliver()
    assert set(channel.found) == {one, other}
    one.take(b"x" * (PIECE_BYTES_MAX + 5))
    other.take(b"back")
    channel.deliver()
    assert b"".join(far.got) == b"x" * (PIECE_BYTES_MAX + 5)
    assert near.got == [b"back"]


@pytest.mark.asyncio
async def test_a_third_gets_nothing_of_it(channel: Channel) -> None:
    one, near = channel.bridge()
    other, far = channel.bridge()
    channel.deliver()
    third, odd = channel.bridge()
    channel.deliver()
    assert channel.found == [one, other] or channel.found == [other, one]
    one.take(b"x")
    other.take(b"y")
    channel.deliver()
    assert (near.got, far.got, odd.got) == ([b"y"], [b"x"], [])
    third.end()
    assert channel.over == [third]


@pytest.mark.asyncio
async def test_three_at_once_become_a_pair_and_a_lonely_one(channel: Channel) -> None:
    for _ in range(3):
        channel.bridge()
    channel.deliver()
    together = [bridge for bridge, _ in channel.ends if bridge not in channel.over]
    for bridge in together:
        bridge.take(b"x")
    channel.deliver()
    got = [bool(near.got) for bridge, near in channel.ends if bridge in together]
    assert sum(got) <= 2
    assert all(len(near.got) <= 1 for _, near in channel.ends)


@pytest.mark.asyncio
async def test_the_end_is_told(channel: Channel) -> None:
    one, _ = channel.bridge()
    other, far = channel.bridge()
    channel.deliver()
    one.take(b"last")
    one.end()
    one.end()
    channel.deliver()
    assert far.got == [b"last"]
    assert channel.over == [one, other]


@pytest.mark.asyncio
async def test_a_lost_piece_ends_it(channel: Channel) -> None:
    one, _ = channel.bridge()
    other, far = channel.bridge()
    channel.deliver()
    channel.lose = 1
    one.take(b"lost")
    one.take(b"never handed out")
    channel.deliver()
    assert far.got == []
    assert set(channel.over) == {one, other}


@pytest.mark.asyncio
async def test_a_window_bounds_what_is_on_its_way(channel: Channel) -> None:
    one, near = channel.bridge()
    _, far = channel.bridge()
    channel.deliver()
    far.full = True
    one.take(bytes(WINDOW_BYTES - 1))
    assert not one.full
    one.take(b"x")
    assert one.full
    channel.deliver()
    assert near.went_on == 0
    far.full = False
    channel.ends[1][0].go_on()
    channel.deliver()
    assert not one.full
    assert near.went_on == 1


@pytest.mark.asyncio
async def test_noise_changes_nothing(channel: Channel) -> None:
    one, near = channel.bridge()
    assert not one.heard(b"")
    assert not one.heard(b"\xc1")
    channel.bridge()
    channel.deliver()
    for said in [(What.PIECE, C, None, 1, b"x"), (What.END, C, A, 0, b""), (What.TAKEN, C, A, 1 << 40, b"")]:
        assert not one.heard(pack(said))
    assert near.got == []
    assert channel.over == []


@given(st.sampled_from(What), st.none() | st.just(B), st.integers(0, 1 << 40), st.binary(max_size=100))
def test_what_is_said_arrives(what: What, to: bytes | None, number: int, piece: bytes) -> None:
    assert unpack(pack((what, A, to, number, piece))) == (what, A, to, number, piece)


@given(st.binary(max_size=100))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        unpack(data)
