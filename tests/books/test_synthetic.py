"""Invented books: they have the layout of real ones, any size, and are the same for the same seed."""

from __future__ import annotations

import re
from datetime import datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.completeness import HEAD_BYTES, TAIL_BYTES, Completeness, completeness
from p2psync.books.index import parse
from p2psync.books.synthetic import (
    ACCOUNTS_MAX,
    NUMBER_FIELD,
    Listed,
    add_account,
    chart,
    edited_entries,
    entries,
    entries_name,
    index,
    mandate_files,
    more_entries,
)
from p2psync.core.relpath import RelPath


def rows(data: bytes) -> list[str]:
    """The lines of a file; CR CR LF stays inside."""
    assert re.search(rb"(?<!\r)\n", data) is None
    return re.split(r"(?<!\r)\r\n", data.decode("cp1252"))


def bookings(data: bytes) -> list[list[str]]:
    assert data.endswith(b"\r\n")
    return [line.split("\t") for line in rows(data)[2:-1]]


def accounts_of(crp: bytes) -> list[str]:
    """Numbers of the records that are accounts, neither titles nor groups."""
    body = crp.decode("cp1252").partition("BEGIN=COMPTES\r\n")[2]
    records = [dict(re.findall(r"^([A-Z.0-9]+)=(.*?)\r?$", r, re.MULTILINE)) for r in body.split("ENTRY\r\n")[1:]]
    return [record["NUM"] for record in records if int(record["STATUS"]) & 0x18 == 0]


@given(st.integers(0, 60), st.integers(0, 2**32))
def test_a_chart_has_the_layout_of_one(count: int, seed: int) -> None:
    crp = chart(2025, count, Random(seed))
    lines = rows(crp)
    assert lines[0] == "MAJREV=9"
    assert lines[-1] == "ENDOFFILE"
    assert {"DATEBEG=01.01.2025", "DATEEND=31.12.2025", "TITLE=Cargo SA"} <= set(lines)
    begins = [line[6:] for line in lines if line.startswith("BEGIN=")]
    assert begins == [line[4:] for line in lines if line.startswith("END=")]
    assert begins[0] == "PATHS"
    assert begins[-1] == "COMPTES"
    plain = r"ENTRY$|ENDOFFILE$|[A-Z0-9.]+=|$"
    others = [line for line in lines if not re.match(plain, line)]
    assert all(re.match(r"C:\\|[\d.]+\t[\d.]+$|[A-Z]+\t[A-Z]+$", line) for line in others)
    assert len(set(accounts_of(crp))) == len(accounts_of(crp)) == count


def test_charts_come_in_the_sizes_of_real_ones() -> None:
    assert 1400 < len(chart(2025, 0, Random(1))) < 1700
    assert 40_000 < len(chart(2025, 350, Random(1))) < 50_000
    assert 670_000 < len(chart(2025, 5700, Random(1))) < 710_000
    assert len(accounts_of(chart(2025, ACCOUNTS_MAX, Random(1)))) == ACCOUNTS_MAX


def test_a_big_chart_has_every_oddity_of_real_ones() -> None:
    crp = chart(2025, 350, Random(1))
    assert re.search(rb"\r\nCOMMENT=[^\r]+\r\r\n[^=\r]+\r", crp)
    assert b"NUM=1/999\r\nNAME= \r\n" in crp
    assert b"STATUS=17\r\n" in crp
    assert re.search(rb"CAT=16(386|388|392|400)\r\n", crp)
    assert "é".encode("cp1252") in crp


def test_the_same_seed_makes_the_same_books() -> None:
    assert mandate_files("Cargo", 2025, Random(7)) == mandate_files("Cargo", 2025, Random(7))
    assert mandate_files("Cargo", 2025, Random(7)) != mandate_files("Cargo", 2025, Random(8))


@pytest.mark.parametrize("tag", ["ECF", "ECS"])
@given(st.integers(0, 80), st.integers(0, 2**32))
def test_entries_have_the_layout_of_some(tag: str, count: int, seed: int) -> None:
    data = entries(tag, count, Random(seed), year=2024, uid=3)
    assert rows(data)[:2] == [f"#FSC\t9.5.0\t{tag}", "#ECC\t1; 1; 31.12.2024 09:00:00; 3"]
    found = bookings(data)
    assert len(found) == count
    assert all(len(fields) == 21 for fields in found)
    assert [int(fields[NUMBER_FIELD]) for fields in found] == list(range(1, count + 1))
    days = [datetime.strptime(fields[0], "%d.%m.%Y") for fields in found]
    assert days == sorted(days)
    assert {day.year for day in days} <= {2024}


def test_split_bookings_add_up() -> None:
    found = bookings(entries("ECF", 500, Random(1)))
    groups = {fields[8]: [f for f in found if f[8] == fields[8]] for fields in found if fields[8]}
    assert len(groups) > 20
    for whole, *parts in groups.values():
        assert whole[2] == "..."
        assert {part[1] for part in parts} == {"..."}
        assert round(sum(float(part[5]) for part in parts), 2) == float(whole[5])


def test_fifty_thousand_lines_are_made() -> None:
    data = entries("ECF", 50_000, Random(1))
    assert len(bookings(data)) == 50_000
    assert 3_500_000 < len(data) < 4_500_000


@pytest.mark.parametrize("before", [0, 1, 30])
def test_more_entries_follow_those_that_were_there(before: int) -> None:
    old = entries("ECS", before, Random(1), uid=4)
    new = more_entries(old, 3, Random(2))
    assert bookings(new)[:before] == bookings(old)
    assert [int(fields[NUMBER_FIELD]) for fields in bookings(new)] == list(range(1, before + 4))
    assert rows(new)[:2] == ["#FSC\t9.5.0\tECS", "#ECC\t1; 1; 31.12.2025 09:01:00; 4"]
    if before:
        assert {fields[0] for fields in bookings(new)[before:]} == {bookings(old)[-1][0]}


@pytest.mark.parametrize("tag", ["ECF", "ECS"])
def test_somebody_edits_entries(tag: str) -> None:
    old = entries(tag, 30, Random(1))
    new = edited_entries(old, Random(2), new=4, changed=3, removed=2)
    before, after = ({int(f[NUMBER_FIELD]): f for f in bookings(data)} for data in (old, new))
    assert len(before.keys() - after.keys()) == 2
    assert len(after.keys() - before.keys()) == 4
    assert len([number for number in before.keys() & after.keys() if before[number] != after[number]]) == 3
    assert edited_entries(old, Random(2)) == old


def test_accounting_adds_an_account() -> None:
    old = chart(2025, 30, Random(1))
    new = add_account(old, "1105", "Débiteurs étrangers")
    assert accounts_of(new) == [*accounts_of(old), "1105"]
    assert new.endswith(b"END=COMPTES\r\n\r\nENDOFFILE")


def test_an_index_can_be_read() -> None:
    written = datetime(2025, 1, 5, 9, 0, 0)
    data = index([Listed("ECF", "Zoé.ecf", written, 1), Listed("ECA", "Assets.eca", written, 2)])
    assert data == "#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; Zoé.ecf; 1\r\n".encode("cp1252") + (
        b"#ECA\t1; 05/01/2025 09:00:00; Assets.eca; 2\r\n#END\r\n"
    )
    assert [(line.tag, line.name, line.uid) for line in parse(data).lines] == [
        ("ECF", "Zoé.ecf", 1),
        ("ECA", "Assets.eca", 2),
    ]


def test_the_files_of_a_mandate_fit_together() -> None:
    files = mandate_files("Cargo", 2025, Random(1), accounts=20)
    assert sorted(files) == [
        "Cargo (01-01-2025 ~ 31-12-2025).ecf",
        "Cargo 2025.crp",
        "Cargo 2025.ecc",
        "Cargo Löhne (01-01-2025 ~ 31-12-2025).ecs",
    ]
    assert {line.name for line in parse(files["Cargo 2025.ecc"]).lines} <= files.keys()
    used = {account for name in files if name[-4:-1] == ".ec" and name[-1] != "c" for account in _used(files[name])}
    assert used <= set(accounts_of(files["Cargo 2025.crp"]))
    assert used == {"1020", "1100", "3000", "3200", "3400", "5000"}


def _used(data: bytes) -> set[str]:
    return {account for fields in bookings(data) for account in fields[1:3]} - {"..."}


def test_every_file_counts_as_whole_and_cut_off_as_torn() -> None:
    for name, data in mandate_files("Cargo", 2025, Random(1)).items():
        path = RelPath(name)
        assert completeness(path, data[:HEAD_BYTES], data[-TAIL_BYTES:]) is not Completeness.TORN
        torn = data[:-5]
        assert completeness(path, torn[:HEAD_BYTES], torn[-TAIL_BYTES:]) is Completeness.TORN


def test_names_say_the_period() -> None:
    assert entries_name("Cargo", 2025, "ecf") == "Cargo (01-01-2025 ~ 31-12-2025).ecf"
