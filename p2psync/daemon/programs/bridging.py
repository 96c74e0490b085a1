"""Programs' own files on their way to and from the mandates' folders: looks at both sides, decides, and carries it out.

One file at a time, in one task, with every step noted before the next: a crash anywhere leaves each file whole, and the
next start goes on. What to do is decided by `engine.bridge`; the files are watched and replaced by `fs`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path

from p2psync.books.completeness import ENTRIES, suffix_of
from p2psync.books.gate import Hold, hold_of
from p2psync.books.master import OpenField
from p2psync.core.entry import ABSENT, Entry
from p2psync.core.ids import MandateId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.daemon.disk.folders import Desk, Folders
from p2psync.daemon.logs import EventLog
from p2psync.daemon.programs.attaching import Found, Wanted, find, link
from p2psync.daemon.programs.delivering import Delivering, Key, keep_copy
from p2psync.daemon.programs.following import Following, alone, ask, expected
from p2psync.daemon.programs.mastering import open_fields_of
from p2psync.daemon.programs.protecting import Guard, Protecting, guard_of
from p2psync.daemon.programs.shelf import Shelf
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.engine.bridge import Act, Attachment, Held, Mode, Shown, after_removal, decide
from p2psync.engine.device import Device
from p2psync.engine.events import Kept
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import FolderError, P2PSyncError, UsageError
from p2psync.fs.bridge import ProgramFiles, Sighting
from p2psync.fs.look import disk_problem
from p2psync.fs.openness import is_open
from p2psync.fs.stable import Stopped
from p2psync.fs.threads import in_thread, threaded
from p2psync.fs.traits import MODE_HERE
from p2psync.store.attachments import Attachments
from p2psync.store.database import Database

LOOK_EVERY_S = 1.0
"""How often the programs' files are looked at."""
FOLLOW_EVERY_S = 5.0
"""How often it is looked for the files of a new accounting period."""
GATHER_S = 0.1
"""How long after a sign: more of them come together."""
RETRY_S = 5.0
"""How long a file rests whose disk refused, or that a program has open."""
SETTLE_S = 3.0
"""How long a person who wants a delivery waits for a file that is being written."""

NOT_DELIVERED = frozenset({Act.DELIVER, Act.OFFER, Act.BUSY, Act.HELD, Act.GONE, Act.RETURNED, Act.COLLIDES})
"""What is still to be done about a file into which something waits to be delivered."""


class Asked(Enum):
    """Whether a person wants something delivered now."""

    NO = "no"
    YES = "yes"
    ANYWAY = "anyway"
    """Also bookings that are held."""


@value
class Standing:
    """How one attached file stands."""

    attached: Attachment
    act: Act
    """What was to be done about it at the last look."""
    shown: Entry
    """What the folder holds."""
    problem: Problem | None = None
    """Why it could not be done."""
    hold: Hold | None = None
    """Why bookings are held."""


@value
class _View:
    """One file, both sides."""

    attached: Attachment
    sighting: Sighting | None
    shown: Shown
    returned: bool
    open_fields: frozenset[OpenField]
    guard: Guard
    rests: bool
    """Nothing of its mandate is delivered just now, unless a person asks for it."""

    def held(self, is_open: bool = False) -> Held:
        if self.sighting is None or (self.sighting.torn and self.shown.may_publish):
            return Held(ABSENT, settled=False)
        return Held(self.sighting.entry, True, is_open, self.returned)


class Bridging:
    """All methods are for the event loop."""

    def __init__(
        self, database: Database, runtime: Runtime, folders: Folders, shelf: Shelf, tasks: Tasks, log: EventLog
    ) -> None:
        self.attachments = Attachments(database)
        """For the engine's thread."""
        self._database = database
        self._runtime = runtime
        self._folders = folders
        self._shelf = shelf
        self._tasks = tasks
        self._log = log
        self._rows: dict[Key, Attachment] = {}
        self._watches: dict[MandateId, ProgramFiles] = {}
        self._standings: dict[Key, Standing] = {}
        self._seen: dict[Key, object] = {}
        """What both sides were when they were judged last."""
        self._rest_until_s: dict[Key, float] = {}
        self._delivering = Delivering(self, runtime, folders, log)
        self._protecting = Protecting(runtime, log)
        self._following: dict[MandateId, Following] = {}
        self._follow_at_s = 0.0
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()

    def start(self) -> None:
        self._tasks.keep(self._run, "bridge")

    def wake(self) -> None:
        """Something happened that may concern an attached file."""
        self._woken.set()

    def standings(self) -> Mapping[Key, Standing]:
        """Of all attached files that were looked at; sorted by mandate and path. From any thread."""
        return dict(sorted(self._standings.copy().items(), key=lambda one: one[0]))

    def undelivered(self, mandate: MandateId) -> int:
        """How many files of a mandate have something that arrived and is not delivered; from any thread."""
        return sum(key[0] == mandate and one.act in NOT_DELIVERED for key, one in self._standings.copy().items())

    async def attach(self, link: Callable[[Device, Now], Attachment]) -> Attachment:
        """Link a file, as `link` puts it in the engine's thread; raises what that raises."""
        async with self._turn:
            made = await self._runtime.call(link)
            await self._load()
        self.wake()
        return made

    async def detach(self, key: Key) -> None:
        """Forget a file: a delivery that was cut off is finished or undone first, what came out of it is kept."""
        async with self._turn:
            row = self._rows.get(key)
            if row is not None:
                await self._delivering.end(row)
                await self._protecting.release(row)
            await self._runtime.call(partial(self._drop, key))
            await self._load()

    def _drop(self, key: Key, device: Device, _now: Now) -> None:
        self.attachments.drop(*key)
        if key[0] in device.mandates:
            device.mandates[key[0]].state.clear_problems([key[1]], [Code.JOINED])

    async def deliver(self, keys: Sequence[Key], *, anyway: bool = False) -> dict[Key, tuple[Standing, bool]]:
        """Deliver now, whatever the mode; returns how each stands then, and whether something was delivered.

        `anyway`: also bookings that are held.
        """
        told = {}
        async with self._turn:
            await self._settled(keys)
            for key in keys:
                self._rest_until_s.pop(key, None)
                row = self._rows.get(key)
                if row is not None and row.delivery is not None:
                    await self._guarded(row, partial(self._delivering.go_on, now=True))
                if row is not None:
                    await self._judge([self._rows[key]], asked=Asked.ANYWAY if anyway else Asked.YES)
                    told[key] = self._standings[key], self._rows[key].delivered_ms != row.delivered_ms
        self.wake()
        return told

    async def keep(self, mandate: MandateId, path: RelPath, file: Path, entry: Entry | None) -> None:
        """Keep what a program's file holds before the mandate's version is delivered over it for the first time.

        Raises FolderError if the mandate's folder is not there, UsageError if the file changes meanwhile, OSError.
        """
        desk = self._folders.desk(mandate)
        if desk is None:
            raise FolderError("The mandate's folder is not there. See: p2psync status")
        content = entry.content if entry is not None else None
        if content is None or not await threaded(keep_copy, desk.versions, file, content):
            raise UsageError("{file} is being written. Try again in a moment.", file=file)
        assert entry is not None
        await self._runtime.post(Kept(mandate, path, entry, "set-aside", None))

    async def forget(self, mandate: MandateId) -> None:
        """The mandate is about to be left."""
        for key in [key for key in self._rows if key[0] == mandate]:
            await self.detach(key)

    # -- the round -----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loaded = False
        while True:
            self._woken.clear()
            try:
                async with self._turn:
                    if not loaded:
                        await self._load()
                        loaded = True
                    await self._round()
            except P2PSyncError as error:  # the database cannot be read just now, or this device stops
                self._log.event("bridge.failed", reason=error)
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # a fault of ours must not stop the device
                self._log.failure("bridge.fault", error)
                await asyncio.sleep(RETRY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s()):
                    await self._woken.wait()
                    await asyncio.sleep(GATHER_S)

    def _rest_s(self) -> float | None:
        if not self._rows:
            return None
        waits = [due for watch in self._watches.values() if (due := watch.due_in_s()) is not None]
        return min([LOOK_EVERY_S, *waits])

    async def _load(self) -> None:
        rows = await self._runtime.query(lambda *_: self.attachments.all())
        self._rows = {(row.mandate, row.path): row for row in rows}
        for known in (self._standings, self._seen, self._rest_until_s):
            for key in [key for key in known if key not in self._rows]:
                del known[key]
        by_mandate: dict[MandateId, dict[RelPath, str]] = {}
        for row in rows:
            by_mandate.setdefault(row.mandate, {})[row.path] = row.file
        for mandate in [mandate for mandate in self._watches if mandate not in by_mandate]:
            del self._watches[mandate]
        for mandate, files in by_mandate.items():
            self._watches.setdefault(mandate, ProgramFiles()).watch(files)

    async def _round(self) -> None:
        for key, row in tuple(self._rows.items()):
            if row.delivery is not None and self._is_rested(key):
                await self._guarded(row, self._delivering.go_on)
        await self._poll()
        await self._judge([row for key, row in self._rows.items() if self._is_rested(key)])
        if self._watches and self._follow_at_s <= time.monotonic():
            await self._follow()
            self._follow_at_s = time.monotonic() + FOLLOW_EVERY_S

    async def _follow(self) -> None:
        """Attach the files of a new accounting period, and those that an index leads its program to."""
        declined = await self._runtime.query(lambda *_: self.attachments.declined())
        left = await self._runtime.query(alone)
        for mandate in tuple(self._watches):
            rows = [row for row in self._rows.values() if row.mandate == mandate]
            following = self._following.setdefault(mandate, Following())
            absent = await threaded(following.absent, rows, declined)
            if absent:
                absent = await self._runtime.query(partial(expected, mandate, absent))
            news = await threaded(following.find, rows, declined) if mandate not in left else []
            others = [row for row in self._rows.values() if row.mandate != mandate]
            unlike = await threaded(following.unlike, rows, others, declined) if mandate not in left else []
            if unlike:
                await self._runtime.call(partial(ask, mandate, unlike))
            for like, file in [*news, *absent]:
                try:
                    found = await threaded(find, str(file), self._folders.roots(), allow_cloud=True)
                    made = await self._runtime.call(partial(self._link, like, found))
                except (P2PSyncError, OSError) as error:
                    self._log.event("bridge.not_followed", mandate=mandate, file=file, reason=error)
                else:
                    self._log.event("bridge.followed", mandate=mandate, path=made.path, file=made.file)
                    await self._load()
                    self.wake()

    def _link(self, like: Attachment, found: Found, device: Device, _now: Now) -> Attachment:
        mandate = device.mandates[like.mandate]
        role = like.role if suffix_of(like.path) == suffix_of(found.path) else ""
        made = link(self.attachments, mandate, found, Wanted(like.mode, role, ""), {})
        self.attachments.put(made)
        if found.is_there:
            mandate.state.put_problems([Problem(made.path, Code.JOINED, made.file)])
        return made

    async def _poll(self) -> None:
        for watch in tuple(self._watches.values()):
            with contextlib.suppress(Stopped):
                await in_thread(None, watch.poll, watch.stop)

    async def _settled(self, keys: Iterable[Key]) -> None:
        """Wait a little for files that are being written."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while True:
                    await self._poll()
                    if all(self._sighting(key) is not None for key in keys if key in self._rows):
                        return
                    await asyncio.sleep(0.1)

    def _sighting(self, key: Key) -> Sighting | None:
        watch = self._watches.get(key[0])
        return watch.sighting(key[1]) if watch is not None else None

    def _is_rested(self, key: Key) -> bool:
        return self._rest_until_s.get(key, 0.0) <= time.monotonic()

    async def _judge(self, rows: Sequence[Attachment], *, asked: Asked = Asked.NO) -> None:
        """Decide about these files, and do it."""
        sightings = {(row.mandate, row.path): self._sighting((row.mandate, row.path)) for row in rows}
        mark = self._database.connection.total_changes
        by_hand = asked is not Asked.NO
        fresh = [row for row in rows if by_hand or self._is_news((row.mandate, row.path), sightings, mark)]
        if not fresh:
            return
        views = await self._runtime.query(lambda device, _: _views(device, fresh, sightings))
        for view in views:
            key = (view.attached.mandate, view.attached.path)
            self._seen[key] = (mark, sightings[key])
            await self._guarded(view.attached, partial(self._act, view, asked))

    def _is_news(self, key: Key, sightings: Mapping[Key, Sighting | None], mark: int) -> bool:
        standing = self._standings.get(key)
        retried = standing is None or standing.problem is not None or standing.act is Act.BUSY
        return retried or self._seen.get(key) != (mark, sightings[key])

    async def _guarded(self, row: Attachment, work: Callable[[Attachment], object]) -> None:
        """One file's trouble is no other's."""
        key = (row.mandate, row.path)
        try:
            await work(row)  # type: ignore[misc]
        except OSError as error:
            self._log.event("bridge.failed", mandate=row.mandate, path=row.path, reason=error)
            self._trouble(key, disk_problem(row.path, error))
        except P2PSyncError as error:
            self._log.event("bridge.failed", mandate=row.mandate, path=row.path, reason=error)
            self._rest(key)
        except Exception as error:  # a fault of ours must not stop the device
            self._log.failure("bridge.fault", error, mandate=row.mandate, path=row.path)
            self._trouble(key, Problem(row.path, Code.DISK_ERROR, repr(error)))

    def _trouble(self, key: Key, problem: Problem) -> None:
        self._rest(key)
        standing = self._standings.get(key)
        attached, shown = self._rows.get(key), standing.shown if standing is not None else ABSENT
        if attached is not None:
            self._standings[key] = Standing(attached, standing.act if standing else Act.WAIT, shown, problem)

    def _rest(self, key: Key) -> None:
        self._seen.pop(key, None)
        self._rest_until_s[key] = time.monotonic() + RETRY_S

    # -- one file ------------------------------------------------------------------------------------------

    async def _act(self, view: _View, asked: Asked, _row: Attachment) -> None:
        key = (view.attached.mandate, view.attached.path)
        act = decide(view.attached, view.held(), view.shown, asked=asked is not Asked.NO)
        if view.rests and act is Act.DELIVER and asked is Asked.NO:
            act = Act.OFFER
        desk = self._folders.desk(view.attached.mandate)
        hold = None
        if act is Act.DELIVER and suffix_of(key[1]) in ENTRIES and desk is not None:
            act, hold = await self._checked(view, asked)
        if act is Act.DELIVER and await threaded(is_open, view.attached.file):
            act = decide(view.attached, view.held(is_open=True), view.shown, asked=asked is not Asked.NO)
            self._rest_until_s[key] = time.monotonic() + RETRY_S
        if act in (Act.PUBLISH, Act.REFUSE, Act.DELIVER) and desk is None:
            act = Act.WAIT
        trouble = self._watches[key[0]].troubles.get(key[1])
        self._standings[key] = Standing(view.attached, act, view.shown.entry, trouble, hold)
        match act:
            case Act.NOTHING:
                await self._protecting.keep(view.attached, view.guard)
            case Act.AGREE:
                await self._agree(view)
            case Act.REMOVED if (heads := after_removal(view.attached, view.shown)) != view.attached.heads:
                await self.change(view.attached, heads=heads)
            case Act.PUBLISH | Act.REFUSE:
                assert desk is not None
                await self._publish(view, desk)
            case Act.DELIVER:
                assert desk is not None
                assert view.sighting is not None
                await self._delivering.deliver(view.attached, view.sighting, view.shown, desk)
                if self._rows[key].delivered_ms != view.attached.delivered_ms:
                    self._standings[key] = Standing(self._rows[key], Act.NOTHING, view.shown.entry)

    async def _checked(self, view: _View, asked: Asked) -> tuple[Act, Hold | None]:
        """Whether bookings go on to their program now, and why not; what a person wants all the same is noted."""
        row = view.attached
        (found,) = await self._shelf.check(row.mandate, row.path, view.open_fields)
        if found.content != view.shown.entry.content:
            return Act.WAIT, None
        hold = hold_of(found.findings, found.why, bool(found.checks), strict=row.mode is Mode.CHECKED)
        if hold is None:
            return Act.DELIVER, None
        if asked is not Asked.ANYWAY:
            return Act.HELD, hold
        self._log.event("bridge.delivered_anyway", mandate=row.mandate, path=row.path, findings=hold.findings.count)
        return Act.DELIVER, None

    async def _agree(self, view: _View) -> None:
        assert view.sighting is not None
        entry, heads = view.sighting.entry, view.shown.heads
        await self.change(view.attached, agreed=entry.content, heads=heads, mtime_ns=entry.mtime_ns)

    async def _publish(self, view: _View, desk: Desk) -> None:
        """Keep the bytes, then announce them and note it in one transaction."""
        row, sighting = view.attached, view.sighting
        assert sighting is not None
        content = sighting.entry.content
        assert content is not None
        if not await threaded(keep_copy, desk.versions, Path(row.file), content):
            self.look_again(row)
            return
        entry = replace(sighting.entry, mode=sighting.entry.mode | (view.shown.entry.mode & ~MODE_HERE))

        def commit(device: Device, now: Now) -> Attachment | None:
            current = self.attachments.get(row.mandate, row.path)
            if current is None or (current.agreed, current.heads) != (row.agreed, row.heads):
                return None
            heads = device.submit(row.mandate, row.path, entry, row.heads)
            new = replace(current, agreed=content, heads=heads, mtime_ns=entry.mtime_ns)
            self.attachments.put(replace(new, published_ms=now.wall_ms) if heads else new)
            return self.attachments.get(row.mandate, row.path)

        noted = await self._runtime.call(commit)
        if noted is not None:
            self.noted(noted)
        self._log.event("bridge.published", mandate=row.mandate, path=row.path, size=entry.size)

    # -- rows ----------------------------------------------------------------------------------------------

    async def change(self, row: Attachment, **fields: object) -> Attachment:
        """Note something of an attachment, durably."""
        new = replace(row, **fields)  # type: ignore[arg-type]
        await self._runtime.call(lambda *_: self.attachments.put(new))
        self.noted(new)
        return new

    def noted(self, row: Attachment) -> None:
        """It was changed in the database already."""
        key = (row.mandate, row.path)
        self._rows[key] = row
        self._seen.pop(key, None)
        if key in self._standings:
            self._standings[key] = replace(self._standings[key], attached=row)
        self.wake()

    def look_again(self, row: Attachment) -> None:
        """Its file holds something else now."""
        self._watches[row.mandate].look_again([row.path])


# -- in the engine's thread ----------------------------------------------------------------------------


def _views(device: Device, rows: Sequence[Attachment], sightings: Mapping[Key, Sighting | None]) -> list[_View]:
    """Of the mandates that this device may change at all."""
    views = []
    for row in rows:
        mandate = device.mandates.get(row.mandate)
        if mandate is not None and not (mandate.is_stopped or mandate.is_removed):
            sighting = sightings[(row.mandate, row.path)]
            shown, returned = mandate.replica.shown(row.path), _is_returned(mandate, row, sighting)
            guard = guard_of(mandate, row.path, shown.may_publish)
            fields = open_fields_of(mandate.authority)
            views.append(_View(row, sighting, shown, returned, fields, guard, mandate.is_held))
    return views


def _is_returned(mandate: Mandate, row: Attachment, sighting: Sighting | None) -> bool:
    """A program that undoes something writes the same bytes at a later time; a backup brings back the old time, too."""
    content = sighting.entry.content if sighting is not None else None
    if sighting is None or content is None or row.agreed in (None, content) or not row.heads:
        return False
    return sighting.entry.mtime_ns < row.mtime_ns and bool(mandate.state.with_content(row.path, content))
