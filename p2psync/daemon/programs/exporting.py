"""A master's export that is taken over again whenever the other accounting program writes it anew.

One file for a mandate, on one PC. What is wrong with it is a Problem until a later one is taken over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2psync.books.master_files import STATED_FILE
from p2psync.core.ids import MandateId, mandate_text
from p2psync.core.problem import Code, Problem
from p2psync.daemon.logs import EventLog
from p2psync.daemon.programs.mastering import OnItsWay
from p2psync.daemon.runtime import Runtime
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import FolderError, P2PSyncError
from p2psync.findings import sentence
from p2psync.fs.threads import threaded
from p2psync.fs.traits import SYSTEMS_OWN
from p2psync.i18n import said

if TYPE_CHECKING:
    from p2psync.daemon.operations.result import OperationResult

LOOK_EVERY_S = 5.0
"""A file that is the same at two looks is whole."""
RETRY_S = 60.0
"""How long a file rests that could not be taken over."""
SETTING = "master export"

Call = Callable[[str, Mapping[str, object]], Awaitable["OperationResult"]]
Followed = tuple[str, str]
"""The file, and how it is written; "" for what its name tells."""


class Exporting:
    """All methods are for the event loop."""

    def __init__(self, runtime: Runtime, call: Call, log: EventLog) -> None:
        """`call` performs an operation."""
        self._runtime = runtime
        self._call = call
        self._log = log
        self._seen: dict[MandateId, object] = {}
        """What each file was like at the last look."""
        self._taken: dict[MandateId, object] = {}
        """What it was like when it was taken over."""
        self._rest_until_s: dict[MandateId, float] = {}

    async def keep(self) -> None:
        """Look at the files for ever."""
        while True:
            try:
                await self.look()
            except P2PSyncError as error:  # the database cannot be read just now, or this device stops
                self._log.event("export.failed", reason=error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def follow(self, mandate: MandateId, file: str, written: str) -> None:
        """Take a file over from now on; it was just taken over."""
        await self._runtime.call(lambda device, _: device.mandates[mandate].state.put(SETTING, [file, written]))
        self._taken[mandate] = self._seen[mandate] = await threaded(_look, Path(file))

    async def forget(self, mandate: MandateId) -> str | None:
        """Returns which file it was."""

        def act(device: Device, _: Now) -> Followed | None:
            found = followed(device, mandate)
            device.mandates[mandate].state.put(SETTING, [])
            device.mandates[mandate].state.clear_problems([STATED_FILE], [Code.EXPORT_REFUSED])
            return found

        found = await self._runtime.call(act)
        return found[0] if found is not None else None

    async def look(self) -> None:
        """Take over what was written since the last time, and is whole."""
        several = await self._runtime.query(
            lambda device, _: {m: one for m in device.mandates if (one := followed(device, m)) is not None}
        )
        for mandate, (file, written) in several.items():
            state = await threaded(_look, Path(file))
            before, self._seen[mandate] = self._seen.get(mandate), state
            is_whole = state is not None and state == before != self._taken.get(mandate)
            if is_whole and self._rest_until_s.get(mandate, 0.0) <= time.monotonic():
                await self._take(mandate, file, written, state)

    async def _take(self, mandate: MandateId, file: str, written: str, state: object) -> None:
        given = {"mandate": mandate_text(mandate), "file": file, "format": written or None}
        try:
            result = await self._call("chart.import", given)
            reason = "" if result.exit_code == 0 else _mistake(result.data)
        except (FolderError, OnItsWay):  # the next look finds it better
            return
        except P2PSyncError as error:
            reason = said(error)
        if reason:
            self._rest_until_s[mandate] = time.monotonic() + RETRY_S
        else:
            self._taken[mandate] = state
            self._rest_until_s.pop(mandate, None)
        await self._runtime.call(lambda device, _: _note(device, mandate, reason))


def followed(device: Device, mandate: MandateId) -> Followed | None:
    """The file that a mandate's master data come from by themselves."""
    known: Any = device.mandates[mandate].state.get(SETTING)
    return (str(known[0]), str(known[1])) if known else None


def _note(device: Device, mandate: MandateId, reason: str) -> None:
    if (one := device.mandates.get(mandate)) is None:
        return
    if reason:
        one.state.put_problems([Problem(STATED_FILE, Code.EXPORT_REFUSED, reason.removesuffix("."))])
    else:
        one.state.clear_problems([STATED_FILE], [Code.EXPORT_REFUSED])


def _mistake(data: Any) -> str:
    """The first line that is wrong."""
    first = data["findings"][0]
    more = f" (+{data['count'] - 1})" if data["count"] > 1 else ""
    return f"{data['file']}: {sentence(first['code'], first['line'], first['facts'])}{more}"


def _look(file: Path) -> object:
    """What tells whether a file was written anew; None if it is not there."""
    try:
        return SYSTEMS_OWN.stat(file.stat())
    except OSError:
        return None
