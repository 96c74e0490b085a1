"""Observe: from what users do in a mandate's folder to events for the engine, as long as the folder is there.

Four tasks share one settler: one hears the watcher, one looks at what is due, one reads large files, one scans. All
disk work happens in threads, a batch at a time. When the folder goes, they end; when it is back, they begin anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from p2psync.books.completeness import Completeness
from p2psync.core.chunking import MANIFEST_THRESHOLD_BYTES
from p2psync.core.entry import ABSENT
from p2psync.core.ids import MandateId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath, ancestors
from p2psync.engine.events import Observed, ReadingBegun, ScanFinished, Seen, Suspected
from p2psync.engine.settle import HOLD_MAX_S, HOLD_S, How, Settler
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.fs.being_read import BeingRead
from p2psync.fs.doubt import is_bookkeeping, is_doubtful
from p2psync.fs.folder import Folder, FolderVanished
from p2psync.fs.scanner import Scanner
from p2psync.fs.sight import SIGHT_PATHS_MAX, Expected, Large, Sight
from p2psync.fs.signs import MANY, Lost, Signs, Watcher
from p2psync.fs.threads import in_thread
from p2psync.i18n import _
from p2psync.system.tasks import pause

RESCAN_S = 600.0
BLIND_RESCAN_S = 30.0
"""Between scans where the system does not tell of everything that happens."""
PRESENCE_S = 10.0
"""Between checks that the folder is still there, for a drive may go without a sign."""
RETURN_S = 3.0
"""Between checks whether a folder that went is back."""
SCAN_PATIENCE_S = HOLD_MAX_S + 1.0
"""A scan is over when what it found was decided about, or after so long."""
TROUBLED_MAX = 20_000
"""Paths with a problem that are remembered, to tell when it is over; a scan finds the others."""
TROUBLED_BELOW_MAX = 1_000
PAUSE_S = 0.005
"""Between two looks: in a storm, what becomes due one by one is looked at together."""
SUSPECT_BYTES_MAX = 1 << 30
"""Larger files are not read before their quiet time is over: that would be little of the time that they take."""
THREADS = 4

Emit = Callable[[Observed | Suspected | ReadingBegun | ScanFinished], Awaitable[None]]
Hold = Callable[[Sequence[Seen]], Mapping[RelPath, float]]
T = TypeVar("T")


class Observer:
    def __init__(
        self,
        mandate: MandateId,
        folder: Folder,
        scanner: Scanner,
        watcher: Watcher,
        settler: Settler,
        emit: Emit,
        *,
        hold: Hold = lambda seen: {},
        troubled: Iterable[str] = (),
        guards: Executor | None = None,
        rescan_s: float = RESCAN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hold`: judges, in a thread, bookkeeping files and old ones that are about to be told of: those that are not
        to be told of yet, and in how many seconds they are to be looked at again. May raise FolderVanished.
        `troubled`: paths that had a problem of the disk's kind when this device last ran. `guards`: threads that look
        whether folders are there still, for many folders: all are looked after at one moment, and a thread for each
        would wait for all others.
        """
        self._mandate = mandate
        self._folder = folder
        self._scanner = scanner
        self._watcher = watcher
        self._settler = settler
        self._emit_event = emit
        self._hold = hold
        self._guards = guards
        self._rescan_s = rescan_s
        self._clock = clock
        self._troubled: dict[str, Problem | None] = dict.fromkeys(troubled)
        self._steps: list[set[RelPath]] = []
        """For each disk work under way, what was told of meanwhile."""
        self._large: deque[Large] = deque()
        self.reading: BeingRead | None = None
        """The large file that is being read."""
        self._full = False
        self._unwatched = False
        self.is_away = False
        """The folder is not there, or another one is."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._emitting = asyncio.Lock()
        self._scan_asked = asyncio.Event()
        self._due = asyncio.Event()
        self._large_there = asyncio.Event()
        self._decided = asyncio.Event()
        self._watched = asyncio.Event()
        self._looks_long = asyncio.Event()
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()

    async def run(self) -> None:
        """Until it is cancelled; nothing of it is left running then."""
        self._loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="observe") as self._pool:
            while True:
                await self._until_there()
                try:
                    await self._while_there()
                except* FolderVanished:
                    pass

    def rescan(self, paths: Iterable[RelPath] = (), *, full: bool = False) -> None:
        """Look at the paths, or scan the folder if none is named; `full` reads every byte of it.

        A scan, and only a scan, is answered by ScanFinished.
        """
        asked = list(paths)
        for path in asked:
            self._settler.noticed(path, How.ASKED, self._clock())
        if asked:
            self._wake()
        else:
            self._full |= full
            self._scan_asked.set()

    def hold_back(self, is_held: bool) -> None:
        """Let what is found many at once wait, or go on; what somebody saves never waits."""
        if is_held:
            self._may_go_on.clear()
        else:
            self._may_go_on.set()

    @property
    def scan_waits(self) -> bool:
        """A scan was asked for that has not begun; the next ScanFinished may be of one that began before."""
        return self._scan_asked.is_set()

    def expect(self, several: Sequence[Expected]) -> None:
        """The placer is about to give these paths such files, not to be read; from any thread."""
        self._scanner.expect(several)

    def made(self, directory: RelPath) -> None:
        """The placer just made it; from any thread."""
        self._watcher.made(directory)

    def coming(self, paths: Sequence[RelPath]) -> None:
        """The placer is about to rename files to these free names; from any thread."""
        self._watcher.coming(paths)

    def not_come(self, path: RelPath) -> None:
        """It did not come there: what stands there instead is looked at, for it may have been taken for ours."""
        self._watcher.not_come(path)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self.rescan, [path])

    # -- the folder comes and goes --------------------------------------------------------------------------------

    async def _until_there(self) -> None:
        """Says once that the folder is missing, and answers each scan that is asked for meanwhile."""
        said: Code | None = None
        self.is_away = True
        while (code := await self._thread(self._folder.trouble)) is not None:
            if code != said or self._scan_asked.is_set():
                said = code
                self._scan_asked.clear()
                await self._emit(problems=[Problem("", code)])
                await self._finished(complete=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETURN_S):
                    await self._scan_asked.wait()
        self.is_away = False
        if "" in self._troubled:
            await self._emit(cleared=[RelPath("")])

    async def _while_there(self) -> None:
        """Raises a group of FolderVanished."""
        self._settler.clear()
        self._unwatched = False
        self._large.clear()
        self._scanner.resume()
        self._watched.clear()
        self._scan_asked.set()
        async with asyncio.TaskGroup() as group:
            looks = self._look_when_due, self._look_meanwhile, self._read_large
            for task in (self._hear, *looks, self._scan_when_asked, self._guard):
                group.create_task(task(), name=f"observe{task.__name__}")

    async def _guard(self) -> None:
        while True:
            await pause(PRESENCE_S)
            if not await in_thread(self._guards, self._folder.is_there):
                raise FolderVanished

    # -- signs ----------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            try:
                watcher = await stack.enter_async_context(self._watcher)
            except OSError as error:
                await self._say_unwatched(str(error))
                return
            if watcher.blind:
                await self._say_unwatched(_("the system allows no more folders to be watched"))
            self._watched.set()
            async for told in watcher:
                match told:
                    case Signs():
                        await self._heard(told)
                    case Lost():
                        self._scan_asked.set()
        if await self._thread(self._folder.is_there):
            await asyncio.sleep(RETURN_S)  # a watch that breaks again and again is not to be set up all the time
        raise FolderVanished

    async def _ours(self, signs: Signs) -> Set[RelPath]:
        """Of files that came by a rename, those that were just placed: there is nothing to look for."""
        placed = [path for path in signs.placed if path not in self._troubled]
        came = [n.path for n in signs.noticed if n.how is How.RENAMED and n.path not in self._troubled]
        if len(came) <= MANY and not placed:
            came = []  # a few are looked at as quickly
        return await self._thread(lambda: self._scanner.ours(came, placed)) if came or placed else frozenset()

    def _gone_soon(self, signs: Signs) -> Set[RelPath]:
        """What vanished when the base perhaps did not know yet that it was placed. An exchange is a renaming, too."""
        came = {noticed.path for noticed in signs.noticed if noticed.how is How.RENAMED}
        gone = {noticed.path for noticed in signs.noticed if noticed.how is How.DELETED}
        return {path for path in gone - came if self._scanner.placed_lately(path)}

    async def _say_unwatched(self, reason: str) -> None:
        """Changes are found all the same, only later."""
        self._unwatched = True
        self._watched.set()
        await self._emit(problems=[Problem("", Code.DISK_ERROR, reason)])

    async def _heard(self, signs: Signs) -> None:
        now = self._clock()
        if len(signs.noticed) <= SAVE_PATHS_MAX:
            self._scanner.give_way()
        ours = await self._ours(signs)
        for path in signs.placed:
            if path not in ours:
                self._settler.noticed(path, How.RENAMED, now)
        for noticed in signs.noticed:
            if noticed.how is How.RENAMED and noticed.path in ours:
                continue
            if noticed.how is How.DELETED and self._scanner.took_away(noticed.path):
                self._settler.again(noticed.path, now + HOLD_S, now)  # by then the base knows it, too
            else:
                self._settler.noticed(noticed.path, noticed.how, now)
        if gone_soon := self._gone_soon(signs):
            asyncio.get_running_loop().call_later(HOLD_S, self.rescan, gone_soon)
        self._wake()
        if signs.refused:
            there = {r.problem.path: r.problem for r in signs.refused if r.there}
            gone = [RelPath(r.problem.path) for r in signs.refused if r.problem.path not in there]
            await self._emit(problems=list(there.values()), cleared=gone)

    def _wake(self) -> None:
        if self._settler.overflowed:
            self._scan_asked.set()
        self._due.set()

    # -- looks ----------------------------------------------------------------------------------------------------

    async def _look_when_due(self) -> None:
        while True:
            self._looks_long.clear()
            await self._look_at_due()

    async def _look_meanwhile(self) -> None:
        """What somebody saves does not wait until a directory with very many files was looked at."""
        while True:
            await self._looks_long.wait()
            await self._look_at_due()

    async def _look_at_due(self) -> None:
        self._due.clear()
        now = self._clock()
        due = self._settler.due(now)
        if due:
            await self._look(due)
        await self._emit(problems=self._settler.troubles(now))
        if due:
            await asyncio.sleep(PAUSE_S if len(due) < SIGHT_PATHS_MAX else 0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._until_due_s()):
                await self._due.wait()

    def _until_due_s(self) -> float | None:
        due_s = self._settler.next_due()
        return None if due_s is None else max(due_s - self._clock(), 0.0)

    async def _read_large(self) -> None:
        while True:
            while self._large:
                large = self._large.popleft()
                reading = self.reading = BeingRead(large.path)
                try:
                    if not is_bookkeeping(large.path):
                        await self._emit_event(ReadingBegun(self._mandate, large.path, large.size))
                    await self._look((large.path,), large=reading)
                finally:
                    reading.end()
                    self.reading = None
            self._large_there.clear()
            await self._large_there.wait()

    async def _look(self, due: Sequence[RelPath], *, large: BeingRead | None = None) -> None:
        complained: set[str] = set()
        async for sight, overtaken in self._sights(self._scanner.look(due, large=large)):
            await self._report(sight, overtaken)
            complained.update(problem.path for problem in sight.problems)
            if not sight.is_last:
                self._looks_long.set()
        for path in due:
            self._settler.settled(path)
        self._decided.set()
        await self._emit(cleared=[p for p in self._troubled_at(due) if p not in complained and p not in self._settler])
        if self._scanner.rules_changed:
            self._scan_asked.set()

    def _troubled_at(self, due: Sequence[RelPath]) -> list[RelPath]:
        """The paths with a problem that a look at `due` looks at, too."""
        found = [path for path in due if path in self._troubled]
        if self._troubled and len(self._troubled) <= TROUBLED_BELOW_MAX:
            asked = set(due)
            found += [RelPath(t) for t in self._troubled if not asked.isdisjoint(ancestors(RelPath(t)))]
        return found

    # -- scans ----------------------------------------------------------------------------------------------------

    async def _scan_when_asked(self) -> None:
        await self._watched.wait()
        while True:
            with contextlib.suppress(TimeoutError):
                blind = self._unwatched or self._watcher.blind
                async with asyncio.timeout(min(BLIND_RESCAN_S, self._rescan_s) if blind else self._rescan_s):
                    await self._scan_asked.wait()
            self._scan_asked.clear()
            full, self._full = self._full, False
            await self._scan(full)

    async def _scan(self, full: bool) -> None:
        self._settler.overflowed = False
        complained: set[str] = set()
        undecided: set[RelPath] = set()
        async for sight, overtaken in self._sights(self._scanner.scan(full=full)):
            undecided.update(await self._report(sight, overtaken))
            complained.update(problem.path for problem in sight.problems)
        over = [p for p in map(RelPath, self._troubled) if p and p not in complained and p not in self._settler]
        for at in range(0, len(over), SIGHT_PATHS_MAX):
            await self._emit(cleared=over[at : at + SIGHT_PATHS_MAX])
        await self._until_decided(undecided)
        await self._finished(complete=True)

    async def _until_decided(self, undecided: set[RelPath]) -> None:
        """Deletions that must last first, and files that must stand still, belong to the scan that found them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SCAN_PATIENCE_S):
                while undecided := {p for p in undecided if p in self._settler and not self._settler.is_held(p)}:
                    self._decided.clear()
                    await self._decided.wait()

    # -- telling --------------------------------------------------------------------------------------------------

    async def _report(self, sight: Sight, overtaken: set[RelPath]) -> list[RelPath]:
        """Tell of what is ready or gone; returns the paths about which that is not decided yet."""
        now = self._clock()
        seen, suspected = self._ready(sight, overtaken, now)
        seen += self._gone(sight, overtaken, now)
        for path in sight.unstable:
            self._settler.unstable(path, now)
        for path in sight.locked:
            self._settler.locked(path, now)
        for large in sight.large:
            is_quiet = self._settler.is_quiet(large.path, large.age_s, now)
            if is_quiet or (large.size <= SUSPECT_BYTES_MAX and self._settler.is_suspect(large.path)):
                self._large.append(large)
                self._large_there.set()
        self._wake()
        if suspected:
            await self._emit_event(Suspected(self._mandate, tuple(suspected)))
        seen = await self._not_held(seen)
        torn = await self._not_held(self._given_up(sight, overtaken, now))
        told = {s.path for s in (*seen, *torn)}
        for overtaken_of_step in self._steps:
            overtaken_of_step.update(told)
        await self._emit(seen, sight.problems, [s.path for s in seen if s.path in self._troubled], torn)
        paths = [f.seen.path for f in sight.found] + [m.path for m in sight.missing] + [x.path for x in sight.large]
        return [path for path in paths if path not in told]

    async def _not_held(self, seen: list[Seen]) -> list[Seen]:
        """Without what has to wait: that is looked at anew. Raises FolderVanished."""
        doubtful = list(filter(is_doubtful, seen))
        if not doubtful:
            return seen
        async with self._step() as overtaken:
            held = await self._thread(lambda: self._hold(doubtful))
        now = self._clock()
        for path in held.keys() | overtaken:
            self._settler.again(path, now + held.get(path, 0.0), now)
        return [s for s in seen if s.path not in held and s.path not in overtaken]

    def _ready(self, sight: Sight, overtaken: set[RelPath], now: float) -> tuple[list[Seen], list[Seen]]:
        """What may be told of, and the big files that will be if they stand still."""
        seen: list[Seen] = []
        suspected: list[Seen] = []
        for found in sight.found:
            path = found.seen.path
            if path in overtaken:
                self._settler.noticed(path, How.ASKED, now)
            elif self._settler.found(found.seen, found.whole, found.age_s, now, found.asked):
                seen.append(found.seen)
                if found.racy_s:
                    self._settler.again(path, now + found.racy_s, now)
            elif found.seen.entry.size > MANIFEST_THRESHOLD_BYTES and not is_doubtful(found.seen):
                suspected.append(found.seen)
        return seen, suspected

    def _given_up(self, sight: Sight, overtaken: set[RelPath], now: float) -> list[Seen]:
        return [
            found.seen
            for found in sight.found
            if found.whole is Completeness.TORN
            and found.seen.path not in overtaken
            and self._settler.is_given_up(found.seen.path, now)
        ]

    def _gone(self, sight: Sight, overtaken: set[RelPath], now: float) -> list[Seen]:
        seen = []
        for missing in sight.missing:
            if missing.path in overtaken:
                self._settler.noticed(missing.path, How.ASKED, now)
            elif self._settler.missing(missing.path, missing.entry, missing.stat, now):
                seen.append(Seen(missing.path, ABSENT))
        return seen

    async def _emit(
        self,
        seen: Sequence[Seen] = (),
        problems: Iterable[Problem] = (),
        cleared: Iterable[RelPath] = (),
        torn: Sequence[Seen] = (),
    ) -> None:
        """Problems that were told already, and are not over, are not told again."""
        over = tuple(path for path in cleared if path in self._troubled)
        new = tuple(p for p in problems if self._troubled.get(p.path) != p)
        for path in over:
            del self._troubled[path]
        for problem in new:
            if problem.path in self._troubled or len(self._troubled) < TROUBLED_MAX:
                self._troubled[problem.path] = problem
        if seen or new or over or torn:
            async with self._emitting:
                await self._emit_event(Observed(self._mandate, tuple(seen), new, over, tuple(torn)))

    async def _finished(self, *, complete: bool) -> None:
        async with self._emitting:
            await self._emit_event(ScanFinished(self._mandate, complete))

    # -- threads --------------------------------------------------------------------------------------------------

    async def _sights(self, sights: Iterator[Sight]) -> AsyncIterator[tuple[Sight, set[RelPath]]]:
        """Each with the paths that were told of by others while it was made."""
        while True:
            async with self._step() as overtaken:
                sight = await self._thread(lambda: next(sights))
            yield sight, overtaken
            if sight.is_last:  # to ask for more would be one more thread's turn, just when others want theirs
                return
            await self._may_go_on.wait()

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[set[RelPath]]:
        """Disk work under way; yields the paths that others told of meanwhile, which is newer than what it brings."""
        overtaken: set[RelPath] = set()
        self._steps.append(overtaken)
        try:
            yield overtaken
        finally:
            self._steps = [step for step in self._steps if step is not overtaken]

    async def _thread(self, work: Callable[[], T]) -> T:
        return await in_thread(self._pool, work, self._scanner.stop)
