"""What stands at a path: a file, an empty directory, or nothing."""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum

from p2psync.core.ids import ContentId
from p2psync.core.value import value

EXECUTABLE = 1
HIDDEN = 2
MODE_MASK = EXECUTABLE | HIDDEN


class Kind(IntEnum):
    """The numbers are part of the block format."""

    ABSENT = 0
    FILE = 1
    DIRECTORY = 2


@value
class Entry:
    """One path's state, the same on every device."""

    kind: Kind
    size: int = 0
    """Bytes of the content; 0 unless a file."""
    mtime_ns: int = 0
    """Modification time in nanoseconds since 1970, as the saving program left it. Shown and kept, never judged by."""
    mode: int = 0
    """EXECUTABLE | HIDDEN."""
    content: ContentId | None = None
    """BLAKE3 of the bytes; None unless a file."""

    def same_as(self, other: Entry) -> bool:
        """True if a user would call both the same; mtime alone is no difference."""
        return self.kind == other.kind and self.content == other.content and self.mode == other.mode


ABSENT = Entry(Kind.ABSENT)
EMPTY_DIRECTORY = Entry(Kind.DIRECTORY)


@value
class FileStat:
    """What this disk said of a file when its content was known; equal means very likely unchanged."""

    size: int
    mtime_ns: int
    inode: int
    """0 where the platform has none."""
    known_ns: int = field(default=0, compare=False)
    """When that was so, by this computer's clock in nanoseconds since 1970; 0 if it was not noted."""
