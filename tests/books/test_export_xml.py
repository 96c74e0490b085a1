"""Master exports as XML: what is documented is read, anything else is named by its line."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.export import FIELDS, RECORDS_MAX, Export, RecordKind
from p2psync.books.export_xml import read_xml_export
from p2psync.books.finding import Trouble
from p2psync.books.synthetic_master import master_records, master_xml
from p2psync.errors import CodecError
from tests.books.damage import damaged
from tests.test_tidy import ROOT

SMALL = master_xml(master_records(10, Random(1)))


def xml(*lines: str, head: str = '<master-export version="1">') -> bytes:
    return "\n".join([head, *lines, "</master-export>"]).encode()


def troubles(export: Export) -> list[tuple[int, Trouble]]:
    return [(one.line, one.trouble) for one in export.findings.items]


def plain(export: Export) -> list[tuple[RecordKind, str, dict[str, str]]]:
    return [(one.kind, one.number, dict(one.fields)) for one in export.records]


@given(st.integers(0, 40), st.integers(0, 2**32))
def test_every_invented_export_is_read_as_it_was_meant(count: int, seed: int) -> None:
    records = master_records(count, Random(seed))
    read = read_xml_export(master_xml(records))
    assert not read.findings
    assert plain(read) == [(one.kind, one.number, one.fields) for one in records]


def test_a_record_knows_its_line() -> None:
    read = read_xml_export(xml("<accounts>", '<account number="1"><name lang="fr">a</name></account>', "</accounts>"))
    assert [one.line for one in read.records] == [3]


def test_what_is_not_documented_is_named_by_line() -> None:
    read = read_xml_export(
        xml(
            "<accounts sorted='yes'>",
            "<account number='1'><name lang='fr'>a</name><name lang='fr'>b</name></account>",
            "<account number='2' name.fr='a'/>",
            "<account number='3'><name>a</name></account>",
            "<account number='4'>text<name lang='fr' x='1'>a</name></account>",
            "<payment-term number='5'/>",
            "<account number='6'><name lang='fr'>a</name><label/></account>",
            "</accounts>",
            "<vat-codes/>",
            "<cost-centres>text</cost-centres>",
            head="<master-export version='1' by='x'>",
        )
    )
    assert [trouble for _, trouble in troubles(read) if trouble is Trouble.RECORD_UNKNOWN] == [
        Trouble.RECORD_UNKNOWN
    ] * 2
    assert sorted({line for line, _ in troubles(read)}) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]
    assert "name.fr is there twice" in str(read.findings.items[2])


@pytest.mark.parametrize(
    "inside", ["<name lang='fr'>a<b/></name>", "<name lang='fr' x='1'>a</name>", "<name lang='fr'>a</name><label/>"]
)
def test_names_are_plain_and_nothing_else_is_in_a_record(inside: str) -> None:
    read = read_xml_export(xml("<accounts>", f"<account number='1'>{inside}</account>", "</accounts>"))
    assert Trouble.FIELD_UNKNOWN in [trouble for _, trouble in troubles(read)]
    assert read.records == ()


@pytest.mark.parametrize(
    "data",
    [
        b"<accounts/>",
        b"<master-export/>",
        b"<master-export version='2'/>",
        b"",
        b"<master-export version='1'>",
        SMALL[:-9],
    ],
)
def test_what_is_no_whole_export_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        read_xml_export(data)


def test_an_export_of_too_many_records_is_refused() -> None:
    with pytest.raises(CodecError, match="at most 20000 records"):
        read_xml_export(xml("<accounts>", "<account/>" * (RECORDS_MAX + 1), "</accounts>"))


@given(damaged(SMALL))
def test_a_damaged_export_is_read_or_refused(data: bytes) -> None:
    try:
        read = read_xml_export(data)
    except CodecError:
        return
    assert len({(one.kind, one.number) for one in read.records}) == len(read.records)


GUIDE = (ROOT / "docs" / "master-export.md").read_text("utf-8")


def test_the_example_in_the_guide_is_read() -> None:
    read = read_xml_export(GUIDE.partition("```xml\n")[2].partition("```")[0].encode())
    assert not read.findings
    assert {one.kind for one in read.records} == set(RecordKind)


@pytest.mark.parametrize("kind", RecordKind)
def test_the_guide_has_every_field_of_a_kind_and_no_other(kind: RecordKind) -> None:
    section = GUIDE.partition(f"### `{kind}`\n")[2].partition("\n#")[0]
    documented = [row.split("`")[1] for row in section.splitlines() if row.startswith("| `")]
    assert documented == [field.name for field in FIELDS[kind]]
