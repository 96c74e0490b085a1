"""A change: one immutable statement that a path now has another state, and which states it replaces."""

from __future__ import annotations

from p2psync.core.entry import MODE_MASK, Entry, Kind
from p2psync.core.ids import BlockHash, ChangeId, block_hash, content_id
from p2psync.core.relpath import RelPath, parse
from p2psync.core.value import value
from p2psync.errors import CodecError

NAMED_MAX = 64
"""Changes that one change may name; more heads than that at one path are no accident."""
SIZE_BYTES_MAX = 1 << 50
MTIME_NS_MAX = 1 << 63
ROW_FIELDS = 8
_KINDS = tuple(sorted(Kind))
_FILE = Kind.FILE


@value
class Change:
    path: RelPath
    entry: Entry
    parents: tuple[ChangeId, ...]
    """The heads whose content stood on the author's disk; none for a path that is new to it."""
    settled: tuple[ChangeId, ...] = ()
    """Losing heads that the author knowingly replaces, holding their bytes."""

    @property
    def named(self) -> tuple[ChangeId, ...]:
        return self.parents + self.settled


def pack_changes(changes: tuple[Change, ...]) -> list[object]:
    """Plain lists for msgpack: hashes of named blocks once, then a row per change."""
    refs: dict[BlockHash, int] = {}
    rows = [[c.path, *_plain(c.entry), pack_named(c.parents, refs), pack_named(c.settled, refs)] for c in changes]
    return [list(refs), rows]


def pack_named(ids: tuple[ChangeId, ...], refs: dict[BlockHash, int]) -> list[int]:
    """A number for each block, which is added to `refs` if it is new there, and the index in it."""
    return [number for i in ids for number in (refs.setdefault(i.block, len(refs)), i.position)]


def _plain(entry: Entry) -> list[object]:
    return [int(entry.kind), entry.size, entry.mtime_ns, entry.mode, entry.content]


def unpack_changes(packed: object, count_max: int) -> tuple[Change, ...]:
    """The inverse of `pack_changes`, of bytes from anybody; raises CodecError."""
    match packed:
        case [list(hashes), list(rows)] if 0 < len(rows) <= count_max:
            refs = [block_hash(h) for h in hashes]
            changes = tuple(_unpack_row(row, refs) for row in rows)
        case _:
            raise CodecError("a block's changes are not of the form [hashes, rows]")
    if len({c.path for c in changes}) != len(changes):
        raise CodecError("a block changes the same path twice")
    return changes


def _unpack_row(row: object, refs: list[BlockHash]) -> Change:
    """Not by a pattern: a scan brings ten thousand rows at once."""
    if type(row) is not list or len(row) != ROW_FIELDS:
        raise CodecError("a change has missing or wrong fields")
    path, kind, size, mtime_ns, mode, content, parents, settled = row
    if type(path) is not str or type(parents) is not list or type(settled) is not list:
        raise CodecError("a change has missing or wrong fields")
    entry = _entry(kind, size, mtime_ns, mode, content)
    if not parents and not settled:
        return Change(parse(path), entry, (), ())
    return Change(parse(path), entry, unpack_named(parents, refs), unpack_named(settled, refs))


def _entry(kind: object, size: object, mtime_ns: object, mode: object, content: object) -> Entry:
    if type(kind) is not int or type(size) is not int or type(mtime_ns) is not int or type(mode) is not int:
        raise CodecError("a change with something else where a number belongs")  # also true and false
    if not 0 <= kind < len(_KINDS):
        raise CodecError(f"a change of unknown kind {kind}")
    is_file = kind == _FILE
    if is_file != (content is not None) or not 0 <= size < SIZE_BYTES_MAX or (size and not is_file):
        raise CodecError("a change whose size or content does not fit its kind")
    if abs(mtime_ns) >= MTIME_NS_MAX or mode & ~MODE_MASK or (mode and not is_file):
        raise CodecError("a change with an impossible time or mode")
    return Entry(_KINDS[kind], size, mtime_ns, mode, content_id(content) if is_file else None)


def unpack_named(numbers: list[object], refs: list[BlockHash]) -> tuple[ChangeId, ...]:
    """The inverse of `pack_named`; raises CodecError."""
    if not numbers:
        return ()
    if len(numbers) % 2 or len(numbers) > 2 * NAMED_MAX:
        raise CodecError("a change names too many others")
    ids = []
    for ref, index in zip(numbers[::2], numbers[1::2], strict=True):
        if type(ref) is not int or type(index) is not int or not 0 <= ref < len(refs) or not 0 <= index < 1 << 16:
            raise CodecError("a change names something that is no change")
        ids.append(ChangeId(refs[ref], index))
    return tuple(ids)
