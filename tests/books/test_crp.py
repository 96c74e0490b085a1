"""The chart of accounts: all that is in it is read, what cannot be read is named by line, and nothing is guessed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.crp import CHART_BYTES_MAX, Category, Chart, Kind, VatCode, read_chart
from p2psync.books.finding import Trouble
from p2psync.books.synthetic import add_account, chart
from p2psync.core.period import Period
from p2psync.errors import CodecError
from tests.books.damage import damaged

YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))
SMALL = chart(2025, 30, Random(1))


def crp(*lines: str, header: str = "DATEBEG=01.01.2025\r\nDATEEND=31.12.2025\r\nTITLE=Zoé", end: str = "\r\n") -> bytes:
    """A chart of these lines between its header and its end."""
    return f"{header}\r\n{''.join(f'{line}{end}' for line in lines)}ENDOFFILE".encode("cp1252")


def with_accounts(*records: str) -> bytes:
    """A chart with accounts, each written like "NUM=1000|NAME=Caisse"."""
    rows = ["\r\n".join(["", "ENTRY", *record.split("|")]) for record in records]
    return crp("BEGIN=COMPTES", *rows, "END=COMPTES")


def troubles(read: Chart) -> list[tuple[int, Trouble]]:
    return [(finding.line, finding.trouble) for finding in read.findings.items]


def test_a_chart_as_programs_write_it_is_read_whole() -> None:
    read = read_chart(SMALL)
    assert (read.title, read.period, read.subperiods) == ("Cargo SA", YEAR, ())
    assert [(one.number, one.name, one.iso_code) for one in read.languages] == [
        (0, "Français", "fr"),
        (1, "Deutsch", "de"),
    ]
    assert len([one for one in read.accounts if one.kind is Kind.ACCOUNT]) == 30
    assert len([one for one in read.accounts if one.kind is Kind.GROUP]) == 8
    assert [one.number for one in read.cost_centres] == ["10", "20"]
    assert ("TVA", "UST") in read.vat_equivalents
    assert not read.findings


@given(st.integers(0, 60), st.integers(0, 2**32))
def test_every_invented_chart_is_read_without_a_finding(count: int, seed: int) -> None:
    read = read_chart(chart(2024, count, Random(seed)))
    assert len([one for one in read.accounts if one.kind is Kind.ACCOUNT]) == count
    assert {one.category for one in read.accounts} <= {Category(bit) for bit in (2, 4, 8, 16)}
    assert not read.findings


def test_a_name_may_have_signs_that_mean_something_in_other_formats() -> None:
    odd = 'Caisse <A> & "B"; =1+1'
    read = read_chart(add_account(SMALL, "9876", odd))
    assert [one.name for one in read.accounts if one.number == "9876"] == [odd]


def test_cost_centres_may_have_names_in_languages() -> None:
    block = "BEGIN=CENTERS\r\nENTRY\r\nNUM=10\r\nNAME=Atelier\r\nNAME.1=Werkstatt\r\nNAME.X=?\r\nEND=CENTERS"
    (centre,) = read_chart(crp(block, "BEGIN=COMPTES", "END=COMPTES")).cost_centres
    assert (centre.name_in(0), centre.name_in(1)) == ("Atelier", "Werkstatt")


def test_names_are_there_in_every_language() -> None:
    group = next(one for one in read_chart(SMALL).accounts if one.number == "1")
    assert group.name_in(0) == "Actifs"
    assert group.name_in(1) == "Aktiven"
    assert group.name_in(7) == "Actifs"


def test_vat_codes_have_rate_account_and_a_text_over_several_lines() -> None:
    codes = {one.code: one for one in read_chart(SMALL).vat_codes}
    assert len(codes) == 6
    assert codes["TVAHEB"] == VatCode(
        "TVAHEB",
        "Code à vérifier.\nSecteur de l'hébergement, NOTE=taux spécial",
        Decimal("3.8"),
        "2200",
        codes["TVAHEB"].line,
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_encodings_and_line_ends_make_no_difference(encoding: str, end: str) -> None:
    text = SMALL.decode("cp1252").replace("\r\r\n", " ").replace("\r\n", end)
    expected = read_chart(SMALL.replace(b"\r\r\n", b" "))
    assert read_chart(text.encode(encoding)) == expected


def test_lines_that_go_on_are_text_whatever_they_look_like() -> None:
    data = with_accounts("NUM=1000|NAME=Caisse|COMMENT=a\r\r\nCAT=8\r\r\nENTRY\r\r\nENDOFFILE|CAT=2|STATUS=0")
    (account,) = read_chart(data).accounts
    assert (account.category, account.kind) == (Category.ASSETS, Kind.ACCOUNT)


def test_lines_that_go_on_without_the_mark_are_text_too() -> None:
    data = with_accounts("NUM=1000|NAME=Caisse|COMMENT=one|two lines|STATUS=8")
    (account,) = read_chart(data).accounts
    assert account.kind is Kind.TITLE
    assert not read_chart(data).findings


def test_rows_that_only_draw_lines_are_left_out() -> None:
    data = with_accounts(
        "NUM=1/999|NAME= |STATUS=8", "NUM=0999|NAME= ", "NUM=1/2|NAME=x", "NUM=1|NAME=Actifs|STATUS=17"
    )
    assert [one.number for one in read_chart(data).accounts] == ["1"]
    assert not read_chart(data).findings


@pytest.mark.parametrize(
    ("fields", "category", "kind"),
    [
        ("CAT=16400|STATUS=0", Category.INCOME, Kind.ACCOUNT),
        ("CAT=32|STATUS=8", Category.OPERATING, Kind.TITLE),
        ("CAT=6|STATUS=17", None, Kind.GROUP),
        ("CAT=0|STATUS=24", None, None),
        ("NAME.0=x", None, None),
    ],
)
def test_category_and_kind_are_known_or_nothing(fields: str, category: Category | None, kind: Kind | None) -> None:
    (account,) = read_chart(with_accounts(f"NUM=1|NAME=x|{fields}")).accounts
    assert (account.category, account.kind) == (category, kind)


def test_what_cannot_be_read_is_named_by_line_and_the_rest_is_read() -> None:
    data = with_accounts(
        "NUM=1000|NAME=a|STATUS=zero|CAT=x2",
        "NAME=nameless number",
        "NUM=1000|NAME=b",
        "NUM=1001|NUM=1002|NAME=c",
    )
    read = read_chart(data)
    assert [(one.number, one.name, one.kind) for one in read.accounts] == [("1000", "a", None), ("1001", "c", None)]
    assert troubles(read) == [
        (6, Trouble.FIELD_UNREADABLE),
        (6, Trouble.FIELD_UNREADABLE),
        (12, Trouble.NUMBER_MISSING),
        (15, Trouble.NUMBER_TWICE),
        (21, Trouble.FIELD_TWICE),
    ]
    assert str(read.findings.items[3]) == "Line 15: 1000 is there twice, first in line 6."


def test_other_blocks_say_what_they_do_not_understand() -> None:
    data = crp(
        "stray",
        "BEGIN=LANGUAGES\r\nENTRY\r\nNUM=zero\r\nEND=LANGUAGES",
        "BEGIN=VATEQUIV\r\nTVA\tUST\r\nalone\r\nEND=VATEQUIV",
        "BEGIN=TVACODES\r\nENTRY\r\nNAME=TVA\r\nTAUX=8,1\r\nENTRY\r\nEND=TVACODES",
        "BEGIN=CENTERS\r\nENTRY\r\nNUM=1\r\n\r\nstray\r\nEND=CENTERS",
        "BEGIN=PERIODES\r\nENTRY\r\nNAME=1\r\nENTRY\r\nDATEBEG=1.1.2025\r\nDATEEND=31.3.2025\r\nEND=PERIODES",
        "BEGIN=PATHS\r\nC:\\x\r\nENTRY\r\n%%\r\nEND=PATHS",
        "BEGIN=COMPTES\r\nEND=COMPTES",
        header="TITLE=x",
    )
    read = read_chart(data)
    assert read.period is None
    assert read.vat_equivalents == (("TVA", "UST"),)
    assert [(one.code, one.rate) for one in read.vat_codes] == [("TVA", None)]
    assert read.subperiods == (Period(date(2025, 1, 1), date(2025, 3, 31)),)
    assert troubles(read) == [
        (1, Trouble.PERIOD_UNREADABLE),
        (4, Trouble.FIELD_UNREADABLE),
        (9, Trouble.LINE_NOT_UNDERSTOOD),
        (12, Trouble.FIELD_UNREADABLE),
        (15, Trouble.NUMBER_MISSING),
        (21, Trouble.LINE_NOT_UNDERSTOOD),
        (24, Trouble.PERIOD_UNREADABLE),
    ]


def test_a_field_that_is_there_twice_does_not_go_on() -> None:
    read = read_chart(with_accounts("NUM=1|NAME=a|NAME=b|c|STATUS=0"))
    assert [one.name for one in read.accounts] == ["a"]
    assert [trouble for _, trouble in troubles(read)] == [Trouble.FIELD_TWICE, Trouble.LINE_NOT_UNDERSTOOD]


def test_a_record_that_is_there_twice_is_left_out_in_every_block() -> None:
    data = crp(
        "BEGIN=TVACODES\r\nENTRY\r\nNAME=TVA\r\nENTRY\r\nNAME=TVA\r\nEND=TVACODES",
        "BEGIN=CENTERS\r\nENTRY\r\nNUM=1\r\nENTRY\r\nNUM=1\r\nEND=CENTERS",
        "BEGIN=PATHS\r\nCOMMENT=a\r\r\nCOMMENT=b\r\nEND=PATHS",
        "BEGIN=COMPTES\r\nEND=COMPTES",
    )
    read = read_chart(data)
    assert (len(read.vat_codes), len(read.cost_centres)) == (1, 1)
    assert troubles(read) == [(7, Trouble.NUMBER_TWICE), (13, Trouble.NUMBER_TWICE)]


def test_paths_on_other_pcs_are_not_kept() -> None:
    assert "Documents" in SMALL.decode("cp1252")
    assert "Documents" not in repr(read_chart(SMALL))


@pytest.mark.parametrize("cut", [1, 5, 9, 10, 200, len(SMALL) // 2, len(SMALL) - 3, len(SMALL)])
def test_a_torn_chart_is_refused(cut: int) -> None:
    with pytest.raises(CodecError):
        read_chart(SMALL[:-cut])


@pytest.mark.parametrize("padding", [b"", b"\r\n", b"\r\n\x1a", b"\0\0\0", b"\r\nmore"])
def test_what_comes_after_the_end_does_not_matter(padding: bytes) -> None:
    assert read_chart(SMALL + padding) == read_chart(SMALL)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "begins with KEY"),
        (b"hello\r\nENDOFFILE", "begins with KEY"),
        (SMALL[:50] + b"\0" + SMALL[50:], "zero bytes"),
        (b"A=" + b"x" * CHART_BYTES_MAX, "more than 16777216"),
        (crp(), "no list of accounts"),
        (crp("BEGIN=COMPTES"), "Line 5: a block ends"),
        (crp("BEGIN=COMPTES", "BEGIN=CENTERS"), "Line 5: a block begins"),
        (crp("BEGIN=COMPTES", "END=CENTERS"), "Line 5: a block ends"),
        (crp("END=COMPTES"), "Line 4: a block ends"),
        (crp("BEGIN=", "END="), "begins inside a block"),
        (crp("BEGIN=COMPTES", "END=COMPTES", "BEGIN=COMPTES", "END=COMPTES"), "second block 'COMPTES'"),
    ],
)
def test_what_is_no_chart_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        read_chart(data)


@given(damaged(SMALL))
def test_a_damaged_chart_is_read_or_refused(data: bytes) -> None:
    try:
        read = read_chart(data)
    except CodecError:
        return
    assert len({one.number for one in read.accounts}) == len(read.accounts)
    assert all(0 <= finding.line <= data.count(b"\n") + data.count(b"\r") + 1 for finding in read.findings.items)
    assert all(str(finding).isprintable() for finding in read.findings.items)


@given(st.binary(max_size=300))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for one in (data, b"A=" + data + b"\r\nENDOFFILE", b"A=1\nBEGIN=COMPTES\n" + data + b"\nEND=COMPTES\nENDOFFILE"):
        try:
            read_chart(one)
        except CodecError:
            continue
