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
        (6, Trouble.FIELD_UNREADABLE),
        (7, Trouble.FIELD_UNREADABLE),
        (8, Trouble.FIELD_MISSING),
        (10, Trouble.DATES_REVERSED),
        (11, Trouble.NAME_MISSING),
    ]
    assert str(export.findings.items[4]) == "Line 6: type cannot be x."


def test_what_is_just_within_the_rules_is_taken() -> None:
    names = {f"name.{chr(97 + at)}x": "h" for at in range(LANGUAGES_MAX)}
    day = {"postable-from": "2025-02-01", "postable-to": "2025-02-01"}
    terms = {"side": "debtor", "discount-1-percent": "0", "discount-2-percent": "100", "net-days": "9999"}
    assert not built((CENTRE, {"number": "1", **names, **day}), (TERM, {"number": "2", **terms})).findings


def test_the_same_number_may_stand_in_several_lists() -> None:
    raw = {"number": "10", "name.fr": "a"}
    assert not built((ACCOUNT, raw), (CENTRE, raw), (RecordKind.COST_OBJECT, raw)).findings
