"""The folder's tree and the base, walked through side by side in the order of paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from p2psync.core.ignore import IgnoreRules
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable, value
from p2psync.fs.folder import Folder
from p2psync.fs.listing import Child, Sort, children, unreadable
from p2psync.fs.sight import Row


@mutable
class Listing:
    """What lies in one directory, as far as it is replicated or stands in the way of what was."""

    children: list[Child]

    @property
    def is_empty(self) -> bool:
        return all(child.sort is Sort.LEFT_OUT for child in self.children)


@value
class Step:
    """One path on the disk, in the base, or both."""

    rel: RelPath
    row: Row | None
    child: Child | None
    """None where the base alone knows the path."""
    is_empty: bool = False
    """For a directory: nothing that is replicated lies in it."""


class Walk:
    """One pass over a tree; what cannot be read is told to `complain`, and what the base knows there is passed over."""

    def __init__(self, folder: Folder, ignore: IgnoreRules, complain: Callable[[Problem], None]) -> None:
        self._folder = folder
        self._ignore = ignore
        self._complain = complain

    def listing(self, directory: RelPath | None) -> Listing:
        """Raises OSError."""
        found = []
        for child in children(self._folder, directory, self._ignore):
            if isinstance(child, Problem):
                self._complain(child)
                continue
            if child.problem is not None:
                self._complain(child.problem)
            found.append(child)
        return Listing(found)

    def steps(self, listing: Listing, rows: Iterable[Row]) -> Iterator[Step]:
        """`rows`: what the base knows below the directory listed, sorted."""
        base = _Rows(rows)
        for key, child, empty in self._items(listing):
            while base.next is not None and base.next[0] < key:
                row = base.pop()
                yield Step(row[0], row, None)
            if child is None:
                base.skip(key)
            else:
                yield Step(child.rel, base.take(child.rel), child, empty)
        while base.next is not None:
            row = base.pop()
            yield Step(row[0], row, None)

    def _items(self, listing: Listing) -> Iterator[tuple[str, Child | None, bool]]:
        """(key, child, is an empty directory) sorted by key; without a child: all below the key is passed over.

        A directory comes twice: as a path, and with a slash, as the place of what lies in it; between
        the two may come other names, for "a-b" sorts before "a/b".
        """
        keyed: list[tuple[str, Child]] = [(child.rel, child) for child in listing.children]
        keyed += [(child.rel + "/", child) for child in listing.children if child.sort is not Sort.FILE]
        keyed.sort(key=lambda item: item[0])
        inner: dict[RelPath, Listing | None] = {}
        for key, child in keyed:
            if key != child.rel:
                below = inner.pop(child.rel, None)
                if below is None:
                    yield key, None, False
                else:
                    yield from self._items(below)
            elif child.sort is Sort.DIRECTORY:
                below = inner[child.rel] = self._listing_or_none(child.rel)
                if below is None:
                    yield key, replace(child, sort=Sort.LEFT_OUT), False
                else:
                    yield key, child, below.is_empty
            else:
                yield key, child, False

    def _listing_or_none(self, directory: RelPath) -> Listing | None:
        try:
            return self.listing(directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain(unreadable(directory, error))
            return None


class _Rows:
    """Sorted rows, taken from the front."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.next = next(self._rows, None)
        """The one in front."""

    def pop(self) -> Row:
        row = self.next
        assert row is not None
        self.next = next(self._rows, None)
        return row

    def take(self, path: RelPath) -> Row | None:
        return self.pop() if self.next is not None and self.next[0] == path else None

    def skip(self, prefix: str) -> None:
        while self.next is not None and self.next[0].startswith(prefix):
            self.pop()
