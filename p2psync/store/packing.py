"""Values of the core as columns, and back."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgpack

from p2psync.core.entry import Entry, FileStat, Kind
from p2psync.core.ids import HASH_BYTES, BlockHash, ChangeId

ID_BYTES = HASH_BYTES + 2
TAG_BYTES = 6
"""Of a content, in an index."""
INTEGER_MAX = (1 << 63) - 1

EntryColumns = tuple[int, int, int, int, bytes | None]
"""kind, size, mtime_ns, mode, content."""
StatColumns = tuple[int | None, int | None, int | bytes | None]
"""size, mtime_ns, inode."""
_KINDS = tuple(Kind(number) for number in range(len(Kind)))


def listed(values: Iterable[object]) -> str:
    """Many values as one argument, for `json_each`: half the time of a query for each."""
    return json.dumps(list(values), ensure_ascii=False)


def entry_columns(entry: Entry) -> EntryColumns:
    return int(entry.kind), entry.size, entry.mtime_ns, entry.mode, entry.content


def entry_of(kind: int, size: int, mtime_ns: int, mode: int, content: Any) -> Entry:
    return Entry(_KINDS[kind], size, mtime_ns, mode, content)


def stat_columns(stat: FileStat | None) -> StatColumns:
    """Some file systems number their files beyond what an SQLite integer holds."""
    if stat is None:
        return None, None, None
    inode = stat.inode if stat.inode <= INTEGER_MAX else stat.inode.to_bytes(16)
    return stat.size, stat.mtime_ns, inode


def stat_of(size: int | None, mtime_ns: int, inode: int | bytes, known_ns: int) -> FileStat | None:
    if size is None:
        return None
    return FileStat(size, mtime_ns, inode if isinstance(inode, int) else int.from_bytes(inode), known_ns)


def pack_ids(ids: Sequence[ChangeId]) -> bytes | None:
    """34 bytes a change; None for none."""
    if len(ids) == 1:  # nearly always
        return ids[0].block + ids[0].position.to_bytes(2)
    return b"".join([block + index.to_bytes(2) for block, index in ids]) or None


def unpack_ids(packed: bytes | None) -> tuple[ChangeId, ...]:
    if packed is None:
        return ()
    if len(packed) == ID_BYTES:  # nearly always, and half the time of the general way
        return (_unpack_id(packed),)
    return tuple(_unpack_id(packed[i : i + ID_BYTES]) for i in range(0, len(packed), ID_BYTES))


def _unpack_id(packed: bytes) -> ChangeId:
    return ChangeId(BlockHash(packed[:HASH_BYTES]), packed[HASH_BYTES] << 8 | packed[HASH_BYTES + 1])


def pack_numbers(numbers: Sequence[int]) -> bytes | None:
    """8 bytes a number; None for none."""
    return struct.pack(f">{len(numbers)}Q", *numbers) if numbers else None


def unpack_numbers(packed: bytes | None) -> tuple[int, ...]:
    return struct.unpack(f">{len(packed) // 8}Q", packed) if packed else ()


def content_tag(content: bytes | None) -> int | None:
    return None if content is None else int.from_bytes(content[:TAG_BYTES])


def path_tag(path: str) -> int:
    return zlib.crc32(path.encode())


def pack_value(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def unpack_value(packed: bytes) -> Any:
    return msgpack.unpackb(packed, strict_map_key=False)


def any_text(text: str) -> bytes:
    """Text that may hold half a surrogate pair, as names of files can."""
    return text.encode("utf-8", "surrogatepass")


def text_of(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
