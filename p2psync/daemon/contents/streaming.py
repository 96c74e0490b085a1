"""A big new file goes ahead while it is read here: to hash it takes time in which the line would be idle.

A stream is a hint as a push is. It ends with the reading, or where it goes on as another file does; what came
by then is a draft, of which the file is put together as soon as a change names what its path holds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from p2psync.core.chunking import Span
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable
from p2psync.daemon.contents.compartments import Stock
from p2psync.daemon.contents.pushing import IsNear
from p2psync.daemon.contents.serving import Send
from p2psync.daemon.linking.bandwidth import Bandwidth
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import StreamFile, Wanted
from p2psync.engine.lanes import WINDOW_BYTES
from p2psync.engine.orders import Compartment
from p2psync.errors import LinkError
from p2psync.fs.being_read import BeingRead
from p2psync.fs.contents import Contents
from p2psync.fs.draft import Draft
from p2psync.fs.staging import Staging
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Ahead, Kept

UNCLAIMED_S = 30.0
"""So long a draft waits for more of it, or for the change that names its file."""
AGAIN_S = 30.0
"""So long a file that went ahead and is read anew is not given once more: somebody is still writing it."""
DRAFTS_MAX = 8
ALIKE_AMONG = 64
"""Chunks: so few that two files share are not noticed always."""
LOOK_EVERY_S = 0.1
"""How soon a stream of which the other side keeps nothing more ends with the reading."""

Where = tuple[Compartment, RelPath]


@mutable
class _Coming:
    """A draft at work."""

    draft: Draft
    link: int
    next: int = 0
    """Bytes that came."""
    is_quiet: bool = False
    """Nothing came since this was last set."""
    timer: asyncio.TimerHandle = field(init=False)
    """When it is given up, if nothing came."""


@mutable
class _Leaving:
    """A stream at work."""

    kept: int = 0
    """Bytes that the other side has on its disk."""
    more: asyncio.Event = field(default_factory=asyncio.Event)


class Streaming:
    """The streams of one device, out and in. All methods are for the event loop."""

    def __init__(
        self,
        tasks: Tasks,
        stock: Stock,
        send: Send,
        is_near: IsNear,
        staging: Callable[[MandateId], Staging | None],
        bandwidth: Bandwidth,
    ) -> None:
        """`send` returns when the link can take more. `staging` is of a mandate, None while its folder is not there."""
        self._tasks = tasks
        self._stock = stock
        self._send = send
        self._is_near = is_near
        self._staging = staging
        self._bandwidth = bandwidth
        self._streamed: dict[tuple[int, Where], float] = {}
        """When it may be given to a link again."""
        self._leaving: dict[tuple[int, Where], _Leaving] = {}
        self._coming: dict[Where, _Coming] = {}

    # -- out ------------------------------------------------------------------------------------------------------

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
                if not spans or offset - leaving.kept >= WINDOW_BYTES:
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

    def kept(self, link: int, message: Kept) -> None:
        """The other side has so much of a stream."""
        leaving = self._leaving.get((link, (Compartment(message.mandate, message.file_class), RelPath(message.path))))
        if leaving is not None:
            leaving.kept = message.end
            leaving.more.set()

    # -- in -------------------------------------------------------------------------------------------------------

    def came(self, link: int, piece: Ahead) -> bool:
        """False for what is not kept."""
        where = Compartment(piece.mandate, piece.file_class), RelPath(piece.path)
        if piece.offset == 0 and not self._bandwidth.limits_asking(link):
            self._begin(link, piece, where)
        coming = self._coming.get(where)
        if coming is None or coming.link != link or coming.next != piece.offset:
            return False
        coming.next += len(piece.data)
        coming.is_quiet = False
        self._tasks.start(self._write(coming, piece), "draft")
        return True

    def _begin(self, link: int, piece: Ahead, where: Where) -> None:
        staging = self._staging(piece.mandate)
        self._forget(where)
        if staging is not None and len(self._coming) < DRAFTS_MAX:
            self._coming[where] = _Coming(Draft(staging, piece.whole), link)
            self._expire_later(where, self._coming[where])

    async def _write(self, coming: _Coming, piece: Ahead) -> None:
        if await self._stock.threads.quick(coming.draft.append, piece.data):
            end = piece.offset + len(piece.data)
            with contextlib.suppress(LinkError):  # who closed it tells everybody
                await self._send(coming.link, Kept(piece.mandate, piece.path, end, piece.file_class))

    def claim(self, compartment: Compartment, wanted: Iterable[Wanted]) -> Mapping[ContentId, Draft]:
        """A change names what these paths hold: what came of them, which is given over to whoever asks."""
        found = {}
        for one in wanted:
            coming = self._take((compartment, one.path))
            if coming is not None:
                found[one.content] = coming.draft
        return found

    def close(self) -> None:
        """After the threads have ended: what was not claimed by now goes."""
        for where in tuple(self._coming):
            coming = self._take(where)
            if coming is not None:
                coming.draft.drop()

    def _take(self, where: Where) -> _Coming | None:
        coming = self._coming.pop(where, None)
        if coming is not None:
            coming.timer.cancel()
        return coming

    def _forget(self, where: Where) -> None:
        coming = self._take(where)
        if coming is not None:
            self._tasks.start(self._stock.threads.quick(coming.draft.drop), "draft")

    def _expire_later(self, where: Where, coming: _Coming) -> None:
        coming.is_quiet = True
        coming.timer = asyncio.get_running_loop().call_later(UNCLAIMED_S, self._expire, where, coming)

    def _expire(self, where: Where, coming: _Coming) -> None:
        if coming.is_quiet:
            self._forget(where)
        else:
            self._expire_later(where, coming)


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
    if contents.has_some(lately):
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
