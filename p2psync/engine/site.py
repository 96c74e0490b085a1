"""What the parts of one mandate's replica share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from p2psync.core.block import ORDINARY
from p2psync.core.entry import Entry
from p2psync.core.ids import ChangeId, MandateId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath
from p2psync.core.value import mutable
from p2psync.engine.ledger import Keys, Ledger
from p2psync.engine.scope import Scope
from p2psync.engine.state import MandateState, VersionRow

BATCH_MAX = 500
"""Paths in one event, effect, or round of planning."""
RETRY_AFTER_S = 5.0
"""After a placement that met a problem, or a fetch that nobody could answer."""
BOOKKEEPING = frozenset({"master data", "entries", "index"})
"""File classes whose every version is copied when it is announced, since programs overwrite it in place.

So is what a rule lets nobody overwrite: who does so all the same gets the first version back."""
DISK_CODES = frozenset(
    {
        *(Code.UNREADABLE, Code.LOCKED, Code.STILL_CHANGING, Code.INCOMPLETE, Code.DISK_FULL, Code.READ_ONLY),
        *(Code.DISK_ERROR, Code.CONTENT_MISSING, Code.NAME_COLLIDES, Code.NAME_TOO_LONG, Code.SYMBOLIC_LINK),
        *(
            Code.DAMAGED,
            Code.SPECIAL_FILE,
            Code.NAME_ILLEGAL,
            Code.NAME_NOT_TEXT,
            Code.NAME_ESCAPES,
            Code.LIVE_DATABASE,
        ),
        *(Code.FOLDER_GONE, Code.FOLDER_MARKER_GONE),
    }
)
"""Problems that are over once the path could be looked at or placed."""


class Follower(Protocol):
    """A member that hears at once what is announced here."""

    @property
    def keeps_up(self) -> bool:
        """Whether it has taken in nearly all that it was told."""

    @property
    def waiting(self) -> int:
        """Paths that it has left to place."""


@mutable
class Site:
    mandate: MandateId
    state: MandateState
    ledger: Ledger
    keys: Keys
    scope: Scope
    folding: Folding
    """How this disk folds names; probed when the folder is opened."""
    followers: Mapping[int, Follower]
    """By link."""

    def refused(self, path: RelPath) -> Problem:
        """What to tell of an edit that this device may not make."""
        period = self.ledger.authority.frozen_period(path)
        return Problem(path, Code.EDIT_REFUSED) if period is None else Problem(path, Code.PERIOD_FROZEN, str(period))

    def by_class(self, paths: Sequence[RelPath]) -> Mapping[str, Sequence[RelPath]]:
        """Paths by the class of the logs that their changes belong in, each in the order given."""
        if not self.ledger.authority.rules.restrictions:  # as nearly everywhere
            return {ORDINARY: paths} if paths else {}
        found: dict[str, list[RelPath]] = {}
        for path in paths:
            found.setdefault(self.ledger.class_of(path), []).append(path)
        return found

    def add_version(self, path: RelPath, entry: Entry, reason: str, change: ChangeId | None) -> None:
        """Note that the bytes of an entry are among the kept ones."""
        assert entry.content is not None
        stated = self.state.changes([change]).get(change) if change is not None else None
        device = stated.author if stated is not None else None
        now_ms = self.scope.now.wall_ms
        row = VersionRow(path, entry.content, entry.size, entry.mtime_ns, now_ms, reason, device, change)
        self.state.add_versions([row])
