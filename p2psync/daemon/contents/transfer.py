"""Fetching and serving contents: the shell around the pure `Fetcher`, the disk, and the links.

What is wanted is looked for on this disk first, then asked of peers; what arrives is verified in threads, a batch
at a time, and only what the disk confirmed is reported. Several mandates share threads and links, nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from math import inf
from random import Random

from p2psync.core.block import ORDINARY
from p2psync.core.chunking import MANIFEST_THRESHOLD_BYTES
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents.assembling import Assembling, Begun, Finished, Lacking, MandateContents, Written
from p2psync.daemon.contents.compartments import Bounds, Stock
from p2psync.daemon.contents.drafting import Drafting
from p2psync.daemon.contents.offering import Offering
from p2psync.daemon.contents.pushing import IsNear, Pushing, SendPush
from p2psync.daemon.contents.serving import Send, Serving
from p2psync.daemon.contents.streaming import Streaming
from p2psync.daemon.linking.bandwidth import Bandwidth
from p2psync.daemon.tasks import Tasks
from p2psync.daemon.threads import Threads
from p2psync.engine.effects import Fetch, OfferContent, Place, PushContents, StreamFile, Wanted
from p2psync.engine.effects import Send as Ask
from p2psync.engine.events import Fetched, FetchFailed, Observed
from p2psync.engine.fetch import Fetcher
from p2psync.engine.orders import (
    Begin,
    Compartment,
    Done,
    Drop,
    Failed,
    Finish,
    Misbehaved,
    Output,
    Stage,
    Write,
)
from p2psync.errors import LinkError
from p2psync.fs.assembly import check_room
from p2psync.fs.being_read import BeingRead
from p2psync.fs.contents import Contents
from p2psync.fs.draft import Draft
from p2psync.fs.look import disk_problem
from p2psync.wire.messages import Ahead, ContentMessage, Credit, Message, Offer, Push, Request

DRAIN_MIN_S = 1.0
"""What the other side asked before it knew of a better link is on its way for so long."""
DRAIN_MAX_S = 10.0
DRAIN_LOOK_S = 0.05
QUICK_BATCH_MAX = 64
"""Orders that go to the disk in one hop."""

Emit = Callable[[Fetched | FetchFailed | Observed], Awaitable[None]]
Report = Callable[[int, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Staged:
    order: Stage
    bad: Collection[ContentId]


@dataclass(frozen=True, slots=True)
class Broken:
    order: Stage | Begin | Write | Finish
    error: OSError


Result = Staged | Written | Begun | Finished | Lacking | Broken
"""What the disk said to an order of the machine."""


class Transfer:
    """The fetching and serving of one device."""

    def __init__(
        self,
        tasks: Tasks,
        send: Send,
        push: SendPush,
        is_near: IsNear,
        emit: Emit,
        folders: Mapping[MandateId, MandateContents],
        bounds: Bounds,
        misbehaved: Report,
        clock: Callable[[], float] = time.monotonic,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        """`send` waits until the link can take more, and raises LinkError when it is closed. `emit` takes the answers
        to `fetch`, and problems of this disk as Observed. `folders` is looked into at every use.
        """
        self._tasks = tasks
        self._send = send
        self._emit = emit
        self._folders = folders
        self._bounds = bounds
        self._links: defaultdict[MandateId, set[int]] = defaultdict(set)
        """Those with a session for a mandate, lanes among them."""
        self._lane_of: dict[int, int] = {}
        self._classes: defaultdict[MandateId, set[str]] = defaultdict(lambda: {ORDINARY})
        """Of the files that were asked for."""
        self._misbehaved = misbehaved
        self._clock = clock
        self._bandwidth = bandwidth if bandwidth is not None else Bandwidth()
        self._fetcher = Fetcher(Random(), self._bandwidth)
        self._threads = Threads()
        stock = Stock(self._contents, bounds, self._threads)
        self._pushing = Pushing(tasks, stock, push, is_near)
        self._offering = Offering(tasks, stock, push)
        self._streaming = Streaming(tasks, stock, send, is_near, self._bandwidth)
        self._drafting = Drafting(tasks, stock, send, self._bandwidth)
        self._serving = Serving(
            tasks, stock, send, self._bandwidth, self._offering.is_offered, self._fetcher.asked_chunks
        )
        self._paths: dict[tuple[Compartment, ContentId], Wanted] = {}
        self._assembling = Assembling(folders, bounds.may_reuse)
        self._outboxes: dict[int, tuple[asyncio.Queue[Message], asyncio.Task[None]]] = {}
        self._local: asyncio.Queue[Fetch] = asyncio.Queue()
        self._quick: asyncio.Queue[Stage | Write] = asyncio.Queue()
        self._slow: asyncio.Queue[Begin | Finish | Drop] = asyncio.Queue()
        self._reports: asyncio.Queue[Fetched | FetchFailed | Observed | Misbehaved] = asyncio.Queue()
        self._wakes_s = inf
        """When the machine is told the time next."""
        self._is_due_sooner = asyncio.Event()

    def start(self) -> None:
        """Begin to work; `close` ends it."""
        disk = (self._work_local, self._work_quick, self._work_slow)
        for work in (*disk, self._work_reports, self._work_time, self._work_paced):
            self._tasks.keep(work, f"transfer-{work.__name__}")

    def close(self) -> None:
        """After the tasks have ended: what is half done stays for the next time."""
        self._threads.close()
        self._offering.close()
        self._drafting.close()
        self._assembling.close()

    def peer_joined(self, link: int, mandate: MandateId, lane_of: int | None = None) -> None:
        """A member's session for a mandate is open on a link, or has one more lane."""
        if link not in self._outboxes:
            outbox: asyncio.Queue[Message] = asyncio.Queue()
            self._outboxes[link] = outbox, self._tasks.start(self._work_outbox(link, outbox), f"ask-{link}")
        self._serving.peer_joined(link, mandate)
        self._links[mandate].add(link)
        if lane_of is not None:
            self._lane_of[link] = lane_of
        self._choose_whom_to_ask(mandate)

    def peer_left(self, link: int, mandate: MandateId) -> None:
        """The session is closed; what was asked there is asked elsewhere."""
        self._serving.peer_left(link, mandate)
        self._links[mandate].discard(link)
        for compartment in self._compartments(mandate):
            self._perform(self._fetcher.peer_left(link, compartment, self._clock()))
        if link in self._outboxes and not self._fetcher.knows(link):
            _, task = self._outboxes.pop(link)
            task.cancel()
            self._pushing.forget(link)
            self._lane_of.pop(link, None)

    def roles_changed(self) -> None:
        """Another one may be in a position to give, or to hear what is wanted."""
        for mandate in tuple(self._links):
            self._choose_whom_to_ask(mandate)

    async def drain(self, link: int) -> None:
        """Ask nothing more on a link; returns when neither side owes anything there, or owed it for too long."""
        self._fetcher.drain(link)
        lanes = [lane for lane, main in self._lane_of.items() if main == link]
        try:
            async with asyncio.timeout(DRAIN_MAX_S):
                await asyncio.sleep(DRAIN_MIN_S)
                while self._fetcher.is_owed(link) or any(map(self._serving.is_busy, (link, *lanes))):
                    await asyncio.sleep(DRAIN_LOOK_S)
        except TimeoutError:
            pass

    def push(self, effect: PushContents) -> None:
        """Let contents go along with the change that names them."""
        self._pushing.push(effect, self._links[effect.mandate] - self._lane_of.keys())

    def hand_over(self, effect: Place) -> None:
        """Let what a peer gave unasked be at hand before it is placed."""
        contents = self._contents(effect.mandate)
        wanted = {item.put.content for item in effect.items if item.put.content is not None}
        if contents is not None:
            contents.hand_over(self._pushing.take_any(effect.mandate, wanted))

    def offer(self, effect: OfferContent) -> None:
        """Let what is new in a big file go ahead of the change that will name it."""
        self._offering.offer(effect, self._links[effect.mandate] - self._lane_of.keys())

    def stream(self, effect: StreamFile, reading: BeingRead | None) -> None:
        """Let a big new file go ahead while it is read; None if that is over."""
        if reading is not None:
            self._streaming.stream(effect, reading)

    def _offered(self, link: int, message: Offer) -> None:
        compartment = Compartment(message.mandate, message.file_class)
        begin = Begin(compartment, link, message.content, message.difference, message.base)
        key = compartment, message.content
        folder = self._folders.get(message.mandate)
        if folder is None or folder.staging.has(message.content):
            return
        orders = self._fetcher.offered(begin, message.size)
        if orders:
            self._paths.setdefault(key, Wanted(message.content, message.size, RelPath("")))
        self._perform(orders)

    def on_message(self, link: int, message: ContentMessage) -> bool:
        """False for an answer that nobody waits for, and for what is not kept.

        Raises RemoteProtocolError for what no honest peer sends.
        """
        if isinstance(message, Push):
            return link in self._links.get(message.mandate, ()) and self._pushing.pushed(link, message)
        if isinstance(message, Ahead):
            return link in self._links.get(message.mandate, ()) and self._drafting.came(link, message)
        if isinstance(message, Credit):
            self._streaming.credited(link, message)
            return True
        if isinstance(message, Offer):
            self._offered(link, message)
            return True
        if isinstance(message, Request):
            self._serving.request(link, message)
            return True
        awaited = self._fetcher.awaits(link, message.number)
        self._perform(self._fetcher.response(link, message, self._clock()))
        return awaited

    def is_hungry(self, link: int) -> bool:
        """Whether more is wanted than this link and its lanes may owe at once, though this disk keeps up."""
        return self._fetcher.is_hungry(link)

    def fetch(self, effect: Fetch) -> None:
        """Answered by Fetched and FetchFailed, not necessarily all at once."""
        self._local.put_nowait(effect)

    def arrived(self, mandate: MandateId) -> int:
        """Bytes of files that are on this disk in part."""
        return self._fetcher.arrived(mandate)

    # -- what the machine asks for --------------------------------------------------------------------------------

    def _perform(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Ask(link, message):
                    self._outboxes[link][0].put_nowait(message)
                case Stage() | Write():
                    self._quick.put_nowait(output)
                case Begin() | Finish() | Drop():
                    self._slow.put_nowait(output)
                case Done(compartment, contents):
                    for content in contents:
                        if self._is_unnamed(compartment, content):
                            self._offering.came(compartment, content)
                    self._report(compartment, contents, Fetched)
                case Failed(compartment, contents):
                    self._report(compartment, contents, FetchFailed)
                case Misbehaved():
                    self._reports.put_nowait(output)
        deadline_s = self._fetcher.deadline_s()
        if deadline_s is not None and deadline_s < self._wakes_s:
            self._is_due_sooner.set()

    def _compartments(self, mandate: MandateId) -> list[Compartment]:
        return [Compartment(mandate, file_class) for file_class in self._classes[mandate]]

    def _choose_whom_to_ask(self, mandate: MandateId) -> None:
        for compartment in self._compartments(mandate):
            for link in sorted(self._links[mandate]):  # each before its lanes
                if self._bounds.is_open_to(link, compartment):
                    lane_of = self._lane_of.get(link)
                    self._perform(self._fetcher.peer_joined(link, compartment, self._clock(), lane_of))
                else:
                    self._perform(self._fetcher.peer_left(link, compartment, self._clock()))

    def _report(
        self, compartment: Compartment, contents: Sequence[ContentId], event: type[Fetched] | type[FetchFailed]
    ) -> None:
        for content in contents:
            self._paths.pop((compartment, content), None)
        self._reports.put_nowait(event(compartment.mandate, tuple(contents), compartment.file_class))

    def _is_unnamed(self, compartment: Compartment, content: ContentId) -> bool:
        """Whether it only was offered: nobody here waits for it yet."""
        wanted = self._paths.get((compartment, content))
        return wanted is not None and not wanted.path

    def _disk_failed(self, compartment: Compartment, contents: Iterable[ContentId], error: OSError) -> None:
        """Shown at the paths that wait for these contents."""
        wanted = [self._paths.get((compartment, content)) for content in contents]
        problems = tuple(disk_problem(one.path, error) for one in wanted if one is not None and one.path)
        self._reports.put_nowait(Observed(compartment.mandate, (), problems))

    def _contents(self, mandate: MandateId) -> Contents | None:
        folder = self._folders.get(mandate)
        return folder.contents if folder is not None else None

    # -- tasks ----------------------------------------------------------------------------------------------------

    async def _work_outbox(self, link: int, outbox: asyncio.Queue[Message]) -> None:
        while True:
            message = await outbox.get()
            try:
                await self._send(link, message)
            except LinkError:
                return  # who closed it tells everybody

    async def _work_reports(self) -> None:
        while True:
            report = await self._reports.get()
            if isinstance(report, Misbehaved):
                await self._misbehaved(report.link, report.reason)
            else:
                await self._emit(report)

    async def _work_time(self) -> None:
        while True:
            deadline_s = self._fetcher.deadline_s()
            self._wakes_s = deadline_s if deadline_s is not None else inf
            self._is_due_sooner.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wakes_s - self._clock() if deadline_s is not None else None):
                    await self._is_due_sooner.wait()
            self._perform(self._fetcher.tick(self._clock()))

    async def _work_paced(self) -> None:
        while True:
            await self._bandwidth.again()
            self._perform(self._fetcher.tick(self._clock()))

    async def _work_local(self) -> None:
        while True:
            effect = await self._local.get()
            folder = self._folders.get(effect.mandate)
            if folder is None:
                continue
            compartment = Compartment(effect.mandate, effect.file_class)
            self._paths |= {(compartment, one.content): one for one in effect.wanted}
            contents = [one.content for one in effect.wanted]
            pushed, offered = self._pushing.take(compartment, contents), self._offering.claim(compartment, contents)
            drafts = self._drafting.claim(compartment, effect.wanted)
            found, missing, failed = await self._threads.local(
                self._find_here, folder, compartment, effect.wanted, pushed, offered, drafts
            )
            if found:
                self._report(compartment, found, Fetched)
            for content, error in failed:
                self._disk_failed(compartment, [content], error)
                self._report(compartment, [content], FetchFailed)
            if compartment.file_class not in self._classes[effect.mandate]:
                self._classes[effect.mandate].add(compartment.file_class)
                self._choose_whom_to_ask(effect.mandate)
            self._perform(self._fetcher.want(compartment, missing, self._clock()))

    async def _work_quick(self) -> None:
        while True:
            orders = [await self._quick.get()]
            while len(orders) < QUICK_BATCH_MAX and not self._quick.empty():
                orders.append(self._quick.get_nowait())
            for result in await self._threads.quick(self._do_quick, orders):
                self._perform(self._take(result))

    async def _work_slow(self) -> None:
        while True:
            order = await self._slow.get()
            result = await self._threads.slow(self._do_slow, order)
            if result is not None:
                self._perform(self._take(result))
            if isinstance(result, Begun) and result.pieces is not None:
                failure = await self._threads.slow(self._copy, result.order)
                if failure is not None:
                    self._perform(self._take(failure))

    def _take(self, result: Result) -> Sequence[Output]:
        """Tell the machine what the disk said."""
        now = self._clock()
        match result:
            case Staged(order, bad):
                return self._fetcher.staged(order, bad, now)
            case Written(order, bad):
                return self._fetcher.written(order, bad, now)
            case Begun(order, pieces, malformed):
                if pieces is None and self._is_unnamed(order.compartment, order.content):
                    del self._paths[order.compartment, order.content]
                return self._fetcher.begun(order, pieces, now, malformed)
            case Finished(order, whole):
                return self._fetcher.finished(order, whole, now)
            case Lacking(order, pieces):
                return self._fetcher.lacking(order, pieces, now)
            case Broken(order, error):
                contents = [content for content, _ in order.files] if isinstance(order, Stage) else [order.content]
                self._disk_failed(order.compartment, contents, error)
                return self._fetcher.broken(order, now)

    # -- in threads -----------------------------------------------------------------------------------------------

    def _find_here(
        self,
        folder: MandateContents,
        compartment: Compartment,
        wanted: Sequence[Wanted],
        pushed: Mapping[ContentId, bytes],
        offered: Set[ContentId],
        drafts: Mapping[ContentId, Draft],
    ) -> tuple[list[ContentId], list[Wanted], list[tuple[ContentId, OSError]]]:
        """Which contents are in staging now, as they were pushed or offered or lie on this disk; which are to be asked
        for; and where the disk fails."""
        found: list[ContentId] = []
        missing: list[Wanted] = []
        failed: list[tuple[ContentId, OSError]] = []
        sought = [one.content for one in wanted if one.content not in pushed]
        known = folder.contents.locate(sought) if sought else {}
        reusable = self._bounds.may_reuse(compartment, sought) | offered if sought else frozenset()
        for one in wanted:
            data = pushed.get(one.content)
            try:
                is_here = data is not None and not folder.staging.stage_whole([(one.content, data)])
                may_be_here = one.content in known and one.content in reusable
                if is_here or (may_be_here and folder.contents.stage_from_local(one.content, known)):
                    found.append(one.content)
                    continue
                if one.size > MANIFEST_THRESHOLD_BYTES:
                    if one.content in drafts:
                        drafts[one.content].become(folder.staging.part(one.content, compartment.file_class))
                    check_room(folder.staging, one.content, one.size, compartment.file_class)
                missing.append(one)
            except OSError as error:
                failed.append((one.content, error))
        for draft in drafts.values():
            draft.drop()
        return found, missing, failed

    def _do_quick(self, orders: Sequence[Stage | Write]) -> list[Result]:
        results: list[Result] = []
        for order in orders:
            try:
                if isinstance(order, Stage):
                    results.append(
                        Staged(order, self._folders[order.compartment.mandate].staging.stage_whole(order.files))
                    )
                else:
                    results.append(self._assembling.write(order))
            except OSError as error:
                results.append(Broken(order, error))
        return results

    def _do_slow(self, order: Begin | Finish | Drop) -> Result | None:
        try:
            if isinstance(order, Begin):
                return self._assembling.begin(order, self._paths.get((order.compartment, order.content)))
            if isinstance(order, Finish):
                return self._assembling.finish(order)
            self._assembling.drop(order)
        except OSError as error:
            return Broken(order, error) if not isinstance(order, Drop) else None
        return None

    def _copy(self, begin: Begin) -> Result | None:
        try:
            self._assembling.copy(begin)
        except OSError as error:
            return Broken(Finish(begin.compartment, begin.content), error)
        return None
