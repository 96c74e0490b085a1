"""Who watches a folder in tests where that does not matter."""

from __future__ import annotations

from collections.abc import Sequence

from p2psync.core.relpath import RelPath
from p2psync.fs.sight import Expected


class Nobody:
    """An onlooker who does not care."""

    def expect(self, several: Sequence[Expected]) -> None:
        pass

    def made(self, directory: RelPath) -> None:
        pass

    def coming(self, paths: Sequence[RelPath]) -> None:
        pass

    def not_come(self, path: RelPath) -> None:
        pass
