"""Trouble with one file: collected, shown in `status`, and everything else goes on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """What is wrong; `cli.rendering` has the sentence and the remedy for each."""

    # names
    NAME_ESCAPES = "name-escapes"
    NAME_ILLEGAL = "name-illegal"
    NAME_TOO_LONG = "name-too-long"
    NAME_COLLIDES = "name-collides"
    NAME_NOT_TEXT = "name-not-text"
    # things that are not replicated
    SYMBOLIC_LINK = "symbolic-link"
    SPECIAL_FILE = "special-file"
    LIVE_DATABASE = "live-database"
    # the disk
    UNREADABLE = "unreadable"
    LOCKED = "locked"
    STILL_CHANGING = "still-changing"
    INCOMPLETE = "incomplete"
    DISK_FULL = "disk-full"
    READ_ONLY = "read-only"
    DISK_ERROR = "disk-error"
    CONTENT_MISSING = "content-missing"
    DAMAGED = "damaged"
    FOLDER_GONE = "folder-gone"
    FOLDER_MARKER_GONE = "folder-marker-gone"
    # rights and conflicts
    EDIT_REFUSED = "edit-refused"
    PERIOD_FROZEN = "period-frozen"
    SET_ASIDE = "set-aside"
    OPEN_CONFLICT = "open-conflict"
    INDEX_CONFLICT = "index-conflict"
    EXPORT_REFUSED = "export-refused"
    # programs' own files
    JOINED = "joined"
    NAMED_OTHERWISE = "named-otherwise"
    # what an index of bookings names
    ENTRIES_MISSING = "entries-missing"
    # this PC's own commands
    HOOK_FAILED = "hook-failed"
    # devices
    LOG_FORKED = "log-forked"
    DEVICE_CLONED = "device-cloned"
    BLOCK_REFUSED = "block-refused"
    UPDATE_NEEDED = "update-needed"
    CLOCK_WRONG = "clock-wrong"
    DATABASE_REBUILT = "database-rebuilt"
    PEER_MISBEHAVED = "peer-misbehaved"
    REMOVED = "removed"


NEWS = frozenset(
    {
        *(Code.EDIT_REFUSED, Code.PERIOD_FROZEN, Code.SET_ASIDE, Code.LOG_FORKED, Code.BLOCK_REFUSED),
        *(Code.DATABASE_REBUILT, Code.HOOK_FAILED, Code.JOINED, Code.NAMED_OTHERWISE),
        Code.ENTRIES_MISSING,
    }
)
"""What has happened and stays so: it is over when a person has looked at it."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that needs attention, or that explains why a file is not where it should be."""

    path: str
    """The file, relative to the mandate's folder; "" when it concerns the mandate as a whole."""
    code: Code
    detail: str = ""
    """What the system said, or the other name, device or file it is about; may be empty."""
