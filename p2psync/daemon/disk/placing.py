"""One mandate's disk work that the engine asks for: batches to place, versions to keep, indexes to merge.

Placing has a lane of its own, so that nothing that merely copies holds up what users wait for.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from p2psync.books.index import INDEX_BYTES_MAX, merge
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import ContentId, MandateId, content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.daemon.disk.restoring import Restorer
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import KeepVersion, Merge, Place, PlaceItem
from p2psync.engine.events import FetchFailed, Kept, Merged, Observed, Outcome, Placed, WrittenLate
from p2psync.errors import CodecError
from p2psync.fs.batch import Batch
from p2psync.fs.contents import Contents
from p2psync.fs.folder import Folder
from p2psync.fs.look import disk_problem
from p2psync.fs.placer import Placer
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions

PLACE_BATCH_AIM = 256
"""Files placed in one hop, about: what one flush of the disk makes durable together."""
LATE_TOGETHER_S = 0.5
"""Files that were replaced lately are looked at so much later, with those that were replaced just after them."""
KEEP_BATCH_MAX = 64
"""Versions copied in one hop."""
RETRY_S = 5.0
"""When what the disk refused is tried again."""
FAILED_MAX = 10_000
PLACERS = 2
"""Threads that place, over all mandates."""
GUARDS = 2
"""Threads that look whether the folders are there: a drive that does not answer is not to be waited for by all."""

T = TypeVar("T")
R = TypeVar("R")


class DiskThreads:
    """The threads that all mandates share."""

    def __init__(self) -> None:
        self.place = ThreadPoolExecutor(PLACERS, "place")
        self.keep = ThreadPoolExecutor(1, "keep")
        self.guard = ThreadPoolExecutor(GUARDS, "guard")

    def close(self) -> None:
        """Waits for what is running."""
        for pool in (self.place, self.keep, self.guard):
            pool.shutdown(wait=True, cancel_futures=True)


class Placing:
    def __init__(
        self,
        mandate: MandateId,
        folder: Folder,
        contents: Contents,
        staging: Staging,
        versions: Versions,
        placer: Placer,
        threads: DiskThreads,
        runtime: Runtime,
        log: EventLog,
    ) -> None:
        self._mandate = mandate
        self._folder = folder
        self._contents = contents
        self._staging = staging
        self._versions = versions
        self._placer = placer
        self._threads = threads
        self._runtime = runtime
        self._log = log
        self._places: asyncio.Queue[Place | None] = asyncio.Queue()
        """None ends the work."""
        self._others: asyncio.Queue[KeepVersion | Merge | None] = asyncio.Queue()
        self._failed: deque[KeepVersion | Merge] = deque()
        """What the disk refused, to be tried again at `_retry_at_s` of the loop's clock."""
        self._retry_at_s = 0.0
        self._troubled: dict[RelPath, Code] = {}
        """The problems told of those."""
        self._restorer = Restorer(folder, staging, contents, placer.outs, placer.exchange)
        self._restoring = asyncio.Lock()
        self._prepared: tuple[tuple[PlaceItem, ...], asyncio.Future[Batch | None]] | None = None
        """Items that will be placed, and what was made ready for them; None where that failed."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, tasks: Tasks) -> None:
        self._tasks = [
            tasks.keep(self._work_places, f"place {self._mandate.hex()[:8]}"),
            tasks.keep(self._work_others, f"keep {self._mandate.hex()[:8]}"),
        ]

    async def stop(self) -> None:
        """What is being placed or restored is placed and told; what still waits is forgotten, and asked for again."""
        async with self._restoring:
            await self._stop_work()

    async def _stop_work(self) -> None:
        for queue in (self._places, self._others):
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []
        if self._prepared is not None:
            (_items, work), self._prepared = self._prepared, None
            await self._abandon(await work)

    def prepare(self, effect: Place) -> None:
        """It will come: its files may be written meanwhile, unless others wait to be placed."""
        if self._prepared is None and self._places.empty():
            work = asyncio.get_running_loop().run_in_executor(self._threads.place, self._prepare, effect.items)
            self._prepared = effect.items, work

    def place(self, effect: Place) -> None:
        """Answered by Placed."""
        self._places.put_nowait(effect)

    async def restore(self, content: ContentId, path: RelPath, mode: int) -> None:
        """Let a content stand at a path, as a program's save would; what stood there is kept.

        Raises FolderError where something other than a file stands, P2PSyncError if the bytes are not here, OSError.
        """
        async with self._restoring:
            work = partial(self._restorer.into_folder, content, path)
            came = await _in_thread(self._threads.place, work, mode)
            if came is not None:
                await self._runtime.post(Kept(self._mandate, path, came, "replaced", None))
                # What came out is watched for late writes from now on: when to look is to be reckoned anew.
                self._places.put_nowait(Place(self._mandate, ()))

    def keep(self, effect: KeepVersion | Merge) -> None:
        """Answered by Kept or FetchFailed, or by Merged."""
        self._others.put_nowait(effect)

    # -- in the loop -----------------------------------------------------------------------------------

    async def _work_places(self) -> None:
        """One batch after the other, for one may make room for the next; of new files alone, which need none, the
        next batch is begun while the disk is waited for.
        """
        async with asyncio.TaskGroup() as group:
            before: asyncio.Task[None] | None = None
            while (items := await self._next_items()) is not None:
                is_storm = all(map(_is_new, items))
                work = group.create_task(self._place_batch(items)) if is_storm else None
                if before is not None:
                    await before
                before = work
                if not is_storm:
                    await self._place_batch(items)

    async def _next_items(self) -> list[PlaceItem] | None:
        """A batch, which may be empty; None at the end."""
        try:
            async with asyncio.timeout(self._rest_s()):  # wait_for of Python 3.11 may swallow the cancellation
                effect = await self._places.get()
        except TimeoutError:
            await self._look_for_late_writes()
            return []
        if effect is None:
            return None
        items = list(effect.items)
        while len(items) < PLACE_BATCH_AIM and not self._places.empty():
            more = self._places.get_nowait()
            if more is None:
                self._places.put_nowait(None)
                break
            items += more.items
        return items

    async def _place_batch(self, items: Sequence[PlaceItem]) -> None:
        if not items:
            return
        prepared = await self._prepared_for(items)
        outcomes = await _in_thread(self._threads.place, partial(self._place_all, prepared=prepared), items)
        self._runtime.post_now(Placed(self._mandate, tuple(outcomes)))
        for path, entry in self._placer.kept_besides():
            self._runtime.post_now(Kept(self._mandate, path, entry, "edited", None))
        for outcome in outcomes:
            if outcome.problem is not None:
                problem = outcome.problem
                self._log.event("place.refused", mandate=self._mandate, path=problem.path, code=problem.code)

    async def _prepared_for(self, items: Sequence[PlaceItem]) -> Batch | None:
        if self._prepared is None:
            return None
        (foreseen, work), self._prepared = self._prepared, None
        batch = await work
        if foreseen == tuple(items):
            return batch
        await self._abandon(batch)  # others came with it, or before it
        return None

    async def _abandon(self, batch: Batch | None) -> None:
        if batch is not None:
            await _in_thread(self._threads.place, self._placer.abandon, batch)

    def _rest_s(self) -> float | None:
        """Until files that were replaced lately are to be looked at again, several together."""
        due_s = self._placer.late_due_s()
        return None if due_s is None else max(0.0, due_s + LATE_TOGETHER_S - time.monotonic())

    async def _look_for_late_writes(self) -> None:
        writes = await _in_thread(self._threads.place, self._placer.late_writes, time.monotonic())
        for write in writes:
            self._log.event("version.late_write", mandate=self._mandate, path=write.path)
        if writes:
            self._runtime.post_now(WrittenLate(self._mandate, tuple(writes)))

    async def _work_others(self) -> None:
        while True:
            effects = await self._next_others()
            wanted = [e for e in effects if e is not None]
            answers = await _in_thread(self._threads.keep, self._do_others, wanted)
            for effect, answer in zip(wanted, answers, strict=True):
                if isinstance(answer, OSError):
                    await self._put_off(effect, answer)
                else:
                    await self._runtime.post(answer)
            await self._say_what_is_over([effect.path for effect in wanted])
            if None in effects:
                return

    async def _next_others(self) -> list[KeepVersion | Merge | None]:
        """What came, or what the disk refused a while ago."""
        try:
            async with asyncio.timeout_at(self._retry_at_s if self._failed else None):
                effects = [await self._others.get()]
        except TimeoutError:
            return [self._failed.popleft() for _one in range(min(KEEP_BATCH_MAX, len(self._failed)))]
        while len(effects) < KEEP_BATCH_MAX and not self._others.empty():
            effects.append(self._others.get_nowait())
        return effects

    async def _put_off(self, effect: KeepVersion | Merge, error: OSError) -> None:
        """A disk that is full, or may not be written, is told of, and tried again until it is not."""
        self._retry_at_s = asyncio.get_running_loop().time() + RETRY_S
        if len(self._failed) < FAILED_MAX:
            self._failed.append(effect)
        problem = disk_problem(effect.path, error)
        if self._troubled.get(effect.path) != problem.code:
            self._troubled[effect.path] = problem.code
            await self._runtime.post(Observed(self._mandate, (), problems=(problem,)))

    async def _say_what_is_over(self, paths: Sequence[RelPath]) -> None:
        left = {effect.path for effect in self._failed}
        over = tuple(path for path in dict.fromkeys(paths) if path in self._troubled and path not in left)
        for path in over:
            del self._troubled[path]
        if over:
            await self._runtime.post(Observed(self._mandate, (), cleared=over))

    # -- in threads ------------------------------------------------------------------------------------

    def _prepare(self, items: Sequence[PlaceItem]) -> Batch | None:
        try:
            return self._placer.prepare(items) if self._folder.trouble() is None else None
        except Exception as error:  # a fault of ours: then it is not prepared
            self._log.failure("prepare.failed", error, mandate=self._mandate)
            return None

    def _place_all(self, items: Sequence[PlaceItem], prepared: Batch | None = None) -> list[Outcome]:
        trouble = self._folder.trouble()
        if trouble is not None:
            return [Outcome(item.path, False, problem=Problem(item.path, trouble)) for item in items]
        try:
            return self._placer.place(items, prepared)
        except Exception as error:  # a fault of ours must not leave these paths waiting for ever
            self._log.failure("place.failed", error, mandate=self._mandate)
            return [Outcome(i.path, False, problem=Problem(i.path, Code.DISK_ERROR, repr(error))) for i in items]

    def _do_others(self, effects: Sequence[KeepVersion | Merge]) -> list[Kept | FetchFailed | Merged | OSError]:
        return [self._do_other(effect) for effect in effects]

    def _do_other(self, effect: KeepVersion | Merge) -> Kept | FetchFailed | Merged | OSError:
        try:
            return self._merge(effect) if isinstance(effect, Merge) else self._keep(effect)
        except OSError as error:
            self._log.event("keep.failed", mandate=self._mandate, path=effect.path, reason=error)
            return error

    def _keep(self, effect: KeepVersion) -> Kept | FetchFailed:
        content = effect.entry.content
        assert content is not None
        if self._contents.keep(content, effect.path):
            return Kept(self._mandate, effect.path, effect.entry, effect.reason, effect.change)
        return FetchFailed(self._mandate, (content,), effect.file_class)

    def _merge(self, effect: Merge) -> Merged:
        versions = [data for source in effect.sources if (data := self._contents.read(source, INDEX_BYTES_MAX))]
        if len(versions) < len(effect.sources):
            return Merged(self._mandate, effect.path, effect.sources, None, unmergeable=False)
        try:
            merged = merge(versions)
            content = content_of(merged.data)
            self._staging.stage_whole([(content, merged.data)])
        except CodecError as error:
            self._log.event("merge.failed", mandate=self._mandate, path=effect.path, reason=error)
            return Merged(self._mandate, effect.path, effect.sources, None)
        told = [Problem(effect.path, Code.INDEX_CONFLICT, "; ".join(merged.problems))] if merged.problems else []
        entry = Entry(Kind.FILE, len(merged.data), 0, 0, content)
        return Merged(self._mandate, effect.path, effect.sources, entry, tuple(told))


def _is_new(item: PlaceItem) -> bool:
    return item.expect.kind is Kind.ABSENT and item.put.kind is Kind.FILE and item.source is None


async def _in_thread(pool: ThreadPoolExecutor, work: Callable[[T], R], argument: T) -> R:
    return await asyncio.get_running_loop().run_in_executor(pool, work, argument)
