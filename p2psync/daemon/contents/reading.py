"""What other threads may know of the database while the engine writes it: committed rows, read and never locked."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from p2psync.core.entry import Entry, FileStat
from p2psync.core.ids import ContentId, MandateId
from p2psync.core.relpath import RelPath, prefix_range
from p2psync.fs.sight import Row
from p2psync.store.base import BaseRows
from p2psync.store.changes import ChangeRows
from p2psync.store.database import Database
from p2psync.store.state import mandate_number
from p2psync.store.versions import VersionRows

HOLDERS_MAX = 10_000
"""Paths that are asked whether a content may be given for their sake."""
SOURCES_MAX = 8
"""Paths at which a content is looked for."""


class Reading:
    """One mandate's committed rows, over a connection of its own; several threads may use it, in turns."""

    def __init__(self, database: Database, mandate: MandateId) -> None:
        """Raises KeyError for a mandate that is not there, StoreError."""
        connection = database.reader()
        number = mandate_number(connection, mandate)
        self._bases = BaseRows(connection, number)
        self._changes = ChangeRows(connection, number)
        self._versions = VersionRows(connection, number)
        self._lock = threading.Lock()

    def get_many(self, paths: Iterable[RelPath]) -> Mapping[RelPath, tuple[Entry, FileStat | None]]:
        with self._lock:
            found = self._bases.get(paths)
        return {path: (row.entry, row.stat) for path, row in found.items()}

    def all(self) -> Iterator[Row]:
        return self._pages("", None)

    def below(self, directory: RelPath) -> Iterator[Row]:
        low, high = prefix_range(directory)
        return self._pages(low, high)

    def files_with(self, suffixes: Iterable[str]) -> Mapping[RelPath, Entry]:
        """What lies in the folder under names that end so, in lower or upper case, sorted."""
        with self._lock:
            found = self._bases.with_suffixes(suffixes)
        return {row.path: row.entry for row in found}

    def sources(self, contents: Sequence[ContentId]) -> Mapping[ContentId, Sequence[RelPath]]:
        """Paths at which this device last saw contents; at most a few for each."""
        with self._lock:
            return self._bases.sources_of(contents, SOURCES_MAX)

    def is_known(self, paths: Iterable[RelPath]) -> Set[RelPath]:
        """Of these paths, those that an accepted change names."""
        with self._lock:
            return self._changes.is_known(paths)

    def past(self, path: RelPath, content: ContentId) -> Sequence[Entry]:
        """How a path was stated when it held a content that was followed by another; empty if a head states it."""
        with self._lock:
            stating = self._changes.by_id(self._changes.with_content(path, content))
            heads = {head.id for head in self._changes.heads([path]).get(path, ())}
        return [] if heads & stating.keys() else [change.entry for change in stating.values()]

    def named_in(self, file_class: str, contents: Sequence[ContentId]) -> Set[ContentId]:
        """Those of the contents that an accepted change in a log of this class names."""
        with self._lock:
            return self._changes.named_in(file_class, contents)

    def holders(self, contents: Sequence[ContentId]) -> Mapping[ContentId, Set[RelPath]]:
        """The paths for whose sake this device has a content: it stands there, or is kept as a version of it."""
        with self._lock:
            standing = self._bases.sources_of(contents, HOLDERS_MAX)
            kept = self._versions.paths_of(contents)
        return {c: {*standing.get(c, ()), *kept.get(c, ())} for c in contents}

    def _pages(self, after: str, before: str | None) -> Iterator[Row]:
        while True:
            with self._lock:
                page = self._bases.page(after, before)
            if not page:
                return
            yield from page
            after = page[-1][0]
