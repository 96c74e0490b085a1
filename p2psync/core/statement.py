"""Statements: what admins write into the authority logs. Each is plain data; `authority` says what they mean."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import date
from typing import Any, ClassVar, get_args

from p2psync.core.clock import Tip
from p2psync.core.cut import Cut
from p2psync.core.ids import ChangeId, DeviceId, block_hash, device_id, log_id
from p2psync.core.period import Period
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import Role, RuleTable
from p2psync.core.value import value
from p2psync.errors import CodecError, InvalidId, InvalidPath, UsageError

STATEMENTS_MAX = 64
"""Statements in one block."""
NAME_CHARACTERS_MAX = 200
CERTIFICATE_BYTES_MAX = 4096
TICKET_ID_BYTES_MAX = 32
CUT_LOGS_MAX = 10_000
SEALED_BYTES_MAX = 1024
HOSTS_MAX = 8
HOST_CHARACTERS_MAX = 400
FROZEN_MAX = 500
"""Files that one freeze may list."""
NOTE_CHARACTERS_MAX = 500
PERSON_CHARACTERS_MAX = 80
NOTE_REFUSED = frozenset(
    chr(code)
    for first, last in ((0x00, 0x1F), (0x7F, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069))
    for code in range(first, last + 1)
)
"""Controls, ends of lines, and what turns the direction of writing: a note is one line and looks like what it says.
So does what a person is called.

A list of its own, for what is printable differs from one version of Python to the next, and all judge a block alike.
"""


@value
class Genesis:
    """The first statement of a mandate: its creator is admin."""

    KIND: ClassVar = "genesis"
    salt: bytes
    """Random; the mandate's id is derived from it and the creator's key."""
    name: str
    certificate: bytes
    device_name: str
    role: Role
    recovery: DeviceId | None
    """The key that is senior to every admin, kept offline; None if none was made."""
    recovery_certificate: bytes
    """What the recovery key shows when it connects; empty if none was made."""
    rules: RuleTable


@value
class Admit:
    """Gives: a device becomes a member."""

    KIND: ClassVar = "admit"
    device: DeviceId
    certificate: bytes
    name: str
    role: Role
    admin: bool
    ticket: bytes
    """The id of the ticket that it came with; empty if none."""


@value
class Revoke:
    """Takes: a device belongs no longer; what it wrote outside the cut is set aside."""

    KIND: ClassVar = "revoke"
    device: DeviceId
    cut: Cut


@value
class Leave:
    """A member goes by itself; the only statement that needs no admin. What it wrote stays."""

    KIND: ClassVar = "leave"


@value
class SetRole:
    """Takes and gives: what a device may do."""

    KIND: ClassVar = "role"
    device: DeviceId
    role: Role
    admin: bool
    cut: Cut


@value
class SetRules:
    """Takes and gives: the table of rules."""

    KIND: ClassVar = "rules"
    rules: RuleTable
    cut: Cut


@value
class SetOwner:
    """Gives: whose version of an owned file wins; it moves when a PC is replaced."""

    KIND: ClassVar = "owner"
    path: str
    device: DeviceId


@value
class Give:
    """Gives: an owned file of its author's goes to another member; it needs no admin, whose word counts for more."""

    KIND: ClassVar = "give"
    path: str
    device: DeviceId


@value
class SetPerson:
    """Who works at a device, for people; a member says it of itself, an admin of anybody."""

    KIND: ClassVar = "person"
    device: DeviceId
    person: str
    """Empty if that is not to be told."""


@value
class SetAttach:
    """Whether programs' files are attached and detached by admins alone; each device holds its own user to it."""

    KIND: ClassVar = "attach"
    admins: bool


@value
class SetPrimary:
    """Gives: which of several accounting devices breaks ties."""

    KIND: ClassVar = "primary"
    device: DeviceId


@value
class Rename:
    KIND: ClassVar = "rename"
    name: str


@value
class Share:
    """The mandate may be announced and joined from now on."""

    KIND: ClassVar = "share"


@value
class SetSecret:
    """Names a new discovery secret without telling it."""

    KIND: ClassVar = "secret"
    number: int
    digest: bytes
    """BLAKE3 of the secret."""


@value
class Issue:
    """An invitation exists: what its holder will be."""

    KIND: ClassVar = "issue"
    ticket: bytes
    role: Role
    admin: bool
    uses: int
    expires_s: int
    """Seconds since 1970."""


@value
class CancelIssue:
    KIND: ClassVar = "cancel"
    ticket: bytes


@value
class Closed:
    """A file of a frozen period, as it stood."""

    path: RelPath
    version: ChangeId
    """The change whose content stands."""


@value
class Freeze:
    """Takes: nobody changes the files of an accounting period any more."""

    KIND: ClassVar = "freeze"
    period: Period
    files: tuple[Closed, ...]
    """Those that are named; charts and files of bookings whose names state days within the period belong to it too."""
    cut: Cut


@value
class Unfreeze:
    """Gives: the files of an accounting period may be changed again."""

    KIND: ClassVar = "unfreeze"
    period: Period


@value
class SetCurrent:
    """Accounting says up to which day the books are complete; it needs the role, not the right of an admin."""

    KIND: ClassVar = "current"
    until: date
    note: str = ""
    """What accounting tells all members with it, in one line."""


@value
class SetHosts:
    """Where members meet across the Internet."""

    KIND: ClassVar = "hosts"
    hosts: tuple[str, ...]
    """wss://HOST:PORT#KEY each, at most HOSTS_MAX."""


Statement = (
    Genesis
    | Admit
    | Revoke
    | Leave
    | SetRole
    | SetRules
    | SetOwner
    | Give
    | SetPerson
    | SetAttach
    | SetPrimary
    | Rename
    | Share
    | SetSecret
    | Issue
    | CancelIssue
    | Freeze
    | Unfreeze
    | SetCurrent
    | SetHosts
)
TAKING = (Revoke, SetRole, SetRules, Freeze)
"""Statements that carry a cut and hold for every block outside it."""

_TYPES: dict[str, type[Any]] = {t.KIND: t for t in get_args(Statement)}


@value
class UnknownStatement:
    """A kind that a newer version invented: this mandate stops until p2psync is updated."""

    kind: str


def pack_statements(statements: tuple[Statement, ...]) -> list[object]:
    """Plain lists for msgpack; a field that has its default is left out, as it was before there was such a field."""
    return [
        [s.KIND, {f.name: _plain(told) for f in fields(s) if (told := getattr(s, f.name)) != f.default}]
        for s in statements
    ]


def is_note(text: str) -> bool:
    """Whether a statement may carry this note."""
    return len(text) <= NOTE_CHARACTERS_MAX and NOTE_REFUSED.isdisjoint(text)


def is_person(text: str) -> bool:
    """Whether somebody may be called so."""
    return len(text) <= PERSON_CHARACTERS_MAX and NOTE_REFUSED.isdisjoint(text)


def unpack_statements(packed: object) -> tuple[Any, ...]:
    """Statements, an UnknownStatement for each kind that this version does not know; raises CodecError."""
    if not isinstance(packed, list) or not 0 < len(packed) <= STATEMENTS_MAX:
        raise CodecError("a block with too many statements, or none")
    return tuple(_unpack_statement(item) for item in packed)


def _unpack_statement(item: object) -> Any:
    match item:
        case [str(kind), dict(values)]:
            if kind not in _TYPES:
                return UnknownStatement(kind[:NAME_CHARACTERS_MAX])
            statement = _TYPES[kind]
            try:
                told = {f.name: f for f in fields(statement) if f.name in values or f.default is MISSING}
                return statement(**{name: _READERS[name](values.get(name)) for name in told})
            except (TypeError, ValueError, InvalidId, InvalidPath, UsageError) as error:
                raise CodecError(f"a statement {kind!r} with wrong fields: {error}") from error
        case _:
            raise CodecError("a statement that is not of the form [kind, fields]")


def _plain(value: object) -> object:
    match value:
        case RuleTable():
            return value.encode()
        case Cut(tips, sealed):
            return [[[log, [[t.seq, t.hash] for t in many]] for log, many in sorted(tips.items())], list(sealed)]
        case Role():
            return value.value
        case Period(begin, end):
            return [begin.isoformat(), end.isoformat()]
        case date():
            return value.isoformat()
        case (str(), *_):
            return list(value)
        case tuple():
            return [[one.path, one.version.block, one.version.position] for one in value]
        case _:
            return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > NAME_CHARACTERS_MAX:
        raise ValueError("a name that is no text, or too long")
    return value


def _path(value: object) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError("a path that is no text, or too long")
    return value


def _bytes(size_max: int) -> Any:
    def read(value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) > size_max:
            raise ValueError(f"more than {size_max} bytes, or none")
        return value

    return read


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 52:
        raise ValueError("not a number")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _cut(value: object) -> Cut:
    match value:
        case [list(logs), list(sealed)] if len(logs) + len(sealed) <= CUT_LOGS_MAX:
            tips = {log_id(log): tuple(Tip(_number(seq), block_hash(h)) for seq, h in many) for log, many in logs}
            return Cut(tips, tuple(map(_bytes(SEALED_BYTES_MAX), sealed)))
        case _:
            raise ValueError("a cut that is no list of logs, or too long")


def _day(value: object) -> date:
    if not isinstance(value, str) or len(value) != len("2025-12-31"):
        raise ValueError("a day that is none")
    day = date.fromisoformat(value)
    if day.isoformat() != value:
        raise ValueError("a day that is written otherwise")
    return day


def _note(value: object) -> str:
    if not isinstance(value, str) or not is_note(value):
        raise ValueError("a note that is no text, too long, or more than a line")
    return value


def _person(value: object) -> str:
    if not isinstance(value, str) or not is_person(value):
        raise ValueError("a person who is no text, too long, or more than a line")
    return value


def _period(value: object) -> Period:
    match value:
        case [first, last] if (begin := _day(first)) <= (end := _day(last)):
            return Period(begin, end)
        case _:
            raise ValueError("a period that ends before it begins, or is none")


def _closed(value: object) -> tuple[Closed, ...]:
    if not isinstance(value, list) or len(value) > FROZEN_MAX:
        raise ValueError("no list of files, or one that is too long")
    return tuple(_closed_file(one) for one in value)


def _closed_file(value: object) -> Closed:
    match value:
        case [str(path), block, position]:
            return Closed(parse(path), ChangeId(block_hash(block), _number(position)))
        case _:
            raise ValueError("a closed file without its version")


def _hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > HOSTS_MAX:
        raise ValueError("no list of meeting hosts, or one that is too long")
    if not all(isinstance(one, str) and 0 < len(one) <= HOST_CHARACTERS_MAX for one in value):
        raise ValueError("a meeting host that is no text, or too long")
    return tuple(value)


_READERS: dict[str, Any] = {
    "salt": _bytes(64),
    "name": _text,
    "device_name": _text,
    "certificate": _bytes(CERTIFICATE_BYTES_MAX),
    "recovery_certificate": _bytes(CERTIFICATE_BYTES_MAX),
    "role": Role,
    "recovery": lambda value: None if value is None else device_id(value),
    "rules": RuleTable.decode,
    "device": device_id,
    "admin": _flag,
    "admins": _flag,
    "ticket": _bytes(TICKET_ID_BYTES_MAX),
    "cut": _cut,
    "path": _path,
    "number": _number,
    "digest": _bytes(32),
    "uses": _number,
    "expires_s": _number,
    "period": _period,
    "files": _closed,
    "until": _day,
    "note": _note,
    "person": _person,
    "hosts": _hosts,
}
