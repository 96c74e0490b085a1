"""Invented master exports: the same for the same seed, of any size, with every kind of record and odd names."""

from __future__ import annotations

from random import Random

from p2psync.books.export import FIELDS, RecordKind
from p2psync.books.export_csv import read_csv_export
from p2psync.books.export_xml import read_xml_export
from p2psync.books.synthetic_master import master_csv, master_records, master_xml


def test_the_same_seed_makes_the_same_records() -> None:
    assert master_records(30, Random(7)) == master_records(30, Random(7))
    assert master_records(30, Random(7)) != master_records(30, Random(8))


def test_every_kind_and_every_field_occurs() -> None:
    records = master_records(400, Random(1))
    for kind in RecordKind:
        seen = {name for one in records if one.kind is kind for name in one.fields}
        assert {field.name for field in FIELDS[kind]} <= seen
    names = "".join(value for one in records for name, value in one.fields.items() if name == "name.fr")
    assert set('<>&";é') <= set(names)


def test_both_spellings_of_a_big_export_are_read() -> None:
    records = master_records(5000, Random(1))
    assert len(read_xml_export(master_xml(records)).records) == 6500
    assert len(read_csv_export(master_csv(records, ",", "utf-8")).records) == 6500
