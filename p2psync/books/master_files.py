"""The files in which master data from another accounting program lie in a mandate's folder, and what they say together.

One file holds what the master stated; only the master may change it. Each device that changes open fields, or removes
what the master marked as deleted, has a file of its own for that, which nobody else may change. So no two devices
ever write the same one, and what all of them say is merged field by field.
"""

from __future__ import annotations

from collections.abc import Iterable

from p2psync.books.export import Export
from p2psync.books.master import MasterData, admissible, merged, of_master
from p2psync.books.master_codec import decode
from p2psync.books.text import BOM
from p2psync.core.ids import DeviceId, device_text
from p2psync.core.relpath import RelPath
from p2psync.errors import CodecError, UsageError

STATED = ".p2pmaster"
CHANGED = ".p2pfields"
STATED_FILE = RelPath(f"master-data{STATED}")
DEVICE_CHARACTERS = 13
"""Of a device's id, in the name of its file: 65 bits."""
XML, CSV = "xml", "csv"
FORMATS = (XML, CSV)


def changed_file(device: DeviceId) -> RelPath:
    """The file with what a device changed itself."""
    return RelPath(f"master-data.{device_text(device).replace('-', '')[:DEVICE_CHARACTERS].lower()}{CHANGED}")


def together(stated: Iterable[bytes], changed: Iterable[bytes]) -> MasterData:
    """All that files say, each only what it may. Raises CodecError for a file that p2psync cannot have written."""
    data = MasterData()
    for one in stated:
        data = merged(data, of_master(decode(one)))
    for one in changed:
        data = merged(data, admissible(decode(one), by_master=False))
    return data


def format_of(name: str, data: bytes, wanted: str = "") -> str:
    """How an export is written: as a person says, else as its name or its first character tells. Raises UsageError."""
    if wanted:
        if wanted.lower() not in FORMATS:
            raise UsageError("{text!r} is no format. Choose one of {formats}.", text=wanted, formats=", ".join(FORMATS))
        return wanted.lower()
    suffix = name.rpartition(".")[2].lower()
    if suffix in FORMATS:
        return suffix
    return XML if data.removeprefix(BOM).lstrip().startswith(b"<") else CSV


def read_export(data: bytes, written: str) -> Export:
    """Take an export apart. Raises CodecError if it is none, or could do harm."""
    if not data.removeprefix(BOM).strip():
        raise CodecError("The file is empty.")
    if written == XML:
        from p2psync.books.export_xml import read_xml_export

        return read_xml_export(data)
    from p2psync.books.export_csv import read_csv_export

    return read_csv_export(data)
