"""The owner of background work: every task has a name, its error is noted, and at the end all are awaited."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from p2psync.daemon.logs import EventLog
from p2psync.errors import DaemonStopping
from p2psync.system.tasks import Crew

FAILURES_MAX = 3
FAILURES_S = 60.0
"""So many failures of one piece of work in so many seconds, and beginning anew makes nothing better."""


class Tasks(Crew):
    """A crew whose failures are logged, and which begins anew what has to go on."""

    def __init__(self, log: EventLog, on_broken: Callable[[BaseException], None] = lambda error: None) -> None:
        """`on_broken` hears of work that has to go on and fails again and again."""
        super().__init__(self._failed)
        self._log = log
        self._on_broken = on_broken

    def keep(self, work: Callable[[], Coroutine[Any, Any, object]], name: str) -> asyncio.Task[None]:
        """Begin work that has to go on as long as the device runs: it is begun anew when it fails."""
        return self.start(self._kept(work, name), name)

    async def _kept(self, work: Callable[[], Coroutine[Any, Any, object]], name: str) -> None:
        failures: deque[float] = deque(maxlen=FAILURES_MAX)
        while True:
            try:
                await work()
                return
            except DaemonStopping:
                return
            except Exception as error:
                self._failed(name, error)
                failures.append(asyncio.get_running_loop().time())
                if len(failures) == FAILURES_MAX and failures[-1] - failures[0] < FAILURES_S:
                    self._on_broken(error)
                    return

    def _failed(self, name: str, error: Exception) -> None:
        if not isinstance(error, DaemonStopping):
            self._log.failure("task.failed", error, task=name)
