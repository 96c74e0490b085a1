"""A simulated folder: named bytes with stats, staging and versions beside them, and placing by compare-and-swap."""

from __future__ import annotations

from dataclasses import dataclass, field

from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import ContentId, content_of
from p2psync.core.relpath import Folding, RelPath, ancestors, fold
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import Outcome, Seen


@dataclass(frozen=True, slots=True)
class SimFile:
    data: bytes
    content: ContentId
    mtime_ns: int
    inode: int


@dataclass
class Disk:
    folding: Folding
    files: dict[RelPath, SimFile] = field(default_factory=dict)
    versions: dict[ContentId, bytes] = field(default_factory=dict)
    staged: dict[ContentId, bytes] = field(default_factory=dict)
    epoch: bytes = b""
    """What the marker in the folder says."""
    inodes: int = 0

    def copy(self) -> Disk:
        """What a backup of this folder holds."""
        return Disk(self.folding, dict(self.files), dict(self.versions), {}, self.epoch, self.inodes)

    def write(self, path: RelPath, data: bytes, now_ns: int) -> None:
        """A program saves: over the name that this disk takes for the same, if there is one."""
        self.inodes += 1
        self.files[self.standing_name(path) or path] = SimFile(data, content_of(data), now_ns, self.inodes)

    def standing_name(self, path: RelPath) -> RelPath | None:
        if path in self.files:
            return path
        slot = fold(path, self.folding)
        return next((p for p in self.files if fold(p, self.folding) == slot), None)

    def obstructed(self, path: RelPath) -> bool:
        """Whether a file is in the way of a directory, or the other way round."""
        return any(self.standing_name(a) for a in ancestors(path)) or any(p.startswith(path + "/") for p in self.files)

    def seen(self, path: RelPath) -> Seen:
        """Presence is judged by listed names, never by asking for the name."""
        file = self.files.get(path)
        if file is None:
            return Seen(path, ABSENT)
        entry = Entry(Kind.FILE, len(file.data), file.mtime_ns, 0, file.content)
        return Seen(path, entry, FileStat(len(file.data), file.mtime_ns, file.inode))

    def find(self, content: ContentId) -> bytes | None:
        for aside in (self.staged, self.versions):
            if content in aside:
                return aside[content]
        return next((f.data for f in self.files.values() if f.content == content), None)

    def keeps(self, content: ContentId) -> bool:
        """Whether a crash leaves it here: it stands in the folder or among the versions."""
        return content in self.versions or any(file.content == content for file in self.files.values())

    def place(self, item: PlaceItem) -> Outcome:
        """What the real placer does, in one moment: exchange, look at what came out, exchange back if it is other."""
        standing = self.standing_name(item.path)
        seen = self.seen(item.path)
        if not seen.entry.same_as(item.expect):
            return Outcome(item.path, False, found=seen)
        if item.put.kind != Kind.FILE:
            self._take_out(item.path)
            return Outcome(item.path, True)
        assert item.put.content is not None
        data = self.find(item.put.content)
        case_only = standing is not None and standing != item.path
        if data is None or case_only or (item.path not in self.files and self.obstructed(item.path)):
            # Something is in the way, or the staged bytes are gone: nothing is done, and it is tried again.
            return Outcome(item.path, False, found=seen)
        self._take_out(item.path)
        self.inodes += 1
        self.files[item.path] = SimFile(data, item.put.content, item.put.mtime_ns, self.inodes)
        return Outcome(item.path, True, stat=self.seen(item.path).stat)

    def _take_out(self, path: RelPath) -> None:
        file = self.files.pop(path, None)
        if file is not None:
            self.versions[file.content] = file.data
