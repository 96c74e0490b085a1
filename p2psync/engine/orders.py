"""What the fetching asks of the disk, and what it reports: values that pass between `fetch` and its shell."""

from __future__ import annotations

from typing import NamedTuple

from p2psync.core.ids import ContentId, MandateId
from p2psync.core.value import value
from p2psync.engine.effects import Send


class Compartment(NamedTuple):
    """What contents stay within: a mandate's files of one class. Nothing is given, asked or reused across."""

    mandate: MandateId
    file_class: str


@value
class Piece:
    """What one Request asks of a big file."""

    chunks: tuple[int, ...]
    """Indexes into the manifest."""
    size: int
    """Bytes of those chunks together."""
    tried: frozenset[int] = frozenset()
    """Links that could not give it."""

    def part(self, chunks: tuple[int, ...], tried: int | None) -> Piece:
        """What is left of it, its size estimated from its share; `tried` could not give that."""
        size = self.size * len(chunks) // len(self.chunks)
        return Piece(chunks, size, self.tried | {tried} if tried is not None else self.tried)


@value
class Stage:
    """Verify small files and put them into staging; answered by `staged`."""

    compartment: Compartment
    link: int
    files: tuple[tuple[ContentId, bytes], ...]


@value
class Begin:
    """Take up a big file with its manifest, reusing what lies on this disk; answered by `begun`."""

    compartment: Compartment
    link: int
    content: ContentId
    manifest: bytes
    """As the peer sent it, not looked at yet."""
    base: ContentId | None = None
    """The manifest only tells what is different from this content."""


@value
class Write:
    """Verify chunks of a big file and write them; answered by `written`."""

    compartment: Compartment
    link: int
    content: ContentId
    chunks: tuple[int, ...]
    data: tuple[bytes, ...]
    """The bytes of each of `chunks`."""
    tried: frozenset[int] = frozenset()
    """Links that could not give these chunks before."""
    attempt: int = 0
    """Which attempt at the file this belongs to: one may have failed, and the file be wanted again."""


@value
class Finish:
    """Verify a big file as a whole and put it into staging; answered by `finished`."""

    compartment: Compartment
    content: ContentId
    attempt: int = 0
    """As in Write."""


@value
class Drop:
    """Leave a big file that is under way; what arrived of it stays for the next time."""

    compartment: Compartment
    content: ContentId


@value
class Done:
    """These contents lie in staging, verified."""

    compartment: Compartment
    contents: tuple[ContentId, ...]


@value
class Failed:
    """No peer that is there could give these contents."""

    compartment: Compartment
    contents: tuple[ContentId, ...]


@value
class Misbehaved:
    """A peer sent what cannot be right; its link is asked no more and should be closed."""

    link: int
    reason: str


Output = Send | Stage | Begin | Write | Finish | Drop | Done | Failed | Misbehaved
