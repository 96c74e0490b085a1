"""Members of many mandates at one meeting host, in one process: the real protocol, and nothing else of a daemon."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from random import Random, SystemRandom
from typing import NamedTuple

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.clock import now_s
from p2psync.core.block import verify_ed25519
from p2psync.core.ids import DeviceId
from p2psync.rendezvous.protocol.address import HostAddress, parse_address
from p2psync.rendezvous.protocol.lobby import Found, Lobby, Outcome, Room, Say
from p2psync.rendezvous.protocol.messages import MEET_PATH, MESSAGE_BYTES_MAX, Refused, decode, encode
from p2psync.rendezvous.trust import context_for
from p2psync.rendezvous.visit import ALIVE_S
from p2psync.system.process import allow_open_files

TICK_S = 5.0
AT_ONCE = 32
"""Members of one process that are about to connect."""
MEMBERS_PER_ADDRESS = 100
"""As far as a host can see, so many are behind one router."""
OPEN_FILES = 20_000
WITHIN_S = 600.0


class Order(NamedTuple):
    """What one process is to do."""

    host: str
    mandates: range
    """Their numbers; what a mandate's members are follows from it."""
    size: int
    """Members of each that are there from the beginning; one more comes later."""
    newcomers: int
    """How many of those come."""


def serve(order: Order, parent: Connection) -> None:
    """Say how long each took to know all others, first of those that come together, then of newcomers; wait between."""
    allow_open_files(OPEN_FILES)
    asyncio.run(_Crowd(order, parent).run())


class _Member:
    """One device at the host."""

    def __init__(self, crowd: _Crowd, mandate: int, number: int) -> None:
        key = _key(mandate, number)
        self._crowd = crowd
        self._others = crowd.order.size - (number < crowd.order.size)
        self._found: set[DeviceId] = set()
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._address = _own_address(mandate * (crowd.order.size + 1) + number)
        self.lobby = Lobby(_device(key), key.sign, verify_ed25519, SystemRandom())
        everybody = frozenset(_device(_key(mandate, n)) for n in range(crowd.order.size + 1))
        room = Room((Random(mandate).randbytes(32),), everybody - {_device(key)})
        self.lobby.set_rooms({mandate.to_bytes(16, "big"): room}, time.time(), now_s())
        self.introduced: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def visit(self, may_connect: asyncio.Semaphore) -> None:
        """Until cancelled; `introduced` becomes the seconds from its call until it knew all others."""
        async with contextlib.AsyncExitStack() as stack:
            async with may_connect:
                began_s = now_s()
                socket = await self._crowd.call(self._address, stack)
                await socket.receive()
            self.perform(self.lobby.connected(time.time(), now_s()), began_s)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._speak(socket))
                async for message in socket:
                    said = decode(message.data)
                    if isinstance(said, Refused):
                        raise ConnectionError(f"refused: {said.reason.name}")
                    self.perform(self.lobby.received(said, now_s()), began_s)
                raise ConnectionError("the host hung up")

    def perform(self, outcomes: list[Outcome], began_s: float = 0.0) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Say):
                self._outbox.put_nowait(encode(outcome.message))
            elif isinstance(outcome, Found):
                self._found.add(outcome.peer.device)
        if len(self._found) >= self._others and not self.introduced.done():
            self.introduced.set_result(now_s() - began_s)

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await socket.send_bytes(await self._outbox.get())


class _Crowd:
    """All members of this process."""

    def __init__(self, order: Order, parent: Connection) -> None:
        self.order = order
        self._parent = parent
        self._host: HostAddress = parse_address(order.host)
        self._context = context_for(self._host)
        self._members: list[_Member] = []

    async def run(self) -> None:
        numbered = ((mandate, n) for mandate in self.order.mandates for n in range(self.order.size))
        late = ((mandate, self.order.size) for mandate in self.order.mandates[: self.order.newcomers])
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._tick())
            visits = [ticking, *await self._come(group, numbered, AT_ONCE)]
            gc.collect()
            gc.freeze()
            await asyncio.to_thread(self._parent.recv)
            visits += await self._come(group, late, 1)
            await asyncio.to_thread(self._parent.recv)
            for visit in visits:
                visit.cancel()

    async def call(self, own_address: str, stack: contextlib.AsyncExitStack) -> aiohttp.ClientWebSocketResponse:
        connector = aiohttp.TCPConnector(limit=1, force_close=True, local_addr=(own_address, 0))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        return await session.ws_connect(
            self._host.url.replace("wss://", "https://") + MEET_PATH,
            ssl=self._context,
            max_msg_size=MESSAGE_BYTES_MAX,
            compress=0,
            heartbeat=ALIVE_S,
        )

    async def _come(
        self, group: asyncio.TaskGroup, who: Iterator[tuple[int, int]], at_once: int
    ) -> list[asyncio.Task[None]]:
        """Returns when all of them know all others. One at a time: each is introduced before the next comes."""
        may_connect, took_s, visits = asyncio.Semaphore(at_once), [], []
        come = []
        for mandate, number in who:
            member = _Member(self, mandate, number)
            self._members.append(member)
            come.append(member)
            visits.append(group.create_task(member.visit(may_connect)))
            if at_once == 1:
                await asyncio.wait_for(member.introduced, WITHIN_S)
        async with asyncio.timeout(WITHIN_S):
            took_s = [await member.introduced for member in come]
        self._parent.send(took_s)
        return visits

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for member in self._members:
                member.perform(member.lobby.tick(time.time(), now_s()))


def _key(mandate: int, number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(Random(mandate << 16 | number).randbytes(32))


def _device(key: Ed25519PrivateKey) -> DeviceId:
    return DeviceId(key.public_key().public_bytes_raw())


def _own_address(number: int) -> str:
    """All of 127/8 is this machine."""
    high, low = divmod(number // MEMBERS_PER_ADDRESS, 250)
    return f"127.{10 + high}.{low}.1"
