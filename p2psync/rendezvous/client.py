"""A daemon's side of one meeting host: connects, stays connected, and tells who is there and what they say."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Final

import aiohttp

from p2psync.core.block import Sign, Verify, verify_ed25519
from p2psync.core.ids import DeviceId
from p2psync.core.value import value
from p2psync.errors import CodecError, LinkError
from p2psync.i18n import _
from p2psync.proxies import NO_PROXIES, Proxies, Proxy
from p2psync.rendezvous import words
from p2psync.rendezvous.protocol.acquaintances import Peer
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.envelope import BODY_BYTES_MAX, Kind
from p2psync.rendezvous.protocol.lobby import Counts, Found, Heard, Lobby, Lost, Outcome, Room, Say
from p2psync.rendezvous.protocol.messages import Message, Reason, Refused, Welcome, encode
from p2psync.rendezvous.protocol.streams import STREAM_BYTES, Join, parse_invitation
from p2psync.rendezvous.protocol.topics import CLOCKS_DIFFER_MAX_S
from p2psync.rendezvous.stream import open_stream
from p2psync.rendezvous.visit import CONNECT_S, call, receive, seen_from, welcome
from p2psync.system.tasks import until_one_ends

TICK_S: Final = 5.0
RETRY_MIN_S, RETRY_MAX_S = 1.0, 120.0
LASTED_S: Final = 30.0
"""A connection that lasted so long was good: the next try does not wait longer than the first."""
LASTING: Final = frozenset({Reason.TOO_MANY_TOPICS, Reason.TOPIC_FULL, Reason.HOST_FULL})
"""Refusals that people should know of."""
OUTBOX_MAX: Final = 4096
"""Messages for the host that wait to be sent."""


@value
class Status:
    """How it stands with a host."""

    connected: bool = False
    problem: str | None = None
    """Why not, or what is wrong, for people; None if all is well."""
    seen_as: tuple[str, int] | None = None
    """This device's IP address and TCP port as the host sees them; None until it said so."""
    relay: bool = False
    """Whether the host relays."""
    clock_off_s: float = 0.0
    """How far this PC's clock is ahead of the host's."""
    proxy: str | None = None
    """By which the host is reached."""


def welcomed(address: HostAddress, said: Welcome, wall_s: float, proxy: Proxy | None = None) -> Status:
    """How it stands with a host that let this device in; `wall_s`: by this PC's clock, seconds since 1970."""
    off_s = wall_s - said.time_ms / 1000
    problem = words.wrong_clock(address, off_s) if abs(off_s) >= CLOCKS_DIFFER_MAX_S else None
    return Status(True, problem, (said.host, said.port), said.relay, off_s, str(proxy) if proxy else None)


async def probe(
    address: HostAddress, wall_clock: Callable[[], float] = time.time, proxies: Proxies = NO_PROXIES
) -> Status:
    """How it stands with a host that is called once, to see whether it answers."""
    try:
        async with contextlib.AsyncExitStack() as stack:
            proxy = await proxies.leading_to(address.host)
            connection = await call(address, stack, proxy=proxy)
            async with asyncio.timeout(CONNECT_S):
                said = await welcome(address, connection)
    except TimeoutError:
        return Status(problem=str(words.silent(address)))
    except LinkError as error:
        return Status(problem=str(error))
    return welcomed(address, said, wall_clock(), proxy)


@value
class Handlers:
    """What a daemon wants to hear. They are called in the event loop, and must not wait."""

    found: Callable[[Peer], None]
    """A member is at the host, now."""
    lost: Callable[[Peer], None]
    """It is not there any more, or this device is not."""
    heard: Callable[[Peer, Kind, bytes], None]
    """What it wrote."""
    changed: Callable[[Status], None] = lambda _status: None
    """`Client.status` changed."""


class Client:
    """One meeting host; `run` does the work. A daemon with several hosts has one of these for each."""

    def __init__(
        self,
        address: HostAddress,
        device: DeviceId,
        sign: Sign,
        handlers: Handlers,
        random: Random,
        verify: Verify = verify_ed25519,
        wall_clock: Callable[[], float] = time.time,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        """`random` has to be one that nobody can foresee; `wall_clock`: seconds since 1970."""
        self.address: Final = address
        self.status = Status()
        self.next_visit_s: float | None = None
        """When it is called again, by the loop's clock; None unless this waits for that."""
        self._lobby = Lobby(device, sign, verify, random)
        self._handlers = handlers
        self._random = random
        self._wall_clock = wall_clock
        self._proxies = proxies
        self._rooms: Mapping[bytes, Room] = {}
        self._outbox: asyncio.Queue[Message] = asyncio.Queue(OUTBOX_MAX)
        self._failures = 0
        self._wanted = asyncio.Event()
        """There is somebody to meet."""
        self._anew = asyncio.Event()
        """The network has changed since the connection began, or since it failed."""

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Members that are at the host now."""
        return self._lobby.peers

    @property
    def counts(self) -> Counts:
        """What became of the letters that the host delivered: lies are counted here."""
        return self._lobby.counts

    def set_rooms(self, rooms: Mapping[bytes, Room]) -> None:
        """Meet these: by id of a mandate or a ticket. With none, there is no connection."""
        self._rooms = dict(rooms)
        if rooms:
            self._wanted.set()
        else:
            self._wanted.clear()
        self._perform(self._lobby.set_rooms(self._rooms, self._wall_clock(), self._now()))

    def network_changed(self) -> None:
        """What failed before may work now, and what is connected may be dead without a word: begin anew."""
        self._failures = 0
        self._anew.set()

    def write(self, peer: Peer, kind: Kind, body: bytes = b"") -> None:
        """A letter to a member that is there. Raises LinkClosed if it is not, LinkError if the body is too long."""
        if len(body) > BODY_BYTES_MAX:
            raise LinkError(_("This is too long for the meeting host."))
        self._perform(self._lobby.write(peer, kind, body))

    def stream_with(self, peer: Peer) -> Join:
        """A new stream through the relay, to tell the peer of in a letter. Raises LinkClosed if it is gone."""
        return Join(self._lobby.topic_of(peer), self._random.randbytes(STREAM_BYTES))

    def invited_to(self, peer: Peer, body: bytes) -> Join:
        """What a letter of the kind RELAY asks to. Raises CodecError if it is none, or not for the peer's room."""
        join = parse_invitation(body)
        if not self._lobby.shares(peer, join.topic):
            raise CodecError("an invitation to a stream in another room")
        return join

    async def open_stream(self, join: Join, protocol: Callable[[], asyncio.BaseProtocol]) -> asyncio.Transport:
        """See `stream.open_stream`; raises LinkError."""
        return await open_stream(self.address, join, protocol, proxy=await self._proxy())

    async def seen_from(self, local_port: int) -> tuple[str, int]:
        """See `visit.seen_from`; raises LinkError."""
        if await self._proxy() is not None:
            raise LinkError(_("This PC goes out through a proxy, to which no other device can connect."))
        return await seen_from(self.address, local_port)

    async def run(self) -> None:
        """Until cancelled: be at the host whenever there is somebody to meet."""
        try:
            while True:
                await self._wanted.wait()
                await self._visit()
        finally:
            self._set_status(Status())

    async def _visit(self) -> None:
        """One connection, and the rest after it."""
        self._anew.clear()
        began = self._now()
        try:
            await self._stay()
        except LinkError as error:
            self._set_status(Status(problem=str(error)))
        finally:
            self._empty_outbox()
            self._perform(self._lobby.disconnected())
        if self._now() - began >= LASTED_S:
            self._failures = 0
        if not self._rooms:
            self._set_status(Status())
            return
        self.next_visit_s = self._now() + self._rest_s()
        try:
            async with asyncio.timeout_at(self.next_visit_s):
                await self._anew.wait()
        except TimeoutError:
            pass
        finally:
            self.next_visit_s = None

    def _rest_s(self) -> float:
        """Longer with each failure, and never in step with others: a host that comes back meets no stampede."""
        longest = min(RETRY_MAX_S, RETRY_MIN_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._random.uniform(longest / 2, longest)

    # -- one connection --------------------------------------------------------------------------------

    async def _stay(self) -> None:
        """From the first byte to the last. Raises LinkError unless it ends because of a change on this side."""
        async with contextlib.AsyncExitStack() as stack:
            proxy = await self._proxy()
            socket = await call(self.address, stack, proxy=proxy)
            self._set_status(welcomed(self.address, await welcome(self.address, socket), self._wall_clock(), proxy))
            await self._converse(socket)

    async def _proxy(self) -> Proxy | None:
        """By which the host is to be reached now. Raises LinkError."""
        return await self._proxies.leading_to(self.address.host)

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._perform(self._lobby.connected(self._wall_clock(), self._now()))
        await until_one_ends(LinkError, self._listen(socket), self._speak(socket), self._tick())

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await receive(self.address, socket)
            if isinstance(message, Refused):
                self._refused(message)
            self._perform(self._lobby.received(message, self._now()))

    def _refused(self, refused: Refused) -> None:
        """Raises LinkError if the host ends the visit."""
        error = words.refusal(self.address, refused.reason)
        if refused.topic is None:
            raise error
        if refused.reason in LASTING:
            self._set_status(replace(self.status, problem=str(error)))

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await self._outbox.get()
            try:
                await socket.send_bytes(encode(message))
            except (OSError, aiohttp.ClientError) as error:
                raise words.refusal(self.address, Reason.ENDING) from error

    async def _tick(self) -> None:
        """Returns when there is nobody to meet any more, or the network has changed."""
        while self._rooms and not self._anew.is_set():
            self._perform(self._lobby.tick(self._wall_clock(), self._now()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._anew.wait()

    def _perform(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Say(message):
                    if not self._outbox.full():
                        self._outbox.put_nowait(message)
                case Found(peer):
                    self._handlers.found(peer)
                case Lost(peer):
                    self._handlers.lost(peer)
                case Heard(peer, kind, body):
                    self._handlers.heard(peer, kind, body)

    def _empty_outbox(self) -> None:
        while not self._outbox.empty():
            self._outbox.get_nowait()

    def _set_status(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self._handlers.changed(status)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
