"""The open links of this device: frames in become events or content messages, messages out keep their order.

A link has a number, which this process never uses again. What the engine says on it waits in a queue of its own; a
peer that does not read is closed, not buffered without end. One that breaks the rules, or talks without end, is closed
too, and stays outside for a while; the others come in between whatever it says.

A link may have lanes (`widening`): links with numbers of their own that carry nothing but content, and of which the
engine knows nothing.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Container
from dataclasses import field

from p2psync.core.ids import DeviceId
from p2psync.core.value import mutable
from p2psync.daemon.linking.bandwidth import Bandwidth
from p2psync.daemon.linking.manners import Allowance, Outcasts, needless_points, points
from p2psync.daemon.linking.widening import Again, Widening
from p2psync.daemon.linking.width import FAR_MS
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.events import LinkDown, LinkUp, Received
from p2psync.errors import CodecError, LinkClosed, P2PSyncError, RemoteProtocolError
from p2psync.net.addresses import parse_ip
from p2psync.net.link import Link
from p2psync.wire.codec import decode, encode
from p2psync.wire.messages import (
    Ahead,
    Close,
    CloseCode,
    ContentMessage,
    Credit,
    Hello,
    Lane,
    Message,
    Offer,
    Ping,
    Pong,
    Push,
    Request,
    Response,
    Widen,
)

UNSENT_BYTES_MAX = 32 << 20
"""Said by the engine and not taken by the link: beyond, the other side does not read."""
MESSAGE_OVERHEAD_BYTES = 256
PUSHED_BYTES_MAX = 1 << 20
"""With so much unsent nothing is pushed: it would hold up what has to be said."""
PUSHED_NEAR_BYTES_MAX = 4 << 20
"""The same where the other side is near."""
CLOSE_S = 1.0
"""How long a close waits for what was said before it."""
PING_EVERY_S = 20.0
FIRST_PINGS = 3
FIRST_PINGS_S = 0.25
"""How long the path is should be known soon, and not by the one answer that something delayed."""

GIVE_WAY_S = 0.02
"""So long bulk waits on a link when somebody saves: what is queued before it has left by the time the save can go."""
GIVE_WAY_EVERY_S = 0.1
"""However often somebody saves, bulk has four fifths of the time."""

ENCODE_HERE_BYTES_MAX = 32 * 1024
"""Content beyond is encoded in a thread: compressing it would hold up everything else."""

OnContent = Callable[[int, ContentMessage], bool]
"""Takes what asks for, or brings, content; False if nobody waits for it, or what came unasked is not kept. Raises
RemoteProtocolError, which closes the link."""
OnLane = Callable[[int, int, bool], None]
"""Hears that a lane of a link is there, or is gone."""


@mutable
class _Line:
    """One link at work."""

    number: int
    link: Link
    on_heard: Callable[[], None]
    on_lost: Callable[[bool], None]
    closing: asyncio.Future[str]
    allowance: Allowance
    unsent: deque[bytes] = field(default_factory=deque)
    unsent_bytes: int = 0
    more: asyncio.Event = field(default_factory=asyncio.Event)
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    greeted: asyncio.Event = field(default_factory=asyncio.Event)
    """Our Hello was said: nothing else may come before it."""
    blamed: bool = False
    """The other side broke the rules."""
    pings: int = 0
    pinged_s: float = 0.0
    rtt_ms: float | None = None
    shortest_rtt_ms: float | None = None
    main: int | None = None
    """The link that this one is a lane of."""
    again: Again | None = None
    introduced: bool = False
    """The engine knows of it."""


class Links:
    """All methods are for the event loop."""

    def __init__(
        self,
        runtime: Runtime,
        tasks: Tasks,
        on_content: OnContent,
        on_end: Callable[[int], None],
        log: EventLog,
        on_lane: OnLane = lambda main, lane, is_up: None,
        is_hungry: Callable[[int], bool] = lambda link: False,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        """`on_end` hears of each link that is gone. `is_hungry`: more is wanted there than may be asked for at once."""
        self._runtime = runtime
        self._tasks = tasks
        self._on_content = on_content
        self._on_end = on_end
        self._on_lane = on_lane
        self._log = log
        self._bandwidth = bandwidth if bandwidth is not None else Bandwidth()
        self._numbers = itertools.count(1)
        self._lines: dict[int, _Line] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._outcasts = Outcasts()
        self._stopping = False
        self._give_way_at_s = 0.0
        """When bulk may be kept back again."""
        self._widening = Widening(tasks, self.send, self._add_lane, self.close, is_hungry)

    def add(
        self,
        link: Link,
        on_heard: Callable[[], None] = lambda: None,
        on_lost: Callable[[bool], None] = lambda heard: None,
        again: Again | None = None,
    ) -> int:
        """Take over an authenticated link and tell the engine, as soon as that it is no lane; returns its number.

        `on_heard`: the other side said something, so it did not refuse. `on_lost`: the link is gone; True if anything
        was ever heard on it. `again` dials another one the same way, for a lane.
        """
        number = next(self._numbers)
        if self._stopping or self._outcasts.has(link.remote, self._now_s()):
            on_lost(False)
            self._tasks.start(link.close(), f"link {number}")
            return number
        closing = asyncio.get_running_loop().create_future()
        line = _Line(number, link, on_heard, on_lost, closing, Allowance(self._now_s()), again=again)
        if link.initiator:
            self._introduce(line)
        self._start(line)
        return number

    def _start(self, line: _Line) -> None:
        self._lines[line.number] = line
        self._bandwidth.opened(line.number, line.link)
        task = self._tasks.start(self._serve(line), f"link {line.number}")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    def _introduce(self, line: _Line) -> None:
        """The engine shall know of it."""
        link = line.link
        line.introduced = True
        self._runtime.post_now(LinkUp(line.number, link.remote, link.initiator, link.way))
        self._log.event("link.up", link=line.number, device=link.remote, way=link.way, dialled=link.initiator)
        self._widening.began(line.number, link.initiator, line.again)

    def send(self, number: int, message: Message) -> None:
        """Say something, after all that was said before; nothing happens if the link is gone."""
        line = self._lines.get(number)
        if line is None or line.closing.done():
            return
        if isinstance(message, Close) and message.code is CloseCode.PROTOCOL_ERROR:
            self._blame(line)
        try:
            frame = encode(message)
        except P2PSyncError as error:
            self._log.failure("link.unsayable", error, link=number)
            self._end(line, str(error))
            return
        if isinstance(message, Hello):
            line.greeted.set()
        line.unsent.append(frame)
        line.unsent_bytes += len(frame) + MESSAGE_OVERHEAD_BYTES
        line.drained.clear()
        line.more.set()
        if line.unsent_bytes > UNSENT_BYTES_MAX:
            line.unsent.clear()
            self._end(line, "the other device does not read what it is sent")

    async def send_content(self, number: int, message: Message) -> None:
        """Ask for content, or give it behind all other messages and wait while the link is full. Raises LinkClosed."""
        line = self._lines.get(number)
        if line is None or line.closing.done():
            raise LinkClosed("the connection is closed")
        if not isinstance(message, Response | Ahead):
            self.send(number, message)
            return
        size = message.size
        frame = encode(message) if size <= ENCODE_HERE_BYTES_MAX else await asyncio.to_thread(encode, message)
        self._bandwidth.left(number, len(frame) - size)  # the items were counted when they might leave
        await line.link.send(frame, bulk=True)

    def is_near(self, number: int) -> bool:
        """Whether a word takes next to no time to the other side, as far as is known."""
        line = self._lines.get(number)
        return line is not None and line.shortest_rtt_ms is not None and line.shortest_rtt_ms < FAR_MS

    def give_way(self) -> None:
        """Somebody saves: for a moment no bulk goes out where that would make the difference.

        To who is far away a word takes longer than what is queued before it.
        """
        now_s = self._now_s()
        if now_s >= self._give_way_at_s:
            self._give_way_at_s = now_s + GIVE_WAY_EVERY_S
            for line in self._lines.values():
                if self.is_near(line.number):
                    line.link.hold_bulk(GIVE_WAY_S)

    def push(self, number: int, frame: bytes) -> None:
        """Say an encoded hint before bulk; it is left out if the link is busy with what was said before, or gone."""
        line = self._lines.get(number)
        if line is None or line.closing.done():
            return
        unsent_max = PUSHED_NEAR_BYTES_MAX if self.is_near(number) else PUSHED_BYTES_MAX
        if line.unsent_bytes + len(frame) > unsent_max or not self._bandwidth.may_push(number):
            return
        line.unsent.append(frame)
        line.unsent_bytes += len(frame) + MESSAGE_OVERHEAD_BYTES
        line.drained.clear()
        line.more.set()

    def close(self, number: int, reason: str) -> None:
        """Close a link once it has sent what was said."""
        line = self._lines.get(number)
        if line is not None:
            self._end(line, reason)

    def replace(self, number: int) -> None:
        """Close a link in whose place there is a better one."""
        self.send(number, Close(CloseCode.REPLACED, ""))
        self.close(number, "a better connection to the same device is in use")

    def cast_out(self, number: int, reason: str) -> None:
        """Close the link of a device that broke the rules; it will not be let in again at once."""
        line = self._lines.get(number)
        if line is not None:
            self._blame(line)
            self._end(line, reason)

    def close_all(self, reason: str) -> None:
        for line in self._lines.values():
            self._end(line, reason)

    def close_strangers(self, members: Container[DeviceId]) -> None:
        """Close the links to all other devices: TLS let them in when they were members."""
        for line in self._lines.values():
            if line.link.remote not in members and line.main is None:
                self.send(line.number, Close(CloseCode.NOT_A_MEMBER, ""))
                self._end(line, "the other device is no member of any shared mandate any more")

    def moved(self, own: Container[str]) -> None:
        """This PC has these addresses and no others any more: what went from another one is dead, without a word."""
        for line in self._lines.values():
            ip = parse_ip(line.link.local)
            if ip is not None and str(ip) not in own:
                self._end(line, "this device is not at the address any more that the connection went from")

    async def say_goodbye(self) -> None:
        """Tell every peer that this device stops, and close the links; those that come later are refused."""
        self._stopping = True
        for line in tuple(self._lines.values()):
            if line.main is None:
                self.send(line.number, Close(CloseCode.GOODBYE, ""))
            self._end(line, "this device stops")
        if self._serving:
            await asyncio.wait(self._serving)

    def lanes(self, number: int) -> tuple[int, ...]:
        """Of a link, those that are open."""
        return self._widening.lanes(number)

    def rtt_ms(self, number: int) -> float | None:
        """How long a word takes to the other side and back, lately; None while it is not known."""
        line = self._lines.get(number)
        return line.rtt_ms if line is not None else None

    def address(self, number: int) -> str | None:
        """The other end, for people."""
        line = self._lines.get(number)
        return line.link.address if line is not None else None

    # -- lanes -----------------------------------------------------------------------------------------

    def _add_lane(self, main: int, link: Link, token: bytes) -> int | None:
        """A lane that was dialled; None if it leads somewhere else, or its link is gone."""
        owner = self._lines.get(main)
        if owner is None or owner.link.remote != link.remote or owner.closing.done():
            self._tasks.start(link.close(), f"lane of link {main}")
            return None
        closing = asyncio.get_running_loop().create_future()
        line = _Line(next(self._numbers), link, lambda: None, lambda heard: None, closing, owner.allowance)
        self._start(line)
        self.send(line.number, Lane(token))
        self._join(line, main)
        return line.number

    def _adopt(self, line: _Line, token: bytes) -> None:
        """Raises LinkClosed if it is a lane of nothing that is open: its link may just have ended."""
        main = self._widening.adopt(token, lambda number: self._lines[number].link.remote == line.link.remote)
        if main is None:
            raise LinkClosed("the connection is closed")
        line.allowance = self._lines[main].allowance
        self._join(line, main)

    def _join(self, line: _Line, main: int) -> None:
        line.main = main
        line.link.suit_distance()
        self._widening.lane_up(main, line.number)
        self._on_lane(main, line.number, True)
        self._log.event("lane.up", link=main, lane=line.number)

    # -- one link --------------------------------------------------------------------------------------

    async def _serve(self, line: _Line) -> None:
        reason = "the connection was dropped"
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(line), name=f"link {line.number} reads")
                group.create_task(self._write(line), name=f"link {line.number} writes")
                group.create_task(self._ping(line), name=f"link {line.number} pings")
                group.create_task(self._until_closed(line), name=f"link {line.number} closes")
        except* (RemoteProtocolError, CodecError) as errors:
            reason = str(_first(errors))
            self._blame(line)
            if line.main is not None:
                self.cast_out(line.main, reason)
            self._log.event("peer.misbehaved", link=line.number, device=line.link.remote, reason=reason)
        except* P2PSyncError as errors:
            reason = str(_first(errors))
        except* Exception as errors:
            reason = repr(_first(errors))
            self._log.failure("link.failed", _first(errors), link=line.number)
        finally:
            del self._lines[line.number]
            self._bandwidth.closed(line.number)
            self._forget(line, reason)
            self._on_end(line.number)
            line.on_lost(line.heard.is_set())
            await line.link.close()

    def _forget(self, line: _Line, reason: str) -> None:
        if line.introduced:
            self._widening.ended(line.number)
            self._runtime.post_now(LinkDown(line.number, reason, line.blamed))
            self._log.event("link.down", link=line.number, device=line.link.remote, reason=reason)
        elif line.main is not None:
            self._widening.lane_down(line.main, line.number)
            self._on_lane(line.main, line.number, False)
            self._log.event("lane.down", link=line.main, lane=line.number, reason=reason)

    async def _read(self, line: _Line) -> None:
        while True:
            frame = await line.link.receive()
            self._bandwidth.arrived(line.number, len(frame))
            message = decode(frame)
            if not line.heard.is_set() and line.main is None:
                self._begin(line, message)
            if line.main is None:
                await self._take(line, message)
            elif isinstance(message, Request | Response):
                self._take_content(line, message)
            elif not isinstance(message, Lane):
                raise RemoteProtocolError(f"{type(message).__name__} on a lane")
            await asyncio.sleep(0)  # Frames that are here already would be read without ever letting others in.

    def _begin(self, line: _Line, message: Message) -> None:
        """The first message. Raises RemoteProtocolError for one that is none, LinkClosed for a lane of nothing."""
        if isinstance(message, Lane) and not line.link.initiator:
            self._adopt(line, message.token)
            return
        if not isinstance(message, Hello | Close):
            raise RemoteProtocolError(f"a link that begins with {type(message).__name__}")
        if not line.introduced:
            self._introduce(line)
        line.heard.set()
        line.on_heard()

    async def _take(self, line: _Line, message: Message) -> None:
        line.allowance.spend(points(message), self._now_s())
        match message:
            case Push():
                if self._on_content(line.number, message):  # what it names need not be asked for
                    await self._runtime.post(Received(line.number, message))
            case Request() | Response() | Offer() | Ahead() | Credit():
                self._take_content(line, message)
            case Ping(count):
                self.send(line.number, Pong(count))
            case Pong(count):
                self._measure(line, count)
            case Widen():
                self._widening.heard(line.number, message)
            case _:
                await self._runtime.post(Received(line.number, message))

    def _take_content(self, line: _Line, message: ContentMessage) -> None:
        """Raises RemoteProtocolError for what no honest peer sends, or too many answers that nobody waits for."""
        if isinstance(message, Response):
            self._widening.arrived(line.number if line.main is None else line.main, message.size)
        if not self._on_content(line.number, message):
            line.allowance.spend(needless_points(message), self._now_s())

    def _measure(self, line: _Line, count: int) -> None:
        """A Pong came: how far is it?"""
        if count != line.pings:
            return  # it took so long that another Ping was said meanwhile
        line.rtt_ms = (self._now_s() - line.pinged_s) * 1000
        line.shortest_rtt_ms = min(line.rtt_ms, line.shortest_rtt_ms or line.rtt_ms)
        if count == FIRST_PINGS and line.shortest_rtt_ms >= FAR_MS:
            steady = line.link.suit_distance()
            self._widening.is_far(line.number, steady)
            self._log.event("link.far", link=line.number, rtt_ms=round(line.shortest_rtt_ms), steady=steady)

    async def _write(self, line: _Line) -> None:
        while True:
            while line.unsent:
                frame = line.unsent.popleft()
                line.unsent_bytes -= len(frame) + MESSAGE_OVERHEAD_BYTES
                self._bandwidth.left(line.number, len(frame))
                await line.link.send(frame)
            line.drained.set()
            line.more.clear()
            await line.more.wait()

    async def _ping(self, line: _Line) -> None:
        await line.heard.wait()
        await line.greeted.wait()
        for count in itertools.count(1):
            line.pings, line.pinged_s = count, self._now_s()
            self.send(line.number, Ping(count))
            await asyncio.sleep(PING_EVERY_S if count >= FIRST_PINGS else FIRST_PINGS_S)

    async def _until_closed(self, line: _Line) -> None:
        reason = await line.closing
        try:
            async with asyncio.timeout(CLOSE_S):
                if line.unsent:
                    line.drained.clear()
                    await line.drained.wait()
        except TimeoutError:
            pass
        raise LinkClosed(reason)

    def _blame(self, line: _Line) -> None:
        line.blamed = True
        self._outcasts.add(line.link.remote, self._now_s())

    def _end(self, line: _Line, reason: str) -> None:
        if not line.closing.done():
            line.closing.set_result(reason)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that ended it all: the others were cancelled for it."""
    one: BaseException = errors
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one
