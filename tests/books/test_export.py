"""The schema of master exports: one spelling for each value, and no record taken that breaks a rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.export import (
    FIELDS,
    LANGUAGES_MAX,
    Builder,
    Export,
    Field,
    Form,
    Record,
    RecordKind,
    canonical,
    canonical_number,
    is_field,
)
from p2psync.books.finding import Collector, Trouble

ACCOUNT, CENTRE, TERM = RecordKind.ACCOUNT, RecordKind.COST_CENTRE, RecordKind.PAYMENT_TERM
EVERY_FIELD = [(kind, field) for kind, fields in FIELDS.items() for field in fields]


def built(*raws: tuple[RecordKind, dict[str, str]]) -> Export:
    builder = Builder(Collector())
    for line, (kind, raw) in enumerate(raws, 1):
        builder.add(kind, raw, line)
    return builder.export()


def troubles(export: Export) -> list[tuple[int, Trouble]]:
    return [(one.line, one.trouble) for one in export.findings.items]


def test_a_record_is_taken_with_its_values_in_their_one_spelling() -> None:
    raw = {"number": " 1000 ", "name.fr": " Caisse <1> ", "type": "a", "cash": "YES", "blocked-from": "31.12.2025"}
    assert built((ACCOUNT, raw)) == Export(
        (
            Record(
                ACCOUNT, "1000", {"name.fr": "Caisse <1>", "type": "A", "cash": "true", "blocked-from": "2025-12-31"}, 1
            ),
        ),
        Collector().findings(),
    )


@pytest.mark.parametrize(
    ("kind", "name", "text", "value"),
    [
        (ACCOUNT, "cash", "0", "false"),
        (ACCOUNT, "cash", "maybe", None),
        (ACCOUNT, "type", "X", None),
        (ACCOUNT, "type", "ac", None),
        (ACCOUNT, "blocked-from", "2025-02-30", None),
        (ACCOUNT, "cost-type", "x" * 41, None),
        (ACCOUNT, "name.fr", "a\x1bb", None),
        (ACCOUNT, "name.fr", "x" * 201, None),
        (ACCOUNT, "name.de", "x" * 200, "x" * 200),
        (CENTRE, "quantity", "1'000.50", "1000.5"),
        (CENTRE, "quantity", "+0100", "100"),
        (CENTRE, "quantity", "-0.00", "0"),
        (CENTRE, "quantity", "1e5", None),
        (TERM, "net-days", "030", "30"),
        (TERM, "net-days", "10000", None),
        (TERM, "net-days", "-1", None),
        (TERM, "discount-1-percent", "2.50", "2.5"),
        (TERM, "discount-1-percent", "100.01", None),
        (TERM, "discount-1-percent", "-1", None),
        (TERM, "side", "Debtor", "debtor"),
    ],
)
def test_values(kind: RecordKind, name: str, text: str, value: str | None) -> None:
    assert canonical(kind, name, text) == value


TEXTS = st.one_of(st.text(max_size=12), st.from_regex(r"[0-9.'+-]{1,8}"), st.dates().map(str))


@given(st.sampled_from(EVERY_FIELD), TEXTS)
def test_the_one_spelling_of_a_value_is_its_own(which: tuple[RecordKind, Field], text: str) -> None:
    kind, field = which
    value = canonical(kind, field.name, text)
    assert value is None or canonical(kind, field.name, value) == value


@pytest.mark.parametrize(("kind", "field"), EVERY_FIELD, ids=lambda one: getattr(one, "name", None))
def test_every_field_may_be_stated_to_be_empty(kind: RecordKind, field: Field) -> None:
    assert canonical(kind, field.name, " ") == ""


def test_choices_belong_to_fields_of_that_form() -> None:
    assert all(bool(field.choices) == (field.form is Form.CHOICE) for _, field in EVERY_FIELD)


def test_numbers_of_payment_terms_are_short() -> None:
    assert canonical_number(TERM, "12345678") == "12345678"
    assert canonical_number(TERM, "123456789") is None
    assert canonical_number(ACCOUNT, ".10000.01") == ".10000.01"
    assert canonical_number(ACCOUNT, "1" * 41) is None


def test_fields_are_those_of_their_kind() -> None:
    assert is_field(ACCOUNT, "cash")
    assert is_field(TERM, "name.fr")
    for name in ("net-days", "name", "name.", "name.fra", "name.FR", "removed", "number", ""):
        assert not is_field(ACCOUNT, name)


def test_what_breaks_a_rule_is_named_and_left_out() -> None:
    export = built(
        (ACCOUNT, {"number": "1000", "name.fr": "a"}),
        (ACCOUNT, {"number": "1000", "name.fr": "b"}),
        (ACCOUNT, {"name.fr": "c"}),
        (ACCOUNT, {"number": "1001", "name.fr": ""}),
        (ACCOUNT, {"number": "1002", "name.fr": "d", "net-days": "3"}),
        (ACCOUNT, {"number": "1003", "name.fr": "e", "type": "x"}),
        (ACCOUNT, {"number": "10\x0004", "name.fr": "f"}),
        (TERM, {"number": "30N"}),
        (TERM, {"number": "60N", "side": "creditor"}),
        (CENTRE, {"number": "1000", "name.de": "g", "postable-from": "2025-02-01", "postable-to": "2025-01-31"}),
        (ACCOUNT, {"number": "1005", **{f"name.{chr(97 + at)}x": "h" for at in range(LANGUAGES_MAX + 1)}}),
    )
    assert [(one.kind, one.number) for one in export.records] == [(ACCOUNT, "1000"), (TERM, "60N")]
    assert troubles(export) == [
        (2, Trouble.NUMBER_TWICE),
        (3, Trouble.NUMBER_MISSING),
        (4, Trouble.NAME_MISSING),
        (5, Trouble.FIELD_UNKNOWN),
        (6, Trouble.CHOICE_EXPECTED),
        (7, Trouble.FIELD_UNREADABLE),
        (8, Trouble.FIELD_MISSING),
        (10, Trouble.DATES_REVERSED),
        (11, Trouble.NAME_MISSING),
    ]
    assert str(export.findings.items[4]) == "Line 6: type cannot be x. Write one of: A, L, R, E, C"


@pytest.mark.parametrize(
    ("kind", "field", "text", "sentence"),
    [
        (TERM, "number", "123456789", "Line 1: number has more than 8 characters: 123456789"),
        (ACCOUNT, "number", "1" * 41, "Line 1: number has more than 40 characters: " + "1" * 41),
        (ACCOUNT, "name.fr", "x" * 201, "Line 1: name.fr has more than 200 characters: " + "x" * 59 + "…"),
        (ACCOUNT, "cost-type", "7" * 41, "Line 1: cost-type has more than 40 characters: " + "7" * 41),
        (ACCOUNT, "cash", "maybe", "Line 1: cash cannot be maybe. Write true or false."),
        (
            *(ACCOUNT, "blocked-from", "31.02.2025"),
            "Line 1: blocked-from cannot be 31.02.2025. Write a day of the calendar, as 2025-12-31.",
        ),
        (TERM, "net-days", "-30", "Line 1: net-days cannot be -30. Write whole days, at most 9999."),
        (CENTRE, "quantity", "many", "Line 1: quantity cannot be many. Write a number, as 1234.5."),
        (
            *(TERM, "discount-1-percent", "200"),
            "Line 1: discount-1-percent cannot be 200. Write a number from 0 to 100, as 2.5.",
        ),
        (TERM, "side", "both", "Line 1: side cannot be both. Write one of: debtor, creditor"),
        (ACCOUNT, "name.french", "a", "Line 1: a name needs its language in two small letters, as fr; not french."),
        (ACCOUNT, "name.", "a", "Line 1: a name needs its language in two small letters, as fr; not ?."),
        (ACCOUNT, "name", "a", "Line 1: a name needs its language in two small letters, as fr; not ?."),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(kind: RecordKind, field: str, text: str, sentence: str) -> None:
    right = {"number": "1", "name.it": "a", "side": "debtor"} if kind is TERM else {"number": "1", "name.it": "a"}
    assert [str(one) for one in built((kind, {**right, field: text})).findings.items] == [sentence]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"discount-1-percent": "2"}, ["Line 1: 30N has discount-1-percent, but no discount-1-days."]),
        ({"discount-1-days": "10"}, ["Line 1: 30N has discount-1-days, but no discount-1-percent."]),
        (
            {"discount-2-percent": "2", "discount-2-days": ""},
            ["Line 1: 30N has discount-2-percent, but no discount-2-days."],
        ),
        ({"discount-1-days": "0", "discount-1-percent": "2"}, []),
        ({"discount-1-days": "10", "discount-1-percent": "0"}, []),
        ({"discount-1-days": "0"}, []),
        ({"discount-1-days": "", "discount-1-percent": ""}, []),
    ],
)
def test_a_discount_has_both_its_days_and_its_percent(fields: dict[str, str], told: list[str]) -> None:
    export = built((TERM, {"number": "30N", "side": "debtor", **fields}))
    assert [str(one) for one in export.findings.items] == told
    assert bool(export.records) == (not told)


def test_what_is_just_within_the_rules_is_taken() -> None:
    names = {f"name.{chr(97 + at)}x": "h" for at in range(LANGUAGES_MAX)}
    day = {"postable-from": "2025-02-01", "postable-to": "2025-02-01"}
    terms = {"side": "debtor", "discount-1-percent": "0", "discount-2-percent": "100", "net-days": "9999"}
    terms["discount-2-days"] = "0"
    assert not built((CENTRE, {"number": "1", **names, **day}), (TERM, {"number": "2", **terms})).findings


def test_the_same_number_may_stand_in_several_lists() -> None:
    raw = {"number": "10", "name.fr": "a"}
    assert not built((ACCOUNT, raw), (CENTRE, raw), (RecordKind.COST_OBJECT, raw)).findings
