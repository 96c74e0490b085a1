"""The mandates' folders of this device: opened when they are there, looked after while they are, closed in order.

A folder that is not there (an unplugged drive) is a Problem of its mandate, never a deletion, and is tried again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from secrets import token_bytes

from p2psync.core.ids import ContentId, MandateId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable, value
from p2psync.daemon.contents.assembling import MandateContents
from p2psync.daemon.contents.reading import Reading
from p2psync.daemon.disk.ground import (
    Extent,
    Found,
    Past,
    abandon,
    extent_of,
    lock_of,
    look_at,
    past_of,
    prepare,
    remove_empty,
    was_swapped,
)
from p2psync.daemon.disk.holding import Holding
from p2psync.daemon.disk.placing import DiskThreads, Placing
from p2psync.daemon.disk.restoring import into_file
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.device import Device
from p2psync.engine.effects import KeepVersion, Merge, Place, Rescan
from p2psync.engine.events import (
    EpochRenewed,
    FolderOpened,
    Kept,
    Observed,
    ReadingBegun,
    ScanFinished,
    Seen,
    Suspected,
)
from p2psync.engine.scope import Now
from p2psync.engine.settle import Settler
from p2psync.engine.site import DISK_CODES
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.errors import FolderError
from p2psync.fs.being_read import BeingRead
from p2psync.fs.contents import Contents
from p2psync.fs.folder import EPOCH_BYTES, Folder, Marker
from p2psync.fs.full_pass import FullPass
from p2psync.fs.look import disk_problem
from p2psync.fs.observer import Observer
from p2psync.fs.openness import is_written
from p2psync.fs.pacing import Pacer
from p2psync.fs.placer import Placer
from p2psync.fs.scanner import Scanner
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from p2psync.fs.watcher import watcher_for
from p2psync.store.cuts import CutFile, Cuts
from p2psync.store.database import Database
from p2psync.store.lock import FolderLock
from p2psync.system.tasks import cancelled, pause
from p2psync.wire.messages import PUSH_BYTES_MAX

LOOK_EVERY_S = 5.0
"""How often it is checked that a folder is there, or looked for one that is not."""
END_AGAIN_S = 5.0
"""A folder's observer that has not ended by then heard nothing of it: its folder went away just then."""
RENEW_EPOCH_S = 3600.0
"""How old a backup of the folder may be, at least, to be recognised as one while this device runs on."""


@mutable
class _Open:
    """One folder at work."""

    folder: Folder
    versions: Versions
    placer: Placer
    placing: Placing
    scanner: Scanner
    observer: Observer
    observing: asyncio.Task[None] | None
    contents: MandateContents
    reading: Reading
    lock: FolderLock | None
    """Keeps another p2psync of this PC out of the folder; None where there are no locks."""
    scanned: asyncio.Event
    """Set at the end of each scan."""


@value
class Desk:
    """Where the bytes of a mandate whose folder is there are found and kept."""

    contents: Contents
    versions: Versions


class Folders:
    """All methods are for the event loop."""

    def __init__(
        self,
        database: Database,
        cuts: CutFile,
        runtime: Runtime,
        tasks: Tasks,
        log: EventLog,
        on_save: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_save` is called when somebody seems to have saved small files, before anything is made of it."""
        self._database = database
        self._cuts = cuts
        self._runtime = runtime
        self._tasks = tasks
        self._log = log
        self._on_save = on_save
        self.pacer = Pacer()
        """Of all that is read in full."""
        self._threads = DiskThreads()
        self._roots: dict[MandateId, Path] = {}
        """Where each mandate's folder is, whether it is there or not."""
        self._open: dict[MandateId, _Open] = {}
        self._keepers: dict[MandateId, asyncio.Task[None]] = {}
        self._turns: defaultdict[MandateId, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Whoever opens or shuts a folder waits for who does it already."""
        self.contents: dict[MandateId, MandateContents] = {}
        """Of the folders that are there, for the transfer."""

    # -- people ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def prepared(self, root: Path, mandate: MandateId | None) -> AsyncIterator[Callable[[], None]]:
        """A directory that is ready to be a mandate's folder; None for a mandate to be created.

        Unless what is given is called, nothing of it stays at the end. Raises FolderError with the reason why it
        cannot be.
        """
        others = [path for other, path in self._roots.items() if other != mandate]
        made = await asyncio.to_thread(prepare, root, mandate, others)
        kept = asyncio.Event()
        try:
            yield kept.set
        finally:
            if not kept.is_set():
                await asyncio.to_thread(remove_empty, made)

    async def open(self, mandate: MandateId, root: Path) -> None:
        """Look after a folder from now on; one that is not there becomes a Problem and is tried again."""
        self._roots[mandate] = root
        await self._try_to_open(mandate, root)
        self._keepers[mandate] = self._tasks.keep(partial(self._keep, mandate, root), f"folder {mandate.hex()[:8]}")

    async def close(self, mandate: MandateId) -> Path | None:
        """Let go of a folder; returns where it is."""
        keeper = self._keepers.pop(mandate, None)
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        await self._shut(mandate)
        self._turns.pop(mandate, None)
        return self._roots.pop(mandate, None)

    async def close_all(self) -> None:
        """What is being placed is placed and told first."""
        await asyncio.gather(*(self.close(mandate) for mandate in tuple(self._roots)))

    def release(self) -> None:
        """At the very end: wait for the threads."""
        self._threads.close()

    async def abandon(self, root: Path, wipe: bool) -> None:
        """The mandate was left: the folder is an ordinary one again, or gone."""
        await asyncio.to_thread(abandon, root, wipe)
        await asyncio.to_thread(self._cuts.retain, frozenset(self._roots))

    # -- effects ---------------------------------------------------------------------------------------

    def prepare(self, effect: Place) -> None:
        """It will come."""
        one = self._open.get(effect.mandate)
        if one is not None:
            one.placing.prepare(effect)

    def place(self, effect: Place) -> None:
        one = self._open.get(effect.mandate)
        if one is not None:
            one.placing.place(effect)

    def keep(self, effect: KeepVersion | Merge) -> None:
        one = self._open.get(effect.mandate)
        if one is not None:
            one.placing.keep(effect)

    def rescan(self, effect: Rescan) -> None:
        one = self._open.get(effect.mandate)
        if one is not None:
            one.observer.rescan(effect.paths)

    def hold_back(self, mandate: MandateId, is_held: bool) -> None:
        """Let what is found many at once wait, or go on."""
        one = self._open.get(mandate)
        if one is not None:
            one.observer.hold_back(is_held)

    def being_read(self, mandate: MandateId, path: RelPath) -> BeingRead | None:
        """That large file, if it is being read just now."""
        one = self._open.get(mandate)
        reading = one.observer.reading if one is not None else None
        return reading if reading is not None and reading.path == path else None

    async def reopen_all(self) -> None:
        """The engine was made anew: tell it of the folders again, and look at everything."""
        for mandate, root in tuple(self._roots.items()):
            await self._shut(mandate)
            await self._try_to_open(mandate, root)

    def let_go(self) -> None:
        """Nothing happens just now: what can be had again is not kept in memory. For a thread."""
        for one in tuple(self._open.values()):
            one.contents.contents.let_go()

    def is_open(self, mandate: MandateId) -> bool:
        """Whether the mandate's folder is there."""
        return mandate in self._open

    async def look_through(self, mandate: MandateId, full: bool = False, after: RelPath | None = None) -> None:
        """Look at the whole folder, and tell the engine before this returns; `full`: read every file again.

        `after`: only those behind this path, as the pass before was cut short there.
        """
        one = self._open.get(mandate)
        if one is None:
            return
        if full:
            one.scanner.full = FullPass(after)
        one.observer.rescan(full=full)
        one.scanned.clear()
        await one.scanned.wait()

    def full_pass(self, mandate: MandateId) -> FullPass | None:
        """How far the reading of every file is, or was at its end; None while the folder is not there."""
        one = self._open.get(mandate)
        return one.scanner.full if one is not None else None

    async def restore(self, mandate: MandateId, content: ContentId, path: RelPath, mode: int) -> Path:
        """Let a content stand in the folder, as a program's save would; returns where.

        Raises FolderError, P2PSyncError if the bytes are not here, OSError.
        """
        one = self._there(mandate)
        await one.placing.restore(content, path, mode)
        return one.folder.path(path)

    async def restore_to(self, mandate: MandateId, content: ContentId, target: Path) -> None:
        """Write a content into a file that is not there yet.

        Raises UsageError for one that is, FolderError, P2PSyncError if the bytes are not here, OSError.
        """
        await asyncio.to_thread(into_file, self._there(mandate).contents.contents, content, target)

    def _there(self, mandate: MandateId) -> _Open:
        one = self._open.get(mandate)
        if one is None:
            raise FolderError("The mandate's folder is not there. See: p2psync status")
        return one

    def desk(self, mandate: MandateId) -> Desk | None:
        """None while the mandate's folder is not there."""
        one = self._open.get(mandate)
        return Desk(one.contents.contents, one.versions) if one is not None else None

    def folder(self, mandate: MandateId) -> Folder | None:
        """None while it is not there."""
        one = self._open.get(mandate)
        return one.folder if one is not None else None

    def roots(self) -> dict[MandateId, Path]:
        """Where each mandate's folder is, whether it is there or not."""
        return dict(self._roots)

    def reading(self, mandate: MandateId) -> Reading | None:
        """The committed rows of a mandate whose folder is there."""
        one = self._open.get(mandate)
        return one.reading if one is not None else None

    # -- one folder ------------------------------------------------------------------------------------

    async def _keep(self, mandate: MandateId, root: Path) -> None:
        """Open it when it comes, renew its epoch while it stays; one that comes back with another past begins anew."""
        renew_at_s = self._now_s() + RENEW_EPOCH_S
        extent: Extent | None = None
        while True:
            await pause(LOOK_EVERY_S)
            one = self._open.get(mandate)
            away = one is not None and one.observer.is_away
            if one is not None and away and await asyncio.to_thread(was_swapped, one.folder, mandate):
                await self._shut(mandate)
            elif one is None:
                before, extent = extent, await asyncio.to_thread(extent_of, root)
                if extent == before:  # else somebody is still copying files into it
                    await self._try_to_open(mandate, root)
            elif self._now_s() >= renew_at_s:
                renew_at_s = self._now_s() + RENEW_EPOCH_S
                await self._renew_epoch(mandate, one.folder)

    async def _try_to_open(self, mandate: MandateId, root: Path) -> None:
        async with self._turns[mandate]:
            if mandate not in self._open:
                await self._open_or_complain(mandate, root)

    async def _open_or_complain(self, mandate: MandateId, root: Path) -> None:
        try:
            epochs = await self._runtime.query(lambda device, _: _epochs(device, mandate))
            found = await asyncio.to_thread(look_at, root, mandate, fresh=not epochs)
            if isinstance(found, Code):
                await self._complain(mandate, found)
                return
            await self._start(mandate, found, epochs)
        except OSError as error:
            self._log.event("folder.failed", mandate=mandate, reason=error)
            problem = disk_problem(RelPath(""), error)
            await self._complain(mandate, problem.code, problem.detail)
        except FolderError as error:
            self._log.event("folder.failed", mandate=mandate, reason=error)
            await self._complain(mandate, Code.DISK_ERROR, str(error))

    async def _start(self, mandate: MandateId, found: Found, epochs: tuple[bytes, ...]) -> None:
        folder = found.folder
        past = past_of(found.marker, epochs)
        lock = await asyncio.to_thread(lock_of, folder)
        try:
            epoch = await self._write_epoch(mandate, folder)
            troubled = await self._runtime.query(lambda device, _: _troubled(device, mandate))
            one = self._assemble(mandate, folder, past, troubled, lock)
            recovered = await asyncio.to_thread(_recovered, one, mandate, past is Past.KNOWN)
            continuous = past is Past.KNOWN
            kept = frozenset[ContentId]() if continuous else await asyncio.to_thread(frozenset, one.versions.iterate())
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        self._open[mandate] = one
        self.contents[mandate] = one.contents
        await self._runtime.post(FolderOpened(mandate, continuous, epoch, kept))
        for event in recovered:
            await self._runtime.post(event)
        one.placing.start(self._tasks)
        one.observing = self._tasks.keep(one.observer.run, f"observe {mandate.hex()[:8]}")
        self._log.event("folder.opened", mandate=mandate, folder=folder.root, continuous=continuous)

    def _assemble(
        self, mandate: MandateId, folder: Folder, past: Past, troubled: Sequence[Problem], lock: FolderLock | None
    ) -> _Open:
        reading = Reading(self._database, mandate)
        staging, versions = Staging(folder.staging), Versions(folder.versions)
        contents = Contents(folder, staging, versions, reading.sources, Cuts(self._cuts, mandate))
        damaged = [RelPath(p.path) for p in troubled if p.code is Code.DAMAGED]
        scanner = Scanner(folder, reading, contents, damaged, self.pacer)
        watcher = watcher_for(folder)
        asked = None if watcher.hears_closing else is_written
        edits, restoring = past is Past.KNOWN, past is Past.OTHER
        holding = Holding(folder, contents, reading, self._log, edits=edits, restoring=restoring, is_written=asked)
        scanned = asyncio.Event()

        async def emit(event: Observed | Suspected | ReadingBegun | ScanFinished) -> None:
            if isinstance(event, Observed) and _is_small_save(event.seen):
                self._on_save()
            await self._runtime.post(event)
            if isinstance(event, ScanFinished):
                if event.complete:
                    holding.scanned()
                if not observer.scan_waits:
                    scanned.set()  # after one that was under way when the next was asked for, that is still to come

        observer = Observer(
            mandate,
            folder,
            scanner,
            watcher,
            Settler(hears_closing=watcher.hears_closing),
            emit,
            hold=holding.judge,
            troubled=[p.path for p in troubled],
            guards=self._threads.guard,
        )
        placer = Placer(folder, staging, versions, contents, onlooker=observer)
        placing = Placing(mandate, folder, contents, staging, versions, placer, self._threads, self._runtime, self._log)
        transferred = MandateContents(staging, contents)
        return _Open(folder, versions, placer, placing, scanner, observer, None, transferred, reading, lock, scanned)

    async def _shut(self, mandate: MandateId) -> None:
        async with self._turns[mandate]:
            one = self._open.pop(mandate, None)
            if one is not None:
                await self._end(mandate, one)

    async def _end(self, mandate: MandateId, one: _Open) -> None:
        self.contents.pop(mandate, None)
        if one.observing is not None:
            await cancelled([one.observing], END_AGAIN_S)
        one.scanned.set()
        await one.placing.stop()
        await asyncio.to_thread(one.contents.contents.cuts.save)
        if one.lock is not None:
            one.lock.release()
        self._log.event("folder.closed", mandate=mandate, folder=one.folder.root)

    async def _complain(self, mandate: MandateId, code: Code, detail: str = "") -> None:
        await self._runtime.post(Observed(mandate, (), problems=(Problem("", code, detail),)))

    # -- the epoch -------------------------------------------------------------------------------------

    async def _write_epoch(self, mandate: MandateId, folder: Folder) -> bytes:
        """A new epoch into the marker. The database knows it before, so that a crash in between is no discontinuity."""
        epoch = token_bytes(EPOCH_BYTES)

        def act(device: Device, _: Now) -> None:
            device.set_folding(mandate, folder.traits.folding)
            device.mandates[mandate].state.put("epoch_next", epoch)

        await self._runtime.call(act)
        await asyncio.to_thread(folder.write_marker, Marker(mandate, epoch))
        return epoch

    async def _renew_epoch(self, mandate: MandateId, folder: Folder) -> None:
        epoch = token_bytes(EPOCH_BYTES)
        await self._runtime.call(lambda device, _: device.mandates[mandate].state.put("epoch_next", epoch))
        await asyncio.to_thread(folder.write_marker, Marker(mandate, epoch))
        await self._runtime.post(EpochRenewed(mandate, epoch))

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _epochs(device: Device, mandate: MandateId) -> tuple[bytes, ...]:
    """Those that the marker may have if nobody else touched the folder; none if it was never opened."""
    state = device.mandates[mandate].state
    known = (state.get("epoch"), state.get("epoch_next"))
    return tuple(epoch for epoch in known if isinstance(epoch, bytes))


def _troubled(device: Device, mandate: MandateId) -> list[Problem]:
    """What the observer is to find over."""
    return [p for p in device.mandates[mandate].state.problems() if p.code in DISK_CODES]


def _recovered(one: _Open, mandate: MandateId, known: bool) -> list[Kept]:
    """What a crash left of files that were being replaced or removed, at the paths where they stood as far as known."""
    contents = one.placer.recover(known)
    sources = one.reading.sources(contents) if contents else {}
    rows = one.reading.get_many([path for paths in sources.values() for path in paths])
    return [Kept(mandate, path, entry, "replaced", None) for path, (entry, _stat) in rows.items()]


def _is_small_save(seen: Sequence[Seen]) -> bool:
    """Whether all that others need to have of it goes along with its announcement."""
    return 0 < len(seen) <= SAVE_PATHS_MAX and all(one.entry.size <= PUSH_BYTES_MAX for one in seen)
