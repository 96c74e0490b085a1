"""Watching on any system, through `watchfiles`, which asks its own queue for news many times a second."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from watchfiles import Change, watch
from watchfiles.main import FileChange

from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import OWN_DIRECTORY, RelPath
from p2psync.engine.settle import How
from p2psync.errors import InvalidPath
from p2psync.fs.folder import Folder
from p2psync.fs.listing import shown
from p2psync.fs.signs import Lost, Noticed, Refused, Signs

STEP_MS = 20
"""Between two questions: shorter costs CPU while nothing happens (0.7 s a minute at 1 ms, 0.15 at 20), longer time."""
DEBOUNCE_MS = 100
"""Signs that keep coming are told after so long."""
GATHERED_MAX = 50_000
"""Signs that wait to be fetched; more are lost."""

_HOW = {Change.deleted: How.DELETED, Change.added: How.CREATED, Change.modified: How.MODIFIED}
_ORDER = tuple(_HOW)
"""Signs of one moment come in no order; a look settles what stands there in the end."""


class PortableWatcher:
    hears_closing = False

    def __init__(self, folder: Folder, step_ms: int = STEP_MS) -> None:
        self.blind = False
        self._folder = folder
        self._step_ms = step_ms

    async def __aenter__(self) -> PortableWatcher:
        self._loop = asyncio.get_running_loop()
        self._root = os.path.realpath(self._folder.root)
        os.stat(self._root)  # the library watches what is missing without a word
        self._gathered: set[FileChange] = set()
        self._overflowed = False
        self._ended = False
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self._stop = _Stop(lambda: self._loop.call_soon_threadsafe(self._begun.set))
        self._failure: BaseException | None = None
        self._finished = asyncio.Event()
        threading.Thread(target=self._run, name="watch", daemon=True).start()
        await self._begun.wait()
        if self._failure is not None:
            raise OSError(str(self._failure)) from self._failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.wanted = True
        await self._finished.wait()

    def made(self, directory: RelPath) -> None:
        """The library watches it by itself."""

    def coming(self, paths: Sequence[RelPath]) -> None:
        """It does not tell a renaming from other signs."""

    def not_come(self, path: RelPath) -> None:
        pass

    def __aiter__(self) -> PortableWatcher:
        return self

    async def __anext__(self) -> Signs | Lost:
        while not self._ended or self._gathered:
            await self._news.wait()
            if not self._ended:
                self._news.clear()
            gathered, self._gathered = self._gathered, set()
            if self._overflowed:
                self._overflowed = False
                return Lost()
            told = self._signs(gathered)
            if told is not None:
                return told
        raise StopAsyncIteration

    # -- the watching thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            for changes in watch(
                self._root,
                watch_filter=None,
                step=self._step_ms,
                debounce=DEBOUNCE_MS,
                stop_event=self._stop,
                rust_timeout=0,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                self._loop.call_soon_threadsafe(self._gather, changes)
        except Exception as error:
            if not self._stop.asked:
                self._failure = error
        self._loop.call_soon_threadsafe(self._finish)

    def _gather(self, changes: set[FileChange]) -> None:
        if len(self._gathered) + len(changes) > GATHERED_MAX:
            self._overflowed = True
        else:
            self._gathered |= changes
        self._news.set()

    def _finish(self) -> None:
        self._ended = True
        self._begun.set()
        self._news.set()
        self._finished.set()

    # -- signs ----------------------------------------------------------------------------------------------------

    def _signs(self, gathered: set[FileChange]) -> Signs | None:
        noticed: list[Noticed] = []
        refused: list[Refused] = []
        for change, where in sorted(gathered, key=lambda item: (item[1], _ORDER.index(item[0]))):
            if where == self._root:
                self._ended |= change is Change.deleted
                continue
            name = where[len(self._root) + 1 :].replace(os.sep, "/")
            if name == OWN_DIRECTORY or name.startswith(OWN_DIRECTORY + "/"):
                continue
            try:
                noticed.append(Noticed(self._folder.spelled(name), _HOW[change]))
            except InvalidPath as error:
                problem = Problem(shown(name), Code(error.code))
                refused.append(Refused(problem, change is not Change.deleted))
        return Signs(tuple(noticed), tuple(refused)) if noticed or refused else None


class _Stop:
    """The library asks at each turn whether to stop: its first question tells that it has begun."""

    def __init__(self, begun: Callable[[], object]) -> None:
        self.wanted = False
        self.asked = False
        self._begun = begun

    def is_set(self) -> bool:
        if not self.asked:
            self.asked = True
            self._begun()
        return self.wanted
