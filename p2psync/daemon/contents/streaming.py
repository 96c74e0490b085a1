"""A big new file goes ahead while it is read here: to hash it takes time in which the line would be idle.

A stream is a hint as a push is: whoever gets it makes a draft of it. It ends with the reading, or where it goes on as
another file does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import field

from p2psync.core.chunking import Span
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable
from p2psync.daemon.contents.compartments import Stock, Where
from p2psync.daemon.contents.pushing import IsNear
from p2psync.daemon.contents.serving import Send
from p2psync.daemon.linking.bandwidth import Bandwidth
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import StreamFile
from p2psync.engine.lanes import WINDOW_BYTES
from p2psync.engine.orders import Compartment
from p2psync.errors import LinkError
from p2psync.fs.being_read import BeingRead
from p2psync.fs.contents import Contents
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Ahead, Credit

AGAIN_S = 30.0
"""So long a file that went ahead and is read anew is not given once more: somebody is still writing it."""
ALIKE_AMONG = 64
"""So many of the newest chunks are looked for in other files: of a copy, all of them are there."""
LOOK_EVERY_S = 0.1
"""How soon a stream of which the other side keeps nothing more ends with the reading."""


@mutable
class _Leaving:
    """A stream at work."""

    credit: int = 0
    """Bytes that the other side has on its disk."""
    more: asyncio.Event = field(default_factory=asyncio.Event)


class Streaming:
    """The streams of one device. All methods are for the event loop."""

    def __init__(
        self,
        tasks: Tasks,
        stock: Stock,
        send: Send,
        is_near: IsNear,
        bandwidth: Bandwidth,
    ) -> None:
        """`send` returns when the link can take more."""
        self._tasks = tasks
        self._stock = stock
        self._send = send
        self._is_near = is_near
        self._bandwidth = bandwidth
        self._streamed: dict[tuple[int, Where], float] = {}
        """When it may be given to a link again."""
        self._leaving: dict[tuple[int, Where], _Leaving] = {}

    def stream(self, effect: StreamFile, reading: BeingRead) -> None:
        """Give the beginning of a file to the member on a link, if he may read it, while it is read.

        To who is far away next to nothing would go by then.
        """
        contents = self._stock.contents(effect.mandate)
        compartment = Compartment(effect.mandate, effect.file_class)
        is_open = self._stock.bounds.is_open_to(effect.link, compartment)
        is_quick = self._is_near(effect.link) and not self._bandwidth.limits_answers(effect.link)
        if contents is not None and is_open and is_quick and self._is_due(effect.link, (compartment, effect.path)):
            self._tasks.start(self._stream(effect, contents, compartment, reading), "stream")

    def _is_due(self, link: int, where: Where) -> bool:
        now_s = asyncio.get_running_loop().time()
        self._streamed = {one: due_s for one, due_s in self._streamed.items() if due_s > now_s}
        if (link, where) in self._streamed:
            return False
        self._streamed[link, where] = now_s + AGAIN_S
        return True

    async def _stream(
        self, effect: StreamFile, contents: Contents, compartment: Compartment, reading: BeingRead
    ) -> None:
        """No more is on its way than for any other big file: what is saved meanwhile would have to wait for it."""
        key = effect.link, (compartment, effect.path)
        leaving = self._leaving[key] = _Leaving()
        loop = asyncio.get_running_loop()
        reading.listen(lambda: loop.call_soon_threadsafe(leaving.more.set))
        count = offset = 0
        try:
            while not reading.is_over:
                spans = _piece(reading.spans, count)
                if not spans or offset - leaving.credit >= WINDOW_BYTES:
                    await _until_set(leaving.more)
                    continue
                end = count + len(spans)
                lately = reading.spans[max(0, end - ALIKE_AMONG) : end]
                data = await self._stock.threads.read(_read_new, contents, effect.path, spans, lately)
                if not data:
                    return
                piece = Ahead(effect.mandate, effect.path, effect.size, offset, data, effect.file_class)
                await self._send(effect.link, piece)
                count = end
                offset += len(data)
        except LinkError:
            return  # who closed it tells everybody
        finally:
            reading.listen(None)
            del self._leaving[key]

    def credited(self, link: int, message: Credit) -> None:
        """The other side has so much of a stream."""
        leaving = self._leaving.get((link, (Compartment(message.mandate, message.file_class), RelPath(message.path))))
        if leaving is not None:
            leaving.credit = message.end
            leaving.more.set()


def _piece(spans: Sequence[Span], begin: int) -> Sequence[Span]:
    """From one chunk on, as many as one message carries."""
    end, size = begin, 0
    while end < len(spans) and size + spans[end].size <= RESPONSE_DATA_BYTES_MAX:
        size += spans[end].size
        end += 1
    return spans[begin:end]


def _read_new(contents: Contents, path: RelPath, spans: Sequence[Span], lately: Sequence[Span]) -> bytes:
    """What lies there; nothing where it is a copy of another file: whoever has that one makes it of it. Nor where the
    file became shorter.
    """
    if contents.resembles_another(lately):
        return b""
    size = sum(span.size for span in spans)
    data = contents.read_at(path, spans[0].offset, size)
    return data if len(data) == size else b""


async def _until_set(event: asyncio.Event) -> None:
    """Or until it is time to look again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_EVERY_S):
            await event.wait()
    event.clear()
