"""Whether something stands at a path: judged by the names that directories list, never through a link."""

from __future__ import annotations

import os
import stat
import unicodedata

from p2psync.core.relpath import Folding, RelPath, name, parent
from p2psync.fs.folder import Folder


class Blocked(OSError):
    """A link stands where a directory is meant: what lies behind it is no part of the mandate, and not gone either."""


class Presence:
    """Remembers what it saw, so it is for one batch of paths and then thrown away."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._folds = folder.traits.folding != Folding()
        self._directories: dict[RelPath, bool] = {}
        self._listed: dict[RelPath | None, frozenset[str]] = {}

    def standing(self, rel: RelPath) -> os.stat_result | None:
        """The lstat of what stands at exactly this name; None if nothing does.

        Raises OSError where that cannot be said, Blocked in particular.
        """
        above = parent(rel)
        if above is not None and not self._is_directory(above):
            return None
        if self._folds and not self._is_listed(rel, above):
            return None
        try:
            return os.lstat(self._folder.where(rel))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _is_directory(self, rel: RelPath) -> bool:
        known = self._directories.get(rel)
        if known is None:
            found = self.standing(rel)
            if found is not None and stat.S_ISLNK(found.st_mode):
                raise Blocked(f"{rel} is a symbolic link")
            known = self._directories[rel] = found is not None and stat.S_ISDIR(found.st_mode)
        return known

    def _is_listed(self, rel: RelPath, above: RelPath | None) -> bool:
        """A disk that folds answers for "A.txt" when only "a.txt" is there."""
        listed = self._listed.get(above)
        if listed is None:
            try:
                listed = frozenset(map(self._composed, os.listdir(self._folder.where(above or ""))))
            except (FileNotFoundError, NotADirectoryError):
                listed = frozenset()
            self._listed[above] = listed
        return self._composed(self._folder.spelling(RelPath(name(rel)))) in listed

    def _composed(self, spelled: str) -> str:
        return unicodedata.normalize("NFC", spelled) if self._folder.traits.composes else spelled
