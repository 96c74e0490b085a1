"""What members may read and change, by role, rule and owner."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from p2psync.core.authority import Authority, Member
from p2psync.core.entry import Kind
from p2psync.core.ids import DeviceId
from p2psync.core.period import Period
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable, parse_setting
from tests.core.court import RECOVERY, SECRET_FILES, STRANGER


def with_roles(rules: RuleTable, owners: dict[str, DeviceId] | None = None) -> Authority:
    roles = [Role.ACCOUNTING, Role.INVOICING, Role.PAYROLL, Role.BANKING, Role.READER, Role.KEEPER]
    members = {device_of(role): Member(device_of(role), b"", "", role, False, 2) for role in roles}
    members[ADMIN] = Member(ADMIN, b"", "", Role.INVOICING, True, 1)
    return Authority(members=members, rules=rules, owners=owners or {}, recovery=RECOVERY)


def device_of(role: Role) -> DeviceId:
    return DeviceId(role.value.encode().ljust(32))


ADMIN = DeviceId(b"admin".ljust(32))
ACC, INV, PAY, BAN, REA, KEE = (device_of(role) for role in Role)


def test_all_members_read_what_is_open_and_few_what_is_restricted() -> None:
    open_, secret = with_roles(DEFAULT_RULES), with_roles(SECRET_FILES)
    everybody = {ACC, INV, PAY, BAN, REA, KEE, ADMIN, RECOVERY}
    restricted = SECRET_FILES.class_id(parse("x.ecs"))
    assert restricted is not None
    candidates = [*everybody, STRANGER]
    assert {d for d in candidates if open_.may_read(d, "")} == everybody
    assert {d for d in candidates if secret.may_read(d, "")} == everybody
    assert {d for d in candidates if secret.may_read(d, restricted)} == {ACC, PAY, KEE, ADMIN, RECOVERY}
    assert {d for d in candidates if open_.may_read(d, restricted)} == {KEE, ADMIN, RECOVERY}, (
        "an unknown class: too few"
    )


@pytest.mark.parametrize(
    ("rules", "path", "owners", "writers"),
    [
        (DEFAULT_RULES, "a.txt", {}, {ACC, INV, PAY, BAN, ADMIN}),
        (DEFAULT_RULES, "a.crp", {}, {ACC, INV, PAY, BAN, ADMIN}),
        (SECRET_FILES, "a.txt", {}, {ACC, INV, PAY, BAN, ADMIN}),
        (SECRET_FILES, "a.ecs", {}, {ACC, PAY, ADMIN}),
        (DEFAULT_RULES.with_setting(parse_setting("*.crp=enforce")), "a.crp", {}, {ACC}),
        (DEFAULT_RULES.with_setting(parse_setting("*.ecf=enforce")), "a.ecf", {}, {INV, ADMIN}),
        (DEFAULT_RULES.with_setting(parse_setting("*.ecf=enforce")), "a.ecf", {"a.ecf": PAY}, {PAY}),
        (DEFAULT_RULES.with_setting(parse_setting("*.ecf=enforce")), "a.ecf", {"a.ecf": STRANGER}, {ACC}),
        (DEFAULT_RULES.with_setting(parse_setting("*.ecf=manual")), "a.ecf", {}, {ACC, INV, PAY, BAN, ADMIN}),
    ],
)
def test_who_may_write(rules: RuleTable, path: str, owners: dict[str, DeviceId], writers: set[DeviceId]) -> None:
    authority = with_roles(rules, owners)
    candidates = [ACC, INV, PAY, BAN, REA, KEE, ADMIN, STRANGER, RECOVERY]
    assert {d for d in candidates if authority.may_write(d, parse(path))} == writers


@pytest.mark.parametrize(
    ("rule", "removers"),
    [
        ("*.crp=prefer", {ACC}),
        ("*.crp=enforce", {ACC}),
        ("*.crp=manual", {ACC, INV, PAY, BAN, ADMIN}),
        ("*.crp=newest", {ACC, INV, PAY, BAN, ADMIN}),
        ("*.crp=prefer:owner", {ACC, INV, PAY, BAN, ADMIN}),
    ],
)
def test_what_accounting_is_the_master_of_is_removed_by_accounting_alone(rule: str, removers: set[DeviceId]) -> None:
    authority = with_roles(DEFAULT_RULES.with_setting(parse_setting(rule)), {})
    candidates = [ACC, INV, PAY, BAN, REA, KEE, ADMIN, STRANGER, RECOVERY]
    path = parse("a.crp")
    assert {d for d in candidates if authority.may_write(d, path, kind=Kind.ABSENT)} == removers


def test_what_is_written_once_nobody_replaces_or_removes() -> None:
    authority = with_roles(DEFAULT_RULES.with_setting(parse_setting("iso20022/*=once")), {})
    candidates = [ACC, INV, PAY, BAN, REA, KEE, ADMIN, STRANGER, RECOVERY]

    def able(path: str, kind: Kind, replaces: bool) -> set[DeviceId]:
        return {d for d in candidates if authority.may_write(d, parse(path), nobody, kind, lambda _: replaces)}

    def nobody(path: RelPath) -> set[DeviceId]:
        raise AssertionError(f"who made {path} was asked for without need")

    for kind in Kind:
        assert able("iso20022/a.xml", kind, False) == able("a.xml", kind, True) == {ACC, INV, PAY, BAN, ADMIN}
        assert able("iso20022/a.xml", kind, True) == set()


def test_without_any_master_whoever_may_write_removes() -> None:
    authority = with_roles(DEFAULT_RULES, {})
    alone = replace(authority, members={d: m for d, m in authority.members.items() if d != ACC})
    assert alone.may_write(PAY, parse("a.crp"), kind=Kind.ABSENT)


@pytest.mark.parametrize(
    ("makers", "writers"),
    [
        (set(), {INV, ADMIN}),
        ({INV}, {INV}),
        ({INV, ADMIN}, {min(INV, ADMIN)}),
        ({INV, STRANGER, PAY}, {INV}),
        ({STRANGER}, {ACC}),
        ({PAY}, {ACC}),
    ],
)
def test_under_enforce_who_made_a_file_owns_it(makers: set[DeviceId], writers: set[DeviceId]) -> None:
    authority = with_roles(DEFAULT_RULES.with_setting(parse_setting("*.ecf=enforce")))
    candidates = [ACC, INV, PAY, BAN, REA, KEE, ADMIN, STRANGER, RECOVERY]
    assert {d for d in candidates if authority.may_write(d, parse("a.ecf"), lambda _: makers)} == writers


def test_masters() -> None:
    authority = with_roles(DEFAULT_RULES, {"mine.ecf": BAN})
    candidates = [ACC, INV, PAY, BAN, REA, KEE, ADMIN, STRANGER]

    def masters(path: str) -> set[DeviceId]:
        rule = authority.rules.rule_for(parse(path))
        return {d for d in candidates if authority.is_master(d, parse(path), rule)}

    assert masters("a.crp") == {ACC}
    assert masters("a.ecf") == {INV, ADMIN}
    assert masters("mine.ecf") == {BAN}
    assert masters("a.txt") == set()


YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))


@pytest.mark.parametrize(
    ("path", "is_frozen"),
    [
        ("dir/cargo 2025.CRP", True),
        ("dir/Cargo 2026.crp", False),
        ("Cargo 2025.crp", False),
        ("Cargo (01-01-2025 ~ 31-12-2025).ecf", True),
        ("sub/New (01-03-2025 ~ 31-03-2025).ECS", True),
        ("Cargo (01-07-2025 ~ 30-06-2026).ecf", False),
        ("Letter (01-03-2025 ~ 31-03-2025).txt", False),
        ("Cargo.ecf", False),
    ],
)
def test_nobody_changes_what_belongs_to_a_frozen_period(path: str, is_frozen: bool) -> None:
    authority = replace(with_roles(DEFAULT_RULES), frozen={YEAR: frozenset({"dir/cargo 2025.crp"})})
    assert authority.frozen_period(parse(path)) == (YEAR if is_frozen else None)
    assert [authority.may_write(d, parse(path)) for d in (ACC, INV, PAY, ADMIN)] == [not is_frozen] * 4
    if path.lower().endswith("ecf"):
        assert authority.may_post(ACC, parse(path)), "to mark it changes no file"
