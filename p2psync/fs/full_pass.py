"""How far the reading of every byte of a folder is, and where one that was cut short goes on."""

from __future__ import annotations

from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable


@mutable
class FullPass:
    """The pass under way, or the last one, that was to read every byte; written by its thread, read by any."""

    after: RelPath | None = None
    """It begins behind this path: what comes before was read by a pass that was cut short."""
    wanted: bool = True
    """Set to False to have the rest not read."""
    reached: RelPath | None = None
    """How far it has read."""
    files: int = 0
    bytes: int = 0
    """What it has read."""

    def takes(self, path: RelPath) -> bool:
        return self.wanted and (self.after is None or path > self.after)

    def read(self, path: RelPath, size: int) -> None:
        self.reached = path
        self.files += 1
        self.bytes += size
