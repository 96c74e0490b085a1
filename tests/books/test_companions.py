"""Which files belong together, told by their names and by the index."""

from __future__ import annotations

from datetime import date

import pytest

from p2psync.books.companions import (
    absent_of,
    follower_of,
    index_beside,
    instead_of,
    is_next,
    named_by,
    role_of,
    unlike_follower_of,
)
from p2psync.core.period import Period

Y2024, Y2025, Y2026 = (Period(date(year, 1, 1), date(year, 12, 31)) for year in (2024, 2025, 2026))
ENTRIES_2025 = "Cargo (01-01-2025 ~ 31-12-2025).ecf"
ENTRIES_2026 = "Cargo (01-01-2026 ~ 31-12-2026).ecf"
ENTRIES_2027 = "Cargo (01-01-2027 ~ 31-12-2027).ecf"
INDEX = '#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; "Cargo é.ecf"; 1\r\n#ECS\t1; 05/01/2025; b.ecs; 2\r\n#END\r\n'


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        *(
            ("Cargo.cre", ".crp"),
            ("Town.NMC", ".crp"),
            ("Cargo.fac", ".ecf"),
            ("Pay.salx", ".ecs"),
            ("Pay.sal", ".ecs"),
        ),
        *(("Cargo.crp", None), ("Cargo.crbank", None), ("cre", None)),
    ],
)
def test_live_databases_have_a_file_to_attach_instead(name: str, instead: str | None) -> None:
    assert instead_of(name) == instead


def test_extensions_tell_whose_a_file_is() -> None:
    names = ("a.crp", "a.ecc", "a.ECF", "a.ecs", "a.crbank", "a.txt")
    assert [role_of(name) for name in names] == ["accounting", "accounting", "invoicing", "payroll", "banking", ""]


def test_an_index_proposes_the_files_that_lie_beside_it() -> None:
    present = ["Cargo e\u0301.ecf", "b.ecs", "c.ecs"]
    assert named_by(INDEX.encode(), present) == ["Cargo e\u0301.ecf", "b.ecs"], "by its own spelling, composed or not"
    assert named_by(INDEX.encode()[:-8], present) == [], "a torn one names nothing"
    assert index_beside("Cargo 2025.crp") == "Cargo 2025.ecc"


def test_the_entries_files_of_an_index_that_do_not_lie_beside_it() -> None:
    assert absent_of(INDEX.encode(), []) == ["Cargo é.ecf", "b.ecs"]
    assert absent_of(INDEX.encode(), ["CARGO e\u0301.ecf"]) == ["b.ecs"]
    assert absent_of(INDEX.encode()[:-8], []) == []


@pytest.mark.parametrize(
    "name", ["../b.ecs", "..\\b.ecs", "C:b.ecs", "/b.ecs", "b.crp", "b.exe", ".p2psync", "x" * 300 + ".ecs"]
)
def test_an_index_leads_to_no_other_folder_and_no_other_kind_of_file(name: str) -> None:
    assert absent_of(INDEX.replace("b.ecs", name).encode(), []) == ["Cargo é.ecf"]


@pytest.mark.parametrize(
    ("name", "attached", "expected"),
    [
        (ENTRIES_2026, [ENTRIES_2025], ENTRIES_2025),
        (ENTRIES_2026.upper(), [ENTRIES_2025], ENTRIES_2025),
        (ENTRIES_2026, ["Other (01-01-2025 ~ 31-12-2025).ecf"], None),
        (ENTRIES_2026, ["Cargo (01-01-2025 ~ 31-12-2025).ecs"], None),
        (ENTRIES_2026, ["Cargo.ecf"], None),
        (ENTRIES_2026, [ENTRIES_2026], None),
        (ENTRIES_2025, [ENTRIES_2026], None),
        (ENTRIES_2027, [ENTRIES_2025, ENTRIES_2026], ENTRIES_2026),
        (ENTRIES_2026, [ENTRIES_2025, ENTRIES_2027], None),
        ("Cargo.ecf", [ENTRIES_2025], None),
        ("Cargo (01-01-2026 ~ 31-12-2026).txt", [ENTRIES_2025], None),
        ("Cargo Assets (01-01-2026 ~ 31-12-2026).ecf", [ENTRIES_2025], None),
    ],
)
def test_a_new_periods_entries_are_called_like_those_before(
    name: str, attached: list[str], expected: str | None
) -> None:
    assert follower_of(name, attached) == expected


@pytest.mark.parametrize(
    ("name", "attached", "expected"),
    [
        ("Wages 26 (01-01-2026 ~ 31-12-2026).ecf", [ENTRIES_2025], ENTRIES_2025),
        ("Wages 26 (01-01-2026 ~ 31-12-2026).ecs", [ENTRIES_2025], None),
        ("Wages 26 (01-01-2026 ~ 31-12-2026).crp", [ENTRIES_2025], None),
        ("Wages 26 (01-01-2027 ~ 31-12-2027).ecf", [ENTRIES_2025], None),
        ("Wages 26 (01-01-2025 ~ 31-12-2025).ecf", [ENTRIES_2025], None),
        ("Wages 26 (01-01-2026 ~ 31-12-2026).ecf", [ENTRIES_2025, ENTRIES_2026], None),
        ("Wages.ecf", [ENTRIES_2025], None),
        (ENTRIES_2026, [ENTRIES_2025], None),
    ],
)
def test_entries_of_the_next_period_may_be_called_otherwise(
    name: str, attached: list[str], expected: str | None
) -> None:
    assert unlike_follower_of(name, attached) == expected


def test_the_next_accounting_period_follows_without_a_gap() -> None:
    assert is_next(Y2026, [Y2025])
    assert not is_next(Y2026, [Y2024])
    assert not is_next(Y2025, [Y2026]), "an older one is not new"
    assert not is_next(Y2026, [Y2025, Period(date(2026, 6, 1), date(2027, 5, 31))])
    assert not is_next(Y2026, [])
