"""How much of the Internet line p2psync takes: a limit each way, for all links together that leave this network.

All that goes over such a link is counted. Only contents are held back, small ones less than big ones; what the devices
say to each other is never: a signed change, or the sign that this PC is there, waits for no file.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final, Protocol

from p2psync.core.rate import Bucket
from p2psync.core.ways import NEAR
from p2psync.daemon.limits import Limits
from p2psync.net.addresses import is_loopback, is_neighbour
from p2psync.net.link import Link
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX

PART_BYTES_MIN: Final = 64 * 1024
PARTS_PER_S: Final = 4
"""Big files go in parts of a fraction of a second."""
PATIENCE_S: Final = 10.0
"""After so long a part of a big file takes its turn among small files: who asked for it would give it up."""
LOOK_S: Final = 0.01
"""It is not looked more often whether something may be asked for."""


def leaves_network(link: Link) -> bool:
    """Whether the other side is not in a network that this PC is in; a tunnel to another office leaves it too."""
    host = link.address.rpartition(":")[0].strip("[]")
    return link.way not in NEAR or not (is_loopback(host) or is_neighbour(host))


class Clock(Protocol):
    """One that never goes back; a virtual one in tests."""

    def now_s(self) -> float: ...

    async def rest(self, seconds: float, woken: asyncio.Event) -> None:
        """So long, or until the event is set."""


class SteadyClock:
    """This PC's."""

    def now_s(self) -> float:
        return time.monotonic()

    async def rest(self, seconds: float, woken: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()


class Bandwidth:
    """Of one device. For the event loop; links are known by their numbers."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.limits = Limits()
        """Those that hold; read from any thread."""
        self.leaves = leaves_network
        self._clock = clock if clock is not None else SteadyClock()
        self._far: set[int] = set()
        self._up: Bucket | None = None
        self._down: Bucket | None = None
        self._set_anew = asyncio.Event()
        self._turns = {True: asyncio.Lock(), False: asyncio.Lock()}
        """Of small things and of big ones: who came first goes first."""
        self._due_s: float | None = None
        """When to look again whether that may be asked for which might not be."""
        self._due = asyncio.Event()

    def put(self, limits: Limits) -> None:
        """From now on."""
        now_s = self._clock.now_s()
        self.limits = limits
        self._up = Bucket(limits.up, now_s) if limits.up is not None else None
        self._down = Bucket(limits.down, now_s) if limits.down is not None else None
        self._set_anew.set()
        self._set_anew = asyncio.Event()
        self._look_at(now_s)

    def opened(self, number: int, link: Link) -> None:
        """A link is there, or a lane of one."""
        if self.leaves(link):
            self._far.add(number)

    def closed(self, number: int) -> None:
        self._far.discard(number)

    # -- what leaves -----------------------------------------------------------------------------------

    def left(self, number: int, size: int) -> None:
        """So many bytes go out; negative if there are less than was said before."""
        if self._up is not None and number in self._far:
            self._up.spend(size, self._clock.now_s())

    def limits_answers(self, number: int) -> bool:
        """Whether answers on this link may have to wait."""
        return self._up is not None and number in self._far

    def part_bytes(self, number: int) -> int:
        """As much of a big file as goes at once."""
        return _part(self.limits.up) if number in self._far else RESPONSE_DATA_BYTES_MAX

    def may_push(self, number: int) -> bool:
        """Whether contents may go now, or should wait until they are asked for."""
        return self._up is None or number not in self._far or self._up.wait_s(True, 0, self._clock.now_s()) <= 0

    async def leave(self, number: int, size: int, small: bool) -> None:
        """Contents go out: waits until they may, and counts them."""
        if not self.limits_answers(number):
            return
        give_up_s = self._clock.now_s() + PATIENCE_S
        if small or not await self._leave(size, False, give_up_s):
            await self._leave(size, True, None)

    async def _leave(self, size: int, small: bool, give_up_s: float | None) -> bool:
        """False if it is still not its turn then."""
        async with self._turns[small]:
            while self._up is not None:
                now_s = self._clock.now_s()
                wait_s = self._up.wait_s(small, 0, now_s)
                if wait_s <= 0:
                    self._up.spend(size, now_s)
                    return True
                if give_up_s is not None and now_s >= give_up_s:
                    return False
                rest_s = wait_s if give_up_s is None else min(wait_s, give_up_s - now_s)
                await self._clock.rest(rest_s, self._set_anew)
        return True

    # -- what comes ------------------------------------------------------------------------------------

    def arrived(self, number: int, size: int) -> None:
        """So many bytes came."""
        if self._down is not None and number in self._far:
            self._down.spend(size, self._clock.now_s())

    def limits_asking(self, number: int) -> bool:
        """Whether it counts what is asked for on this link."""
        return self._down is not None and number in self._far

    @property
    def request_bytes_max(self) -> int:
        """What one Request asks for at most where that counts."""
        return _part(self.limits.down)

    def may_ask(self, small: bool, owed: int) -> bool:
        """Whether something may be asked for where that counts, when so many bytes are on their way; `again` returns
        when it is time to look again if not.
        """
        if self._down is None:
            return True
        now_s = self._clock.now_s()
        wait_s = self._down.wait_s(small, owed, now_s)
        if wait_s > 0:
            self._look_at(now_s + max(wait_s, LOOK_S))
        return wait_s <= 0

    async def again(self) -> None:
        """Until something that might not be asked for perhaps may."""
        while True:
            self._due.clear()
            if self._due_s is None:
                await self._due.wait()
                continue
            wait_s = self._due_s - self._clock.now_s()
            if wait_s <= 0:
                self._due_s = None
                return
            await self._clock.rest(wait_s, self._due)

    def _look_at(self, due_s: float) -> None:
        if self._due_s is None or due_s < self._due_s:
            self._due_s = due_s
            self._due.set()


def _part(rate: int | None) -> int:
    if rate is None:
        return RESPONSE_DATA_BYTES_MAX
    return min(RESPONSE_DATA_BYTES_MAX, max(PART_BYTES_MIN, rate // PARTS_PER_S))
