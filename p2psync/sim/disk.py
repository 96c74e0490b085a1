"""A simulated folder: named bytes with stats, staging and versions beside them, and placing by compare-and-swap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import ChangeId, ContentId, content_of
from p2psync.core.relpath import Folding, RelPath, ancestors, fold
from p2psync.core.value import value
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import LateWrite, Outcome, Seen


@value
class SimFile:
    data: bytes
    content: ContentId
    mtime_ns: int
    inode: int


@dataclass
class SimOut:
    """A file that a placement took out, and that a program may still hold open."""

    path: RelPath
    stood: tuple[ChangeId, ...]
    content: ContentId
    """What it held when it was looked at last."""
    spare: bool
    """True if another version has these bytes too."""
    late: ContentId | None = None
    """What the last late write into it left."""
    written: bytes | None = None
    """What it holds now, if that was not looked at yet."""
    told: LateWrite | None = None
    """How the last late write was told."""
    reported: bool = False
    """Whether the placement was told: before that nobody looks."""


@dataclass
class Disk:
    folding: Folding
    files: dict[RelPath, SimFile] = field(default_factory=dict)
    versions: dict[ContentId, bytes] = field(default_factory=dict)
    staged: dict[ContentId, bytes] = field(default_factory=dict)
    epoch: bytes = b""
    """What the marker in the folder says."""
    inodes: int = 0
    outs: dict[int, SimOut] = field(default_factory=dict)
    """By inode."""

    def copy(self) -> Disk:
        """What a backup of this folder holds."""
        return Disk(self.folding, dict(self.files), dict(self.versions), {}, self.epoch, self.inodes)

    def write(self, path: RelPath, data: bytes, now_ns: int) -> None:
        """A program saves: over the name that this disk takes for the same, if there is one."""
        self.inodes += 1
        self.files[self.standing_name(path) or path] = SimFile(data, content_of(data), now_ns, self.inodes)

    def path_of(self, inode: int) -> RelPath | None:
        """Where the file stands; None if it was replaced or removed."""
        return next((path for path, file in self.files.items() if file.inode == inode), None)

    def held(self, inode: int) -> tuple[RelPath, ContentId] | None:
        """Where a file that a program holds open stands, or stood, and what it holds; None if it is nowhere."""
        path, out = self.path_of(inode), self.outs.get(inode)
        if path is not None:
            return path, self.files[path].content
        if out is not None:
            return out.path, out.content if out.written is None else content_of(out.written)
        return None

    def write_in_place(self, inode: int, data: bytes, now_ns: int) -> None:
        """A program writes into a file that it holds open, wherever that is now; nobody has it: the bytes are lost."""
        path, out = self.path_of(inode), self.outs.get(inode)
        if path is not None:
            self.files[path] = SimFile(data, content_of(data), now_ns, inode)
        elif out is not None:
            out.written = None if content_of(data) == out.content else data
            if not out.spare and out.written is None:
                self.versions[out.content] = data
            elif not out.spare:
                self._write_over(out.content)

    def _write_over(self, content: ContentId) -> None:
        """A version is lost, unless another file that came out holds the same bytes and takes its place."""
        spare = next((o for o in self.outs.values() if o.spare and o.content == content and o.written is None), None)
        if spare is not None:
            spare.spare = False
        else:
            self.versions.pop(content, None)

    def late_writes(self) -> list[LateWrite]:
        """What the real placer tells of files that it took out: what was written into them since the last look."""
        writes = []
        for out in self.outs.values():
            if out.written is None or not out.reported:
                continue
            data, content = out.written, content_of(out.written)
            overwritten = None if out.spare or out.content in self.versions else out.content
            entry = Entry(Kind.FILE, len(data), 0, 0, content)
            out.told = LateWrite(out.path, entry, out.stood, out.late, True, overwritten)
            writes.append(out.told)
            out.spare = content in self.versions
            self.versions[content] = data
            out.content, out.late, out.written = content, content, None
        return writes

    def told_before(self) -> list[LateWrite]:
        """What the real placer tells at start: it may not have come to it."""
        told = [out.told for out in self.outs.values() if out.told is not None]
        return [replace(t, overwritten=None) if t.overwritten in self.versions else t for t in told]

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
            self._put_aside(item)
            return Outcome(item.path, True)
        assert item.put.content is not None
        data = self.find(item.put.content)
        case_only = standing is not None and standing != item.path
        if data is None or case_only or (item.path not in self.files and self.obstructed(item.path)):
            # Something is in the way, or the staged bytes are gone: nothing is done, and it is tried again.
            return Outcome(item.path, False, found=seen)
        self._put_aside(item)
        self.inodes += 1
        self.files[item.path] = SimFile(data, item.put.content, item.put.mtime_ns, self.inodes)
        return Outcome(item.path, True, stat=self.seen(item.path).stat)

    def place_all(self, items: Sequence[PlaceItem]) -> tuple[Outcome, ...]:
        """A batch, each path for itself; what a rename explains is moved."""
        outcomes: dict[RelPath, Outcome] = {}
        by_path = {item.path: item for item in items}
        for item in items:
            gone = by_path.get(item.source) if item.source is not None else None
            if item.path in outcomes:
                continue
            if gone is not None and gone.path not in outcomes and self._can_move(item, gone):
                self.files[item.path] = self.files.pop(gone.path)
                outcomes[gone.path] = Outcome(gone.path, True, moved=True)
                outcomes[item.path] = Outcome(item.path, True, stat=self.seen(item.path).stat)
            else:
                outcomes[item.path] = self.place(item)
        return tuple(outcomes[item.path] for item in items)

    def _can_move(self, item: PlaceItem, gone: PlaceItem) -> bool:
        stands = self.seen(gone.path).entry == gone.expect == item.put and gone.put.kind is Kind.ABSENT
        return stands and self.standing_name(item.path) is None and not self.obstructed(item.path)

    def _put_aside(self, item: PlaceItem) -> None:
        file = self.files.get(item.path)
        if file is not None:
            spare = file.content in self.versions
            self.outs[file.inode] = SimOut(item.path, item.stood, file.content, spare)
        self._take_out(item.path)

    def _take_out(self, path: RelPath) -> None:
        file = self.files.pop(path, None)
        if file is not None:
            self.versions[file.content] = file.data
