"""Master data that several devices hold: records owned by the master, and a few fields that others may change.

Every value is written with a stamp, and for each field the master's last value and that of the others are kept apart.
To merge is to take the later of each, so it does not matter in what order, how often or on which device that happens.
An import writes only what the master changed since its last export: a field that others may change, as cash, keeps
their value until the master changes its own. What is removed comes back, unless the master had marked it as deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import NamedTuple

from p2psync.books.export import DELETED, FIELDS, NAME, Record, RecordKind, canonical, is_field
from p2psync.books.finding import shown
from p2psync.core.ids import DeviceId
from p2psync.core.value import value
from p2psync.errors import NotAllowed, UsageError

REMOVED = "removed"
"""Stands for a field: whether somebody removed the record."""
TRUE, FALSE = "true", "false"


class Stamp(NamedTuple):
    """When a value was written; later ones are greater."""

    counter: int
    """1 + the highest counter that its device knew."""
    device: DeviceId


class Cell(NamedTuple):
    """A value and when it was written."""

    stamp: Stamp
    value: str
    """In its one spelling."""


class Key(NamedTuple):
    """What a record is known by."""

    kind: RecordKind
    number: str


class FieldKey(NamedTuple):
    """A field of a record."""

    kind: RecordKind
    number: str
    field: str


class OpenField(NamedTuple):
    """A field that devices other than the master may change, in all records of a kind."""

    kind: RecordKind
    field: str


@value
class Register:
    """The last value of a field by the master, and by any other device."""

    master: Cell | None = None
    local: Cell | None = None


@value
class MasterData:
    """What was written so far, or one writing alone: both merge in the same way."""

    registers: Mapping[FieldKey, Register] = field(default_factory=dict)


class Sign(StrEnum):
    """What became of a record; shown so."""

    NEW = "+"
    CHANGED = "~"
    DELETED = "-"
    """The master marked it as deleted, or it was removed."""


@value
class Difference:
    """What an import changes in one record."""

    sign: Sign
    key: Key
    fields: Mapping[str, tuple[str, str]]
    """By field: the value before and after, "" for none."""


def merged(first: MasterData, second: MasterData) -> MasterData:
    """Both together: commutative, associative, and merging again changes nothing."""
    registers = dict(first.registers)
    for key, register in second.registers.items():
        known = registers.get(key, Register())
        registers[key] = Register(_later(known.master, register.master), _later(known.local, register.local))
    return MasterData(registers)


def admissible(written: MasterData, by_master: bool) -> MasterData:
    """What a device may have written: others than the master write no value of the master, whatever they say."""
    if by_master:
        return written
    kept = {key: Register(None, one.local) for key, one in written.registers.items() if one.local}
    return MasterData(kept)


def of_master(written: MasterData) -> MasterData:
    """The master's values alone."""
    kept = {key: Register(one.master, None) for key, one in written.registers.items() if one.master}
    return MasterData(kept)


def imported(data: MasterData, records: Iterable[Record], device: DeviceId) -> MasterData:
    """What the master's new export writes: each value that it states and that is not its last one.

    A record that is listed without the mark of deletion is not deleted, or not any more.
    """
    stamp = next_stamp(data, device)
    written = {}
    for record in records:
        fields = {**record.fields, DELETED: record.fields.get(DELETED) or FALSE}
        for name, said in fields.items():
            key = FieldKey(record.kind, record.number, name)
            known = data.registers.get(key, Register()).master
            if said != (known.value if known else ""):
                written[key] = Register(master=Cell(stamp, said))
    return MasterData(written)


def edited(
    data: MasterData, key: Key, name: str, text: str, device: DeviceId, open_fields: Collection[OpenField]
) -> MasterData:
    """What a device other than the master writes when its user changes a field.

    Raises UsageError if there is no such record or field, or the field cannot have this value; NotAllowed if the field
    is the master's alone.
    """
    if not exists(data, key):
        raise _not_there(key)
    if not is_field(key.kind, name):
        known = ", ".join(field.name for field in FIELDS[key.kind])
        raise UsageError(
            "{record} has no field {field}. Choose one of: {fields}", record=_said(key), field=shown(name), fields=known
        )
    if OpenField(key.kind, name) not in open_fields:
        raise NotAllowed(
            "{record}: {field} belongs to the master, who alone changes it, unless an admin opens it to all: "
            "p2psync rules MANDATE --open {kind}.{field}",
            record=_said(key),
            field=name,
            kind=key.kind.value,
        )
    value = canonical(key.kind, name, text)
    if value is None:
        raise UsageError("{record}: {field} cannot be {text!r}.", record=_said(key), field=name, text=shown(text))
    return _one(data, FieldKey(*key, name), value, device)


def removed(data: MasterData, key: Key, device: DeviceId) -> MasterData:
    """What a device writes when its user removes a record.

    Raises UsageError if there is no such record, NotAllowed if the master has not marked it as deleted.
    """
    if not exists(data, key):
        raise _not_there(key)
    if not is_deleted(data, key):
        raise NotAllowed("{record} can be removed only after the master marked it as deleted.", record=_said(key))
    return _one(data, FieldKey(*key, REMOVED), TRUE, device)


def exists(data: MasterData, key: Key) -> bool:
    """Whether the master stated this record, and nobody removed it rightly."""
    stated = data.registers.get(FieldKey(*key, DELETED), Register()).master
    if stated is None:
        return False
    gone = data.registers.get(FieldKey(*key, REMOVED), Register()).local
    return not (stated.value == TRUE and gone and gone.value == TRUE and gone.stamp > stated.stamp)


def is_deleted(data: MasterData, key: Key) -> bool:
    """Whether the master's last word on this record is that it is deleted."""
    stated = data.registers.get(FieldKey(*key, DELETED), Register()).master
    return stated is not None and stated.value == TRUE


def deletions(data: MasterData) -> dict[Key, Stamp]:
    """Of the records that the master marked as deleted and nobody has removed yet: when it did, in their order."""
    marks = ((Key(at.kind, at.number), one.master) for at, one in sorted(data.registers.items()) if at.field == DELETED)
    return {key: cell.stamp for key, cell in marks if cell is not None and cell.value == TRUE and exists(data, key)}


def records_of(data: MasterData, open_fields: Collection[OpenField] = ()) -> dict[Key, Record]:
    """The records as everybody sees them, in their order; values of others count in open fields only."""
    found: dict[Key, dict[str, str]] = {}
    for at in sorted(data.registers):
        key = Key(at.kind, at.number)
        if at.field == REMOVED or not (key in found or exists(data, key)):
            continue
        register = data.registers[at]
        is_open = OpenField(at.kind, at.field) in open_fields
        cell = _later(register.master, register.local) if is_open else register.master
        found.setdefault(key, {})
        if cell and cell.value:
            found[key][at.field] = cell.value
    return {key: Record(key.kind, key.number, fields) for key, fields in found.items()}


def not_listed(data: MasterData, records: Iterable[Record]) -> list[Key]:
    """Records that an export leaves out though the master has not marked them as deleted: they stay, and are told."""
    listed = {Key(record.kind, record.number) for record in records}
    known = {Key(at.kind, at.number) for at in data.registers}
    return sorted(key for key in known - listed if exists(data, key) and not is_deleted(data, key))


def differences(before: Mapping[Key, Record], after: Mapping[Key, Record]) -> list[Difference]:
    """What is new, changed and deleted between two states, in the order of the records."""
    found = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        was, stays = old is not None and not _is_marked(old), new is not None and not _is_marked(new)
        changed = _changed(old, new)
        if was and not stays:
            found.append(Difference(Sign.DELETED, key, changed))
        elif stays and not was:
            found.append(Difference(Sign.NEW, key, changed))
        elif stays and changed:
            found.append(Difference(Sign.CHANGED, key, changed))
    return found


def _is_marked(record: Record) -> bool:
    return record.fields.get(DELETED) == TRUE


def _changed(old: Record | None, new: Record | None) -> dict[str, tuple[str, str]]:
    before, after = (one.fields if one else {} for one in (old, new))
    names = sorted({*before, *after} - {DELETED})
    pairs = {name: (before.get(name, ""), after.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def next_stamp(data: MasterData, device: DeviceId) -> Stamp:
    """Later than all that is known."""
    cells = (cell for one in data.registers.values() for cell in (one.master, one.local) if cell)
    return Stamp(1 + max((cell.stamp.counter for cell in cells), default=0), device)


def parse_open_fields(text: str) -> frozenset[OpenField]:
    """`account.cash,payment-term.blocked` as fields. Raises UsageError that says what is wrong."""
    found = set()
    for one in filter(None, (part.strip().lower() for part in text.split(","))):
        kind, _, name = one.partition(".")
        if kind not in list(RecordKind) or not is_field(RecordKind(kind), name):
            raise UsageError("{text!r} is no field of master data. Write one like 'account.cash'.", text=shown(one))
        if name == DELETED or name.startswith(f"{NAME}."):
            raise UsageError("{text!r} always belongs to the master.", text=one)
        found.add(OpenField(RecordKind(kind), name))
    return frozenset(found)


def _not_there(key: Key) -> UsageError:
    return UsageError("There is no {record}.", record=_said(key))


def _said(key: Key) -> str:
    return f"{key.kind} {shown(key.number)}"


def _later(first: Cell | None, second: Cell | None) -> Cell | None:
    """The later of two; of equal stamps, which no honest device makes, the same one everywhere."""
    if first is None or second is None:
        return first or second
    return max(first, second)


def _one(data: MasterData, at: FieldKey, value: str, device: DeviceId) -> MasterData:
    return MasterData({at: Register(local=Cell(next_stamp(data, device), value))})
