"""Master data as bytes, for the store and for other devices; what comes from others is held to the schema."""

from __future__ import annotations

from typing import Any

import msgpack

from p2psync.books.export import RecordKind, canonical, canonical_number, is_field
from p2psync.books.master import FALSE, REMOVED, TRUE, Cell, FieldKey, MasterData, Register, Stamp
from p2psync.core.ids import device_id
from p2psync.errors import CodecError, InvalidId

FORMAT = 1
MASTER_BYTES_MAX = 32 << 20
REGISTERS_MAX = 500_000
COUNTER_MAX = (1 << 53) - 1
_KINDS = {kind.value: kind for kind in RecordKind}


def encode(data: MasterData) -> bytes:
    """The same bytes for the same data."""
    rows = [
        [at.kind.value, at.number, at.field, _cell_row(one.master), _cell_row(one.local)]
        for at, one in sorted(data.registers.items(), key=lambda item: item[0])
    ]
    packed: bytes = msgpack.packb([FORMAT, rows], use_bin_type=True)
    return packed


def decode(data: bytes) -> MasterData:
    """The inverse of `encode`. Raises CodecError for anything that `encode` cannot have made."""
    if len(data) > MASTER_BYTES_MAX:
        raise CodecError("Master data have more than {limit} bytes, which is the limit.", limit=MASTER_BYTES_MAX)
    try:
        raw = msgpack.unpackb(data, max_array_len=REGISTERS_MAX, max_map_len=0, max_ext_len=0)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise CodecError("Master data cannot be unpacked: {reason}.", reason=type(error).__name__) from None
    version, rows = _items(raw, 2)
    if type(version) is not int or version != FORMAT:
        raise CodecError("Master data are in a format that is not known. Update p2psync.")
    registers = dict(_register(row) for row in _items(rows))
    read = MasterData(registers)
    if encode(read) != data:
        raise CodecError("Master data are not in their order, or not spelled as they must be.")
    return read


def _cell_row(cell: Cell | None) -> list[object] | None:
    return None if cell is None else [cell.stamp.counter, cell.stamp.device, cell.value]


def _register(row: object) -> tuple[FieldKey, Register]:
    kind_text, number, name, master, local = _items(row, 5)
    kind = _KINDS.get(kind_text) if isinstance(kind_text, str) else None
    if kind is None or not isinstance(number, str) or not isinstance(name, str):
        raise CodecError("Master data have a field that is none.")
    if not number or canonical_number(kind, number) != number or not (is_field(kind, name) or name == REMOVED):
        raise CodecError("Master data have a field that is none.")
    at = FieldKey(kind, number, name)
    if master is None and local is None:
        raise CodecError("Master data have a field without a value.")
    return at, Register(_cell(at, master), _cell(at, local))


def _cell(at: FieldKey, raw: object) -> Cell | None:
    if raw is None:
        return None
    counter, device, value = _items(raw, 3)
    if type(counter) is not int or not 1 <= counter <= COUNTER_MAX:
        raise CodecError("Master data have a counter that is none.")
    if not isinstance(value, str) or not _is_canonical(at, value):
        raise CodecError("Master data have a value that its field cannot have.")
    try:
        return Cell(Stamp(counter, device_id(device)), value)
    except InvalidId as error:
        raise CodecError("Master data have a device that is none: {reason}", reason=error) from None


def _is_canonical(at: FieldKey, value: str) -> bool:
    if at.field == REMOVED:
        return value in (TRUE, FALSE)
    return canonical(at.kind, at.field, value) == value


def _items(raw: Any, count: int | None = None) -> list[Any]:
    if not isinstance(raw, list) or count not in (None, len(raw)):
        raise CodecError("Master data are malformed.")
    return raw
