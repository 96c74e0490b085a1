"""Receipts: this device signs, into the log that all members have, which files of bookkeeping it has received.

Then also who never meets it knows how far a file has come, and an auditor reads it ten years later. Only who works
with a file signs for it, and not for each file at once: what comes together is one entry, and a file that is saved
every few seconds makes one a minute, for what it holds then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from math import inf
from typing import Any

from p2psync.books.completeness import ENTRIES, MASTER, suffix_of
from p2psync.books.master_files import STATED
from p2psync.core.ids import ContentId
from p2psync.core.mark import MARKS_MAX, RECEIVED, Mark
from p2psync.core.relpath import RelPath
from p2psync.core.rules import Role
from p2psync.engine.arrears import Arrears
from p2psync.engine.deliveries import TOLD
from p2psync.engine.ledger import Taken
from p2psync.engine.peer import Peer
from p2psync.engine.postings import write
from p2psync.engine.site import Site

QUIET_S = 2.0
"""What arrives within so long of each other is signed for together."""
EVERY_S = 60.0
"""From one entry to the next; and nothing waits longer because more arrives."""
SETTING = "receipts due"
_CHARTS = frozenset({MASTER, STATED})
SIGNED_BY: Mapping[Role, Set[str]] = {
    Role.ACCOUNTING: ENTRIES,
    **dict.fromkeys((Role.INVOICING, Role.PAYROLL, Role.BANKING), _CHARTS),
}
"""Who works with what the others made: accounting with bookings, they with its charts."""


class Receipts:
    """Of one mandate."""

    def __init__(self, site: Site, arrears: Arrears):
        self._site = site
        self._arrears = arrears
        due: Any = site.state.get(SETTING) or []
        self._due: set[RelPath] = set(map(RelPath, due))
        """Placed and not signed for; kept, so that no crash forgets one."""
        self._since_s: float | None = None
        self._at_s = -inf
        """When to sign for them; it was due long ago for what an earlier run has left."""
        self._last_s = -inf

    def placed(self, paths: Iterable[RelPath]) -> None:
        """The folder shows these as it should."""
        fresh = {path for path in paths if suffix_of(path) in TOLD}
        if not fresh:
            return
        now_s = self._site.scope.now.monotonic_s
        if not self._due:
            self._since_s = now_s
        self._remember(self._due | fresh)
        latest_s = (self._since_s if self._since_s is not None else now_s) + EVERY_S
        self._at_s = min(max(now_s + QUIET_S, self._last_s + EVERY_S), latest_s)

    def pump(self, peers: Collection[Peer]) -> list[Taken]:
        """Sign for what is due, once there is somebody to tell.

        And once it is known what this device has said already: it may have been restored from a backup.
        """
        if not self._due or not peers or not all(peer.has_caught_us_up() for peer in peers):
            return []
        now_s = self._site.scope.now.monotonic_s
        if len(self._due) < MARKS_MAX and now_s < self._at_s:
            self._site.scope.wake_in(self._at_s - now_s)
            return []
        marks = [Mark(RECEIVED, path, content) for path, content in sorted(self._unsigned().items())]
        self._remember(set())
        if not marks:
            return []
        self._last_s = now_s
        taken = write(self._site, marks)
        for one in taken:
            self._arrears.received(one)
        return taken

    def _unsigned(self) -> dict[RelPath, ContentId]:
        """What this device works with, has from others, and has not signed for."""
        own = self._site.keys.device
        member = self._site.ledger.authority.members.get(own)
        mine = SIGNED_BY.get(member.role, frozenset()) if member is not None else frozenset()
        rows = self._site.state.bases(path for path in self._due if suffix_of(path) in mine)
        heads = self._site.state.changes(head for row in rows.values() for head in row.heads)
        signed = {one.path: one.content for one in self._arrears.deliveries.of_device(own)}
        return {
            path: row.entry.content
            for path, row in rows.items()
            if row.entry.content not in (None, signed.get(path))
            and any(head in heads and heads[head].author != own for head in row.heads)
        }

    def _remember(self, due: set[RelPath]) -> None:
        self._due = due
        self._site.state.put(SETTING, sorted(due))
