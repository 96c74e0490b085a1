"""One batch of placements while it is being worked on: the order of its items and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from p2psync.core.entry import FileStat, Kind
from p2psync.core.ids import ContentId
from p2psync.core.relpath import Folding, RelPath, all_ancestors, ancestors, fold
from p2psync.core.value import mutable
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import Outcome


@mutable
class Ready:
    """A staged file with its final bytes, time and mode."""

    content: ContentId
    staged: str
    stat: FileStat
    is_flushed: bool = False


class Batch:
    """The items, what is ready for them, and what has been done."""

    def __init__(self, items: Sequence[PlaceItem], folding: Folding) -> None:
        self.ready: dict[RelPath, Ready] = {}
        self.shares_staging = False
        """Something that is ready bears the name of its content, by which another batch would find it, too."""
        self.outcomes: dict[RelPath, Outcome] = {}
        self.touched: set[str] = set()
        """Directories whose names have to be flushed, and files that were moved: nobody knows whether they were."""
        self.left: set[RelPath] = set()
        """Directories below the root that something was taken from."""
        self.directories: set[RelPath | None] = {None}
        """Directories that were seen to be real ones, the folder itself among them."""
        self.renames = _case_renames(items, folding)
        """By the path of a put, the item that vanishes from the same slot under another name."""
        self.moves = _moves(items, self.renames)
        """By the path of a put, the item that vanishes elsewhere and holds the same file, to be moved."""
        self._items = items
        self._kept = {item.path for item in items if item.put.kind is Kind.DIRECTORY}
        self._uses = Counter(item.put.content for item in self.files_to_put() if item.put.content is not None)

    def files_to_put(self) -> Iterator[PlaceItem]:
        """Those that need bytes; where content stays, only the mode is set."""
        for item in self._items:
            renamed = self.renames.get(item.path)
            before = renamed.expect if renamed is not None else item.expect
            if item.put.kind is Kind.FILE and item.put.content != before.content and item.path not in self.moves:
                yield item

    @property
    def contents(self) -> Set[ContentId]:
        """Of the files to put."""
        return self._uses.keys()

    def used_again(self, content: ContentId) -> bool:
        """Call once for each file that gets ready: True if a later one needs the same bytes."""
        self._uses[content] -= 1
        return self._uses[content] > 0

    def is_new(self, item: PlaceItem) -> bool:
        """A file that is ready, for a name at which nothing should stand."""
        return item.expect.kind is Kind.ABSENT and item.path in self.ready and item.path not in self.renames

    def in_order(self) -> Iterator[PlaceItem]:
        """What stands in the way of a put, then what is put, then what vanishes; without what has failed already."""
        puts = [item for item in self._items if item.put.kind is not Kind.ABSENT]
        renamed = {item.path for item in self.renames.values()}
        absents = [item for item in self._items if item.put.kind is Kind.ABSENT and item.path not in renamed]
        above = all_ancestors(item.path for item in puts) if absents else set()
        put_files = {item.path for item in puts if item.put.kind is Kind.FILE}
        first: list[PlaceItem] = []
        last: list[PlaceItem] = []
        for item in absents:
            blocks = item.path in above or any(ancestor in put_files for ancestor in ancestors(item.path))
            (first if blocks else last).append(item)
        deepest = sorted(last, key=lambda item: item.path.count("/"), reverse=True)
        for item in [*first, *puts, *deepest]:
            if item.path not in self.outcomes:
                yield item

    def stays_empty(self, directory: RelPath) -> bool:
        """True if the directory is to be kept although nothing lies in it."""
        outcome = self.outcomes.get(directory)
        return outcome is not None and outcome.placed and directory in self._kept


def _case_renames(items: Sequence[PlaceItem], folding: Folding) -> dict[RelPath, PlaceItem]:
    vanishing = {
        fold(item.path, folding): item
        for item in items
        if item.put.kind is Kind.ABSENT and item.expect.kind is Kind.FILE
    }
    renames = {}
    for item in items:
        gone = vanishing.get(fold(item.path, folding))
        if item.put.kind is Kind.FILE and gone is not None and item.path != gone.path:
            renames[item.path] = gone
    return renames


def _moves(items: Sequence[PlaceItem], renames: Mapping[RelPath, PlaceItem]) -> dict[RelPath, PlaceItem]:
    """A file that differs in its time or mode is copied."""
    if not any(item.source for item in items):
        return {}
    vanishing = {item.path: item for item in items if item.put.kind is Kind.ABSENT and item.expect_stat is not None}
    for renamed in renames.values():
        vanishing.pop(renamed.path, None)
    moves = {}
    for item in items:
        gone = vanishing.get(item.source) if item.source is not None and item.expect.kind is Kind.ABSENT else None
        if gone is not None and item.path not in renames and item.put == gone.expect:
            moves[item.path] = vanishing.pop(gone.path)
    return moves
