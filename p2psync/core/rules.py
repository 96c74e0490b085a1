"""The mandate's table of rules: which files are of which class, who is their master, and who may read them.

Every member folds the same signed table and must come to the same answer for a path, so matching knows
only `*` and `?`, and depends neither on the platform nor on the order in which anything arrived.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import field, replace
from enum import StrEnum
from typing import NamedTuple

from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.errors import CodecError, UsageError

RULES_MAX = 200
"""Rules in a table, and restrictions in a table."""
FOUND_MAX = 1_000
"""Paths whose rule is kept in memory."""
PATTERN_CHARACTERS_MAX = 80
"""Length of a folded pattern."""
FILE_CLASS_CHARACTERS_MAX = 40
RESTRICTED = "restricted "
"""What the id of a restricted class begins with, so that none is mistaken for the log of another kind."""
OWNER = "owner"
"""A master: the first device of one of the rule's owner roles that wrote the file."""
OPEN_FIELD = re.compile(r"[a-z-]{1,40}\.[a-z0-9-]{1,40}", re.ASCII)
"""As "account.cash": a kind of record, and one of its fields."""
NOBODY = ""
"""The master where the mode prefers nobody."""


MASTER_DATA = "master data"
ENTRIES = "entries"
DATED = frozenset({MASTER_DATA, ENTRIES})
"""The classes of files that belong to an accounting period if their names state one."""


class Role(StrEnum):
    """What a device is in a mandate; to be an admin is a right beside it. The values are part of the block format."""

    ACCOUNTING = "accounting"
    INVOICING = "invoicing"
    PAYROLL = "payroll"
    BANKING = "banking"
    READER = "reader"
    """Changes nothing."""
    KEEPER = "keeper"
    """Holds everything, of every class, and changes nothing."""


PRODUCERS = (Role.ACCOUNTING, Role.INVOICING, Role.PAYROLL, Role.BANKING)
"""The roles that may change files at all."""


class Mode(StrEnum):
    """How a path with several heads gets its one winner. The values are part of the block format."""

    PREFER = "prefer"
    """In a conflict the master's version wins, whatever the clocks say."""
    ENFORCE = "enforce"
    """Only the master may change or remove; any other edit is set aside."""
    NEWEST = "newest"
    """The higher stamp wins, then the device id."""
    MERGE = "merge"
    """What stands on disk is a view of all heads."""
    MANUAL = "manual"
    """Nothing is replaced until a person decides."""
    ONCE = "once"
    """A file is written once: nobody changes, removes or replaces it, until an admin sets another mode."""


MODES_WITH_MASTER = frozenset({Mode.PREFER, Mode.ENFORCE})
MASTERS = (Role.ACCOUNTING.value, OWNER)


@value
class Rule:
    """What holds for the files that a pattern matches."""

    pattern: str
    """Matches the file's name anywhere; one with a "/" the whole path. `*` is any characters, "/" among them."""
    file_class: str
    """For people: "master data", "entries", "index", "opaque", "other"."""
    mode: Mode
    master: str = NOBODY
    """Role.ACCOUNTING or OWNER where the mode is `prefer` or `enforce`, else NOBODY."""
    owner_roles: tuple[Role, ...] = ()
    """Roles whose first writer becomes the file's owner; empty unless the master is OWNER."""
    readers: tuple[Role, ...] | None = None
    """Filled in by `rule_for`: the roles that may read this path beside admins and keepers; None if all may."""


@value
class Restriction:
    """Files of which only some roles learn anything, even names; admins and keepers read every class."""

    pattern: str
    """As in a Rule; it names the restricted class."""
    readers: tuple[Role, ...]


class Part(StrEnum):
    """What a role does with the files of a rule. The words are part of the interface."""

    CHANGES = "changes"
    """Changes them and receives them."""
    ADDS = "adds"
    """Adds new ones and receives those of others; nobody changes any."""
    OWN = "own"
    """Changes its own, receives the others."""
    RECEIVES = "receives"
    NOTHING = "nothing"
    """Learns nothing of them."""


def part_of(role: Role, rule: Rule) -> Part:
    """What a device of that role, unless it is an admin, does with the files of a rule from `rule_for`."""
    if rule.readers is not None and role is not Role.KEEPER and role not in rule.readers:
        return Part.NOTHING
    if role not in PRODUCERS:
        return Part.RECEIVES
    if rule.mode is Mode.ONCE:
        return Part.ADDS
    if rule.mode is not Mode.ENFORCE:
        return Part.CHANGES
    if rule.master == OWNER:
        return Part.OWN if role in rule.owner_roles else Part.RECEIVES
    return Part.CHANGES if role is Role.ACCOUNTING else Part.RECEIVES


class Setting(NamedTuple):
    """What `rules M --set PATTERN=MODE[:MASTER]` asks for."""

    pattern: str
    mode: Mode
    master: str | None
    """None when it was left out: the one that held so far."""


@value
class RuleTable:
    """All rules of a mandate; the first match wins, and the last rule, `*`, matches everything.

    Restrictions are looked up apart from the rules, so that no rule set later can open a restricted file to everybody.
    Raises CodecError when a rule contradicts itself, a pattern is none, or the last rule is not `*`.
    """

    rules: tuple[Rule, ...]
    restrictions: tuple[Restriction, ...] = ()
    open_fields: tuple[str, ...] = ()
    """Fields of the master data that others than the master may change, as "account.cash"; sorted."""
    _rules: _Index = field(init=False, repr=False, compare=False)
    _restrictions: _Index = field(init=False, repr=False, compare=False)
    _found: dict[RelPath, Rule] = field(init=False, repr=False, compare=False)
    """The rules of paths that were asked for lately: each new file is, some three times."""

    def __post_init__(self) -> None:
        if not self.rules or self.rules[-1].pattern != "*":
            raise CodecError("a table of rules must end with a rule for *")
        for rule in self.rules:
            _check_rule(rule)
        for restriction in self.restrictions:
            _check_restriction(restriction)
        _check_open_fields(self.open_fields)
        object.__setattr__(self, "_rules", _Index([rule.pattern for rule in self.rules]))
        object.__setattr__(self, "_restrictions", _Index([one.pattern for one in self.restrictions]))
        object.__setattr__(self, "_found", {})

    def rule_for(self, path: RelPath) -> Rule:
        """The first rule that matches, with the readers of the first restriction that matches."""
        rule = self._found.get(path)
        if rule is None:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            rule = self._found[path] = self._find(path)
        return rule

    def _find(self, path: RelPath) -> Rule:
        folded = fold(path)
        at = self._rules.first_match(folded)
        assert at is not None
        restricted = self._restrictions.first_match(folded) if self.restrictions else None
        if restricted is None:
            return self.rules[at]
        return replace(self.rules[at], readers=self.restrictions[restricted].readers)

    def class_id(self, path: RelPath) -> str | None:
        """The restricted class in whose logs this path's changes go; None for the ordinary log."""
        if not self.restrictions:
            return None
        at = self._restrictions.first_match(fold(path))
        return None if at is None else class_id_of(self.restrictions[at])

    def readers_of(self, class_id: str) -> tuple[Role, ...] | None:
        """The roles that may read a class beside admins and keepers; None if it is no restricted one.

        Empty for a restricted class that this table does not know: rather too few readers than too many.
        """
        if not class_id.startswith(RESTRICTED):
            return None
        return next((one.readers for one in self.restrictions if class_id_of(one) == class_id), ())

    def encode(self) -> list[object]:
        """Lists of texts, ready for msgpack; without a list of open fields where there are none."""
        return [
            [[one.pattern, one.file_class, one.mode.value, one.master, _texts(one.owner_roles)] for one in self.rules],
            [[one.pattern, _texts(one.readers)] for one in self.restrictions],
            *([list(self.open_fields)] if self.open_fields else []),
        ]

    @classmethod
    def decode(cls, raw: object) -> RuleTable:
        """The inverse of `encode`. Raises CodecError for anything that `encode` cannot have made."""
        lists = _items(raw)
        rules, restrictions, *open_fields = _items(lists, 3 if len(lists) == 3 else 2)
        fields = tuple(_text(one) for one in _items(open_fields[0])) if open_fields else ()
        if open_fields and not fields:
            raise CodecError("a table of rules with an empty list of open fields")
        return cls(
            tuple(_decode_rule(one) for one in _items(rules)),
            tuple(_decode_restriction(one) for one in _items(restrictions)),
            fields,
        )

    def with_setting(self, setting: Setting) -> RuleTable:
        """The table after `rules --set`: a known pattern changes in its place, a new one goes before all others.

        A new rule takes class and owner roles, and the master when none is named, from the rule that governed
        files named like the pattern so far. Raises UsageError when the mode needs a master and there is none.
        """
        at = _find([rule.pattern for rule in self.rules], setting.pattern)
        base = self.rule_for(RelPath(setting.pattern)) if at is None else self.rules[at]
        rule = _rule_set_to(setting, base)
        if at is not None:
            return replace(self, rules=(*self.rules[:at], rule, *self.rules[at + 1 :]))
        if len(self.rules) == RULES_MAX:
            raise UsageError("This mandate has {limit} rules already, which is the limit.", limit=RULES_MAX)
        return replace(self, rules=(rule, *self.rules))

    def with_restriction(self, restriction: Restriction) -> RuleTable:
        """The table with one more restriction, or other readers for one that it has; the first one named wins.

        Only for a mandate that is being created: what members have read cannot be taken back.
        """
        at = _find([one.pattern for one in self.restrictions], restriction.pattern)
        if at is not None:
            return replace(self, restrictions=(*self.restrictions[:at], restriction, *self.restrictions[at + 1 :]))
        if len(self.restrictions) == RULES_MAX:
            raise UsageError("This mandate has {limit} restrictions already, which is the limit.", limit=RULES_MAX)
        return replace(self, restrictions=(*self.restrictions, restriction))


def class_id_of(restriction: Restriction) -> str:
    """At most 100 characters; the same however the pattern was typed."""
    return RESTRICTED + fold(restriction.pattern)


def fold(text: str) -> str:
    """Text as patterns compare it: neither case nor Unicode form makes a difference."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def parse_setting(text: str) -> Setting:
    """`*.crp=enforce:accounting` as a Setting. Raises UsageError that says what is wrong."""
    pattern_text, equals, rest = text.rpartition("=")
    mode_text, colon, master_text = (part.strip().lower() for part in rest.partition(":"))
    if not equals:
        raise UsageError(
            "{text!r} is no rule. Write PATTERN=MODE or PATTERN=MODE:MASTER, like '*.crp=enforce:accounting'.",
            text=text,
        )
    pattern = _parse_pattern(pattern_text)
    if mode_text not in list(Mode):
        raise UsageError("{text!r} is no mode. Choose one of {modes}.", text=mode_text, modes=", ".join(Mode))
    mode = Mode(mode_text)
    if colon and mode not in MODES_WITH_MASTER:
        raise UsageError(
            "The mode {mode} knows no master. Leave out ':{master}', or choose prefer or enforce.",
            mode=mode,
            master=master_text,
        )
    if colon and master_text not in MASTERS:
        raise UsageError("{text!r} is no master. Choose accounting or owner.", text=master_text)
    if mode is Mode.MERGE and not fold(pattern).endswith(".ecc"):
        raise UsageError("{pattern!r} cannot be merged: only index files (*.ecc) can.", pattern=pattern)
    return Setting(pattern, mode, master_text if colon else None)


def parse_restriction(text: str) -> Restriction:
    """`*.ecs=accounting,payroll` as a Restriction. Raises UsageError that says what is wrong."""
    pattern_text, equals, roles_text = text.rpartition("=")
    names = [name.strip().lower() for name in roles_text.split(",") if name.strip()]
    if not equals or not names:
        raise UsageError(
            "{text!r} is no restriction. Write PATTERN=ROLE,ROLE, like '*.ecs=accounting,payroll'.", text=text
        )
    pattern = _parse_pattern(pattern_text)
    return Restriction(pattern, tuple(dict.fromkeys(parse_role(name) for name in names)))


def parse_role(text: str) -> Role:
    """Raises UsageError that lists the roles."""
    name = text.strip().lower()
    if name not in list(Role):
        raise UsageError("{text!r} is no role. Choose one of {roles}.", text=text, roles=", ".join(Role))
    return Role(name)


class _Index:
    """Finds the first of many patterns that matches; those like `*.crp` by one look-up of the suffix."""

    __slots__ = ("_all", "_by_suffix", "_others")

    def __init__(self, patterns: list[str]) -> None:
        self._by_suffix: dict[str, int] = {}
        self._others: list[tuple[int, bool, re.Pattern[str]]] = []
        self._all = patterns.index("*") if "*" in patterns else None
        for at, pattern in enumerate(fold(one) for one in patterns[: self._all]):
            suffix = pattern.removeprefix("*.")
            if suffix != pattern and not set(suffix) & set("*?./"):
                self._by_suffix.setdefault(suffix, at)
            else:
                self._others.append((at, "/" in pattern, _compiled(pattern)))

    def first_match(self, folded: str) -> int | None:
        """The lowest index whose pattern matches a folded path."""
        name = folded.rpartition("/")[2]
        _, dot, suffix = name.rpartition(".")
        best = self._by_suffix.get(suffix, self._all) if dot else self._all
        for at, whole_path, expression in self._others:
            if best is not None and at > best:
                break
            if expression.fullmatch(folded if whole_path else name):
                return at
        return best


def _compiled(pattern: str) -> re.Pattern[str]:
    """Each star takes as little as it can and never gives it back (an atomic group): hostile patterns cost no more."""
    first, *rest = ("".join("." if c == "?" else re.escape(c) for c in part) for part in pattern.split("*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def _parse_pattern(text: str) -> str:
    pattern = unicodedata.normalize("NFC", text.strip().replace("\\", "/"))
    if pattern.endswith("/"):
        raise UsageError(
            "{text!r} fits nothing. Write '{pattern}*' for all that lies in that folder.", text=text, pattern=pattern
        )
    if problem := _pattern_problem(pattern):
        raise problem
    return pattern


def _pattern_problem(pattern: str) -> UsageError | None:
    if not pattern:
        return UsageError("The pattern is missing. Write one like '*.crp'.")
    if len(fold(pattern)) > PATTERN_CHARACTERS_MAX:
        return UsageError(
            "The pattern {text!r} is longer than {limit} characters.", text=pattern, limit=PATTERN_CHARACTERS_MAX
        )
    if _has_controls(pattern):
        return UsageError("The pattern {text!r} has characters that cannot be shown.", text=pattern)
    if pattern.startswith("/"):
        return UsageError(
            "The pattern {text!r} begins with a slash; paths begin at the mandate's folder.", text=pattern
        )
    return None


def _has_controls(text: str) -> bool:
    """`isprintable` would know more, but the versions of Python differ in it, and members must not."""
    return any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text)


def _find(patterns: list[str], wanted: str) -> int | None:
    return next((at for at, pattern in enumerate(patterns) if fold(pattern) == fold(wanted)), None)


def _rule_set_to(setting: Setting, base: Rule) -> Rule:
    """The rule that a setting asks for; what it leaves open is as in `base`, else as in a new mandate."""
    default = DEFAULT_RULES.rule_for(RelPath(setting.pattern))
    master = NOBODY
    owners: tuple[Role, ...] = ()
    if setting.mode in MODES_WITH_MASTER:
        master = setting.master or base.master or default.master
        if master == NOBODY:
            example = f"{setting.pattern}={setting.mode}:accounting"
            raise UsageError(
                "The mode {mode} needs a master, accounting or owner. Write {example!r}.",
                mode=setting.mode,
                example=example,
            )
    if master == OWNER:
        owners = base.owner_roles or default.owner_roles or PRODUCERS
    return Rule(setting.pattern, base.file_class, setting.mode, master, owners)


def _check_rule(rule: Rule) -> None:
    _check_pattern(rule.pattern)
    if rule.readers is not None:
        raise CodecError(f"rule {rule.pattern!r}: readers belong into a restriction")
    if _has_controls(rule.file_class) or not 0 < len(rule.file_class) <= FILE_CLASS_CHARACTERS_MAX:
        raise CodecError("a rule's class has no proper name")
    if rule.master not in (NOBODY, *MASTERS):
        raise CodecError(f"rule {rule.pattern!r}: no such master: {rule.master!r}")
    if (rule.mode in MODES_WITH_MASTER) != (rule.master != NOBODY):
        raise CodecError(f"rule {rule.pattern!r}: mode {rule.mode} does not go with master {rule.master!r}")
    if (rule.master == OWNER) != bool(rule.owner_roles):
        raise CodecError(f"rule {rule.pattern!r}: owner roles and master {rule.master!r} do not go together")
    if len(set(rule.owner_roles)) != len(rule.owner_roles) or not set(rule.owner_roles) <= set(PRODUCERS):
        raise CodecError(f"rule {rule.pattern!r}: a role that cannot own files, or one named twice")


def _check_restriction(restriction: Restriction) -> None:
    _check_pattern(restriction.pattern)
    if not restriction.readers or len(set(restriction.readers)) != len(restriction.readers):
        raise CodecError(f"restriction {restriction.pattern!r}: no readers, or one named twice")


def _check_open_fields(fields: tuple[str, ...]) -> None:
    proper = all(OPEN_FIELD.fullmatch(one) for one in fields)
    if not proper or list(fields) != sorted(set(fields)) or len(fields) > RULES_MAX:
        raise CodecError("open fields that are none, out of order, or named twice")


def _check_pattern(pattern: str) -> None:
    if problem := _pattern_problem(pattern):
        raise CodecError(str(problem))


def _decode_rule(raw: object) -> Rule:
    pattern, file_class, mode, master, roles = _items(raw, 5)
    try:
        return Rule(_text(pattern), _text(file_class), Mode(_text(mode)), _text(master), _roles(roles))
    except ValueError as error:
        raise CodecError(f"a rule of a later version: {error}") from None


def _decode_restriction(raw: object) -> Restriction:
    pattern, roles = _items(raw, 2)
    try:
        return Restriction(_text(pattern), _roles(roles))
    except ValueError as error:
        raise CodecError(f"a restriction of a later version: {error}") from None


def _roles(raw: object) -> tuple[Role, ...]:
    return tuple(Role(_text(one)) for one in _items(raw))


def _texts(roles: tuple[Role, ...]) -> list[str]:
    return [role.value for role in roles]


def _items(raw: object, count: int | None = None) -> list[object]:
    if not isinstance(raw, list | tuple) or len(raw) > RULES_MAX or count not in (None, len(raw)):
        raise CodecError("a table of rules that is malformed or too long")
    return list(raw)


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise CodecError("a table of rules with something else where a text belongs")
    return raw


DEFAULT_RULES = RuleTable(
    (
        Rule("*.crp", MASTER_DATA, Mode.PREFER, Role.ACCOUNTING.value),
        Rule("*.ecf", ENTRIES, Mode.PREFER, OWNER, (Role.INVOICING,)),
        Rule("*.ecs", ENTRIES, Mode.PREFER, OWNER, (Role.PAYROLL,)),
        Rule("*.ecc", "index", Mode.MERGE),
        Rule("*.p2pmaster", "master data", Mode.ENFORCE, Role.ACCOUNTING.value),
        Rule("*.p2pfields", "master data", Mode.ENFORCE, OWNER, PRODUCERS),
        Rule("*.crbank", "opaque", Mode.PREFER, OWNER, PRODUCERS),
        Rule("*", "other", Mode.NEWEST),
    )
)
"""What a new mandate begins with."""
