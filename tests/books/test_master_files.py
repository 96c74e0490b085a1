"""Master data in files: each says only what it may, and together they say the same in any order."""

from __future__ import annotations

from random import Random

import pytest

from p2psync.books.export import Record, RecordKind
from p2psync.books.master import Key, MasterData, OpenField, edited, imported, is_deleted, merged, of_master, records_of
from p2psync.books.master_codec import encode
from p2psync.books.master_files import STATED_FILE, changed_file, format_of, read_export, together
from p2psync.books.synthetic_master import master_csv, master_records, master_xml
from p2psync.core.ids import device_id
from p2psync.errors import CodecError, UsageError

MASTER, OFFICE, HOME = (device_id(letter * 32) for letter in (b"m", b"o", b"h"))
CASH = Key(RecordKind.ACCOUNT, "1000")
OPEN = frozenset({OpenField(RecordKind.ACCOUNT, "cash")})
STATED = imported(MasterData(), [Record(*CASH, {"name.fr": "Caisse", "cash": "true"})], MASTER)


def test_the_files_of_all_devices_say_one_thing_together() -> None:
    office = edited(STATED, CASH, "cash", "false", OFFICE, OPEN)
    home = edited(merged(STATED, office), CASH, "cash", "true", HOME, OPEN)
    parts = [encode(office), encode(home)]
    both = together([encode(STATED)], parts)
    assert both == together([encode(STATED)], reversed(parts))
    assert records_of(both, OPEN)[CASH].fields["cash"] == "true"
    assert records_of(together([encode(STATED)], parts[:1]), OPEN)[CASH].fields["cash"] == "false"


def test_no_file_says_more_than_it_may() -> None:
    forged = imported(STATED, [Record(*CASH, {"deleted-by-master": "true"})], OFFICE)
    assert not is_deleted(together([encode(STATED)], [encode(merged(STATED, forged))]), CASH)
    mixed = merged(STATED, edited(STATED, CASH, "cash", "false", OFFICE, OPEN))
    assert together([encode(mixed)], []) == of_master(mixed) == STATED
    with pytest.raises(CodecError):
        together([b"\x00"], [])


def test_each_device_has_a_file_of_its_own() -> None:
    names = {changed_file(device) for device in (MASTER, OFFICE, HOME)}
    assert len(names) == 3
    assert all(name.startswith("master-data.") and name.endswith(".p2pfields") for name in names)
    assert STATED_FILE == "master-data.p2pmaster"


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n"])
def test_an_empty_export_is_said_to_be_empty(data: bytes) -> None:
    for written in ("xml", "csv"):
        with pytest.raises(CodecError, match="The file is empty"):
            read_export(data, written)


def test_an_export_is_known_by_what_a_person_says_by_its_name_or_by_its_beginning() -> None:
    records = master_records(20, Random(1))
    xml, csv = master_xml(records), master_csv(records)
    assert format_of("a.XML", csv) == "xml"
    assert format_of("a.csv", xml) == "csv"
    assert format_of("a.txt", b"\xef\xbb\xbf \r\n" + xml) == "xml"
    assert format_of("a", csv) == "csv"
    assert format_of("a.xml", xml, "CSV") == "csv"
    with pytest.raises(UsageError, match="xml, csv"):
        format_of("a.xml", xml, "xlsx")
    assert len(read_export(xml, "xml").records) == len(read_export(csv, "csv").records) == len(records)
