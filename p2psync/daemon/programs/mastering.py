"""Master data of another accounting program on their way into a mandate's folder: as a file that its rules protect.

What is written is kept, announced and placed as any other version, so every member has it and every one of them can
tell who wrote it. One writing at a time; each is made from what the folder says by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from p2psync.books.master import (
    Key,
    MasterData,
    OpenField,
    Stamp,
    admissible,
    deletions,
    merged,
    of_master,
    parse_open_fields,
)
from p2psync.books.master_codec import decode, encode
from p2psync.books.master_files import STATED_FILE, changed_file
from p2psync.core.authority import Authority
from p2psync.core.changelog import Stated
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import ContentId, DeviceId, MandateId, content_of
from p2psync.core.relpath import RelPath
from p2psync.core.rules import OWNER, Mode, Role
from p2psync.core.value import value
from p2psync.daemon.disk.folders import Desk, Folders
from p2psync.daemon.disk.past import history_of
from p2psync.daemon.programs.shelf import Shelf
from p2psync.daemon.runtime import Runtime
from p2psync.engine.bridge import Shown
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import FolderError, NotAllowed, P2PSyncError
from p2psync.fs.threads import threaded
from p2psync.i18n import later

ARRIVE_S = 10.0
"""How long to wait for a version that is on its way into the folder."""
LOOK_EVERY_S = 0.05
VERSIONS_READ_MAX = 100
"""How many imports a search for the one that deleted a record reads, the latest ones."""


@value
class Known:
    """What is there before something is written."""

    data: MasterData
    open_fields: frozenset[OpenField]
    device: DeviceId
    """This one."""
    content: ContentId | None
    """Of the master's file; None before the first import."""


@value
class Deletion:
    """A record that the master marked as deleted."""

    key: Key
    stated: Stated | None
    """The signed change that did it; None if its bytes are not here, or it is too long ago."""
    contents: frozenset[ContentId]
    """Of the master's file, since then: who has one of them knows of it."""


Make = Callable[[Known], MasterData]
"""What is to be written, from what is known; may raise what says why it cannot be. Called in a thread."""


class Mastering:
    """All methods are for the event loop."""

    def __init__(self, runtime: Runtime, folders: Folders, shelf: Shelf, device: DeviceId) -> None:
        self._runtime = runtime
        self._folders = folders
        self._shelf = shelf
        self._device = device
        self._turn = asyncio.Lock()

    async def known(self, mandate: MandateId) -> Known:
        """Raises FolderError, and CodecError if it cannot be read."""
        found = await self._shelf.master(mandate)
        open_fields = await self._runtime.query(lambda device, _: open_fields_of(device.mandates[mandate].authority))
        if found is None:
            return Known(MasterData(), open_fields, self._device, None)
        if not isinstance(found.read, MasterData):
            raise found.read
        return Known(found.read, open_fields, self._device, found.content)

    async def deletions(self, mandate: MandateId) -> list[Deletion]:
        """What the master marked as deleted, and when it did. Raises as `known`."""
        known = await self.known(mandate)
        wanted = deletions(known.data)
        desk = self._folders.desk(mandate)
        if not wanted or desk is None:
            return []
        stated = await self._runtime.query(lambda device, _: list(history_of(device.mandates[mandate], STATED_FILE)))
        return await threaded(lambda: _dated(desk, wanted, stated[:VERSIONS_READ_MAX]))

    async def state(self, mandate: MandateId, make: Make) -> Known:
        """Write what the master states; returns what is known after that.

        Raises NotAllowed for anybody else, FolderError, OnItsWay if something has not arrived yet, OSError.
        """
        await self._runtime.query(lambda device, _: _check_master(device, mandate))
        return await self._write(mandate, STATED_FILE, lambda known, _: of_master(merged(known.data, make(known))))

    async def change(self, mandate: MandateId, make: Make) -> Known:
        """Write what this device changes itself; as `state`."""
        path = changed_file(self._device)
        await self._runtime.query(lambda device, _: _check_own(device, mandate, path))
        return await self._write(
            mandate, path, lambda known, own: merged(admissible(own, by_master=False), make(known))
        )

    async def _write(self, mandate: MandateId, path: RelPath, make: Callable[[Known, MasterData], MasterData]) -> Known:
        async with self._turn:
            shown = await self._arrived(mandate, path)
            desk = self._folders.desk(mandate)
            if desk is None:
                raise FolderError("The mandate's folder is not there. See: p2psync status")
            known = await self.known(mandate)
            data = await threaded(lambda: encode(make(known, _read(desk, shown.entry))))
            content = content_of(data)
            if content != shown.entry.content:
                await threaded(desk.versions.put, data, content)
                await self._submit(mandate, path, Entry(Kind.FILE, len(data), time.time_ns(), 0, content), shown)
                await self._arrived(mandate, path)
            return await self.known(mandate)

    async def _submit(self, mandate: MandateId, path: RelPath, entry: Entry, shown: Shown) -> None:
        def commit(device: Device, _: Now) -> None:
            if device.mandates[mandate].replica.shown(path).heads != shown.heads:
                raise OnItsWay(path)
            device.submit(mandate, path, entry, shown.heads)

        await self._runtime.call(commit)

    async def _arrived(self, mandate: MandateId, path: RelPath) -> Shown:
        """What the folder shows, once it shows all that it should of the master data."""
        until_s = time.monotonic() + ARRIVE_S
        while True:
            several = await self._runtime.query(
                lambda device, _: [device.mandates[mandate].replica.shown(one) for one in (STATED_FILE, path)]
            )
            if not any(one.arriving for one in several):
                return several[1]
            if time.monotonic() > until_s:
                raise OnItsWay(path)
            await asyncio.sleep(LOOK_EVERY_S)


def open_fields_of(authority: Authority) -> frozenset[OpenField]:
    """Those that this version knows of the ones that the mandate's rules name."""
    found: set[OpenField] = set()
    for text in authority.rules.open_fields:
        try:
            found |= parse_open_fields(text)
        except P2PSyncError:  # of a version to come
            continue
    return frozenset(found)


def _dated(desk: Desk, wanted: Mapping[Key, Stamp], stated: Sequence[Stated]) -> list[Deletion]:
    """`stated`: the versions of the master's file, the latest first.

    A mark carries the stamp of the import that made it: that one is the last version with it before one without it.
    """
    since: dict[Key, list[Stated]] = {key: [] for key in wanted}
    begun: set[Key] = set()
    for one in stated:
        try:
            marked = deletions(_read(desk, one.entry))
        except P2PSyncError:  # what is older cannot be told from it
            break
        for key in wanted.keys() - begun:
            if marked.get(key) == wanted[key]:
                since[key].append(one)
            else:
                begun.add(key)
        if len(begun) == len(wanted):
            break
    else:
        begun |= since.keys() if len(stated) < VERSIONS_READ_MAX else set()
    return [
        Deletion(
            key,
            several[-1] if several and key in begun else None,
            frozenset(one.entry.content for one in several if one.entry.content is not None),
        )
        for key, several in since.items()
    ]


def _read(desk: Desk, entry: Entry) -> MasterData:
    """Raises CodecError, P2PSyncError if the bytes are not here."""
    if entry.content is None:
        return MasterData()
    data = desk.contents.read(entry.content, entry.size)
    if data is None:
        raise P2PSyncError(
            "The bytes of this version are not on this PC. Other versions: p2psync versions MANDATE FILE"
        )
    return decode(data)


def _check_master(device: Device, mandate: MandateId) -> None:
    """Raises NotAllowed unless this device is the master, and nobody else can be."""
    one = device.mandates[mandate]
    rule = one.authority.rules.rule_for(STATED_FILE)
    if (rule.mode, rule.master) != (Mode.ENFORCE, Role.ACCOUNTING.value):
        raise _unprotected(one.name, f"*{STATED_FILE[STATED_FILE.rindex('.') :]}=enforce:accounting")
    if not one.ledger.may_write(STATED_FILE):
        raise NotAllowed(
            "Master data belong to accounting: only a device with the role accounting may import them into {mandate}.",
            mandate=one.name,
        )


def _check_own(device: Device, mandate: MandateId, path: RelPath) -> None:
    one = device.mandates[mandate]
    rule = one.authority.rules.rule_for(path)
    if (rule.mode, rule.master) != (Mode.ENFORCE, OWNER):
        raise _unprotected(one.name, f"*{path[path.rindex('.') :]}=enforce:owner")
    if not one.ledger.may_write(path):
        raise NotAllowed("The role of this device may not change master data of {mandate}.", mandate=one.name)


def _unprotected(mandate: str, setting: str) -> NotAllowed:
    return NotAllowed(
        "The rules of {mandate} do not keep master data to whom they belong. An admin sets them so: "
        "p2psync rules {mandate} --set '{setting}'",
        mandate=mandate,
        setting=setting,
    )


class OnItsWay(P2PSyncError):
    """What is there is not known yet."""

    def __init__(self, path: RelPath) -> None:
        super().__init__(later("{path} is still on its way here. Try again in a moment."), path=path)
