"""The open links of this device: frames in become events or content messages, messages out keep their order.

A link has a number, which this process never uses again. What the engine says on it waits in a queue of its own; a
peer that does not read is closed, not buffered without end. One that breaks the rules, or talks without end, is closed
too, and stays outside for a while; the others come in between whatever it says.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from p2psync.core.ids import DeviceId
from p2psync.daemon.logs import EventLog
from p2psync.daemon.manners import NEEDLESS_ANSWER_POINTS, Allowance, Outcasts, points
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.events import LinkDown, LinkUp, Received
from p2psync.errors import CodecError, LinkClosed, P2PSyncError, RemoteProtocolError
from p2psync.net.addresses import parse_ip
from p2psync.net.link import Link
from p2psync.wire.codec import decode, encode
from p2psync.wire.messages import Close, CloseCode, Hello, Message, Ping, Pong, Push, Request, Response

UNSENT_BYTES_MAX = 32 << 20
"""Said by the engine and not taken by the link: beyond, the other side does not read."""
MESSAGE_OVERHEAD_BYTES = 256
PUSHED_BYTES_MAX = 1 << 20
"""With so much unsent nothing is pushed: it would hold up what has to be said."""
CLOSE_S = 1.0
"""How long a close waits for what was said before it."""
PING_EVERY_S = 20.0

ENCODE_HERE_BYTES_MAX = 32 * 1024
"""Content beyond is encoded in a thread: compressing it would hold up everything else."""

OnContent = Callable[[int, Request | Response | Push], bool]
"""Takes what asks for, or brings, content; False if nobody waits for it. Raises RemoteProtocolError, which closes the
link."""


@dataclass(slots=True)
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
    pinged_s: float = 0.0
    rtt_ms: float | None = None


class Links:
    """All methods are for the event loop."""

    def __init__(
        self, runtime: Runtime, tasks: Tasks, on_content: OnContent, on_end: Callable[[int], None], log: EventLog
    ) -> None:
        """`on_end` hears of each link that is gone."""
        self._runtime = runtime
        self._tasks = tasks
        self._on_content = on_content
        self._on_end = on_end
        self._log = log
        self._numbers = itertools.count(1)
        self._lines: dict[int, _Line] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._outcasts = Outcasts()
        self._stopping = False

    def add(
        self,
        link: Link,
        on_heard: Callable[[], None] = lambda: None,
        on_lost: Callable[[bool], None] = lambda heard: None,
    ) -> int:
        """Take over an authenticated link and tell the engine; returns its number.

        `on_heard`: the other side said something, so it did not refuse. `on_lost`: the link is gone; True if anything
        was ever heard on it.
        """
        number = next(self._numbers)
        if self._stopping or self._outcasts.has(link.remote, self._now_s()):
            on_lost(False)
            self._tasks.start(link.close(), f"link {number}")
            return number
        closing = asyncio.get_running_loop().create_future()
        line = _Line(number, link, on_heard, on_lost, closing, Allowance(self._now_s()))
        self._lines[number] = line
        self._runtime.post_now(LinkUp(number, link.remote, link.initiator, link.way))
        self._log.event("link.up", link=number, device=link.remote, way=link.way, dialled=link.initiator)
        task = self._tasks.start(self._serve(line), f"link {number}")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return number

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
        if not isinstance(message, Response):
            self.send(number, message)
            return
        size = sum(len(item) for item in message.items if item is not None)
        frame = encode(message) if size <= ENCODE_HERE_BYTES_MAX else await asyncio.to_thread(encode, message)
        await line.link.send(frame, bulk=True)

    def push(self, number: int, frame: bytes) -> None:
        """Say an encoded Push before bulk; it is left out if the link is busy with what was said before, or gone."""
        line = self._lines.get(number)
        if line is None or line.closing.done() or line.unsent_bytes + len(frame) > PUSHED_BYTES_MAX:
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
            if line.link.remote not in members:
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
        for number in tuple(self._lines):
            self.send(number, Close(CloseCode.GOODBYE, ""))
            self.close(number, "this device stops")
        if self._serving:
            await asyncio.wait(self._serving)

    def rtt_ms(self, number: int) -> float | None:
        """How long a word takes to the other side and back, lately; None while it is not known."""
        line = self._lines.get(number)
        return line.rtt_ms if line is not None else None

    def address(self, number: int) -> str | None:
        """The other end, for people."""
        line = self._lines.get(number)
        return line.link.address if line is not None else None

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
            self._log.event("peer.misbehaved", link=line.number, device=line.link.remote, reason=reason)
        except* P2PSyncError as errors:
            reason = str(_first(errors))
        except* Exception as errors:
            reason = repr(_first(errors))
            self._log.failure("link.failed", _first(errors), link=line.number)
        finally:
            del self._lines[line.number]
            self._runtime.post_now(LinkDown(line.number, reason, line.blamed))
            self._log.event("link.down", link=line.number, device=line.link.remote, reason=reason)
            self._on_end(line.number)
            line.on_lost(line.heard.is_set())
            await line.link.close()

    async def _read(self, line: _Line) -> None:
        while True:
            message = decode(await line.link.receive())
            if not line.heard.is_set():
                if not isinstance(message, Hello | Close):
                    raise RemoteProtocolError(f"a link that begins with {type(message).__name__}")
                line.heard.set()
                line.on_heard()
            line.allowance.spend(points(message), self._now_s())
            match message:
                case Request() | Response() | Push():
                    if not self._on_content(line.number, message):
                        line.allowance.spend(NEEDLESS_ANSWER_POINTS, self._now_s())
                case Ping(count):
                    self.send(line.number, Pong(count))
                case Pong():
                    line.rtt_ms = (self._now_s() - line.pinged_s) * 1000
                case _:
                    await self._runtime.post(Received(line.number, message))
            await asyncio.sleep(0)  # Frames that are here already would be read without ever letting others in.

    async def _write(self, line: _Line) -> None:
        while True:
            while line.unsent:
                frame = line.unsent.popleft()
                line.unsent_bytes -= len(frame) + MESSAGE_OVERHEAD_BYTES
                await line.link.send(frame)
            line.drained.set()
            line.more.clear()
            await line.more.wait()

    async def _ping(self, line: _Line) -> None:
        await line.heard.wait()
        await line.greeted.wait()
        for count in itertools.count(1):
            line.pinged_s = self._now_s()
            self.send(line.number, Ping(count))
            await asyncio.sleep(PING_EVERY_S)

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
