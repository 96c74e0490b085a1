"""Tells of files of bookings that an index names and that never came.

For a moment that is usual: the index and what it names are on their way. Of a file that may be kept from this device
nothing is told: it never comes here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from p2psync.core.ids import MandateId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.daemon.logs import EventLog
from p2psync.daemon.programs.shelf import Shelf
from p2psync.daemon.runtime import Runtime
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.engine.settle import PATIENCE_S
from p2psync.errors import FolderError, P2PSyncError
from p2psync.store.database import Database

LOOK_EVERY_S = 10.0
NAMES_TOLD = 5
"""Of each index; of more it is told how many."""
TOLD = "absent_told"
"""Of a mandate: the indexes, with what each names, that a person was told of."""

Pair = tuple[RelPath, RelPath]
"""An index, and a file that it names."""
Absent = Mapping[RelPath, Sequence[RelPath] | None]
"""Of each index what it names and is not beside it; None while that cannot be said."""


@value
class _Finding:
    """What is to be noted of a mandate."""

    told: frozenset[Pair]
    problems: tuple[Problem, ...]
    over: tuple[RelPath, ...]
    """Indexes of which nothing is amiss any more."""


class Indexes:
    """Of one device. All methods are for the event loop."""

    def __init__(
        self,
        runtime: Runtime,
        database: Database,
        shelf: Shelf,
        log: EventLog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._shelf = shelf
        self._log = log
        self._clock = clock
        self._seen: object = None
        """How much the database had changed at the last look, and at which mandates it was looked."""
        self._since_s: dict[MandateId, dict[Pair, float]] = {}
        """Since when each of those is missed that were not told yet."""

    async def keep(self) -> None:
        """Look at the indexes for ever."""
        while True:
            try:
                await self.look()
            except P2PSyncError as error:  # the database cannot be read just now, or this device stops
                self._log.event("indexes.failed", reason=error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Tell what is missed for long enough, and no more of what has come; while a mandate rests nothing can come."""
        mandates = await self._runtime.query(
            lambda device, _: [m.id for m in device.mandates.values() if not m.is_held]
        )
        before, self._seen = self._seen, (self._database.connection.total_changes, mandates)
        if before == self._seen and not any(self._since_s.values()):
            return
        self._since_s = {mandate: self._since_s.get(mandate, {}) for mandate in mandates}
        for mandate in mandates:
            try:
                absent = await self._shelf.absent(mandate)
            except FolderError:
                continue
            await self._tell(mandate, absent)

    async def _tell(self, mandate: MandateId, absent: Absent) -> None:
        def judge(device: Device, _: Now) -> _Finding | None:
            one = device.mandates.get(mandate)
            return self._judge(one, device, absent) if one is not None else None

        def note(device: Device, _: Now) -> None:
            one = device.mandates.get(mandate)
            if one is not None and finding is not None:
                one.state.put(TOLD, sorted(map(list, finding.told)))
                one.state.clear_problems(finding.over, [Code.ENTRIES_MISSING])
                one.state.put_problems(finding.problems)

        finding = await self._runtime.query(judge)
        if finding is not None:
            await self._runtime.call(note)

    def _judge(self, mandate: Mandate, device: Device, absent: Absent) -> _Finding | None:
        """For the engine's thread. None if all is as it was told."""
        stored: Any = mandate.state.get(TOLD) or []
        told = frozenset((RelPath(index), RelPath(path)) for index, path in stored)
        standing = {p.path: p for p in mandate.state.problems() if p.code is Code.ENTRIES_MISSING}
        missed = _missed(mandate, device, absent) | {pair for pair in told if absent.get(pair[0], ()) is None}
        now_s, before = self._clock(), self._since_s.get(mandate.id, {})
        since_s = {pair: before.get(pair, now_s) for pair in missed - told}
        late = frozenset(pair for pair, since in since_s.items() if now_s - since >= PATIENCE_S)
        self._since_s[mandate.id] = {pair: since for pair, since in since_s.items() if pair not in late}
        telling, fresh = late | (told & missed), {index for index, _ in late}
        problems = {
            index: Problem(index, Code.ENTRIES_MISSING, _named([path for _, path in pairs]))
            for index, pairs in groupby(sorted(telling), key=itemgetter(0))
            if index in fresh or index in standing
        }
        over = tuple(sorted(RelPath(path) for path in standing.keys() - problems.keys()))
        changed = tuple(problem for index, problem in problems.items() if standing.get(index) != problem)
        return _Finding(telling, changed, over) if changed or over or telling != told else None


def _missed(mandate: Mandate, device: Device, absent: Absent) -> frozenset[Pair]:
    """What neither lies here nor is about to, though this device may have it."""
    pairs = {(index, path) for index, paths in absent.items() for path in paths or ()}
    live = mandate.state.live({path for _, path in pairs})
    authority, own = mandate.authority, device.keys.device
    return frozenset(
        (index, path)
        for index, path in pairs
        if path not in live and authority.may_read(own, authority.rules.class_id(path) or "")
    )


def _named(paths: Sequence[RelPath]) -> str:
    more = f" (+{len(paths) - NAMES_TOLD})" if len(paths) > NAMES_TOLD else ""
    return ", ".join(paths[:NAMES_TOLD]) + more
