"""The table of rules: which rule governs a path, who may read it, and how people change it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core import rules
from p2psync.core.relpath import RelPath
from p2psync.core.rules import (
    DEFAULT_RULES,
    NOBODY,
    OWNER,
    PATTERN_CHARACTERS_MAX,
    PRODUCERS,
    RESTRICTED,
    RULES_MAX,
    Mode,
    Part,
    Restriction,
    Role,
    Rule,
    RuleTable,
    Setting,
    class_id_of,
    fold,
    parse_restriction,
    parse_role,
    parse_setting,
    part_of,
)
from p2psync.errors import CodecError, UsageError

CATCH_ALL = Rule("*", "other", Mode.NEWEST)
PAYROLL = Restriction("*.ecs", (Role.ACCOUNTING, Role.PAYROLL))


def rule(pattern: str) -> Rule:
    return Rule(pattern, "test", Mode.MANUAL)


def first(patterns: list[str], path: str) -> str:
    """The pattern of the rule that a table of these patterns picks."""
    return RuleTable((*map(rule, patterns), CATCH_ALL)).rule_for(RelPath(path)).pattern


@pytest.mark.parametrize("kept", [1, 3, 100])
def test_rules_that_were_asked_for_before_are_each_paths_own(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(rules, "FOUND_MAX", kept)
    table = RuleTable(DEFAULT_RULES.rules, (PAYROLL,))
    paths = [RelPath(path) for path in ("a.crp", "a.ecs", "a.txt", "a.ecc", "a.ecs", "a.crp")]
    for path in paths * 2:
        assert table.rule_for(path) == RuleTable(DEFAULT_RULES.rules, (PAYROLL,)).rule_for(path)


@pytest.mark.parametrize(
    ("path", "file_class", "mode", "master", "owners"),
    [
        ("Cargo 2025.crp", "master data", Mode.PREFER, "accounting", ()),
        ("sub/folder/CARGO.CRP", "master data", Mode.PREFER, "accounting", ()),
        ("Cargo (01-01-2025 ~ 31-12-2025).ecf", "entries", Mode.PREFER, "owner", (Role.INVOICING,)),
        ("Löhne.ecs", "entries", Mode.PREFER, "owner", (Role.PAYROLL,)),
        ("Cargo 2025.ecc", "index", Mode.MERGE, "", ()),
        ("bank.crbank", "opaque", Mode.PREFER, "owner", PRODUCERS),
        ("notes.txt", "other", Mode.NEWEST, "", ()),
        ("crp", "other", Mode.NEWEST, "", ()),
        ("Cargo.crp.bak", "other", Mode.NEWEST, "", ()),
        ("folder.crp/readme", "other", Mode.NEWEST, "", ()),
        (".crp", "master data", Mode.PREFER, "accounting", ()),
    ],
)
def test_a_new_mandate_has_the_default_rules(
    path: str, file_class: str, mode: Mode, master: str, owners: tuple[Role, ...]
) -> None:
    found = DEFAULT_RULES.rule_for(RelPath(path))
    assert (found.file_class, found.mode, found.master, found.owner_roles) == (file_class, mode, master, owners)
    assert found.readers is None
    assert DEFAULT_RULES.class_id(RelPath(path)) is None


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.tar.gz", "a/b.tar.gz", True),
        ("*.gz", "a/b.tar.gz", True),
        ("2025*.ecf", "x/2025-01.ECF", True),
        ("2025*.ecf", "x/2024.ecf", False),
        ("?.ecf", "a/b.ecf", True),
        ("?.ecf", "a/bb.ecf", False),
        ("readme", "a/README", True),
        ("iso20022/*.xml", "iso20022/camt/1.xml", True),
        ("iso20022/*.xml", "old/iso20022/1.xml", False),
        ("*/1.xml", "old/iso20022/1.xml", True),
        ("löhne/*", "LÖHNE/x", True),
        ("LO\u0308HNE/*", "L\u00f6hne/x", True),
        ("[ab].ecf", "a.ecf", False),
        ("[ab].ecf", "[ab].ecf", True),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxcyyb", False),
        ("*b*b*", "ab", False),
        ("*b*b*", "bb", True),
        ("x*", "a\nx", False),
        ("*a*.ecf", "a\n.ecf", True),
        ("*.", "name.", True),
        ("a.b+c", "aXb+c", False),
    ],
)
def test_patterns_match_as_documented(pattern: str, path: str, matches: bool) -> None:
    assert (first([pattern], path) == pattern) is matches


def test_the_first_match_wins_whatever_the_patterns_look_like() -> None:
    assert first(["old/*", "*.ecf", "a*"], "old/a.ecf") == "old/*"
    assert first(["*.ecf", "old/*", "a*"], "old/a.ecf") == "*.ecf"
    assert first(["*.xml", "a*", "*.ecf"], "old/a.ecf") == "a*"
    assert first(["*.ECF", "*.ecf"], "a.ecf") == "*.ECF"


@given(
    st.lists(st.text("ab*?./", min_size=1, max_size=6).filter(lambda p: not p.startswith("/")), max_size=6),
    st.text("ab./A", min_size=1, max_size=8),
)
def test_the_index_agrees_with_trying_every_pattern_in_turn(patterns: list[str], path: str) -> None:
    def matches(pattern: str) -> bool:
        plain = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in fold(pattern))
        subject = path if "/" in pattern else path.rpartition("/")[2]
        return re.fullmatch(plain, fold(subject)) is not None

    assert first(patterns, path) == next(filter(matches, patterns), "*")


def test_a_hostile_pattern_takes_no_longer_than_its_length() -> None:
    """Backtracking over 30 stars would outlive the test."""
    assert first(["a*" * 30 + "b"], "a" * 200) == "*"


@pytest.mark.parametrize("text", ["Löhne.ECS", unicodedata.normalize("NFD", "löhne.ecs"), "lÖHNE.ecs"])
def test_folding_knows_neither_case_nor_unicode_form(text: str) -> None:
    assert fold(text) == "l\u00f6hne.ecs"


def test_a_restricted_class_has_readers_and_a_name_of_its_own() -> None:
    table = DEFAULT_RULES.with_restriction(PAYROLL)
    path = RelPath("sub/Lohn.ECS")
    assert table.class_id(path) == "restricted *.ecs"
    assert table.readers_of("restricted *.ecs") == PAYROLL.readers
    assert table.rule_for(path) == Rule("*.ecs", "entries", Mode.PREFER, OWNER, (Role.PAYROLL,), PAYROLL.readers)
    assert table.class_id(RelPath("a.ecf")) is None
    assert table.rule_for(RelPath("a.ecf")).readers is None


@pytest.mark.parametrize("class_id", ["", "authority", "*.ecs"])
def test_a_class_that_is_not_restricted_names_no_readers(class_id: str) -> None:
    assert DEFAULT_RULES.with_restriction(PAYROLL).readers_of(class_id) is None


def test_a_restricted_class_that_the_table_does_not_know_is_read_by_no_role() -> None:
    assert DEFAULT_RULES.readers_of("restricted *.ecs") == ()


def test_a_class_id_cannot_be_mistaken_for_another_kind_of_log() -> None:
    for name in ("authority", ""):
        assert class_id_of(Restriction(f"{name}*", (Role.PAYROLL,))).startswith(RESTRICTED)
    assert class_id_of(Restriction("*.ECS", (Role.PAYROLL,))) == class_id_of(PAYROLL)
    assert len(class_id_of(Restriction("x" * PATTERN_CHARACTERS_MAX, (Role.PAYROLL,)))) <= 100


def test_a_rule_set_later_does_not_open_a_restricted_file() -> None:
    table = DEFAULT_RULES.with_restriction(PAYROLL).with_setting(parse_setting("Lohn*.ecs=newest"))
    assert table.rule_for(RelPath("Lohn 1.ecs")).mode is Mode.NEWEST
    assert table.rule_for(RelPath("Lohn 1.ecs")).readers == PAYROLL.readers
    assert table.class_id(RelPath("Lohn 1.ecs")) == class_id_of(PAYROLL)


def test_of_two_restrictions_the_first_one_named_holds() -> None:
    narrow = parse_restriction("Chef/*=accounting")
    table = DEFAULT_RULES.with_restriction(narrow).with_restriction(PAYROLL)
    assert table.rule_for(RelPath("Chef/x.ecs")).readers == (Role.ACCOUNTING,)
    assert table.rule_for(RelPath("x.ecs")).readers == PAYROLL.readers


def test_a_restriction_named_twice_is_replaced() -> None:
    table = DEFAULT_RULES.with_restriction(PAYROLL).with_restriction(Restriction("*.ECS", (Role.BANKING,)))
    assert table.restrictions == (Restriction("*.ECS", (Role.BANKING,)),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*.crp=enforce:accounting", Setting("*.crp", Mode.ENFORCE, "accounting")),
        (" *.crp = Enforce : OWNER ", Setting("*.crp", Mode.ENFORCE, "owner")),
        ("*.crp=prefer", Setting("*.crp", Mode.PREFER, None)),
        ("a=b.txt=newest", Setting("a=b.txt", Mode.NEWEST, None)),
        ("Bank\\*.xml=manual", Setting("Bank/*.xml", Mode.MANUAL, None)),
        ("Cargo*.ECC=merge", Setting("Cargo*.ECC", Mode.MERGE, None)),
        ("iso20022/*=once", Setting("iso20022/*", Mode.ONCE, None)),
    ],
)
def test_settings_are_read_as_people_write_them(text: str, expected: Setting) -> None:
    assert parse_setting(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*.crp", "is no rule"),
        ("=prefer", "The pattern is missing"),
        ("*.crp=fastest", "'fastest' is no mode. Choose one of prefer, enforce, newest, merge, manual, once"),
        ("*.crp=enforce:payroll", "'payroll' is no master"),
        ("*.crp=enforce:", "'' is no master"),
        ("*.crp=newest:accounting", "knows no master"),
        ("iso20022/*=once:accounting", "knows no master"),
        ("iso20022/=once", "Write 'iso20022/*'"),
        ("*.txt=merge", "cannot be merged"),
        ("*=merge", "cannot be merged"),
        ("Bank/=newest", "Write 'Bank/*'"),
        ("/a=newest", "begins with a slash"),
        ("a\x07b=newest", "cannot be shown"),
        (f"{'a' * 81}=newest", "longer than 80"),
    ],
)
def test_a_wrong_setting_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse_setting(text)


def test_restrictions_are_read_as_people_write_them() -> None:
    assert parse_restriction("*.ecs=accounting,payroll") == PAYROLL
    assert parse_restriction(" Löhne\\* = Payroll, payroll ,") == Restriction("Löhne/*", (Role.PAYROLL,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*.ecs", "is no restriction"),
        ("*.ecs=", "is no restriction"),
        ("*.ecs=boss", "'boss' is no role. Choose one of accounting, invoicing, payroll, banking, reader, keeper"),
        ("=payroll", "The pattern is missing"),
    ],
)
def test_a_wrong_restriction_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse_restriction(text)


def test_roles_are_read_in_any_case() -> None:
    assert parse_role(" Banking ") is Role.BANKING


def set_to(text: str, table: RuleTable = DEFAULT_RULES) -> RuleTable:
    return table.with_setting(parse_setting(text))


def test_a_known_pattern_changes_in_its_place() -> None:
    table = set_to("*.CRP=enforce")
    assert table.rules == (Rule("*.CRP", "master data", Mode.ENFORCE, "accounting"), *DEFAULT_RULES.rules[1:])


def test_the_last_rule_stays_the_last() -> None:
    assert set_to("*=manual").rules == (*DEFAULT_RULES.rules[:-1], Rule("*", "other", Mode.MANUAL))


def test_a_new_pattern_goes_first_and_takes_over_what_held_for_such_files() -> None:
    table = set_to("2025*.ecf=enforce")
    assert table.rules == (
        Rule("2025*.ecf", "entries", Mode.ENFORCE, OWNER, (Role.INVOICING,)),
        *DEFAULT_RULES.rules,
    )


def test_a_pattern_that_has_its_own_rule_keeps_what_that_said() -> None:
    table = set_to("2*=newest", set_to("2025*.ecf=manual"))
    assert set_to("2025*.ecf=newest", table).rules[1] == Rule("2025*.ecf", "entries", Mode.NEWEST)


def test_master_and_owners_come_back_after_a_mode_without_them() -> None:
    table = set_to("*.ecf=prefer", set_to("*.ecf=newest"))
    assert table == DEFAULT_RULES
    assert set_to("*.ecf=newest").rules[1] == Rule("*.ecf", "entries", Mode.NEWEST, NOBODY, ())


def test_owners_of_files_that_had_none_are_all_who_may_write() -> None:
    assert set_to("*.xml=prefer:owner").rules[0] == Rule("*.xml", "other", Mode.PREFER, OWNER, PRODUCERS)


def test_a_mode_that_needs_a_master_asks_for_one() -> None:
    with pytest.raises(UsageError, match=re.escape("Write '*.xml=prefer:accounting'")):
        set_to("*.xml=prefer")


def test_a_table_has_a_limit() -> None:
    full = RuleTable((*(rule(f"a{n}") for n in range(RULES_MAX - 1)), CATCH_ALL))
    with pytest.raises(UsageError, match="the limit"):
        set_to("b=newest", full)
    many = RuleTable((CATCH_ALL,), tuple(Restriction(f"a{n}", (Role.PAYROLL,)) for n in range(RULES_MAX)))
    with pytest.raises(UsageError, match="the limit"):
        many.with_restriction(PAYROLL)
    assert RuleTable.decode(many.encode()) == many


def test_a_table_survives_the_wire() -> None:
    table = set_to("Lohn*.ecs=enforce:accounting", DEFAULT_RULES.with_restriction(PAYROLL))
    wire = msgpack.packb(table.encode(), use_bin_type=True)
    assert RuleTable.decode(msgpack.unpackb(wire)) == table


GOOD_RULES = [["*", "other", "newest", "", []]]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        [GOOD_RULES],
        [GOOD_RULES, [], []],
        [[], []],
        [[["*.crp", "x", "newest", "", []]], []],
        [GOOD_RULES * 201, []],
        [[["*", "other", "newest", ""]], []],
        [[["*", "other", "quickest", "", []]], []],
        [[["*", "other", "newest", "accounting", []]], []],
        [[["*", "other", "prefer", "", []]], []],
        [[["*", "other", "prefer", "payroll", []]], []],
        [[["*", "other", "prefer", "owner", []]], []],
        [[["*", "other", "prefer", "owner", ["reader"]]], []],
        [[["*", "other", "prefer", "owner", ["payroll", "payroll"]]], []],
        [[["*", "other", "prefer", "accounting", ["payroll"]]], []],
        [[["*", "", "newest", "", []]], []],
        [[["*", "o" * 41, "newest", "", []]], []],
        [[["*", "\x1b[2J", "newest", "", []]], []],
        [[["*", 7, "newest", "", []]], []],
        [[[b"*", "other", "newest", "", []]], []],
        [[["", "other", "newest", "", []], *GOOD_RULES], []],
        [[["a" * 81, "other", "newest", "", []], *GOOD_RULES], []],
        [GOOD_RULES, [["*.ecs", []]]],
        [GOOD_RULES, [["*.ecs", ["boss"]]]],
        [GOOD_RULES, [["*.ecs", ["payroll", "payroll"]]]],
        [GOOD_RULES, [["/x", ["payroll"]]]],
        [GOOD_RULES, [["*.ecs", "payroll"]]],
    ],
)
def test_a_malformed_table_is_refused(raw: object) -> None:
    with pytest.raises(CodecError):
        RuleTable.decode(raw)


def test_readers_are_not_part_of_a_rule_in_the_table() -> None:
    with pytest.raises(CodecError, match="restriction"):
        RuleTable((Rule("*", "other", Mode.NEWEST, readers=(Role.PAYROLL,)),))


def test_open_fields_travel_with_the_table_and_a_table_without_any_is_written_as_before() -> None:
    assert len(DEFAULT_RULES.encode()) == 2
    opened = replace(DEFAULT_RULES, open_fields=("account.cash", "payment-term.discount-1-days"))
    assert RuleTable.decode(opened.encode()) == opened
    assert opened.with_setting(parse_setting("*.crp=enforce")).open_fields == opened.open_fields


@pytest.mark.parametrize("fields", [[], ["b.a", "a.a"], ["a.a", "a.a"], ["Cash"], [1], ["a.a", "b\u0130.c"]])
def test_open_fields_that_are_none_are_refused(fields: list[object]) -> None:
    with pytest.raises(CodecError):
        RuleTable.decode([*DEFAULT_RULES.encode(), fields])


@pytest.mark.parametrize("path", ["master-data.p2pmaster", "master-data.abc.p2pfields"])
def test_master_data_of_another_program_are_protected(path: str) -> None:
    rule = DEFAULT_RULES.rule_for(RelPath(path))
    assert (rule.mode, rule.file_class) == (Mode.ENFORCE, "master data")


@pytest.mark.parametrize(
    ("pattern", "role", "part"),
    [
        ("a.crp", Role.PAYROLL, Part.CHANGES),
        ("a.crp", Role.READER, Part.RECEIVES),
        ("a.crp", Role.KEEPER, Part.RECEIVES),
        ("a.p2pmaster", Role.ACCOUNTING, Part.CHANGES),
        ("a.p2pmaster", Role.PAYROLL, Part.RECEIVES),
        ("a.p2pfields", Role.PAYROLL, Part.OWN),
        ("a.txt", Role.BANKING, Part.CHANGES),
    ],
)
def test_what_a_role_does_with_files(pattern: str, role: Role, part: Part) -> None:
    rule = DEFAULT_RULES.rule_for(RelPath(pattern))
    assert part_of(role, rule) is part
    restricted = replace(rule, readers=(Role.INVOICING,))
    assert part_of(role, restricted) is (Part.RECEIVES if role is Role.KEEPER else Part.NOTHING)


def test_what_is_written_once_everybody_adds_to() -> None:
    table = set_to("iso20022/*=once")
    rule = table.rule_for(RelPath("ISO20022/camt.053.xml"))
    assert (rule.mode, rule.file_class, rule.master) == (Mode.ONCE, "other", NOBODY)
    assert RuleTable.decode(table.encode()) == table
    assert [part_of(role, rule) for role in (Role.BANKING, Role.READER)] == [Part.ADDS, Part.RECEIVES]
    assert DEFAULT_RULES.rule_for(RelPath("iso20022/camt.053.xml")).mode == Mode.NEWEST, "only if it is asked for"
    assert set_to("iso20022/*=newest", table) == set_to("iso20022/*=newest"), "an admin takes it off"
