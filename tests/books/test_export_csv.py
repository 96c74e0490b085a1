"""Master exports as CSV: the same records as the XML, whatever separates them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.export import RECORDS_MAX, Export, RecordKind
from p2psync.books.export_csv import COLUMNS_MAX, read_csv_export
from p2psync.books.finding import Trouble
from p2psync.books.synthetic_master import master_csv, master_records
from p2psync.errors import CodecError
from tests.books.damage import damaged
from tests.test_tidy import ROOT

SMALL = master_csv(master_records(10, Random(1)))
HEAD = "record;number;name.fr;cash;side"


def read(*lines: str, head: str = HEAD, end: str = "\r\n") -> Export:
    return read_csv_export("".join(f"{line}{end}" for line in [head, *lines]).encode())


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
@given(st.integers(0, 20), st.integers(0, 2**32))
def test_every_invented_export_is_read_as_it_was_meant(separator: str, encoding: str, count: int, seed: int) -> None:
    records = master_records(count, Random(seed))
    export = read_csv_export(master_csv(records, separator, encoding))
    assert not export.findings
    assert [(one.kind, one.number) for one in export.records] == [(one.kind, one.number) for one in records]
    for there, meant in zip(export.records, records, strict=True):
        assert {name: value for name, value in there.fields.items() if value} == meant.fields


def test_an_empty_cell_is_stated_if_the_kind_has_the_field() -> None:
    export = read("account;1000;Caisse;;", "payment-term;30N;;;debtor")
    assert [dict(one.fields) for one in export.records] == [
        {"name.fr": "Caisse", "cash": ""},
        {"name.fr": "", "side": "debtor"},
    ]


def test_a_row_may_end_early_and_lines_may_be_empty() -> None:
    export = read("account;1000;Caisse", "", " ; ;", "ACCOUNT;1001;b", end="\n")
    assert [(one.number, one.line) for one in export.records] == [("1000", 2), ("1001", 5)]
    assert [dict(one.fields) for one in export.records] == [{"name.fr": "Caisse"}, {"name.fr": "b"}]


def test_a_quoted_cell_may_hold_separators_quotes_and_nothing_that_ends_a_line() -> None:
    export = read('account;1000;"a;""b"""', 'account;1001;"a\r\nb"', "account;1002;c")
    assert [(one.number, one.fields["name.fr"]) for one in export.records] == [("1000", 'a;"b"'), ("1002", "c")]
    assert [(one.line, one.trouble) for one in export.findings.items] == [(3, Trouble.FIELD_UNREADABLE)]
    assert export.records[1].line == 5


def test_rows_that_are_none_are_named_by_line() -> None:
    export = read("vat-code;1;a", ";2;b", "account;3;c;true;debtor", "account;4;d;true;;x")
    assert [(one.line, one.trouble) for one in export.findings.items] == [
        (2, Trouble.RECORD_UNKNOWN),
        (3, Trouble.RECORD_UNKNOWN),
        (4, Trouble.FIELD_UNKNOWN),
        (5, Trouble.LINE_NOT_UNDERSTOOD),
    ]
    assert export.records == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Line 1: it must name the columns"),
        (b"number;name.fr\r\n", "Line 1: it must name the columns"),
        (b"record;name.fr\r\n", "Line 1: it must name the columns"),
        (b"record;number;colour\r\n", "'colour' is not known"),
        (b"record;number;cash;cash\r\n", "Line 1: there are two columns 'cash'"),
        (b"record;number" + b";cash" * COLUMNS_MAX, "more than 100 columns"),
        (b'record;number\r\naccount;"1\r\n', "Line 2: this is no whole CSV"),
        (b'record;number\r\naccount;"1"x\r\n', "Line 2: this is no whole CSV"),
        (b"record;number\r\naccount;" + b"x" * 200_000, "Line 2: this is no whole CSV"),
        (b"record;number\0\r\n", "zero bytes"),
        (b"record;number\r\n" + b"account;1\r\n" * (RECORDS_MAX + 1), "at most 20000 records"),
    ],
)
def test_what_is_no_export_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        read_csv_export(data)


@given(damaged(SMALL))
def test_a_damaged_export_is_read_or_refused(data: bytes) -> None:
    try:
        export = read_csv_export(data)
    except CodecError:
        return
    assert len({(one.kind, one.number) for one in export.records}) == len(export.records)


@given(st.binary(max_size=120))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for one in (data, HEAD.encode() + b"\n" + data):
        try:
            read_csv_export(one)
        except CodecError:
            continue


def test_the_example_in_the_guide_is_read() -> None:
    guide = (ROOT / "docs" / "master-export.md").read_text("utf-8")
    export = read_csv_export(guide.partition("```csv\n")[2].partition("```")[0].encode())
    assert not export.findings
    assert {one.kind for one in export.records} == set(RecordKind)
