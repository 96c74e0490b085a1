"""The owner of background work: every task has a name, its error is noted, and at the end all are awaited."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from p2psync.daemon.logs import EventLog

FAILURES_MAX = 3
FAILURES_S = 60.0
"""So many failures of one piece of work in so many seconds, and beginning anew makes nothing better."""


class Tasks:
    """A task group that outlives the call that made it, and that no failing task can bring down."""

    def __init__(self, log: EventLog, on_broken: Callable[[BaseException], None] = lambda error: None) -> None:
        """`on_broken` hears of work that has to go on and fails again and again."""
        self._log = log
        self._on_broken = on_broken
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        await self._group.__aenter__()

    def start(self, work: Coroutine[Any, Any, object], name: str) -> asyncio.Task[None]:
        """Begin some work; whoever keeps the task may cancel it."""
        task = self._group.create_task(self._guarded(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began
        return task

    def keep(self, work: Callable[[], Coroutine[Any, Any, object]], name: str) -> asyncio.Task[None]:
        """Begin work that has to go on as long as the device runs: it is begun anew when it fails."""
        return self.start(self._kept(work, name), name)

    async def _kept(self, work: Callable[[], Coroutine[Any, Any, object]], name: str) -> None:
        failures: deque[float] = deque(maxlen=FAILURES_MAX)
        while True:
            try:
                await work()
                return
            except Exception as error:
                self._log.failure("task.failed", error, task=name)
                failures.append(asyncio.get_running_loop().time())
                if len(failures) == FAILURES_MAX and failures[-1] - failures[0] < FAILURES_S:
                    self._on_broken(error)
                    return

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)
        await self._group.__aexit__(None, None, None)

    async def _guarded(self, work: Coroutine[Any, Any, object], name: str) -> None:
        try:
            await work
        except Exception as error:
            self._log.failure("task.failed", error, task=name)
