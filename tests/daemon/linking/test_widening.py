"""Lanes come when bulk has a long way to go, and go with it; a session without them goes on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from p2psync.daemon.linking.widening import REST_S, STEADY_LANES, Widening
from p2psync.daemon.linking.width import IDLE_S, LOOK_S, STEPS
from p2psync.daemon.logs import EventLog
from p2psync.daemon.tasks import Tasks
from p2psync.errors import LinkError, RemoteProtocolError
from p2psync.net.link import Link
from p2psync.wire.messages import LANES_MAX, TOKEN_BYTES, Widen
from tests.daemon.wires import wire
from tests.net.stillness import run_still

HERE, THERE = 1, 2
"""The session's numbers on the side that dialled, and on the other."""


class Side:
    """One device's lanes; what it says reaches the other side, what it dials is adopted there."""

    def __init__(self, tasks: Tasks, session: int) -> None:
        self.session = session
        self.other = self
        self.hungry = True
        self.refuses = False
        self.dials = 0
        self.said: list[Widen] = []
        self._numbers = itertools.count(100)
        self.widening = Widening(tasks, self._say, self._add, self._close, lambda link: self.hungry)

    @property
    def lanes(self) -> tuple[int, ...]:
        return self.widening.lanes(self.session)

    async def again(self) -> Link:
        self.dials += 1
        await asyncio.sleep(0.1)
        if self.refuses:
            raise LinkError("nobody there")
        return wire()[0]

    def lose(self, lane: int) -> None:
        for side in (self, self.other):
            side.widening.lane_down(side.session, lane)

    async def bulk(self, seconds: float) -> None:
        """Content arrives here meanwhile, the more the more lanes there are."""
        for _ in range(round(seconds / LOOK_S)):
            self.widening.arrived(self.session, 250_000 * max(1, len(self.lanes)))
            await asyncio.sleep(LOOK_S)

    def _say(self, link: int, message: Widen) -> None:
        assert link == self.session
        self.said.append(message)
        self.other.widening.heard(self.other.session, message)

    def _add(self, main: int, link: Link, token: bytes) -> None:
        lane = next(self._numbers)
        assert self.other.widening.adopt(token, lambda number: True) == self.other.session
        self.other.widening.lane_up(self.other.session, lane)
        self.widening.lane_up(main, lane)

    def _close(self, lane: int, reason: str) -> None:
        self.lose(lane)


@asynccontextmanager
async def session(far: bool = True, can_dial: bool = True) -> AsyncIterator[tuple[Side, Side]]:
    tasks = Tasks(EventLog(None))
    await tasks.open()
    here, there = Side(tasks, HERE), Side(tasks, THERE)
    here.other, there.other = there, here
    here.widening.began(HERE, True, here.again if can_dial else None)
    there.widening.began(THERE, False, None)
    if far:
        here.widening.is_far(HERE, steady=False)
        there.widening.is_far(THERE, steady=False)
    try:
        yield here, there
    finally:
        await tasks.close()


@pytest.mark.parametrize("waiting", ["here", "there"])
def test_whoever_waits_for_bulk_gets_lanes_and_they_end_with_it(waiting: str) -> None:
    async def course() -> None:
        async with session() as (here, there):
            side = here if waiting == "here" else there
            await side.bulk(10)
            assert len(here.lanes) == len(there.lanes) == STEPS[-1]
            await asyncio.sleep(IDLE_S + 1)
            assert here.lanes == there.lanes == ()

    run_still(course())


def test_a_short_path_has_none() -> None:
    async def course() -> None:
        async with session(far=False) as (here, there):
            await there.bulk(10)
            assert here.dials == 0
            assert here.said == there.said == []

    run_still(course())


def test_what_comes_quickly_has_none() -> None:
    async def course() -> None:
        async with session() as (here, there):
            there.hungry = False
            await there.bulk(10)
            assert here.dials == 0

    run_still(course())


@pytest.mark.parametrize("waiting", ["here", "there"])
def test_a_sender_that_keeps_its_speed_has_one_for_bulk(waiting: str) -> None:
    async def course() -> None:
        async with session() as (here, there):
            side = here if waiting == "here" else there
            side.other.widening.is_far(side.other.session, steady=True)
            await side.bulk(10)
            assert len(side.lanes) == STEADY_LANES

    run_still(course())


def test_an_earlier_wish_for_the_other_direction_is_not_taken_for_a_grant() -> None:
    """Both keep their speed: one lane each way, though both would like more."""

    async def course() -> None:
        async with session() as (here, there):
            here.widening.is_far(HERE, steady=True)
            there.widening.is_far(THERE, steady=True)
            await here.bulk(5)
            await there.bulk(5)
            assert len(here.lanes) == STEADY_LANES
            assert here.dials == STEADY_LANES

    run_still(course())


def test_a_path_that_cannot_be_dialled_again_goes_on_without() -> None:
    async def course() -> None:
        async with session(can_dial=False) as (here, there):
            await there.bulk(10)
            await here.bulk(10)
            assert here.lanes == there.lanes == ()

    run_still(course())


def test_a_lane_that_breaks_comes_back_but_not_at_once() -> None:
    async def course() -> None:
        async with session() as (here, there):
            await there.bulk(10)
            here.lose(here.lanes[0])
            await there.bulk(REST_S / 2)
            assert len(here.lanes) == STEPS[-1] - 1
            await there.bulk(REST_S)
            assert len(here.lanes) == STEPS[-1]

    run_still(course())


def test_what_cannot_be_reached_is_not_called_all_the_time() -> None:
    async def course() -> None:
        async with session() as (here, there):
            here.refuses = True
            await there.bulk(10 * REST_S)
            assert here.dials <= 11 * LANES_MAX
            here.refuses = False
            await there.bulk(2 * REST_S)
            assert len(here.lanes) == STEPS[-1]

    run_still(course())


def test_lanes_end_with_their_session() -> None:
    async def course() -> None:
        async with session() as (here, there):
            await there.bulk(10)
            lanes = list(here.lanes)
            closed: list[int] = []
            there.widening._close = lambda lane, reason: closed.append(lane)
            there.widening.ended(THERE)
            assert sorted(closed) == lanes
            there.widening.arrived(THERE, 1)
            there.widening.heard(THERE, Widen(1, 0, b""))
            there.widening.lane_up(THERE, 7)
            there.widening.lane_down(THERE, 7)
            there.widening.is_far(THERE, steady=False)
            there.widening.ended(THERE)
            assert there.lanes == ()

    run_still(course())


def test_a_lane_needs_the_token_the_device_and_a_place() -> None:
    async def course() -> None:
        async with session() as (_here, there):
            assert there.widening.adopt(b"", lambda number: True) is None, "no token was given out yet"
            there.widening.heard(THERE, Widen(4, 0, b""))
            token = there.said[-1].token
            assert len(token) == TOKEN_BYTES
            assert there.widening.adopt(bytes(TOKEN_BYTES), lambda number: True) is None
            assert there.widening.adopt(token, lambda number: False) is None
            assert there.widening.adopt(token, lambda number: True) == THERE
            for lane in range(LANES_MAX):
                there.widening.lane_up(THERE, lane)
            assert there.widening.adopt(token, lambda number: True) is None

    run_still(course())


def test_only_the_side_that_was_dialled_gives_out_tokens() -> None:
    async def course() -> None:
        async with session() as (here, there):
            with pytest.raises(RemoteProtocolError):
                here.widening.heard(HERE, Widen(4, 0, b""))
            with pytest.raises(RemoteProtocolError):
                there.widening.heard(THERE, Widen(4, 0, bytes(TOKEN_BYTES)))

    run_still(course())
