"""Giving contents to peers that ask: a bounded desk for each link, small things first, as fast as the peer reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from p2psync.core.ids import ContentId, MandateId
from p2psync.daemon.contents.compartments import Stock
from p2psync.daemon.linking.bandwidth import Bandwidth
from p2psync.daemon.tasks import Tasks
from p2psync.engine.lanes import WINDOW_REQUESTS
from p2psync.engine.orders import Compartment
from p2psync.engine.swarm import holding_of
from p2psync.errors import LinkError, RemoteProtocolError
from p2psync.fs.contents import Contents
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Message, Request, Response, What

REQUESTS_MAX = 5 * WINDOW_REQUESTS
"""That a link may have waiting; an honest peer asks for at most four fifths of that."""
WORKERS_PER_LINK = 2
"""One reads from the disk while the other waits for the link."""

Send = Callable[[int, Message], Awaitable[None]]
IsOffered = Callable[[Compartment, ContentId], bool]
AskedChunks = Callable[[Compartment, ContentId], Sequence[int]]


@dataclass(slots=True, eq=False)
class Job:
    """A Request that is being answered."""

    request: Request
    next: int = 0
    """Index of the first item that is not answered."""
    parts: list[bytes | None] | None = None
    """The manifest that is being sent."""


@dataclass(slots=True, eq=False)
class Desk:
    """What one link waits for."""

    mandates: set[MandateId] = field(default_factory=set)
    urgent: deque[Job] = field(default_factory=deque)
    bulk: deque[Job] = field(default_factory=deque)
    working: int = 0
    held: bool = False
    """While a part of a big file may have to wait for the line, nothing else of one is taken up."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    workers: list[asyncio.Task[None]] = field(default_factory=list)

    def put(self, job: Job) -> None:
        (self.bulk if job.request.what is What.CHUNK else self.urgent).append(job)
        self.waiting.set()

    def put_back(self, job: Job) -> None:
        (self.bulk if job.request.what is What.CHUNK else self.urgent).appendleft(job)
        self.waiting.set()

    async def take(self) -> Job:
        while not self.urgent and (self.held or not self.bulk):
            self.waiting.clear()
            await self.waiting.wait()
        return self.urgent.popleft() if self.urgent else self.bulk.popleft()

    @property
    def size(self) -> int:
        return len(self.urgent) + len(self.bulk) + self.working


class Serving:
    """Answers the Requests of all links."""

    def __init__(
        self,
        tasks: Tasks,
        stock: Stock,
        send: Send,
        bandwidth: Bandwidth,
        is_offered: IsOffered = lambda *_: False,
        asked_chunks: AskedChunks = lambda *_: (),
    ) -> None:
        """`send` returns when the link can take more. `is_offered`: whether a content may be given to whoever may read
        such files, though no change names it yet. `asked_chunks` of a big file are to come.
        """
        self._tasks = tasks
        self._stock = stock
        self._send = send
        self._bandwidth = bandwidth
        self._is_offered = is_offered
        self._asked_chunks = asked_chunks
        self._desks: dict[int, Desk] = {}

    def peer_joined(self, link: int, mandate: MandateId) -> None:
        desk = self._desks.get(link)
        if desk is None:
            desk = self._desks[link] = Desk()
            desk.workers = [
                self._tasks.start(self._work(link, desk), f"serve-{link}-{number}")
                for number in range(WORKERS_PER_LINK)
            ]
        desk.mandates.add(mandate)

    def peer_left(self, link: int, mandate: MandateId) -> None:
        """What it waited for is forgotten."""
        desk = self._desks.get(link)
        if desk is None:
            return
        desk.mandates.discard(mandate)
        if not desk.mandates:
            del self._desks[link]
            for worker in desk.workers:
                worker.cancel()

    def is_busy(self, link: int) -> bool:
        """Whether there is something to answer on a link."""
        return link in self._desks and self._desks[link].size > 0

    def request(self, link: int, request: Request) -> None:
        """Raises RemoteProtocolError for what no honest peer asks."""
        desk = self._desks.get(link)
        if desk is None or request.mandate not in desk.mandates:
            return  # it left a moment ago, or never was here: it learns nothing
        if desk.size >= REQUESTS_MAX:
            raise RemoteProtocolError("the other device asks for more than it reads")
        if request.what is not What.CONTENT and len(request.contents) != 1:
            raise RemoteProtocolError("the other device asks for parts of no file, or of several")
        desk.put(Job(request))

    async def _work(self, link: int, desk: Desk) -> None:
        while True:
            job = await desk.take()
            desk.working += 1
            try:
                response = await self._answer_in_turn(link, desk, job)
                if job.request.mandate in desk.mandates:
                    await self._send(link, response)
            except LinkError:
                return  # who closed it tells everybody
            finally:
                desk.working -= 1
            if not response.last and job.request.mandate in desk.mandates:
                desk.put_back(job)

    async def _answer_in_turn(self, link: int, desk: Desk, job: Job) -> Response:
        """When the line has room for it."""
        if not self._bandwidth.limits_answers(link):
            return await self._answer(link, job)
        is_bulk = job.request.what is What.CHUNK
        desk.held = desk.held or is_bulk
        try:
            response = await self._answer(link, job)
            await self._bandwidth.leave(link, response.size, small=not is_bulk)
        finally:
            if is_bulk:
                desk.held = False
                desk.waiting.set()
        return response

    async def _answer(self, link: int, job: Job) -> Response:
        request = job.request
        contents = self._stock.contents(request.mandate)
        first = job.next
        if contents is None:
            answers: list[bytes | None] = [None]
            count = 1
        elif request.what is What.CONTENT:
            answers, count = await self._whole(link, job, contents), len(request.contents)
        elif not all(self._may_give(link, request, request.contents)):
            answers, count = [None], 1
        elif request.what is What.CHUNK:
            answers, count = await self._chunks(link, job, contents), len(request.chunks)
        elif request.what is What.HOLDING:
            answers, count = [await self._holding(request, contents)], 1
        else:
            answers, count = await self._manifest(job, contents)
        job.next += len(answers)
        last = job.next >= count
        return Response(request.mandate, request.number, first, tuple(answers), last)

    async def _whole(self, link: int, job: Job, contents: Contents) -> list[bytes | None]:
        """Answers for a run of contents that may be read, or for a run that may not."""
        return await self._stock.threads.read(
            self._read_whole, link, job.request, job.request.contents[job.next :], contents
        )

    def _read_whole(
        self, link: int, request: Request, wanted: Sequence[ContentId], contents: Contents
    ) -> list[bytes | None]:
        """In a thread: who may have what is asked of the database."""
        allowed = self._may_give(link, request, wanted)
        run = next((i for i, may in enumerate(allowed) if may != allowed[0]), len(wanted))
        if not wanted or not allowed[0]:
            return [None] * run
        return contents.read_several(wanted[:run], RESPONSE_DATA_BYTES_MAX)

    def _may_give(self, link: int, request: Request, contents: Sequence[ContentId]) -> Sequence[bool]:
        compartment = Compartment(request.mandate, request.file_class)
        if all(self._is_offered(compartment, content) for content in contents):
            return [self._stock.bounds.is_open_to(link, compartment)] * len(contents)
        return self._stock.bounds.may_give(link, compartment, contents)

    async def _chunks(self, link: int, job: Job, contents: Contents) -> list[bytes | None]:
        indexes = job.request.chunks[job.next :]
        if not indexes:
            return []
        return await self._stock.threads.read(
            contents.read_chunks, job.request.contents[0], indexes, self._bandwidth.part_bytes(link)
        )

    async def _holding(self, request: Request, contents: Contents) -> bytes | None:
        [content] = request.contents
        held = await self._stock.threads.read(contents.holding, content)
        compartment = Compartment(request.mandate, request.file_class)
        return holding_of(held, self._asked_chunks(compartment, content)) if held else held

    async def _manifest(self, job: Job, contents: Contents) -> tuple[list[bytes | None], int]:
        """One part at a time, or None."""
        if job.parts is None:
            parts = await self._stock.threads.read(contents.manifest_parts, job.request.contents[0])
            job.parts = list(parts) if parts is not None else [None]
        return job.parts[job.next : job.next + 1], len(job.parts)
