"""How many bookings of a mandate wait to be posted, for `status`, which must not wait for files to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from p2psync.books.pending import State
from p2psync.core.ids import MandateId
from p2psync.core.value import value
from p2psync.daemon.programs.shelf import Marked, Shelf, Waiting
from p2psync.daemon.tasks import Tasks
from p2psync.errors import P2PSyncError

PATIENCE_S = 0.2
"""How long a look waits for a number that is being made; then it gets the one before."""


@value
class Totals:
    """What waits in one mandate."""

    lines: int = 0
    """New, changed and removed ones, of the files that can be counted."""
    files: int = 0
    """Those with such lines, and those that cannot be counted."""
    checks: tuple[str, ...] | None = None
    """What bookings are checked for, by the charts that are there; None where there are no bookings, or not known."""

    is_charted: bool = True
    """There is a chart of accounts, or master data of another program; also where that is not known."""
    findings: int = 0
    """What is wrong in bookings that wait."""


class Tally:
    """Of all mandates. For the event loop."""

    def __init__(self, shelf: Shelf, tasks: Tasks) -> None:
        self._shelf = shelf
        self._tasks = tasks
        self._known: dict[MandateId, tuple[object, Totals]] = {}
        """What each mandate's folder stood for, and how many bookings waited then."""
        self._making: dict[MandateId, asyncio.Task[None]] = {}

    async def waiting(self, marked: Marked, state: object) -> Totals:
        """`state` compares equal as long as nothing has changed in the mandate."""
        mandate = marked.id
        known = self._known.get(mandate)
        if known is None or known[0] != state:
            if mandate not in self._making:
                self._making[mandate] = self._tasks.start(self._make(marked, state), "count bookings")
            await asyncio.wait([self._making[mandate]], timeout=PATIENCE_S)
        return self._known.get(mandate, (None, Totals()))[1]

    async def _make(self, marked: Marked, state: object) -> None:
        try:
            several = await self._shelf.pending(marked)
            checks = tuple(sorted(await self._shelf.checks(marked.id))) if several else None
            charted = bool(await self._shelf.charts(marked.id)) or await self._shelf.master(marked.id) is not None
            self._known[marked.id] = (state, replace(total(several), checks=checks, is_charted=charted))
        except P2PSyncError:
            self._known.pop(marked.id, None)  # its folder is away, and so is what waits in it
        finally:
            del self._making[marked.id]


def total(several: Sequence[Waiting]) -> Totals:
    """What cannot be read has no number."""
    waiting = [one.pending for one in several if one.pending.state is not State.POSTED]
    counts = [pending.total for pending in waiting]
    lines = sum(count.new + count.changed + count.removed for count in counts)
    return Totals(lines, len(waiting), findings=sum(one.findings.count for one in several))
