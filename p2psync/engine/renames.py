"""Which files are about to vanish, and which to appear, by what they hold: where both are the same, one need only move.

A rename reaches other devices as two changes, and not necessarily together.
"""

from __future__ import annotations

from p2psync.core.ids import EMPTY_CONTENT, ContentId
from p2psync.core.relpath import RelPath


class Renames:
    """Bounded by whoever adds to it. Of several files with the same content, the last is found; empty ones never."""

    def __init__(self) -> None:
        self._content_of: dict[RelPath, ContentId] = {}
        self._leaving: dict[ContentId, RelPath] = {}
        self._arriving: dict[ContentId, RelPath] = {}

    def __bool__(self) -> bool:
        """Whether any file may move."""
        return bool(self._leaving and self._arriving)

    def leaves(self, path: RelPath, content: ContentId | None) -> None:
        """A file that holds `content` is to vanish from `path`."""
        self._add(self._leaving, path, content)

    def arrives(self, path: RelPath, content: ContentId | None) -> None:
        """One is to appear."""
        self._add(self._arriving, path, content)

    def discard(self, path: RelPath) -> None:
        """That happened, or will not."""
        content = self._content_of.pop(path, None)
        if content is not None:
            for known in (self._leaving, self._arriving):
                if known.get(content) == path:
                    del known[content]

    def of(self, path: RelPath) -> tuple[RelPath, RelPath] | None:
        """The old and the new path of the file that vanishes or appears at `path`; None if it does not seem to move."""
        content = self._content_of.get(path)
        if content is None:
            return None
        old, new = self._leaving.get(content), self._arriving.get(content)
        return (old, new) if old is not None and new is not None and path in (old, new) else None

    def _add(self, known: dict[ContentId, RelPath], path: RelPath, content: ContentId | None) -> None:
        if content is not None and content != EMPTY_CONTENT:
            self._content_of[path] = content
            known[content] = path
