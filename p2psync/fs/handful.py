"""The bytes of a few small files for the moment in which somebody needs them; for any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from p2psync.core.ids import ContentId

ITEM_BYTES = 256
"""What each of them takes besides, however small it is."""


class Handful:
    """At most so many bytes; the oldest go first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held: OrderedDict[ContentId, bytes] = OrderedDict()
        self.bytes = 0
        """That are held, with what they take besides."""
        self._lock = threading.Lock()

    def put(self, several: Mapping[ContentId, bytes]) -> None:
        with self._lock:
            for content, data in several.items():
                self._put(content, data)

    def put_one(self, content: ContentId, data: bytes) -> None:
        with self._lock:
            self._put(content, data)

    def take(self, contents: Sequence[ContentId]) -> list[bytes] | None:
        """All of these, which are held no more; None, and nothing is taken, unless each of them is here."""
        with self._lock:
            if not all(content in self._held for content in contents):
                return None
            taken = [self._held[content] for content in contents]
            for content in contents:
                self._drop(content)
            return taken

    def take_any(self, contents: Iterable[ContentId]) -> dict[ContentId, bytes]:
        """Those of them that are here, which are held no more."""
        with self._lock:
            taken = {content: self._held[content] for content in contents if content in self._held}
            for content in taken:
                self._drop(content)
            return taken

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
            self.bytes = 0

    def _put(self, content: ContentId, data: bytes) -> None:
        self._drop(content)
        self._held[content] = data
        self.bytes += len(data) + ITEM_BYTES
        while self.bytes > self._bytes_max:
            self._drop(next(iter(self._held)))

    def _drop(self, content: ContentId) -> None:
        data = self._held.pop(content, None)
        self.bytes -= len(data) + ITEM_BYTES if data is not None else 0
