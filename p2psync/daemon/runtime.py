"""The engine's thread: it alone owns the database's writer and the `Device`, and turns events into durable effects.

Everything else talks to it from the event loop: `post` an event, `call` a person's act, `query` what it knows.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from p2psync.core.authority import Authority
from p2psync.core.ids import MandateId
from p2psync.core.problem import Code, Problem
from p2psync.core.value import mutable
from p2psync.daemon.logs import EventLog
from p2psync.engine.device import Device
from p2psync.engine.effects import Effect, MembersChanged, PeerJoined, Place, WakeAt
from p2psync.engine.events import Event, Observed, Placed, Received, Tick
from p2psync.engine.scope import Now
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.errors import DaemonStopping, StoreDamaged, StoreError
from p2psync.store.database import Database
from p2psync.wire.messages import IndexUpdate

QUEUE_MAX = 512
"""Events waiting; from here on `post` waits."""
QUEUE_PER_LINK_MAX = 16
"""Messages waiting of one link; its next one waits, so that those of others come between. A megabyte each at most."""
QUEUE_PATHS_MAX = 2000
"""Paths waiting that were observed; whoever looks at the disk waits from here on. Its threads are quicker than the
engine: what they have read would take up memory, and would be forgotten before it could go along with its change."""
BATCH_EVENTS_MAX = 64
"""Events in one transaction."""
BATCH_PATHS_MAX = 500
"""Paths in the events of one transaction, about; so that nobody waits long for its end."""
BLOCK_PATHS = 100
"""What a block counts for in that."""
FAULTS_MAX = 3
FAULTS_S = 60.0
"""So many faults of our own in so many seconds, and going on makes nothing better."""
DISK_RETRY_S = 5.0
"""How long the engine rests after the database could not be written."""

_CODES = {sqlite3.SQLITE_FULL: Code.DISK_FULL, sqlite3.SQLITE_READONLY: Code.READ_ONLY}

T = TypeVar("T")


class Performer(Protocol):
    """What carries out effects, in the event loop; must not wait."""

    def know(self, authorities: Mapping[MandateId, Authority]) -> None:
        """Who belongs, as of the effects that follow."""

    def foresee(self, effect: Place) -> None:
        """This will have to be carried out once it is durable; nobody may see anything of it before."""

    def perform(self, effects: Sequence[Effect]) -> None:
        """Carry out effects in their order. What they say is durable by now: commit before send."""

    def rebuilt(self) -> None:
        """The device was made anew from its rows: it knows of no link and no folder any more."""

    def broken(self, error: BaseException) -> None:
        """The engine has stopped for good."""


@mutable
class _Call(Generic[T]):
    """An act or a question of a person, and where its answer goes."""

    run: Callable[[Device, Now], T]
    future: asyncio.Future[T]
    writes: bool


class Runtime:
    """One device at work. All methods are for the event loop that `start` ran in."""

    def __init__(
        self, database: Database, make_device: Callable[[], Device], performer: Performer, log: EventLog
    ) -> None:
        """`make_device` builds the device from the database's rows; it runs in the engine's thread."""
        self.trouble: Problem | None = None
        """While the database cannot be written: why, for people. It cannot lie there."""
        self._changes_then = 0
        self._database = database
        self._make_device = make_device
        self._performer = performer
        self._log = log
        self._queue: deque[Event | _Call[Any]] = deque()
        self._queued_of: Counter[int] = Counter()
        """By link: the messages in the queue."""
        self._queued_paths = 0
        """Those that were observed."""
        self._wanted = threading.Condition()
        self._stopping = False
        self._wake_at_s: float | None = None
        self._faults: deque[float] = deque(maxlen=FAULTS_MAX)
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    async def start(self) -> None:
        """Load the device. Raises what its loading raises."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._thread.start()
        await self.query(lambda device, _: None)

    async def stop(self) -> None:
        """Finish what is under way; what still waits is forgotten, callers get an error."""
        with self._wanted:
            self._stopping = True
            self._wanted.notify()
        await self._ended
        self._thread.join()

    # -- from the loop ---------------------------------------------------------------------------------

    async def post(self, event: Event) -> None:
        """Queue an event; waits while too many are queued already, in all, of the same link, or of the disks."""
        while (waiter := self._waiter_for(event)) is not None:
            await waiter
        self.post_now(event)

    def post_now(self, event: Event) -> None:
        """Queue an event that cannot wait, as one that answers an effect."""
        self._put(event)

    async def call(self, act: Callable[[Device, Now], T]) -> T:
        """Run a person's act in a transaction of its own; its effects are carried out before this returns.

        Whatever it raises is raised here, and leaves no trace.
        """
        return await self._ask(act, writes=True)

    async def query(self, question: Callable[[Device, Now], T]) -> T:
        """Ask the device something without changing it."""
        return await self._ask(question, writes=False)

    async def _ask(self, run: Callable[[Device, Now], T], writes: bool) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._put(_Call(run, future, writes))
        return await future

    def _waiter_for(self, event: Event) -> asyncio.Future[None] | None:
        """What to wait for before an event can be queued; None if there is room."""
        with self._wanted:  # or room could be made between the look and the wait, and nobody would tell
            if self._stopping or not (self._has_too_many_like(event) or len(self._queue) >= QUEUE_MAX):
                return None
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            return waiter

    def _has_too_many_like(self, event: Event) -> bool:
        match event:
            case Received(link):
                return self._queued_of[link] >= QUEUE_PER_LINK_MAX
            case Observed():
                return self._queued_paths >= QUEUE_PATHS_MAX
            case _:
                return False

    def _put(self, item: Event | _Call[Any]) -> None:
        with self._wanted:
            if self._stopping:
                if isinstance(item, _Call):
                    raise DaemonStopping("p2psync is stopping.")
                return
            self._queue.append(item)
            match item:
                case Received(link):
                    self._queued_of[link] += 1
                case Observed(_, seen):
                    self._queued_paths += len(seen)
                case _:
                    pass
            self._wanted.notify()

    def _pop(self) -> Event | _Call[Any]:
        item = self._queue.popleft()
        match item:
            case Received(link):
                self._queued_of[link] -= 1
                if not self._queued_of[link]:
                    del self._queued_of[link]
            case Observed(_, seen):
                self._queued_paths -= len(seen)
            case _:
                pass
        return item

    def _wake_waiters(self) -> None:
        """Each looks for itself whether there is room for it now."""
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # -- in the engine's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._begin_anew()
            while batch := self._next():
                self._process(batch)
        except Exception as error:
            self._log.failure("engine.broken", error)
            self._later(self._performer.broken, error)
        finally:
            self._end()

    def _next(self) -> list[Event | _Call[Any]]:
        """What to do now, waiting for it; empty when it is time to stop."""
        with self._wanted:
            while not self._queue and not self._stopping:
                rest_s = None if self._wake_at_s is None else self._wake_at_s - time.monotonic()
                if rest_s is not None and rest_s <= 0:
                    self._wake_at_s = None
                    return [Tick()]
                self._wanted.wait(rest_s)
            if self._stopping:
                return []
            batch = self._take_batch()
        if self._waiters:
            self._later(self._wake_waiters)
        return batch

    def _take_batch(self) -> list[Event | _Call[Any]]:
        """Events that fit one transaction, or one call."""
        batch: list[Event | _Call[Any]] = []
        weight = 0
        while self._queue and len(batch) < BATCH_EVENTS_MAX and weight < BATCH_PATHS_MAX:
            first = self._queue[0]
            if isinstance(first, _Call):
                return batch or [self._pop()]
            batch.append(self._pop())
            weight += _weight(first)
        if self._wake_at_s is not None and self._wake_at_s <= time.monotonic():
            self._wake_at_s = None
            batch.append(Tick())
        return batch

    def _process(self, batch: list[Event | _Call[Any]]) -> None:
        first = batch[0]
        if isinstance(first, _Call):
            self._answer(first)
            return
        try:
            with self._database.transaction():
                effects = self._device.handle_all(batch, _now())  # type: ignore[arg-type]
                self._foresee(effects)
        except Exception as error:
            self._recover(error)
        else:
            self._publish(effects)

    def _answer(self, call: _Call[Any]) -> None:
        before = self._database.connection.total_changes
        try:
            result = self._act(call) if call.writes else call.run(self._device, _now())
        except Exception as error:
            self._later(_fail, call.future, error)
            if self._database.connection.total_changes == before:
                return
            if isinstance(error, StoreError):
                self._recover(error)
            else:
                self._rebuild()  # its rows were rolled back, its memory was not
        else:
            self._later(_succeed, call.future, result)

    def _act(self, call: _Call[Any]) -> Any:
        now = _now()
        with self._database.transaction():
            self._device.act(now)
            result = call.run(self._device, now)
            effects = self._device.finish()
        self._publish(effects)
        return result

    def _foresee(self, effects: Sequence[Effect]) -> None:
        """To write a saved file takes as long as to make durable what it rests on: let both be done at once."""
        saves = [e for e in effects if isinstance(e, Place) and 0 < len(e.items) <= SAVE_PATHS_MAX]
        if saves:
            self._later(self._performer.foresee, saves[0])

    def _publish(self, effects: Sequence[Effect]) -> None:
        if self._database.connection.total_changes != self._changes_then:
            self.trouble = None
        wakes = [e.at_s for e in effects if isinstance(e, WakeAt)]
        if wakes:
            self._wake_at_s = wakes[-1]
        others = [e for e in effects if not isinstance(e, WakeAt)]
        if any(isinstance(e, MembersChanged | PeerJoined) for e in others):
            self._tell_who_belongs()
        if others:
            self._later(self._performer.perform, others)

    # -- faults ----------------------------------------------------------------------------------------

    def _recover(self, error: Exception) -> None:
        """Go on from what is durable; raises the error again if that does not help."""
        if isinstance(error, StoreDamaged):
            raise error
        if isinstance(error, StoreError):
            self._log.event("store.failed", reason=error)
            self.trouble = _trouble(self._database, error)
            self._changes_then = self._database.connection.total_changes
            self._rest(DISK_RETRY_S)
        else:
            self._log.failure("engine.fault", error)
            self._count_fault(error)
        self._rebuild()

    def _count_fault(self, error: Exception) -> None:
        self._faults.append(time.monotonic())
        if len(self._faults) == FAULTS_MAX and self._faults[-1] - self._faults[0] < FAULTS_S:
            raise error

    def _rest(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        with self._wanted:
            while not self._stopping and (rest_s := until_s - time.monotonic()) > 0:
                self._wanted.wait(rest_s)

    def _rebuild(self) -> None:
        self._wake_at_s = None
        self._begin_anew()
        self._later(self._performer.rebuilt)

    def _begin_anew(self) -> None:
        self._device = self._make_device()
        self._tell_who_belongs()

    def _tell_who_belongs(self) -> None:
        self._later(self._performer.know, {m.id: m.authority for m in self._device.mandates.values()})

    def _end(self) -> None:
        with self._wanted:
            self._stopping = True
            left = [item for item in self._queue if isinstance(item, _Call)]
            self._queue.clear()
        for call in left:
            self._later(_fail, call.future, DaemonStopping("p2psync is stopping."))
        self._later(self._wake_waiters)
        self._later(_succeed, self._ended, None)

    def _later(self, function: Callable[..., object], *arguments: object) -> None:
        """Have the loop call it, after all that it was asked to call before."""
        self._loop.call_soon_threadsafe(function, *arguments)


def _trouble(database: Database, error: StoreError) -> Problem:
    cause = error.__cause__
    code = _CODES.get(getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF, Code.DISK_ERROR)
    return Problem(str(database.path), code, str(cause or error))


def _now() -> Now:
    return Now(time.monotonic(), time.time_ns() // 1_000_000)


def _weight(event: Event) -> int:
    match event:
        case Observed(_, seen):
            return len(seen) + 1
        case Placed(_, outcomes):
            return len(outcomes) + 1
        case Received(_, IndexUpdate(_, blocks)):
            return len(blocks) * BLOCK_PATHS
        case _:
            return 1


def _succeed(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
