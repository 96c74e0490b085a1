"""Which chunks of a big file that is wanted lie on this disk already, in whatever files and versions.

What is known of them may be outdated: every chunk is compared with its hash before it is used, and one that is not
where it should be is fetched like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import Protocol

from p2psync.core.chunking import Span
from p2psync.core.ids import ContentId
from p2psync.fs.assembly import Source

CANDIDATES_MAX = 256
"""Contents that are looked for on the disk: those that seem to share most."""
SOURCES_MAX = 64
"""Files that one file is put together from, beside what is fetched."""

MayReuse = Callable[[Sequence[ContentId]], Set[ContentId]]
"""Those of the contents on this disk that another file may be made of."""
FilesWith = Callable[[Sequence[ContentId]], Mapping[ContentId, Sequence[Path]]]
"""The files that should hold contents; those that are nowhere are left out."""


class Cuts(Protocol):
    """Remembers how contents were cut; any answer may be outdated. For any thread."""

    def put(self, content: ContentId, spans: Sequence[Span]) -> None:
        """A content was cut so."""

    def alike(self, hashes: Collection[bytes]) -> Mapping[ContentId, set[bytes]]:
        """Contents that were cut into some of these chunks, and of which ones that is known so far."""

    def offsets(self, content: ContentId, hashes: Collection[bytes]) -> Mapping[bytes, int]:
        """Where in a content those of the chunks begin that it was cut into."""

    def drop(self, contents: Collection[ContentId]) -> None:
        """These contents are nowhere on this disk any more."""


class NoCuts:
    """Remembers nothing."""

    def put(self, content: ContentId, spans: Sequence[Span]) -> None:
        pass

    def alike(self, hashes: Collection[bytes]) -> Mapping[ContentId, set[bytes]]:
        return {}

    def offsets(self, content: ContentId, hashes: Collection[bytes]) -> Mapping[bytes, int]:
        return {}

    def drop(self, contents: Collection[ContentId]) -> None:
        pass


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    content: ContentId
    file: Path
    hits: set[bytes]
    """Chunks that it seems to have; it may have more."""


class Reuse:
    """Finds chunks of one mandate's files in its other files; safe to use from several threads."""

    def __init__(self, cuts: Cuts, files_with: FilesWith) -> None:
        self._cuts = cuts
        self._files_with = files_with

    def find(self, hashes: Collection[bytes], here: Path, may_reuse: MayReuse) -> dict[bytes, Source]:
        """Where these chunks may lie: in few files, and `here` before all others, where an older version stands."""
        candidates = self._candidates(hashes, here, may_reuse)
        found: dict[bytes, Source] = {}
        missing = set(hashes)
        for _ in range(SOURCES_MAX):
            candidates = [one for one in candidates if not one.hits.isdisjoint(missing)]
            if not candidates:
                break
            best = max(candidates, key=lambda one: (one.file == here, len(one.hits & missing)))
            candidates.remove(best)
            offsets = self._cuts.offsets(best.content, missing)
            found |= {digest: (best.file, offset) for digest, offset in offsets.items()}
            missing -= offsets.keys()
        return found

    def _candidates(self, hashes: Collection[bytes], here: Path, may_reuse: MayReuse) -> list[_Candidate]:
        alike = self._cuts.alike(hashes)
        likeliest = nlargest(CANDIDATES_MAX, alike, key=lambda content: len(alike[content]))
        files = self._files_with(likeliest)
        self._cuts.drop([content for content in likeliest if content not in files])
        reusable = may_reuse(list(files))
        return [
            _Candidate(content, here if here in files[content] else files[content][0], alike[content])
            for content in likeliest
            if content in reusable and content in files
        ]
