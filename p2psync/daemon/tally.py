"""How many bookings of a mandate wait to be posted, for `status`, which must not wait for files to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from p2psync.core.ids import MandateId
from p2psync.daemon.shelf import Shelf, Waiting
from p2psync.daemon.tasks import Tasks
from p2psync.errors import P2PSyncError

PATIENCE_S = 0.2
"""How long a look waits for a number that is being made; then it gets the one before."""


class Tally:
    """Of all mandates. For the event loop."""

    def __init__(self, shelf: Shelf, tasks: Tasks) -> None:
        self._shelf = shelf
        self._tasks = tasks
        self._known: dict[MandateId, tuple[object, int]] = {}
        """What each mandate's folder stood for, and how many bookings waited then."""
        self._making: dict[MandateId, asyncio.Task[None]] = {}

    async def pending(self, mandate: MandateId, state: object) -> int:
        """`state` compares equal as long as nothing has changed in the mandate."""
        known = self._known.get(mandate)
        if known is None or known[0] != state:
            if mandate not in self._making:
                self._making[mandate] = self._tasks.start(self._make(mandate, state), "count bookings")
            await asyncio.wait([self._making[mandate]], timeout=PATIENCE_S)
        return self._known.get(mandate, (None, 0))[1]

    async def _make(self, mandate: MandateId, state: object) -> None:
        try:
            self._known[mandate] = (state, total(await self._shelf.pending(mandate, {})))
        except P2PSyncError:
            self._known.pop(mandate, None)  # its folder is away, and so is what waits in it
        finally:
            del self._making[mandate]


def total(several: Sequence[Waiting]) -> int:
    """Lines that are new, changed or removed; what cannot be read has no number."""
    counts = [one.pending.total for one in several]
    return sum(count.new + count.changed + count.removed for count in counts)
