"""Programs' files that only the master may change are read-only on other PCs, as long as that holds.

What p2psync took from a file it gives back: which files those are is noted before they are touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from p2psync.core.ids import MandateId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.engine.bridge import Attachment
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.fs.attributes import is_read_only, set_read_only
from p2psync.fs.threads import threaded

MASTER_DATA = "master data"
"""The class of files that are protected."""
SETTING = "read-only files"


@value
class Guard:
    """Whether a file is to be read-only, and whether p2psync made it so."""

    wanted: bool
    noted: bool


def guard_of(mandate: Mandate, path: RelPath, may_publish: bool) -> Guard:
    """For the engine's thread."""
    is_master_data = mandate.authority.rules.rule_for(path).file_class == MASTER_DATA
    return Guard(is_master_data and not may_publish, path in _noted(mandate))


class Protecting:
    """All methods are for the event loop."""

    def __init__(self, runtime: Runtime, log: EventLog) -> None:
        self._runtime = runtime
        self._log = log

    async def keep(self, row: Attachment, guard: Guard) -> None:
        """Make the file what it should be; one that is not there has nothing to protect. Raises OSError."""
        if guard.wanted == guard.noted and not guard.wanted:
            return
        if not guard.noted:
            await self._note(row.mandate, row.path, True)
        with contextlib.suppress(FileNotFoundError):
            if await threaded(is_read_only, Path(row.file)) != guard.wanted:
                await threaded(set_read_only, Path(row.file), guard.wanted)
                self._log.event("bridge.protected", mandate=row.mandate, path=row.path, read_only=guard.wanted)
        if not guard.wanted:
            await self._note(row.mandate, row.path, False)

    async def release(self, row: Attachment) -> None:
        """The file is p2psync's concern no longer. Raises OSError."""

        def look(device: Device, _: Now) -> bool:
            mandate = device.mandates.get(row.mandate)
            return mandate is not None and row.path in _noted(mandate)

        if await self._runtime.query(look):
            await self.keep(row, Guard(wanted=False, noted=True))

    async def _note(self, mandate: MandateId, path: RelPath, noted: bool) -> None:
        def act(device: Device, _: Now) -> None:
            one = device.mandates[mandate]
            paths = {*_noted(one), path} if noted else {*_noted(one)} - {path}
            one.state.put(SETTING, sorted(paths))

        await self._runtime.call(act)


def _noted(mandate: Mandate) -> Collection[str]:
    known: Any = mandate.state.get(SETTING)
    return known or []
