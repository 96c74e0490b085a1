"""Statements come back from their fields; an unknown kind is told apart from a malformed one."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import date
from random import Random
from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.cut import cut_of
from p2psync.core.ids import ChangeId, DeviceId, LogId
from p2psync.core.period import Period
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, parse_restriction
from p2psync.core.statement import (
    CERTIFICATE_BYTES_MAX,
    CUT_LOGS_MAX,
    FROZEN_MAX,
    NAME_CHARACTERS_MAX,
    NOTE_CHARACTERS_MAX,
    NOTE_REFUSED,
    PERSON_CHARACTERS_MAX,
    SEALED_BYTES_MAX,
    STATEMENTS_MAX,
    TAKING,
    Admit,
    CancelIssue,
    Closed,
    Freeze,
    Genesis,
    Give,
    Issue,
    Leave,
    Rename,
    Revoke,
    SetAttach,
    SetCurrent,
    SetHosts,
    SetOwner,
    SetPerson,
    SetPrimary,
    SetRole,
    SetRules,
    SetSecret,
    Share,
    Statement,
    Unfreeze,
    UnknownStatement,
    is_note,
    is_person,
    pack_statements,
    unpack_statements,
)
from p2psync.errors import CodecError
from tests.core.making import ANNA, paths, tips

logs = st.binary(min_size=16, max_size=16).map(LogId)
tips_of_logs = st.dictionaries(logs, st.lists(tips, min_size=1, max_size=2, unique=True).map(tuple), max_size=3)
cuts = st.builds(cut_of, tips_of_logs, tips_of_logs, st.integers().map(Random))
devices = st.binary(min_size=32, max_size=32).map(DeviceId)
names = st.text(max_size=NAME_CHARACTERS_MAX)
persons = st.text(max_size=PERSON_CHARACTERS_MAX).filter(is_person)
notes = st.text(max_size=NOTE_CHARACTERS_MAX).filter(is_note)
certificates = st.binary(max_size=200)
tickets = st.binary(max_size=32)
roles = st.sampled_from(Role)
numbers = st.integers(0, (1 << 52) - 1)
rules = st.sampled_from([DEFAULT_RULES, DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=payroll"))])
periods = st.lists(st.dates(), min_size=2, max_size=2).map(lambda days: Period(min(days), max(days)))
closed = st.builds(Closed, paths.map(parse), st.builds(ChangeId, st.binary(min_size=32, max_size=32), numbers))
MADE: dict[Any, st.SearchStrategy[Any]] = {
    Genesis: st.builds(
        Genesis,
        *(st.binary(max_size=64), names, certificates, names, roles, st.none() | devices, certificates, rules),
    ),
    Admit: st.builds(Admit, devices, certificates, names, roles, st.booleans(), tickets),
    Revoke: st.builds(Revoke, devices, cuts),
    Leave: st.just(Leave()),
    SetRole: st.builds(SetRole, devices, roles, st.booleans(), cuts),
    SetRules: st.builds(SetRules, rules, cuts),
    SetOwner: st.builds(SetOwner, paths, devices),
    Give: st.builds(Give, paths, devices),
    SetPerson: st.builds(SetPerson, devices, persons),
    SetAttach: st.builds(SetAttach, st.booleans()),
    SetPrimary: st.builds(SetPrimary, devices),
    Rename: st.builds(Rename, names),
    Share: st.just(Share()),
    SetSecret: st.builds(SetSecret, numbers, st.binary(max_size=32)),
    Issue: st.builds(Issue, tickets, roles, st.booleans(), numbers, numbers),
    CancelIssue: st.builds(CancelIssue, tickets),
    Freeze: st.builds(Freeze, periods, st.lists(closed, max_size=3).map(tuple), cuts),
    Unfreeze: st.builds(Unfreeze, periods),
    SetCurrent: st.builds(SetCurrent, st.dates(), notes),
    SetHosts: st.builds(SetHosts, st.lists(st.text(min_size=1, max_size=9), max_size=3).map(tuple)),
}


def through(value: object) -> Any:
    return msgpack.unpackb(msgpack.packb(value))


def test_every_kind_is_made_here_and_named_once() -> None:
    assert set(MADE) == set(get_args(Statement))
    assert len({made.KIND for made in MADE}) == len(MADE)
    assert {made for made in MADE if "cut" in {f.name for f in fields(made)}} == set(TAKING)


@given(st.lists(st.one_of(*MADE.values()), min_size=1, max_size=4).map(tuple))
def test_statements_come_back(statements: tuple[Statement, ...]) -> None:
    assert unpack_statements(through(pack_statements(statements))) == statements


@given(
    st.one_of(*MADE.values()), st.text(max_size=9).filter(lambda t: t not in {f.name for m in MADE for f in fields(m)})
)
def test_fields_of_a_later_version_are_passed_over(statement: Statement, name: str) -> None:
    [[kind, values]] = through(pack_statements((statement,)))
    assert unpack_statements([[kind, {**values, name: 5}]]) == (statement,)


@given(st.one_of(*MADE.values()), st.data())
def test_a_missing_field_is_an_error(statement: Statement, data: st.DataObject) -> None:
    [[kind, values]] = through(pack_statements((statement,)))
    always = {f.name for f in fields(statement) if f.default is MISSING}
    if names := sorted(name for name in values if values[name] is not None and name in always):
        del values[data.draw(st.sampled_from(names))]
        if kind == "genesis" and "recovery" not in values:
            return
        with pytest.raises(CodecError):
            unpack_statements([[kind, values]])


def test_a_statement_without_a_note_is_packed_as_before_there_were_notes() -> None:
    said = SetCurrent(date(2025, 6, 30))
    assert pack_statements((said,)) == [["current", {"until": "2025-06-30"}]]
    assert unpack_statements([["current", {"until": "2025-06-30"}]]) == (said,)
    with_note = SetCurrent(date(2025, 6, 30), "VAT return sent: Müller & Cie, 12.5 %")
    assert unpack_statements(through(pack_statements((with_note,)))) == (with_note,)


def test_what_a_note_may_not_hold_steers_terminals_and_hides_what_it_says() -> None:
    assert NOTE_REFUSED.issuperset("\0\t\n\r\x1b\x7f\x85\x9f\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069")
    assert not NOTE_REFUSED & set(" ~\xa0ä€\u2010\u2027\u202f\U0001f4b6")


GOOD: dict[str, dict[str, Any]] = {
    "admit": {"device": ANNA, "certificate": b"", "name": "PC", "role": "payroll", "admin": False, "ticket": b""},
    "rename": {"name": "Cargo"},
    "issue": {"ticket": b"t", "role": "payroll", "admin": False, "uses": 1, "expires_s": 1},
    "secret": {"number": 1, "digest": bytes(32)},
    "owner": {"path": "a.ecf", "device": ANNA},
    "revoke": {"device": ANNA, "cut": [[], []]},
    "rules": {"rules": DEFAULT_RULES.encode(), "cut": [[], []]},
    "freeze": {"period": ["2025-01-01", "2025-12-31"], "files": [["a.crp", bytes(32), 0]], "cut": [[], []]},
    "unfreeze": {"period": ["2025-01-01", "2025-01-01"]},
    "current": {"until": "2025-06-30"},
    "give": {"path": "a.ecf", "device": ANNA},
    "person": {"device": ANNA, "person": "Anna Müller"},
    "attach": {"admins": True},
    "genesis": {
        **{"salt": bytes(16), "name": "Cargo", "certificate": b"", "device_name": "PC", "role": "accounting"},
        **{"recovery": None, "recovery_certificate": b"", "rules": DEFAULT_RULES.encode()},
    },
}
TIP = [1, bytes(32)]


@pytest.mark.parametrize("kind", GOOD)
def test_the_fields_that_the_bad_ones_differ_from_are_good(kind: str) -> None:
    [statement] = unpack_statements(through([[kind, GOOD[kind]]]))
    assert kind == statement.KIND


LONGEST: list[tuple[str, str, Any]] = [
    ("admit", "name", "ä" * NAME_CHARACTERS_MAX),
    ("admit", "certificate", bytes(CERTIFICATE_BYTES_MAX)),
    ("admit", "ticket", bytes(32)),
    ("owner", "path", "x" * 4096),
    ("secret", "number", (1 << 52) - 1),
    ("revoke", "cut", [[[i.to_bytes(16, "big"), [TIP]] for i in range(CUT_LOGS_MAX - 1)], [bytes(SEALED_BYTES_MAX)]]),
    ("freeze", "files", [[f"{i}.crp", bytes(32), i] for i in range(FROZEN_MAX)]),
    ("unfreeze", "period", ["0001-01-01", "9999-12-31"]),
    ("current", "note", "\U0001f4b6" * NOTE_CHARACTERS_MAX),
    ("person", "person", "\U0001f469" * PERSON_CHARACTERS_MAX),
]


@pytest.mark.parametrize(("kind", "field", "longest"), LONGEST, ids=lambda v: repr(v)[:40])
def test_the_longest_that_is_allowed(kind: str, field: str, longest: object) -> None:
    [statement] = unpack_statements([[kind, {**GOOD[kind], field: longest}]])
    assert pack_statements((statement,)) == [[kind, {**GOOD[kind], field: longest}]]


BAD: list[tuple[str, str, list[Any]]] = [
    ("admit", "device", [None, b"short", "x" * 32]),
    ("admit", "certificate", ["text", bytes(CERTIFICATE_BYTES_MAX + 1)]),
    ("admit", "name", [b"PC", "x" * (NAME_CHARACTERS_MAX + 1)]),
    ("admit", "role", ["boss", 1, []]),
    ("admit", "admin", [0, 1, "yes"]),
    ("admit", "ticket", ["t", bytes(33)]),
    ("rename", "name", [7]),
    ("issue", "uses", [-1, 1 << 52, True, 1.0]),
    ("secret", "number", [-1, True, "1"]),
    ("secret", "digest", [bytes(33)]),
    ("owner", "path", [b"a.ecf", "x" * 4097, None]),
    ("revoke", "cut", [None, [], [[]], [[], [], []], {}, [[], {}], [[5], []], [[], ["text"]]]),
    ("revoke", "cut", [[[[bytes(16), [tip]]], []] for tip in ([1], [True, bytes(32)], [1, b"short"], [1, 2, 3], 5)]),
    ("revoke", "cut", [[[[b"short", [TIP]]], []], [[[bytes(16), [TIP]]] * (CUT_LOGS_MAX + 1), []]]),
    ("revoke", "cut", [[[], [bytes(SEALED_BYTES_MAX + 1)]]]),
    ("rules", "rules", [None, [], [[], []], [[["*.x", "other", "newest", "", []]], []]]),
    ("freeze", "period", [None, [], ["2025-01-01"], ["2025-12-31", "2025-01-01"], ["2025", "2026"], [1, 2]]),
    (
        "freeze",
        "files",
        [
            None,
            {},
            [["a.crp"]],
            [["../a", bytes(32), 0]],
            [["a", b"short", 0]],
            [["a", bytes(32), -1]],
            [["a", bytes(32), 0, 0]],
        ],
    ),
    ("freeze", "files", [[["a", bytes(32), 0]] * (FROZEN_MAX + 1)]),
    ("unfreeze", "period", ["2025-01-01"]),
    ("current", "note", [None, 5, b"note", "x" * (NOTE_CHARACTERS_MAX + 1), "two\nlines", "\x1b[2J", "\u202egnp.exe"]),
    ("person", "person", [None, 5, b"Anna", "x" * (PERSON_CHARACTERS_MAX + 1), "two\nlines", "\x1b[2J", "\u202eannA"]),
    ("person", "device", [b"short", "text"]),
    ("attach", "admins", [None, 1, "yes"]),
    ("current", "until", [None, 5, "2025-02-30", "30.06.2025", "2025-W01-1", "20250630", b"2025-06-30"]),
    ("genesis", "recovery", [b"short"]),
    ("genesis", "salt", [bytes(65)]),
]


@pytest.mark.parametrize(
    ("kind", "field", "wrong"),
    [(kind, field, one) for kind, field, wrong in BAD for one in wrong],
    ids=lambda v: repr(v)[:40],
)
def test_a_field_that_no_honest_device_makes(kind: str, field: str, wrong: object) -> None:
    with pytest.raises(CodecError):
        unpack_statements([[kind, {**GOOD[kind], field: wrong}]])


@pytest.mark.parametrize(
    "packed", [None, [], {}, "x", ["rename"], [["rename"]], [["rename", []]], [[b"rename", {}]], [[]]]
)
def test_a_body_that_is_no_list_of_statements(packed: object) -> None:
    with pytest.raises(CodecError):
        unpack_statements(packed)


def test_a_block_holds_a_limited_number() -> None:
    assert len(unpack_statements([["share", {}]] * STATEMENTS_MAX)) == STATEMENTS_MAX
    with pytest.raises(CodecError):
        unpack_statements([["share", {}]] * (STATEMENTS_MAX + 1))


def test_an_unknown_kind_is_no_error_but_known_by_name() -> None:
    known, unknown = unpack_statements([["share", {}], ["melt" + "x" * 1000, {"until": "2025"}]])
    assert known == Share()
    assert unknown == UnknownStatement(("melt" + "x" * 1000)[:NAME_CHARACTERS_MAX])


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=5) | st.binary(max_size=33),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=10,
)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_no_other_value_of_a_field_does_more_than_raise(kind: str, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(GOOD[kind])))
    try:
        unpack_statements([[kind, {**GOOD[kind], field: data.draw(anything)}]])
    except CodecError:
        return
