"""Rescuing: what a device needs to begin anew without its database is written beside it whenever it changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from p2psync.daemon import rescue
from p2psync.daemon.logs import EventLog
from p2psync.daemon.runtime import Runtime
from p2psync.store.records import Records


class Rescuing:
    def __init__(self, home: Path, runtime: Runtime, records: Records, log: EventLog) -> None:
        self._home = home
        self._runtime = runtime
        self._records = records
        self._log = log
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """What is written is not up to date: who belongs, or where somebody may be found."""
        self._changed.set()

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            cards = await self._runtime.query(lambda device, _: rescue.cards(device, self._records))
            try:
                await asyncio.to_thread(rescue.write, self._home, cards)
            except OSError as error:
                self._log.event("rescue.failed", reason=error)
