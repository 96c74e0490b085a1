"""An observer at work, a watcher that is played, and what was told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType

from p2psync.core.entry import Kind
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.events import Observed, ReadingBegun, ScanFinished, Seen, Suspected
from p2psync.engine.settle import QUIET_S, WRITING_QUIET_S, How, Settler
from p2psync.fs.observer import Hold, Observer
from p2psync.fs.scanner import Scanner
from p2psync.fs.signs import Lost, Noticed, Signs, Watcher
from tests.fs.onlooking import Nobody
from tests.fs.watched import MANDATE, Place

PATIENCE_S = 30
"""Only a broken test waits so long."""


class PlayedWatcher(Nobody):
    """Tells what the test says; None ends it."""

    hears_closing = False

    def __init__(self, refuses: bool = False, blind: bool = False) -> None:
        self.blind = blind
        self.refuses = refuses
        self.entered = 0
        self.signs: asyncio.Queue[Signs | Lost | None] = asyncio.Queue()

    async def __aenter__(self) -> PlayedWatcher:
        if self.refuses:
            raise OSError("no more watches")
        self.entered += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.entered -= 1

    def __aiter__(self) -> PlayedWatcher:
        return self

    async def __anext__(self) -> Signs | Lost:
        told = await self.signs.get()
        if told is None:
            raise StopAsyncIteration
        return told

    def notice(self, *signs: tuple[str, How]) -> None:
        self.signs.put_nowait(Signs(tuple(Noticed(RelPath(path), how) for path, how in signs)))


@dataclass
class Told:
    """What the observer emitted, and a base that takes it in as the engine does."""

    place: Place
    observer: Observer
    played: PlayedWatcher
    events: list[Observed | Suspected | ReadingBegun | ScanFinished] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, event: Observed | Suspected | ReadingBegun | ScanFinished) -> None:
        await self.may_go_on.wait()
        self.events.append(event)
        if isinstance(event, Observed):
            self.place.base.take(event.seen)
        self.news.set()

    async def until(self, enough: Callable[[Told], bool]) -> Told:
        async with asyncio.timeout(PATIENCE_S):
            while not enough(self):
                self.news.clear()
                await self.news.wait()
        return self

    async def scanned(self, times: int = 1) -> Told:
        return await self.until(lambda told: len(told.finished) >= times)

    async def path(self, path: str, times: int = 1) -> Told:
        return await self.until(lambda told: told.paths.count(path) >= times)

    @property
    def finished(self) -> list[bool]:
        return [e.complete for e in self.events if isinstance(e, ScanFinished)]

    @property
    def seen(self) -> list[Seen]:
        return [s for e in self.events if isinstance(e, Observed) for s in e.seen]

    @property
    def suspected(self) -> list[str]:
        return [s.path for e in self.events if isinstance(e, Suspected) for s in e.seen]

    @property
    def paths(self) -> list[str]:
        return [("-" if s.entry.kind == Kind.ABSENT else "+") + s.path for s in self.seen]

    @property
    def torn(self) -> list[str]:
        return [s.path for e in self.events if isinstance(e, Observed) for s in e.torn]

    @property
    def problems(self) -> list[Problem]:
        return [p for e in self.events if isinstance(e, Observed) for p in e.problems]

    @property
    def cleared(self) -> list[str]:
        return [p for e in self.events if isinstance(e, Observed) for p in e.cleared]


@asynccontextmanager
async def observing(
    place: Place,
    watcher: Watcher | None = None,
    rescan_s: float = 600.0,
    troubled: tuple[str, ...] = (),
    hold: Hold = lambda seen: {},
    quiet_s: float = QUIET_S,
    writing_quiet_s: float = WRITING_QUIET_S,
    guards: Executor | None = None,
) -> AsyncIterator[Told]:
    played = PlayedWatcher()

    async def emit(event: Observed | Suspected | ReadingBegun | ScanFinished) -> None:
        await told.take(event)

    it = Observer(
        MANDATE,
        place.folder,
        Scanner(place.folder, place.base),
        watcher or played,
        Settler(quiet_s, writing_quiet_s, (watcher or played).hears_closing),
        emit,
        hold=hold,
        troubled=troubled,
        guards=guards,
        rescan_s=rescan_s,
    )
    told = Told(place, it, played)
    told.may_go_on.set()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(it.run())
        try:
            yield told
        finally:
            task.cancel()
