"""A mark: one immutable statement about a version of a file, beside the changes that make the versions.

Marks say that accounting posted what a file held, or that this was undone, and that a device has received it. They lie
in the logs of their files' class, so that whoever may not know of a file learns of no mark either. A kind that a newer
version invented is kept, passed on, and has no effect.
"""

from __future__ import annotations

from p2psync.core.change import NAMED_MAX, pack_named, unpack_named
from p2psync.core.ids import BlockHash, ChangeId, ContentId, DeviceId, block_hash, content_id
from p2psync.core.relpath import RelPath, parse
from p2psync.core.value import value
from p2psync.errors import CodecError

POSTED = "posted"
"""Accounting posted what the file held."""
UNDONE = "undone"
"""The marks that are named count no more."""
RECEIVED = "received"
"""Its author's folder shows what the file holds: a receipt, which anybody may give, for it says nothing of others."""
KIND_CHARACTERS_MAX = 20
MARKS_MAX = 500
"""Marks in one block."""


@value
class Mark:
    kind: str
    path: RelPath
    content: ContentId | None
    """What the file held; None if it had been removed, and for UNDONE."""
    named: tuple[ChangeId, ...] = ()
    """POSTED: the latest marks of the path that its author knew. UNDONE: those that are undone. RECEIVED: none."""


@value
class StatedMark:
    """A mark as it was taken in: with its author, and a stamp that only its ancestry decides."""

    id: ChangeId
    """The block that carries it, and its index there."""
    author: DeviceId
    mark: Mark
    stamp: int
    """1 + the highest stamp of the marks it names."""
    time_ms: int
    """The author's wall clock, for people."""


def pack_marks(marks: tuple[Mark, ...]) -> list[object]:
    """Plain lists for msgpack: hashes of named blocks once, then a row per mark."""
    refs: dict[BlockHash, int] = {}
    rows = [[mark.kind, mark.path, mark.content, pack_named(mark.named, refs)] for mark in marks]
    return [list(refs), rows]


def unpack_marks(packed: object) -> tuple[Mark, ...]:
    """The inverse of `pack_marks`, of bytes from anybody; raises CodecError."""
    match packed:
        case [list(hashes), list(rows)] if 0 < len(rows) <= MARKS_MAX and len(hashes) <= NAMED_MAX * MARKS_MAX:
            refs = [block_hash(digest) for digest in hashes]
            return tuple(_unpack_row(row, refs) for row in rows)
        case _:
            raise CodecError("a block's marks are not of the form [hashes, rows]")


def _unpack_row(row: object, refs: list[BlockHash]) -> Mark:
    match row:
        case [str(kind), str(path), None | bytes() as content, list(named)] if _is_kind(kind):
            held = None if content is None else content_id(content)
            return Mark(kind, parse(path), held, unpack_named(named, refs))
        case _:
            raise CodecError("a mark has missing or wrong fields")


def _is_kind(text: str) -> bool:
    return 0 < len(text) <= KIND_CHARACTERS_MAX and text.isascii() and text.replace("-", "").isalnum()
