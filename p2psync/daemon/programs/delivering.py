"""Puts what arrived in the place of programs' files, each step noted before the next: a crash anywhere is finished or
undone at the next start, and what a program still writes into the file that came out becomes an edit.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from p2psync.books.completeness import Completeness, completeness
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.daemon.disk.folders import Desk, Folders
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.engine.bridge import Attachment, Delivery, Shown, Stage
from p2psync.engine.device import Device
from p2psync.engine.events import Kept
from p2psync.engine.scope import Now
from p2psync.errors import FolderError
from p2psync.fs.bridge import Sighting
from p2psync.fs.delivery import Overtaken, discard, part_name, prepare, put, recover
from p2psync.fs.durable import sync_directories
from p2psync.fs.openness import is_open
from p2psync.fs.stable import read_stable
from p2psync.fs.threads import threaded
from p2psync.fs.traits import SYSTEMS_OWN
from p2psync.fs.versions import Versions
from p2psync.store.attachments import Attachments

WATCH_OUT_S = 2.0
"""How long after a delivery it is looked at whether a program still wrote into what came out."""
LOOK_AGAIN_S = 5.0
"""How long what came out rests that a program has open."""

Key = tuple[MandateId, RelPath]


class Rows(Protocol):
    """Who knows the attachments."""

    attachments: Attachments

    async def change(self, row: Attachment, **fields: object) -> Attachment:
        """Note something of an attachment, durably."""

    def noted(self, row: Attachment) -> None:
        """It was changed in the database already."""

    def look_again(self, row: Attachment) -> None:
        """Its file holds something else now."""


class Delivering:
    """All methods are for the event loop, for one file at a time."""

    def __init__(self, rows: Rows, runtime: Runtime, folders: Folders, log: EventLog) -> None:
        self._rows = rows
        self._runtime = runtime
        self._folders = folders
        self._log = log
        self._due_s: dict[Key, float] = {}
        """When to look at what came out."""

    async def deliver(self, row: Attachment, sighting: Sighting, shown: Shown, desk: Desk) -> None:
        """Put what the folder shows in the place of a file that holds what was seen. Raises OSError.

        Nothing is done if the file changes meanwhile, or if the bytes are not here any more.
        """
        content, before = shown.entry.content, sighting.entry.content
        assert content is not None
        target = Path(row.file)
        part = target.with_name(part_name(target, token_hex(4)))
        stood = row.heads if before == row.agreed else ()
        delivery = Delivery(Stage.PREPARING, part.name, content, shown.heads, before, stood)
        row = await self._rows.change(row, delivery=delivery)
        try:
            if not await threaded(prepare, desk.contents, content, shown.entry, target, part):
                await self._rows.change(row, delivery=None)
                return
            if before is not None:
                await self._keep_before(row, sighting.entry, desk)
            row = await self._rows.change(row, delivery=replace(delivery, stage=Stage.READY))
            out = await threaded(put, part, target, sighting.stat)
        except Overtaken:
            await self.recover(row)
        except OSError:
            await self.recover(row)
            raise
        else:
            await self._delivered(row, out)

    async def go_on(self, row: Attachment, *, now: bool = False) -> None:
        """Finish or undo what was cut off, look at what came out if that is due, or `now`. Raises OSError."""
        assert row.delivery is not None
        if row.delivery.stage is not Stage.DONE:
            if await threaded(Path(row.file).parent.is_dir):
                await self.recover(row)
        elif now or self._due_s.get((row.mandate, row.path), 0.0) <= time.monotonic():
            await self._look_at_out(row)

    async def end(self, row: Attachment) -> None:
        """Before the file is detached: nothing of ours stays beside it, and nothing that came out is lost.

        Raises FolderError if that cannot be kept, OSError.
        """
        if row.delivery is not None and row.delivery.stage is not Stage.DONE:
            row = await self.recover(row)
        if row.delivery is not None:
            await self._look_at_out(row, final=True)

    async def recover(self, row: Attachment) -> Attachment:
        """Finish or undo a delivery that was cut off. Raises OSError."""
        delivery = row.delivery
        assert delivery is not None
        found = await threaded(recover, delivery, Path(row.file))
        self._log.event("bridge.recovered", mandate=row.mandate, path=row.path, delivered=found.delivered)
        if found.delivered:
            return await self._delivered(row, found.out)
        watched = replace(delivery, stage=Stage.DONE, part=found.out.name) if found.out is not None else None
        row = await self._rows.change(row, delivery=watched)
        self._rows.look_again(row)
        return row

    # -- steps -------------------------------------------------------------------------------------------------

    async def _keep_before(self, row: Attachment, entry: Entry, desk: Desk) -> None:
        """What is about to be replaced is among the versions, and listed there."""
        assert entry.content is not None
        if desk.versions.has(entry.content):
            return
        if await threaded(keep_copy, desk.versions, Path(row.file), entry.content):
            change = row.heads[0] if row.heads and entry.content == row.agreed else None
            await self._runtime.post(Kept(row.mandate, row.path, entry, "replaced", change))

    async def _delivered(self, row: Attachment, out: Path | None) -> Attachment:
        delivery = row.delivery
        assert delivery is not None
        watched = replace(delivery, stage=Stage.DONE, part=out.name) if out is not None else None
        row = await self._rows.change(
            row,
            **{"agreed": delivery.content, "heads": delivery.heads, "delivery": watched},
            **{"mtime_ns": await threaded(_mtime_ns, Path(row.file)), "delivered_ms": time.time_ns() // 1_000_000},
        )
        self._due_s[(row.mandate, row.path)] = time.monotonic() + WATCH_OUT_S
        self._rows.look_again(row)
        self._log.event("bridge.delivered", mandate=row.mandate, path=row.path)
        return row

    async def _look_at_out(self, row: Attachment, *, final: bool = False) -> None:
        """What came out is removed once nobody writes into it; what was written late is an edit of what it was."""
        delivery = row.delivery
        assert delivery is not None
        out = Path(row.file).with_name(delivery.part)
        self._due_s[(row.mandate, row.path)] = time.monotonic() + LOOK_AGAIN_S
        late = await threaded(_read, out, row.path)
        if late is not None and late[0].content != delivery.before:
            row = await self._keep_late(row, out, *late)
        if late is not None and not final and await threaded(is_open, out):
            return
        await threaded(discard, out)
        await self._rows.change(row, delivery=None)
        self._due_s.pop((row.mandate, row.path), None)

    async def _keep_late(self, row: Attachment, out: Path, entry: Entry, whole: bool) -> Attachment:
        """Announce what was written late, unless it is torn: then it is kept and listed only."""
        desk, delivery, content = self._folders.desk(row.mandate), row.delivery, entry.content
        assert delivery is not None
        assert content is not None
        if desk is None:
            raise FolderError("The mandate's folder is not there. See: p2psync status")
        if not await threaded(keep_copy, desk.versions, out, content):
            raise OSError(f"{out} is being written")
        self._log.event("bridge.late_write", mandate=row.mandate, path=row.path)
        if not whole:
            await self._runtime.post(Kept(row.mandate, row.path, entry, "edited", None))
            return await self._rows.change(row, delivery=replace(delivery, before=content))

        def commit(device: Device, now: Now) -> Attachment:
            heads = device.submit(row.mandate, row.path, entry, delivery.stood)
            late = replace(delivery, before=content, stood=heads)
            new = replace(row, delivery=late, published_ms=now.wall_ms)
            self._rows.attachments.put(new)
            return new

        new = await self._runtime.call(commit)
        self._rows.noted(new)
        return new


# -- in threads --------------------------------------------------------------------------------------------


def keep_copy(versions: Versions, file: Path, content: ContentId) -> bool:
    """Keep what a file holds, durably; False if it holds something else by now, or is gone. Raises OSError."""
    try:
        if not versions.copy_in(file, content):
            return False
    except FileNotFoundError:
        return False
    kept = versions.path(content).parent
    sync_directories([kept, kept.parent], kept)
    return True


def _read(file: Path, path: RelPath) -> tuple[Entry, bool] | None:
    """What a file holds that came out, and whether that is whole; None if it is gone. Raises OSError."""
    try:
        reading = read_stable(file)
    except FileNotFoundError:
        return None
    if reading is None:
        raise OSError(f"{file} is being written")
    stat = SYSTEMS_OWN.stat(reading.stat)
    entry = Entry(Kind.FILE, stat.size, stat.mtime_ns, SYSTEMS_OWN.mode(reading.stat, 0), reading.content)
    return entry, completeness(path, reading.head, reading.tail) is not Completeness.TORN


def _mtime_ns(file: Path) -> int:
    """0 if it is gone again."""
    try:
        return SYSTEMS_OWN.stat(file.stat()).mtime_ns
    except OSError:
        return 0
