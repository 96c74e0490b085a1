"""What accounting posted of a mandate's files: the marks that stand, new ones, and the bytes to compare with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from p2psync.books import posting
from p2psync.core.change import NAMED_MAX
from p2psync.core.clock import Tips
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, ContentId, DeviceId
from p2psync.core.mark import POSTED, UNDONE, Mark, StatedMark
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import KeepVersion
from p2psync.engine.ledger import Taken
from p2psync.engine.site import Site
from p2psync.errors import NotAllowed, UsageError


class Postings:
    """Of one mandate."""

    def __init__(self, site: Site, device: DeviceId):
        self._site = site
        self._device = device
        self._found: tuple[Tips, Mapping[RelPath, posting.Mark]] | None = None
        """What was read before, and of which logs."""

    def standing(self) -> Mapping[RelPath, posting.Mark]:
        """The mark that holds for each path; the same on every device that has the same log."""
        tips = self._site.ledger.tips
        if self._found is None or self._found[0] is not tips:
            self._found = tips, standing(self._site.state.marks())
        return self._found[1]

    def may_post(self, path: RelPath) -> bool:
        """Whether a mark by this device would count."""
        return self._site.ledger.authority.may_post(self._device, path)

    def post(self, wanted: Mapping[RelPath, ContentId | None]) -> list[Taken]:
        """Mark what these files hold as posted; None: that a file is gone. What is marked so already is left alone.

        Raises NotAllowed, and UsageError if a file holds something else by now.
        """
        self._require_right(wanted)
        held = self._held(wanted)
        for path, content in wanted.items():
            if held.get(path) != content:
                raise UsageError("{path!r} was changed meanwhile. Look at it again: p2psync pending", path=path)
        known = self.standing()
        fresh = [path for path in wanted if path not in known or known[path].content != wanted[path]]
        marks = [Mark(POSTED, path, wanted[path], self._latest(path)) for path in sorted(fresh)]
        self.keep(wanted)
        return write(self._site, marks)

    def undo(self, paths: Collection[RelPath]) -> list[Taken]:
        """Take back the marks that stand for these files: what was posted before holds again. Raises NotAllowed."""
        self._require_right(paths)
        known = self.standing()
        marks = [Mark(UNDONE, path, None, (known[path].id,)) for path in sorted(paths) if path in known]
        return write(self._site, marks)

    def keep(self, paths: Iterable[RelPath]) -> None:
        """Have the bytes of posted versions kept that stand in the folder, before they are overwritten."""
        rows = self._site.state.bases(paths)
        contents = {row.entry.content for row in rows.values() if row.entry.content is not None}
        kept = self._site.state.has_version(contents)
        for path, row in rows.items():
            if row.entry.kind is Kind.FILE and row.entry.content not in kept:
                head = row.heads[0] if row.heads else None
                file_class = self._site.ledger.class_of(path)
                self._site.scope.emit(KeepVersion(self._site.mandate, path, row.entry, "posted", head, file_class))

    def keep_marked(self, marks: Iterable[Mark]) -> None:
        """The same after others marked something, for files that hold here what was posted.

        Where a mark was undone an older one may count again, so whatever stands there is kept.
        """
        posted: dict[RelPath, set[ContentId | None]] = {}
        undone: set[RelPath] = set()
        for mark in marks:
            if mark.kind == UNDONE:
                undone.add(mark.path)
            elif mark.kind == POSTED:
                posted.setdefault(mark.path, set()).add(mark.content)
        rows = self._site.state.bases(posted.keys() | undone)
        self.keep([path for path, row in rows.items() if path in undone or row.entry.content in posted.get(path, ())])

    def _require_right(self, paths: Iterable[RelPath]) -> None:
        for path in paths:
            if not self.may_post(path):
                raise NotAllowed("Only a device with the role accounting marks {path!r} as posted.", path=path)

    def _held(self, paths: Iterable[RelPath]) -> dict[RelPath, ContentId | None]:
        rows = self._site.state.bases(paths)
        return {path: row.entry.content for path, row in rows.items()}

    def _latest(self, path: RelPath) -> tuple[ChangeId, ...]:
        """The marks that a new one follows: only those that its readers know too."""
        file_class = self._site.ledger.class_of(path)
        known = [
            one
            for one, accepted in self._site.state.marks([path])
            if accepted and self._class_of(one) == file_class and one.mark.kind == POSTED
        ]
        top = max((one.stamp for one in known), default=0)
        return tuple(one.id for one in known if one.stamp == top)[:NAMED_MAX]

    def _class_of(self, one: StatedMark) -> str:
        row = self._site.state.block(one.id.block)
        assert row is not None, "a mark's block is here"
        return self._site.ledger.file_class(row.log)


def write(site: Site, marks: Sequence[Mark]) -> list[Taken]:
    """Write marks into this device's logs, each into that of its file's class."""
    classes = {mark.path: site.ledger.class_of(mark.path) for mark in marks}
    taken: list[Taken] = []
    for file_class in sorted(set(classes.values())):
        some = [mark for mark in marks if classes[mark.path] == file_class]
        taken += site.ledger.mark(some, file_class, site.scope.now.wall_ms)
    return taken


def standing(marks: Iterable[tuple[StatedMark, bool]]) -> Mapping[RelPath, posting.Mark]:
    """The mark that holds for each path, among all with whether they count; a function of the set alone."""
    counted = [one for one, accepted in marks if accepted]
    undone = {other for one in counted if one.mark.kind == UNDONE for other in one.mark.named}
    return posting.standing((_as_posting(one) for one in counted if one.mark.kind == POSTED), undone)


def _as_posting(one: StatedMark) -> posting.Mark:
    return posting.Mark(one.id, one.mark.path, one.mark.content, one.author, one.time_ms * 1_000_000, one.stamp)
